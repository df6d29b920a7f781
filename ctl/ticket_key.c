/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigeectl ticket-key: makes, lists and retires the keys of tickets in a directory, which edges
 * read by the same code (edge/tls/ticket_keys.h). Bytes of keys are never shown.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "ctl/perigeectl.h"
#include "ctl/table.h"
#include "edge/tls/ticket_keys.h"

static int help(void)
{
	puts(
	    "Usage: perigeectl ticket-key new [--from TIME] DIRECTORY\n"
	    "       perigeectl ticket-key list DIRECTORY\n"
	    "       perigeectl ticket-key retire DIRECTORY NAME\n"
	    "\n"
	    "The keys by which the edges of a fleet resume each other's TLS sessions, in the\n"
	    "directory tls.tickets.keys. Each edge needs the same files: make a key in one place,\n"
	    "to be used from a time on at which all of them have it, and copy it.\n"
	    "\n"
	    "  new      makes one, and prints its name\n"
	    "  list     shows which is in use, and what the others are for\n"
	    "  retire   takes one away: sessions that need it begin anew\n"
	    "\n"
	    "  -f, --from TIME  such as 2026-11-26T10:00:00Z; default: now\n"
	    "  -h, --help       show this");
	return CTL_OK;
}

static int say_error(char *error)
{
	ctl_say(stderr, "perigeectl: ", error);
	free(error);
	return CTL_BAD;
}

static int make_key(const char *directory, wall_time from)
{
	char *error = NULL, *name = ticket_key_make(directory, from, &error);

	if (name == NULL)
		return say_error(error);
	puts(name);
	free(name);
	return CTL_OK;
}

static const char *use_of(unsigned key, unsigned in_use)
{
	if (key == in_use)
		return "in use";
	return key < in_use ? "older: its tickets are understood" : "later";
}

/* False: all that is wrong was said. Warnings are said, too. */
static bool read_keys(struct ticket_keys *keys, const char *directory)
{
	struct diag *diag = diag_create();
	bool ok = ticket_keys_read(keys, directory, (struct cfg_place){.file = "ticket-key"}, diag);

	diag_print(diag, stderr);
	diag_destroy(&diag);
	return ok;
}

static int list_keys(const char *directory)
{
	struct ticket_keys keys;
	json_t *list = json_array();
	unsigned in_use;

	if (!read_keys(&keys, directory)) {
		json_decref(list);
		return CTL_BAD;
	}
	in_use = ticket_keys_in_use(&keys, clock_wall());
	for (unsigned i = 0; i < keys.n; i++) {
		char *from = ticket_time_text(keys.v[i].from);
		/* When the first is still to come, none is in use. */
		const char *use = in_use == keys.n ? "later" : use_of(i, in_use);

		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", keys.v[i].name,
						      "from", from, "use", use));
		free(from);
	}
	if (keys.n > 0)
		ctl_table(list);
	else
		puts("no keys");
	json_decref(list);
	ticket_keys_fini(&keys);
	return CTL_OK;
}

static int retire_key(const char *directory, const char *name)
{
	char *path;
	int error;

	if (!ticket_key_name_is_good(name))
		return say_error(xasprintf("%s is not the name of a key", name));
	path = xasprintf("%s/%s", directory, name);
	error = unlink(path) == 0 ? 0 : errno;
	free(path);
	if (error != 0)
		return say_error(xasprintf("%s/%s: %s", directory, name, strerrordesc_np(error)));
	return list_keys(directory);
}

int ctl_ticket_key(int argc, char **argv)
{
	static const struct option options[] = {
	    {"from", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *verb, *from = NULL;
	wall_time time = clock_wall();
	int c, n;

	optind = 0;
	while ((c = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		if (c == 'h')
			return help();
		if (c != 'f')
			return ctl_usage("ticket-key", NULL);
		from = optarg;
	}
	n = argc - optind;
	verb = n > 0 ? argv[optind] : "";
	if (from != NULL && strcmp(verb, "new") != 0)
		return ctl_usage("ticket-key", "--from belongs to new");
	if (from != NULL && !ticket_time_parse(from, strlen(from), &time))
		return ctl_usage("ticket-key", "\"%s\" is no time such as 2026-11-26T10:00:00Z",
				 from);
	if (n == 2 && strcmp(verb, "new") == 0)
		return make_key(argv[optind + 1], time);
	if (n == 2 && strcmp(verb, "list") == 0)
		return list_keys(argv[optind + 1]);
	if (n == 3 && strcmp(verb, "retire") == 0)
		return retire_key(argv[optind + 1], argv[optind + 2]);
	return ctl_usage("ticket-key",
			 "new DIRECTORY, list DIRECTORY or retire DIRECTORY NAME is needed");
}
