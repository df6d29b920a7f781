/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts of perigeectl. One thread.
 */
#pragma once

#include <jansson.h>
#include <stdio.h>

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

/* `text` of somebody else on a line of its own, by printable(). */
void ctl_say(FILE *out, const char *before, const char *text);
/* What a daemon answers, for people; what is printed in another form may be taken out of it. */
void ctl_print_status(json_t *status);
void ctl_print_explain(json_t *report);
