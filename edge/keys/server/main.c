/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigee-keys: what of a daemon's life (core/process/daemon.h) is its own. It has the private keys
 * of the fleet's certificates, and signs handshakes by them for edges on other machines, which have
 * none. Runs on the main thread, which is the control loop and accepts; connections have threads of
 * their own (edge/keys/server/conns.h), and the worker that a daemon has has nothing to do.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/net/acceptor.h"
#include "core/net/sock.h"
#include "core/process/daemon.h"
#include "core/process/descriptors.h"
#include "core/process/file_watch.h"
#include "core/process/privileges.h"
#include "edge/keys/server/conns.h"
#include "edge/keys/server/edges.h"
#include "edge/keys/server/view.h"
#include "edge/keys/signer_channels.h"

/* Edges keep connections; this is for when all of them come at once. */
#define BACKLOG 1024
/* Of what is under way none takes longer. */
#define STOP_PATIENCE DUR_S(1)

struct program {
	struct daemon daemon;
	struct keys_conns *conns;
	struct keys_edges edges;
	struct acceptor **acceptors;
	struct net_addr *bound;
	unsigned n_acceptors;
	struct file_watch watch;
	struct descriptor_budget descriptors;
};

static struct program *program_of(struct daemon *d)
{
	return CONTAINER_OF(d, struct program, daemon);
}

/* Before there is a key, or another thread. */
static bool begin(struct daemon *d)
{
	signer_protect();
	return true;
}

/* Views */

/* The files that it reads are looked after from then on, whether or not they are right. */
static struct keys_view *load_view(struct program *p, struct cfg_fleet **fleet, struct diag *diag)
{
	struct file_notes *notes = file_notes_create();
	struct keys_view *view;

	file_notes_begin(notes);
	view = keys_view_load(fleet, diag);
	file_notes_begin(NULL);
	file_watch_notes(&p->watch, &notes);
	return view;
}

static void *load(struct daemon *d, char **complaints)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet = cfg_load(d->options.config, diag);
	struct keys_view *view = NULL;

	if (fleet != NULL)
		view = load_view(program_of(d), &fleet, diag);
	*complaints = diag_text(diag);
	diag_destroy(&diag);
	return view;
}

static void discard(void *v)
{
	struct keys_view *view = v;

	keys_view_unref(&view);
}

static struct daemon_settings settings(struct daemon *d, const void *v)
{
	const struct keys_view *view = v;

	return (struct daemon_settings){
	    .control = view->fleet->tls.keys.control,
	    .workers = 1,
	    .log_level = view->fleet->log.level,
	};
}

/* What it says at the start holds. Edges are to leave enough for reloads and the control socket. */
static bool plan(struct daemon *d, void *v, unsigned n_workers)
{
	const struct keys_view *view = v;
	const struct descriptor_needs needs = {
	    .open = d->open_files,
	    .loops = n_workers + 1,
	    .listeners = view->fleet->tls.keys.listen.n,
	    .clients = KEYS_CONNS_MAX,
	};

	return d->state != DAEMON_STARTING ||
	       descriptors_plan(&needs, "connections of edges", NULL, &program_of(d)->descriptors);
}

static void watch(struct daemon *d, void *view)
{
}

static char *waits_for(const void *view)
{
	return NULL;
}

static void drop(struct daemon *d, void *view)
{
	discard(view);
}

static void publish(struct daemon *d, void *v)
{
	struct program *p = program_of(d);
	struct keys_view *view = v;
	const struct cfg_fleet *fleet = view->fleet;

	view->edges = xcalloc(fleet->n_edges + 1, sizeof(struct keys_edge *));
	for (unsigned e = 0; e < fleet->n_edges; e++)
		view->edges[e] =
		    keys_edges_get(&p->edges, fleet->edges[e].name, fleet->tls.keys.rate);
	keys_conns_publish(p->conns, &view);
}

static char *needs_restart(struct daemon *d, const void *v)
{
	const struct keys_view *view = v;
	char path[256];

	if (!cfg_keys_need_restart(keys_conns_view(program_of(d)->conns)->fleet, view->fleet, path,
				   sizeof(path)))
		return NULL;
	return xstrdup(path);
}

static void reloaded(struct daemon *d, bool ok)
{
	file_watch_look(&program_of(d)->watch);
}

static void file_changed(struct file_watch *w, const char *path)
{
	struct program *p = CONTAINER_OF(w, struct program, watch);

	log_info("%s has changed", path);
	daemon_reload(&p->daemon);
}

/* Start */

static void accepted(void *arg, int fd, const struct net_addr *remote)
{
	struct program *p = arg;

	MAGIC_CHECK(&p->daemon, DAEMON_MAGIC);
	keys_conns_accept(p->conns, fd, remote);
}

