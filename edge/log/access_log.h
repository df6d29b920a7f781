/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The access log of a node: which requests get a line, and how it goes to where the configuration
 * says. Opened once, and written by every worker; how lines look and how many there are belongs to
 * the view, so that a reload may change it.
 */
#pragma once

#include "config/http.h"
#include "core/loop/loop.h"
#include "edge/log/entry.h"

/* What of the configuration a reload may change. Immutable between _create and _destroy. */
struct edge_log_rules;
/* `config` must outlive it. */
struct edge_log_rules *edge_log_rules_create(const struct cfg_access_log *config);
void edge_log_rules_destroy(struct edge_log_rules **rules);
/* Whether a request gets a line: by its id, or, if it has none, by its number among those of its
 * worker. Pure. */
bool edge_log_is_wanted(const struct edge_log_rules *rules, const struct edge_log_entry *e,
			uint64_t number);

struct edge_access_log;
/* Not for an output of "". `program` and `node` are what syslog and the journal are told. NULL when
 * it cannot be opened; *error (malloc'd, caller frees) then says why. */
struct edge_access_log *edge_access_log_open(const struct cfg_access_log *config,
					     const char *program, const char *node,
					     struct loop_group *group, char **error);
/* Owner: any loop of the group. False: it is not among those that get a line. */
bool edge_access_log_write(struct edge_access_log *log, struct loop *loop,
			   const struct edge_log_rules *rules, const struct edge_log_entry *e);
/* Any thread: lines that were lost so far. */
uint64_t edge_access_log_dropped(const struct edge_access_log *log);
/* Any thread: opens a file again, after rotation. */
void edge_access_log_reopen(struct edge_access_log *log);
/* After the workers were joined. */
void edge_access_log_close(struct edge_access_log **log);
