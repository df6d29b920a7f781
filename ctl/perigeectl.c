/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigeectl: the operator's tool. This file has the command line and the subcommands that work on
 * a configuration; those that ask a daemon are in perigeectl_ask.c.
 */
#include "ctl/perigeectl.h"

#include <config.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/fleet.h"
#include "config/print.h"
#include "core/base/check.h"
#include "geo/map.h"

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

/* What a daemon would stumble over later; unreadable is not missing: the key may be readable to the
 * daemon only. */
static void check_file(const char *path, struct cfg_place place, struct diag *diag)
{
	if (access(path, F_OK) != 0 && errno != EACCES)
		diag_add(diag, place, "%s: %s", path, strerror(errno));
}

static void check_origin_files(const struct cfg_origin *origin, struct diag *diag)
{
	const char *const files[] = {origin->tls.ca, origin->tls.certificate, origin->tls.key};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (files[i] != NULL)
			check_file(files[i], origin->place, diag);
	}
}

static void check_files(const struct cfg_fleet *fleet, struct diag *diag)
{
	for (unsigned i = 0; i < fleet->n_origins; i++)
		check_origin_files(&fleet->origins[i], diag);
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		const struct cfg_site *site = &fleet->sites[i];

		for (unsigned c = 0; c < site->n_certificates; c++) {
			const struct cfg_certificate *cert = &site->certificates[c];

			check_file(cert->certificate, cert->place, diag);
			check_file(cert->key, cert->place, diag);
		}
	}
	for (unsigned i = 0; i < fleet->n_zones; i++)
		check_file(fleet->zones[i].file, fleet->zones[i].place, diag);
}

static int run_check(int argc, char **argv)
{
	int code =
	    parse_plain(argc, argv, 1,
			"Usage: perigeectl check FILE\n"
			"\n"
			"Reads a configuration with all that it includes, and the geo database "
			"that it names.\n"
			"Prints \"ok\", or every error with its file, line and column, and then "
			"exits with 1.");
	struct cfg_fleet *fleet;
	struct geo_map *map;
	struct diag *diag;

	if (code >= 0)
		return code;
	diag = diag_create();
	fleet = cfg_load(argv[optind], diag);
	if (fleet != NULL) {
		check_files(fleet, diag);
		map = geo_map_compile(fleet, diag);
		geo_map_destroy(&map);
	}
	diag_print(diag, stderr);
	code = diag_count(diag) == 0 ? CTL_OK : CTL_BAD;
	if (code == CTL_OK)
		puts("ok");
	cfg_fleet_destroy(&fleet);
	diag_destroy(&diag);
	return code;
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
	int code = parse_plain(argc, argv, 0,
			       "Usage: perigeectl man\n"
			       "\n"
			       "Prints the manual page perigee.yaml(5) in mdoc; to read it:\n"
			       "\n"
			       "  perigeectl man | man -l -");

	if (code >= 0)
		return code;
	cfg_man(stdout);
	return CTL_OK;
}

static const struct command commands[] = {
    {"check", "FILE", "check a configuration", run_check},
    {"dump", "FILE", "print the effective configuration", run_dump},
    {"schema", "", "print a JSON Schema for editors", run_schema},
    {"man", "", "print the manual page of the configuration", run_man},
    {"status", "SOCKET", "show the state of a running node", ctl_status},
    {"reload", "SOCKET", "have a running node read its configuration anew", ctl_reload},
    {"explain", "SOCKET NAME TYPE CLIENT", "show what DNS answers to a client, and why",
     ctl_explain},
};

static int help(void)
{
	puts("Usage: perigeectl COMMAND [ARGUMENT...]\n"
	     "\n"
	     "The operator's tool of Perigee.\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-7s %-24s %s\n", commands[i].name, commands[i].arguments,
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
	int code = run(argc, argv);

	/* A full disk must not look like success. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == CTL_OK)
		code = output_failed();
	return code;
}
