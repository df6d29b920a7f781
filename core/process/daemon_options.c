/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command line of a daemon, by getopt_long(3). Main thread only; owns nothing.
 */
#include "core/process/daemon_options.h"

#include <config.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/loop/loop.h"

enum {
	OPT_CHECK = 256,
	OPT_CONTROL,
	OPT_HELP,
	OPT_VERSION,
	OPT_WORKERS,
};

static const struct option long_options[] = {
    {"check", no_argument, NULL, OPT_CHECK},
    {"config", required_argument, NULL, 'c'},
    {"control", required_argument, NULL, OPT_CONTROL},
    {"help", no_argument, NULL, OPT_HELP},
    {"node", required_argument, NULL, 'n'},
    {"version", no_argument, NULL, OPT_VERSION},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {0},
};

static void print_help(const struct daemon_program *program)
{
	printf("Usage: %s [OPTION]...\n"
	       "%s\n"
	       "\n"
	       "  -c, --config FILE   the fleet's configuration\n"
	       "                      (default " SYSCONFDIR "/perigee/perigee.yaml)\n"
	       "  -n, --node NAME     which node of the fleet this is (default: the host name)\n"
	       "      --check         read what this node needs, report its errors, and exit\n"
	       "      --control PATH  control socket, instead of the configured one\n"
	       "      --workers N     worker threads, instead of the configured number\n"
	       "      --help          print this help and exit\n"
	       "      --version       print the version and exit\n"
	       "\n"
	       "Signals: TERM and INT stop (twice: at once), HUP reloads the configuration,\n"
	       "USR1 reopens the logs.\n",
	       program->name, program->summary);
}

static int usage_error(const struct daemon_program *program)
{
	fprintf(stderr, "Try '%s --help' for more.\n", program->name);
	return 1;
}

static bool parse_workers(const char *text, unsigned *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n < 1 ||
	    n > LOOP_WORKERS_MAX)
		return false;
	*out = (unsigned)n;
	return true;
}

static void default_node(struct daemon_options *options)
{
	if (gethostname(options->host, sizeof(options->host) - 1) < 0)
		options->host[0] = '\0'; /* then no node has that name, which is reported */
	options->host[strcspn(options->host, ".")] = '\0';
	options->node = options->host;
}

int daemon_options_parse(struct daemon_options *options, const struct daemon_program *program,
			 int argc, char **argv)
{
	int opt;

	log_keep_standard_fds();
	*options = (struct daemon_options){.config = SYSCONFDIR "/perigee/perigee.yaml"};
	default_node(options);
	optind = 0; /* glibc: start afresh */
	while ((opt = getopt_long(argc, argv, "c:n:", long_options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			options->config = optarg;
			break;
		case 'n':
			options->node = optarg;
			break;
		case OPT_CHECK:
			options->check_only = true;
			break;
		case OPT_CONTROL:
			options->control = optarg;
			break;
		case OPT_WORKERS:
			if (parse_workers(optarg, &options->workers))
				break;
			fprintf(stderr, "%s: --workers takes a number from 1 to %d, not '%s'\n",
				program->name, LOOP_WORKERS_MAX, optarg);
			return usage_error(program);
		case OPT_HELP:
			print_help(program);
			return 0;
		case OPT_VERSION:
			printf("%s %s\n", program->name, PACKAGE_VERSION);
			return 0;
		default: /* getopt has said what is wrong */
			return usage_error(program);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument '%s'\n", program->name, argv[optind]);
		return usage_error(program);
	}
	return -1;
}