static bool listen_on(struct program *p, const struct net_addr *wanted)
{
	struct net_addr addr = *wanted;
	char text[NET_ADDR_TEXT];
	int fd;

	sock_fit_any(&addr);
	fd = sock_check_free(&addr, SOCK_STREAM);
	if (fd == 0)
		fd = sock_listen_tcp(&addr, BACKLOG);
	if (fd < 0) {
		log_error("cannot listen on %s: %s", net_addr_format(&addr, text),
			  strerrordesc_np(-fd));
		return false;
	}
	CHECK(sock_local_addr(fd, &addr) == 0);
	p->bound[p->n_acceptors] = addr;
	p->acceptors[p->n_acceptors++] =
	    acceptor_create(p->daemon.control, fd, "edges", accepted, p);
	return true;
}

static bool open_keys(struct daemon *d, const void *v)
{
	struct program *p = program_of(d);
	const struct cfg_fleet *fleet = ((const struct keys_view *)v)->fleet;
	const struct cfg_addrs *listen = &fleet->tls.keys.listen;
	bool ok = true;

	file_watch_init(&p->watch, d->control, d->jobs, file_changed);
	p->conns = keys_conns_create(p->descriptors.clients);
	p->acceptors = xcalloc(listen->n, sizeof(struct acceptor *));
	p->bound = xcalloc(listen->n, sizeof(*p->bound));
	for (unsigned i = 0; i < listen->n; i++)
		ok &= listen_on(p, &listen->v[i]);
	if (!ok || !privileges_give_up(fleet->user))
		return false;
	/* Who becomes another user may be looked into by that user again. */
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	if (!privileges_may_read(fleet->file))
		log_warn("%s cannot be read any more: reloads will fail", fleet->file);
	return true;
}

static void serve(struct daemon *d)
{
	struct program *p = program_of(d);
	const struct keys_view *view = keys_conns_view(p->conns);
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < p->n_acceptors; i++) {
		acceptor_start(p->acceptors[i]);
		log_info("serving %u keys on %s", keys_table_count(view->table),
			 net_addr_format(&p->bound[i], text));
	}
	file_watch_look(&p->watch);
}

/* Stop */

static duration stop(struct daemon *d)
{
	struct program *p = program_of(d);

	for (unsigned i = 0; i < p->n_acceptors; i++)
		acceptor_stop(p->acceptors[i]);
	/* close() waits for what is under way. */
	daemon_stopped(d);
	return STOP_PATIENCE;
}

static bool close_keys(struct daemon *d)
{
	struct program *p = program_of(d);
	bool whole;

	file_watch_stop(&p->watch);
	for (unsigned i = 0; i < p->n_acceptors; i++)
		acceptor_destroy(&p->acceptors[i]);
	whole = keys_conns_destroy(&p->conns);
	free(p->acceptors);
	free(p->bound);
	return whole;
}

/* The log goes to standard error. */
static void reopen_logs(struct daemon *d)
{
}

/* Control socket */

static json_t *edges_status(const struct keys_view *view)
{
	json_t *edges = json_object();

	for (unsigned e = 0; e < view->fleet->n_edges; e++)
		json_object_set_new(edges, view->edges[e]->name, keys_edge_status(view->edges[e]));
	return edges;
}

static void status(struct daemon *d, json_t *status)
{
	struct program *p = program_of(d);
	const struct keys_view *view = keys_conns_view(p->conns);
	struct keys_conns_counts counts = keys_conns_count(p->conns);
	json_t *listeners = json_array();
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; d->state == DAEMON_SERVING && i < p->n_acceptors; i++)
		json_array_append_new(listeners, json_string(net_addr_format(&p->bound[i], text)));
	json_object_set_new(status, "listeners", listeners);
	json_object_set_new(status, "keys",
			    json_integer((json_int_t)keys_table_count(view->table)));
	json_object_set_new(status, "connections",
			    json_pack("{s:I, s:I, s:I, s:I}", "edges", (json_int_t)counts.edges,
				      "strangers", (json_int_t)counts.strangers, "accepted",
				      (json_int_t)counts.accepted, "refused",
				      (json_int_t)counts.refused));
	json_object_set_new(status, "edges", edges_status(view));
	json_object_set_new(status, "descriptors", descriptors_status(&p->descriptors));
}

static const struct daemon_ops ops = {
    .program = {"perigee-keys",
		"Has the private keys, and signs handshakes for edges on other machines."},
    .begin = begin,
    .load = load,
    .discard = discard,
    .settings = settings,
    .plan = plan,
    .open = open_keys,
    .watch = watch,
    .waits_for = waits_for,
    .drop = drop,
    .publish = publish,
    .needs_restart = needs_restart,
    .reloaded = reloaded,
    .serve = serve,
    .stop = stop,
    .close = close_keys,
    .reopen_logs = reopen_logs,
    .status = status,
};

int main(int argc, char **argv)
{
	struct program program = {0};
	int code;

	daemon_signals_block();
	code = daemon_main(&program.daemon, &ops, argc, argv);
	keys_edges_fini(&program.edges);
	file_watch_fini(&program.watch);
	return code;
}
