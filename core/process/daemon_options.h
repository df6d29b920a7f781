/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command line, which both daemons share.
 */
#pragma once

#include <stdbool.h>

struct daemon_program {
	const char *name;    /* "perigee-edge" */
	const char *summary; /* one line for --help */
};

struct daemon_options {
	const char *config;  /* -c, --config FILE; SYSCONFDIR/perigee/perigee.yaml */
	const char *node;    /* -n, --node NAME; the host name up to its first dot */
	const char *control; /* --control PATH, instead of the configured socket; "": none; NULL:
				not given */
	unsigned workers;    /* --workers N, instead of the configured number; 0: not given */
	bool check_only;     /* --check: read the configuration, report, exit */
	char host[256];      /* what `node` points to by default: do not copy this struct */
};

/* -1: go on. Otherwise main() returns this at once: 0 after --help and --version, which went to
 * standard output, 1 after an error, which went to standard error. The strings are argv's. */
int daemon_options_parse(struct daemon_options *options, const struct daemon_program *program,
			 int argc, char **argv);
