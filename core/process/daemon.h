/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the main() of both daemons shares: the command line, signals, and the limit on descriptors.
 * All of it belongs to the main thread, which runs the control loop.
 */
#pragma once

#include <stdbool.h>

#include "core/loop/loop.h"

struct daemon_program {
	const char *name;    /* "perigee-edge" */
	const char *summary; /* one line for --help */
};

struct daemon_options {
	const char *config;  /* -c, --config FILE; SYSCONFDIR/perigee/perigee.yaml */
	const char *node;    /* -n, --node NAME; the host name up to its first dot */
	const char *control; /* --control PATH, instead of the configured socket; NULL: not given */
	unsigned workers;    /* --workers N, instead of the configured number; 0: not given */
	bool check_only;     /* --check: read the configuration, report, exit */
	char host[256];      /* what `node` points to by default: do not copy this struct */
};

/* -1: go on. Otherwise main() returns this at once: 0 after --help and --version, which went to
 * standard output, 1 after an error, which went to standard error. The strings are argv's. */
int daemon_options_parse(struct daemon_options *options, const struct daemon_program *program,
			 int argc, char **argv);

/* Called on the control loop, not in a signal handler. */
struct daemon_signal_ops {
	void (*stop)(void *arg);        /* the first SIGTERM or SIGINT: finish what is begun */
	void (*stop_now)(void *arg);    /* every further one */
	void (*reload)(void *arg);      /* SIGHUP */
	void (*reopen_logs)(void *arg); /* SIGUSR1 */
};

struct daemon_signals;
/* Also ignores SIGPIPE, for good. `ops` must outlive the result. */
struct daemon_signals *daemon_signals_create(struct loop *control,
					     const struct daemon_signal_ops *ops, void *arg);
/* Before the loop is destroyed. The signals get their default meaning back. */
void daemon_signals_destroy(struct daemon_signals **signals);

/* Raises the soft limit on open files to the hard one. A failure is logged. */
void daemon_raise_file_limit(void);
