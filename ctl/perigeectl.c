/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigeectl: the operator's tool. This file has the command line and the subcommands that work on
 * a configuration; those that ask a daemon are in ctl/ask.c.
 */
#include "ctl/perigeectl.h"

#include <config.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "config/print/print.h"
#include "core/base/check.h"
#include "ctl/table.h"

struct command {
	const char *name;
	const char *arguments;
	const char *summary; /* for the list of commands */
	int (*run)(int argc, char **argv);
};

int ctl_usage(const char *command, const char *fmt, ...)
{
	va_list args;

	if (fmt != NULL) {
		fprintf(stderr, "perigeectl%s%s: ", *command != '\0' ? " " : "", command);
		va_start(args, fmt);
		vfprintf(stderr, fmt, args);
		va_end(args);
		fputc('\n', stderr);
	}
	fprintf(stderr, "Try 'perigeectl %s%s--help'.\n", command, *command != '\0' ? " " : "");
	return CTL_USAGE;
}

/* Commands that have no option but --help. -1: go on, with `n` arguments at argv[1]. */
static int parse_plain(int argc, char **argv, int n, const char *help)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'h')
			return ctl_usage(argv[0], NULL);
		puts(help);
		return CTL_OK;
	}
	if (argc - optind != n)
		return ctl_usage(argv[0], n == 0 ? "no argument is taken" : "one FILE is needed");
	return -1;
}

static int help_check(void)
{
	puts(
	    "Usage: perigeectl check [--node NAME] FILE\n"
	    "\n"
	    "Reads a configuration with all that it includes, and every file that it names, as "
	    "the\n"
	    "daemons do: certificates, keys, zones, geo databases. Files that you may not read "
	    "are\n"
	    "listed and passed over.\n"
	    "Prints \"ok\", or every error with its file, line and column, and then exits with 1.\n"
	    "What is doubtful is a warning, which leaves it \"ok\".\n"
	    "\n"
	    "  -n, --node NAME  check what this node would find, an edge or a name server; on its "
	    "own\n"
	    "                   machine: its addresses, and the folders of what it writes, too\n"
	    "  -h, --help       show this");
	return CTL_OK;
}

static int run_check(int argc, char **argv)
{
	static const struct option options[] = {
	    {"help", no_argument, NULL, 'h'}, {"node", required_argument, NULL, 'n'}, {0}};
	const char *node = NULL;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "hn:", options, NULL)) != -1) {
		if (c == 'h')
			return help_check();
		if (c != 'n')
			return ctl_usage(argv[0], NULL);
		node = optarg;
	}
	if (argc - optind != 1)
		return ctl_usage(argv[0], "one FILE is needed");
	return ctl_check(argv[optind], node);
}

static int output_failed(void)
{
	fprintf(stderr, "perigeectl: cannot write: %s\n", strerror(errno));
	return CTL_BAD;
}

static int run_dump(int argc, char **argv)
{
	int code =
	    parse_plain(argc, argv, 1,
			"Usage: perigeectl dump FILE\n"
			"\n"
			"Prints the effective configuration: includes and environment variables "
			"put in,\n"
			"relative paths resolved, every default filled in. It can be loaded in "
			"FILE's place.");
	struct cfg_fleet *fleet;
	struct diag *diag;

	if (code >= 0)
		return code;
	diag = diag_create();
	fleet = cfg_load(argv[optind], diag);
	diag_print(diag, stderr);
	diag_destroy(&diag);
	if (fleet == NULL)
		return CTL_BAD;
	if (!cfg_dump(fleet, stdout))
		code = output_failed();
	else
		code = CTL_OK;
	cfg_fleet_destroy(&fleet);
	return code;
}

static int run_schema(int argc, char **argv)
{
	int code =
	    parse_plain(argc, argv, 0,
			"Usage: perigeectl schema\n"
			"\n"
			"Prints a JSON Schema (draft 2020-12) of the configuration. For editors "
			"with\n"
			"yaml-language-server, put this line first in the file:\n"
			"\n"
			"  # yaml-language-server: $schema=perigee.schema.json");
	json_t *schema;

	if (code >= 0)
		return code;
	schema = cfg_schema();
	json_dumpf(schema, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(schema);
	return CTL_OK;
}

static int run_man(int argc, char **argv)
{
	int code =
	    parse_plain(argc, argv, 0,
			"Usage: perigeectl man\n"
			"\n"
			"Prints the options of perigee.yaml(5) in mdoc, as the page has them.");

	if (code >= 0)
		return code;
	cfg_man(stdout);
	return CTL_OK;
}

static const struct command commands[] = {
    {"check", "FILE", "check a configuration", run_check},
    {"dump", "FILE", "print the effective configuration", run_dump},
    {"schema", "", "print a JSON Schema for editors", run_schema},
    {"man", "", "print the options of the configuration for its manual page", run_man},
    {"status", "SOCKET", "show the state of a running node", ctl_status},
    {"metrics", "SOCKET", "print the counters of a running node for Prometheus", ctl_metrics},
    {"reload", "SOCKET", "have a running node read its configuration anew", ctl_reload},
    {"explain", "SOCKET NAME TYPE CLIENT", "show what DNS answers to a client, and why",
     ctl_explain},
    {"log", "SOCKET [LEVEL [MODULE]]", "show or change what a running node logs", ctl_log},
    {"ticket-key", "new|list|retire DIRECTORY", "manage the keys by which TLS sessions are resumed",
     ctl_ticket_key},
};

static int help(void)
{
	puts("Usage: perigeectl COMMAND [ARGUMENT...]\n"
	     "\n"
	     "The operator's tool of Perigee.\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %-25s %s\n", commands[i].name, commands[i].arguments,
		       commands[i].summary);
	puts("\n"
	     "  --help       show this; after a command: show how to use it\n"
	     "  --version    show the version\n"
	     "\n"
	     "Exits with 0, with 1 when something is wrong, with 2 when it was called wrongly.");
	return CTL_OK;
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return ctl_usage("", "a command is needed");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help();
	if (strcmp(argv[1], "--version") == 0) {
		puts("perigeectl " PACKAGE_VERSION);
		return CTL_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	return ctl_usage("", "there is no command \"%s\"", argv[1]);
}

int main(int argc, char **argv)
{
	int code;

	ctl_table_init();
	code = run(argc, argv);

	/* A full disk must not look like success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == CTL_OK)
		code = output_failed();
	return code;
}
