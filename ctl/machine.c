/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a node meets only when it starts on its machine: addresses to listen on, folders of the
 * files that it writes. This may be another machine, or the same one before it is ready, so all of
 * it is worth a warning, and none an error.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/net/sock.h"
#include "ctl/perigeectl.h"

/* The part before the last slash, malloc'd: "." and "/" as dirname(3) has them. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xasprintf("%.*s", (int)(slash - path), path);
}

/* 0 or an errno: what would be met there. */
static int folder_error(const char *folder)
{
	struct stat st;

	if (stat(folder, &st) < 0)
		return errno;
	return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

/* A node's option, "edges.fra1.listen". */
struct option_name {
	const char *section, *node, *option;
	struct cfg_place place; /* the node's */
};

static char *option_text(const struct option_name *o)
{
	return xasprintf("%s.%s.%s", o->section, o->node, o->option);
}

/* `is_made`: the node makes the folder itself when only that is missing. */
static void check_folder(const char *option, struct cfg_place place, const char *path, bool is_made,
			 struct diag *diag)
{
	char *folder = folder_of(path), *above = folder_of(folder);
	int error = folder_error(folder);

	if (error == ENOENT && is_made && folder_error(above) == 0)
		error = 0;
	/* Who is not let in may be another than the daemon. */
	if (error != 0 && error != EACCES)
		diag_warn(diag, place, "%s: %s: the folder %s: %s", option, path, folder,
			  strerrordesc_np(error));
	free(above);
	free(folder);
}

static void check_own_folder(struct option_name o, const char *path, bool is_made,
			     struct diag *diag)
{
	char *option = option_text(&o);

	check_folder(option, o.place, path, is_made, diag);
	free(option);
}

static void check_listens(struct option_name o, const struct cfg_addrs *listen, int type,
			  struct diag *diag)
{
	char *option = option_text(&o), text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < listen->n; i++) {
		int error = sock_check_free(&listen->v[i], type);

		/* It may run already; and another user may be allowed to. */
		if (error == 0 || error == -EADDRINUSE || error == -EACCES)
			continue;
		diag_warn(diag, o.place, "%s: cannot listen on %s here: %s", option,
			  net_addr_format(&listen->v[i], text), strerrordesc_np(-error));
	}
	free(option);
}

static void check_edge(const struct cfg_fleet *fleet, const struct cfg_edge *edge,
		       struct diag *diag)
{
	const struct option_name listen = {"edges", edge->name, "listen", edge->place};
	const struct option_name plain = {"edges", edge->name, "listen_plain", edge->place};
	const struct option_name relay = {"edges", edge->name, "relay.listen", edge->place};
	const struct option_name control = {"edges", edge->name, "control", edge->place};
	const char *log = fleet->http.access_log.output;

	check_listens(listen, &edge->listen, SOCK_STREAM, diag);
	check_listens(plain, &edge->listen_plain, SOCK_STREAM, diag);
	check_listens(relay, &edge->relay.listen, SOCK_STREAM, diag);
	check_own_folder(control, edge->control, true, diag);
	if (strchr(log, '/') != NULL)
		check_folder("http.access_log.output", (struct cfg_place){.file = fleet->file}, log,
			     false, diag);
}

static void check_nameserver(const struct cfg_nameserver *server, struct diag *diag)
{
	const struct option_name listen = {"nameservers", server->name, "listen", server->place};
	const struct option_name control = {"nameservers", server->name, "control", server->place};
	const struct option_name state = {"nameservers", server->name, "state", server->place};

	check_listens(listen, &server->listen, SOCK_DGRAM, diag);
	check_own_folder(control, server->control, true, diag);
	if (server->state[0] != '\0')
		check_own_folder(state, server->state, false, diag);
}

void ctl_check_machine(const struct cfg_fleet *fleet, const struct cfg_edge *edge,
		       const struct cfg_nameserver *server, struct diag *diag)
{
	if (edge != NULL)
		check_edge(fleet, edge, diag);
	if (server != NULL)
		check_nameserver(server, diag);
}
