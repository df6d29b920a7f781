/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The subcommands that ask a running daemon over its control socket.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "config/node.h"
#include "config/suggest.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/process/control.h"
#include "ctl/perigeectl.h"

struct question {
	bool json;
	bool help;
	const char *config;     /* -c FILE */
	const char *nameserver; /* --nameserver NAME */
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {"json", no_argument, NULL, 'j'},
    {"nameserver", required_argument, NULL, 'n'},
    {0},
};

/* Leaves optind at the first argument. False: getopt has complained. */
static bool parse(int argc, char **argv, struct question *q)
{
	int c;

	*q = (struct question){0};
	optind = 0;
	while ((c = getopt_long(argc, argv, "c:hj", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			q->config = optarg;
			break;
		case 'h':
			q->help = true;
			break;
		case 'j':
			q->json = true;
			break;
		case 'n':
			q->nameserver = optarg;
			break;
		default:
			return false;
		}
	}
	return true;
}

/* The control socket of a node of any kind; NULL was complained about. */
static const char *node_socket(const struct cfg_fleet *fleet, const char *name, struct diag *diag)
{
	struct cfg_node node = cfg_expect_node(fleet, name, diag);

	if (node.edge != NULL && node.nameserver != NULL) {
		diag_add(diag, (struct cfg_place){.file = fleet->file},
			 "\"%s\" is both an edge (%s) and a name server (%s); give the socket "
			 "instead of -c",
			 name, node.edge->control, node.nameserver->control);
		return NULL;
	}
	if (node.edge != NULL)
		return node.edge->control;
	return node.nameserver != NULL ? node.nameserver->control : NULL;
}

/* The control socket of a name server: the only one when `name` is NULL. */
static const char *nameserver_socket(const struct cfg_fleet *fleet, const char *name,
				     struct diag *diag)
{
	const struct cfg_nameserver *server;

	if (name == NULL && fleet->n_nameservers == 1)
		return fleet->nameservers[0].control;
	if (name == NULL) {
		diag_add(diag, (struct cfg_place){.file = fleet->file},
			 "there are %u name servers; say which: --nameserver NAME",
			 fleet->n_nameservers);
		return NULL;
	}
	server = cfg_expect_nameserver(fleet, name, diag);
	return server != NULL ? server->control : NULL;
}

typedef const char *find_socket(const struct cfg_fleet *fleet, const char *node, struct diag *diag);

/* The socket of a node in a configuration, malloc'd; NULL was complained about. */
static char *socket_in(const char *file, const char *node, find_socket *find)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet = cfg_load(file, diag);
	const char *socket = fleet != NULL ? find(fleet, node, diag) : NULL;
	char *copy = socket != NULL ? xstrdup(socket) : NULL;

	/* What is doubtful in it is no concern of this. */
	if (socket == NULL)
		diag_print(diag, stderr);
	cfg_fleet_destroy(&fleet);
	diag_destroy(&diag);
	return copy;
}

/* A reload says what it is at, but one file may take long, and so may a disk. */
#define RELOAD_PATIENCE DUR_S(600)

/* "errors": several, each with its place, behind "error". */
static void print_errors(const json_t *answer)
{
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(answer, "errors"), i, line)
	{
		if (json_is_string(line))
			ctl_say(stderr, "", json_string_value(line));
	}
	ctl_say(stderr, "perigeectl: ", json_string_value(json_object_get(answer, "error")));
}

/* A line at a time, as it comes. */
static void print_progress(void *arg, const char *text)
{
	ctl_say(stdout, "", text);
	fflush(stdout);
}

/* How a command is asked, and its result shown. */
struct manner {
	duration patience;
	void (*print)(json_t *result);
	bool lasts; /* what is being done is shown */
};

static void print_json(const json_t *value)
{
	/* Whatever else is in a string would be shown by the terminal as it is. */
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	putchar('\n');
}

static int ask(const char *socket, const char *command, const struct manner *manner, bool json)
{
	struct control_call call = {
	    .path = socket,
	    .command = command,
	    .patience = manner->patience,
	    .listener = manner->lasts && !json ? print_progress : NULL,
	};
	char *error = NULL;
	json_t *last = control_call(&call, &error);
	json_t *result = json_object_get(last, "result");

	if (last == NULL) {
		ctl_say(stderr, "perigeectl: ", error);
		free(error);
		return CTL_BAD;
	}
	if (json)
		print_json(result != NULL ? result : last);
	else if (result != NULL)
		manner->print(result);
	else
		print_errors(last);
	json_decref(last);
	return result != NULL ? CTL_OK : CTL_BAD;
}

