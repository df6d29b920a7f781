/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of perigeectl. One thread.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

struct cfg_edge;
struct cfg_fleet;
struct cfg_nameserver;
struct diag;

/* Exit codes. */
enum { CTL_OK = 0, CTL_BAD = 1, CTL_USAGE = 2 };

/* Prints "Try ..." after a message about the command line; returns CTL_USAGE. */
int ctl_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints what is wrong with a configuration and with all files that it names: with what the fleet
 * needs (node: NULL), or one of its nodes. The exit code. */
int ctl_check(const char *file, const char *node);
/* Warns of what this machine has not that the node needs; either may be NULL. */
void ctl_check_machine(const struct cfg_fleet *fleet, const struct cfg_edge *edge,
		       const struct cfg_nameserver *server, struct diag *diag);
/* Subcommands: argv[0] is the subcommand's name. They return the exit code. */
int ctl_status(int argc, char **argv);
int ctl_metrics(int argc, char **argv);
int ctl_reload(int argc, char **argv);
int ctl_explain(int argc, char **argv);
int ctl_log(int argc, char **argv);
int ctl_ticket_key(int argc, char **argv);

/* `text` of somebody else on a line of its own, by printable(). */
void ctl_say(FILE *out, const char *before, const char *text);
/* What a daemon answers, for people; what is printed in another form may be taken out of it. */
void ctl_print_status(json_t *status);
/* Its origins in three parts instead of one. */
void ctl_split_origins(json_t *status);
void ctl_print_explain(json_t *report);
/* In Prometheus' text format. */
void ctl_print_metrics(json_t *status);
