/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of perigeectl. One thread.
 */
#pragma once

#include <jansson.h>

/* Exit codes. */
enum { CTL_OK = 0, CTL_BAD = 1, CTL_USAGE = 2 };

/* Prints "Try ..." after a message about the command line; returns CTL_USAGE. */
int ctl_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints what is wrong with a configuration and with all files that it names; the exit code. */
int ctl_check(const char *file);
/* Subcommands: argv[0] is the subcommand's name. They return the exit code. */
int ctl_status(int argc, char **argv);
int ctl_reload(int argc, char **argv);
int ctl_explain(int argc, char **argv);
int ctl_log(int argc, char **argv);

/* Any JSON document, for people: lists of objects become tables. */
void ctl_print_status(const json_t *status);
void ctl_print_explain(const json_t *report);
