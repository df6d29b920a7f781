/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What browsers may load early (RFC 8297): the Link fields of earlier responses, by a hash of what
 * was asked for. One table for all workers, which read and write it without a lock: a slot that
 * somebody else writes at the moment is not read, or not written. Bounded: 2 MiB; an entry is
 * forgotten after EDGE_HINTS_TIME, or when newer ones need its slot. Any thread.
 */
#pragma once

#include "core/base/clock.h"
#include "core/http/message.h"

struct edge_hints;

/* The longest value of Link that is kept; what does not fit is left out. */
#define EDGE_HINT_MAX 992
#define EDGE_HINTS_TIME DUR_S(3600)

struct edge_hints *edge_hints_create(void);
void edge_hints_destroy(struct edge_hints **hints);

/* `links` in place of what is known; empty: nothing is. */
void edge_hints_learn(struct edge_hints *hints, uint64_t key, struct span links, mono_time now);
/* How long it is; 0: nothing is known. */
size_t edge_hints_find(struct edge_hints *hints, uint64_t key, mono_time now,
		       char out[EDGE_HINT_MAX]);

/* The members of Link fields that browsers heed in a 103 (rel=preload, modulepreload, preconnect),
 * as one value: what was found, and what fits. */
size_t edge_hints_links(const struct http_fields *fields, char out[EDGE_HINT_MAX]);