/* `node`: a socket, or with -c the name of a node. */
static int ask_node(const struct question *q, const char *node, find_socket *find,
		    const char *command, const struct manner *manner)
{
	char *socket = q->config != NULL ? socket_in(q->config, node, find) : xstrdup(node);
	int code = socket != NULL ? ask(socket, command, manner, q->json) : CTL_BAD;

	free(socket);
	return code;
}

/* A command that has no arguments but the node that it is for. */
struct node_command {
	const char *name;
	const char *asks; /* the command of the control socket */
	const char *help;
	struct manner manner;
};

static int run_node_command(const struct node_command *command, int argc, char **argv)
{
	struct question q;

	if (!parse(argc, argv, &q))
		return ctl_usage(command->name, NULL);
	if (q.help) {
		puts(command->help);
		return CTL_OK;
	}
	if (q.nameserver != NULL)
		return ctl_usage(command->name, "--nameserver belongs to explain; name the node");
	if (argc - optind != 1)
		return ctl_usage(command->name, "one %s is needed",
				 q.config != NULL ? "NODE" : "SOCKET, or -c FILE and a NODE,");
	return ask_node(&q, argv[optind], node_socket, command->asks, &command->manner);
}

int ctl_status(int argc, char **argv)
{
	static const struct node_command command = {
	    "status",
	    "status",
	    "Usage: perigeectl status [--json] SOCKET\n"
	    "       perigeectl status [--json] -c FILE NODE\n"
	    "\n"
	    "Shows what a running node says of itself: state, listeners, health of origins or\n"
	    "edges, counters. NODE is an edge or a name server of the configuration FILE.\n"
	    "\n"
	    "  -c, --config FILE  find the control socket in this configuration\n"
	    "  -j, --json         print the answer as JSON\n"
	    "  -h, --help         show this",
	    {CONTROL_CALL_TIME, ctl_print_status, false},
	};

	return run_node_command(&command, argc, argv);
}

int ctl_metrics(int argc, char **argv)
{
	static const struct node_command command = {
	    "metrics",
	    "status",
	    "Usage: perigeectl metrics SOCKET\n"
	    "       perigeectl metrics -c FILE NODE\n"
	    "\n"
	    "Prints the counters of a running node in Prometheus' text format, as the textfile\n"
	    "collector of its node_exporter takes it. NODE is an edge or a name server of the\n"
	    "configuration FILE.\n"
	    "\n"
	    "  -c, --config FILE  find the control socket in this configuration\n"
	    "  -h, --help         show this",
	    {CONTROL_CALL_TIME, ctl_print_metrics, false},
	};

	return run_node_command(&command, argc, argv);
}

static void print_reload(json_t *result)
{
	const char *restart = json_string_value(json_object_get(result, "restart"));
	json_t *line;
	size_t i;

	json_array_foreach(json_object_get(result, "warnings"), i, line)
	{
		if (json_is_string(line))
			ctl_say(stderr, "", json_string_value(line));
	}
	puts("reloaded");
	if (restart != NULL)
		printf("%s has changed: that takes a restart\n", restart);
}

int ctl_reload(int argc, char **argv)
{
	static const struct node_command command = {
	    "reload",
	    "reload",
	    "Usage: perigeectl reload [--json] SOCKET\n"
	    "       perigeectl reload [--json] -c FILE NODE\n"
	    "\n"
	    "Has a running node read its configuration anew, and tells what it is at until it is\n"
	    "over: then prints \"reloaded\", when it serves by the new one, or every error with "
	    "its\n"
	    "file, line and column; then the old one stays, and 1 is returned.\n"
	    "\n"
	    "  -c, --config FILE  find the control socket in this configuration\n"
	    "  -j, --json         print the answer as JSON\n"
	    "  -h, --help         show this",
	    {RELOAD_PATIENCE, print_reload, true},
	};

	return run_node_command(&command, argc, argv);
}

static int help_explain(void)
{
	puts("Usage: perigeectl explain [--json] SOCKET NAME TYPE CLIENT\n"
	     "       perigeectl explain [--json] -c FILE [--nameserver NAMESERVER] NAME TYPE "
	     "CLIENT\n"
	     "\n"
	     "Asks a running name server what it answers to a client, and why. CLIENT is an "
	     "address\n"
	     "or a network.\n"
	     "\n"
	     "  -c, --config FILE        find the control socket in this configuration\n"
	     "      --nameserver NAME    the name server in it; not needed when there is only one\n"
	     "  -j, --json               print the answer as JSON\n"
	     "  -h, --help               show this\n"
	     "\n"
	     "Example: perigeectl explain -c perigee.yaml www.example.com A 192.0.2.0/24");
	return CTL_OK;
}

/* The socket's line is split at spaces. */
static bool is_word(const char *text)
{
	return *text != '\0' && strpbrk(text, " \t\r\n") == NULL;
}

int ctl_explain(int argc, char **argv)
{
	static const struct manner manner = {CONTROL_CALL_TIME, ctl_print_explain, false};
	struct question q;
	char *line, **words;
	int code;

	if (!parse(argc, argv, &q))
		return ctl_usage("explain", NULL);
	if (q.help)
		return help_explain();
	if (q.nameserver != NULL && q.config == NULL)
		return ctl_usage("explain", "--nameserver needs -c FILE");
	if (argc - optind != (q.config != NULL ? 3 : 4))
		return ctl_usage("explain", "%sNAME TYPE CLIENT are needed",
				 q.config != NULL ? "" : "SOCKET (or -c FILE) ");
	words = argv + argc - 3;
	for (int i = 0; i < 3; i++) {
		if (!is_word(words[i]))
			return ctl_usage("explain", "\"%s\" is not one word", words[i]);
	}
	line = xasprintf("explain %s %s %s", words[0], words[1], words[2]);
	code = q.config != NULL ? ask_node(&q, q.nameserver, nameserver_socket, line, &manner)
				: ask_node(&q, argv[optind], node_socket, line, &manner);
	free(line);
	return code;
}

static int help_log(void)
{
	puts("Usage: perigeectl log [--json] SOCKET [LEVEL [MODULE]]\n"
	     "       perigeectl log [--json] -c FILE NODE [LEVEL [MODULE]]\n"
	     "\n"
	     "Shows at which level each module of a running node logs, after setting that of\n"
	     "MODULE, or of all. It holds until log.level changes in the configuration, or until\n"
	     "the node is restarted.\n"
	     "\n"
	     "  -c, --config FILE  find the control socket in this configuration\n"
	     "  -j, --json         print the answer as JSON\n"
	     "  -h, --help         show this\n"
	     "\n"
	     "Levels: error, warn, info, debug. Modules:");
	for (int i = 0; i < LOG_N_MODULES; i++)
		printf("  %-9s %s\n", log_modules[i].name, log_modules[i].help);
	return CTL_OK;
}

static int no_such_word(const char *kind, const char *word, const struct cfg_suggest *near)
{
	if (near->best != NULL)
		return ctl_usage("log", "there is no %s \"%s\"; did you mean \"%s\"?", kind, word,
				 near->best);
	return ctl_usage("log", "there is no %s \"%s\"", kind, word);
}

static int check_level(const char *word)
{
	struct cfg_suggest near;

	if (log_level_find(word) >= 0)
		return CTL_OK;
	cfg_suggest_init(&near, word);
	for (int i = 0; i < LOG_N_LEVELS; i++)
		cfg_suggest_offer(&near, log_level_text((enum log_level)i));
	return no_such_word("level", word, &near);
}

static int check_module(const char *word)
{
	struct cfg_suggest near;

	if (log_module_find(word) >= 0)
		return CTL_OK;
	cfg_suggest_init(&near, word);
	for (int i = 0; i < LOG_N_MODULES; i++)
		cfg_suggest_offer(&near, log_modules[i].name);
	return no_such_word("module", word, &near);
}

int ctl_log(int argc, char **argv)
{
	static const struct manner manner = {CONTROL_CALL_TIME, ctl_print_status, false};
	const char *level, *module;
	struct question q;
	char *line;
	int code, n;

	if (!parse(argc, argv, &q))
		return ctl_usage("log", NULL);
	if (q.help)
		return help_log();
	n = argc - optind;
	if (q.nameserver != NULL)
		return ctl_usage("log", "--nameserver belongs to explain; name the node");
	if (n < 1 || n > 3)
		return ctl_usage("log", "%s [LEVEL [MODULE]] are needed",
				 q.config != NULL ? "NODE" : "SOCKET (or -c FILE and a NODE)");
	level = n > 1 ? argv[optind + 1] : "";
	module = n > 2 ? argv[optind + 2] : "";
	code = n > 1 ? check_level(level) : CTL_OK;
	if (code == CTL_OK && n > 2)
		code = check_module(module);
	if (code != CTL_OK)
		return code;
	line = xasprintf("log %s %s", level, module);
	code = ask_node(&q, argv[optind], node_socket, line, &manner);
	free(line);
	return code;
}
