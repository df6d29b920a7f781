/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigee-edge: what of a daemon's life (core/process/daemon.h) is an edge's own. Runs on the main
 * thread, which is the control loop; owns everything that lives as long as the process.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <gnutls/crypto.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/net/handshakes.h"
#include "core/net/sock.h"
#include "core/net/stream.h"
#include "core/process/daemon.h"
#include "core/process/file_watch.h"
#include "core/process/metrics.h"
#include "core/process/privileges.h"
#include "edge/expiry.h"
#include "edge/keys/keys.h"
#include "edge/keys/remote/relay.h"
#include "edge/keys/signer.h"
#include "edge/keys/signer_keeper.h"
#include "edge/keys/x25519.h"
#include "edge/limit/guard.h"
#include "edge/log/access_log.h"
#include "edge/node/counters.h"
#include "edge/node/view.h"
#include "edge/node/worker.h"
#include "edge/stapling.h"
#include "edge/status.h"
#include "edge/terms/hints.h"
#include "edge/tls/certs.h"
#include "edge/tls/tickets.h"
#include "edge/worker.h"
#include "geo/places.h"
#include "origin-link/olink.h"

struct program {
	struct daemon daemon;
	struct edge_resumption resumption; /* never changes */
	struct edge_keys *keys;
	int keeper; /* of the signer, until it is known where keys are to be; -1: none */
	struct event *keeper_event;
	struct edge_common common;
	struct edge_status status;
	struct stream_buffers *control_buffers;
	struct edge_listening *listeners;
	struct edge_socket *sockets; /* of worker w: from w * n_listeners on, until it took them */
	unsigned n_idle;             /* workers, while stopping */
	/* What the last configuration was loaded with that is right; the jobs' thread's. */
	const struct geo_places *places;
	struct edge_cert_store *certs;
	struct file_watch watch;
	struct edge_expiry expiry;
	struct edge_stapling stapling;
};

static struct program *program_of(struct daemon *d)
{
	return CONTAINER_OF(d, struct program, daemon);
}

static struct edge_view *current_view(struct program *p)
{
	return edge_view_current(&p->common.views);
}

/* Views */

/* A reference is taken; NULL: there are none any more. */
static void keep_places(struct program *p, const struct geo_places *places)
{
	const struct geo_places *before = p->places;

	p->places = places == NULL ? NULL : geo_places_ref(places);
	if (before != NULL)
		geo_places_unref(&before);
}

/* The files that it reads are looked after from then on, whether or not they are right. Not the
 * configuration: that is for whoever edits it to say. */
static struct edge_view *load_view(struct program *p, struct cfg_fleet **fleet, struct diag *diag)
{
	struct file_notes *notes = file_notes_create();
	struct edge_view *view;

	file_notes_begin(notes);
	view = edge_view_load(fleet, p->daemon.options.node, p->keys, p->certs, &p->resumption,
			      p->places, diag);
	file_notes_begin(NULL);
	file_watch_notes(&p->watch, &notes);
	return view;
}

/* Forked in any case: when the configuration is known it is too late. */
static bool begin(struct daemon *d)
{
	int fd;

	/* The keeper is the only child, and nobody waits for it. */
	signal(SIGCHLD, SIG_IGN);
	fd = edge_signer_keep();
	if (fd < 0)
		log_error("the signer's keeper cannot be started: %s", strerrordesc_np(-fd));
	else
		program_of(d)->keeper = fd;
	return fd >= 0;
}

/* Of a configuration that is only checked keys are read here, unless they are on another machine.
 */
static void leave_keys(struct program *p, const struct cfg_fleet *fleet, struct diag *diag)
{
	if (fleet->tls.keys.place != CFG_KEYS_REMOTE || !p->daemon.options.check_only)
		return;
	edge_keys_leave_remote(p->keys);
	diag_warn(diag, (struct cfg_place){.file = fleet->file},
		  "tls.keys.place: private keys are on another machine, and were not looked at");
}

/* At the first load; another place takes a restart. --check has no keeper, and reads keys itself.
 */
static bool place_keys(struct program *p, const struct cfg_fleet *fleet, struct diag *diag)
{
	const struct cfg_edge *self = cfg_find_edge(fleet, p->daemon.options.node);
	const struct cfg_keys *keys = &fleet->tls.keys;
	int keeper = p->keeper;
	char *error = NULL;
	bool ok;

	p->keeper = -1;
	if (keeper < 0) {
		leave_keys(p, fleet, diag);
		return true;
	}
	/* An edge that is only a relay shows no certificate of a site. */
	if (keys->place == CFG_KEYS_PROCESS || (self != NULL && !cfg_edge_takes_clients(self))) {
		close(keeper);
		return true;
	}
	ok = keys->place == CFG_KEYS_REMOTE
		 ? edge_keys_use_remote(p->keys, keeper, keys, &error)
		 : edge_keys_use_signer(p->keys, keeper, keys->rate, fleet->file, &error);
	if (!ok)
		diag_add(diag, (struct cfg_place){.file = fleet->file}, "tls.keys.place: the %s %s",
			 keys->place == CFG_KEYS_REMOTE ? "relay" : "signer", error);
	free(error);
	return ok;
}

static void *load(struct daemon *d, char **complaints)
{
	struct program *p = program_of(d);
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet = cfg_load(d->options.config, diag);
	struct edge_view *view = NULL;

	if (fleet != NULL && place_keys(p, fleet, diag))
		view = load_view(p, &fleet, diag);
	if (view != NULL)
		keep_places(p, view->places);
	cfg_fleet_destroy(&fleet);
	*complaints = diag_text(diag);
	diag_destroy(&diag);
	return view;
}

static void discard(void *v)
{
	struct edge_view *view = v;

	edge_view_destroy(&view);
}

static struct daemon_settings settings(struct daemon *d, const void *v)
{
	const struct edge_view *view = v;

	return (struct daemon_settings){
	    .control = view->self->control,
	    .workers = view->self->workers,
	    .log_level = view->fleet->log.level,
	};
}

static bool plan(struct daemon *d, void *view, unsigned n_workers)
{
	return edge_view_plan_descriptors(view, n_workers, d->open_files);
}

static void watch(struct daemon *d, void *view)
{
	edge_view_open(view, program_of(d)->common.olink, d->jobs);
}

/* Requests find their origins: until then the old view serves, so that none is refused for want of
 * an address. */
static char *waits_for(const void *v)
{
	const struct edge_view *view = v;

	return olink_origins_unsettled(view->origins);
}

static void drop(struct daemon *d, void *v)
{
	struct edge_view *view = v;

	edge_view_drop(&view);
}

static void publish(struct daemon *d, void *v)
{
	struct program *p = program_of(d);
	struct edge_view *view = v;

	atomic_store(&p->common.budget.limit, view->fleet->http.limit.buffered);
	atomic_store(&p->common.budget.closing,
		     MAX(view->descriptors.closing / d->group->n_workers, 1));
	olink_set_idle_limit(p->common.olink, view->descriptors.idle);
	edge_stapling_use(&p->stapling, view->fleet->tls.ocsp ? view->certs : NULL);
	edge_view_publish(&view, &p->common.views);
}

static char *needs_restart(struct daemon *d, const void *v)
{
	const struct edge_view *view = v;
	char path[256];

	if (!cfg_needs_restart(current_view(program_of(d))->fleet, view->fleet, d->options.node,
			       path, sizeof(path)))
		return NULL;
	return xstrdup(path);
}

static void reloaded(struct daemon *d, bool ok)
{
	struct program *p = program_of(d);

	metrics_add(p->common.metrics, d->control, ok ? EDGE_RELOADS : EDGE_RELOAD_FAILURES, 1);
	for (unsigned w = 0; ok && w < p->common.group->n_workers; w++)
		edge_worker_review_mt(p->common.workers[w]);
	file_watch_look(&p->watch);
}

static void file_changed(struct file_watch *w, const char *path)
{
	struct program *p = CONTAINER_OF(w, struct program, watch);

	log_info("%s has changed", path);
	daemon_reload(&p->daemon);
}

/* Start */

static bool cannot_listen(const struct net_addr *addr, int error)
{
	char text[NET_ADDR_TEXT];

	log_error("cannot listen on %s: %s", net_addr_format(addr, text), strerrordesc_np(-error));
	return false;
}

/* What goes to other edges goes far. One complaint is enough for all of them. */
static void set_congestion_control(int fd, const struct cfg_edge *self, bool complain)
{
	const char *name = self->relay.congestion_control;
	int error = *name != '\0' ? sock_set_congestion_control(fd, name) : 0;

	if (error < 0 && complain)
		log_warn("edges.%s.relay: congestion control %s cannot be used: %s", self->name,
			 name, strerrordesc_np(-error));
}

/* One socket of each worker. */
static bool listen_on(struct program *p, const struct cfg_edge *self, unsigned at)
{
	struct edge_listening *l = &p->listeners[at];

	for (unsigned w = 0; w < p->common.group->n_workers; w++) {
		int fd = sock_listen_tcp(&l->addr, EDGE_LISTEN_BACKLOG);

		if (fd < 0)
			return cannot_listen(&l->addr, fd);
		if (l->kind == EDGE_LISTENER_RELAY)
			set_congestion_control(fd, self, w == 0);
		if (w == 0) {
			/* Port 0 becomes a real one, the same for all workers. */
			int error = sock_local_addr(fd, &l->addr);

			CHECK(error == 0);
		}
		p->sockets[w * p->status.n_listeners + at] = (struct edge_socket){fd, l->kind};
	}
	return true;
}

struct addresses {
	const struct cfg_addrs *addrs;
	enum edge_listener_kind kind;
};

static bool listen_all(struct program *p, const struct cfg_edge *self)
{
	const struct addresses all[] = {
	    {&self->listen, EDGE_LISTENER_TLS},
	    {&self->listen_plain, EDGE_LISTENER_PLAIN},
	    {&self->relay.listen, EDGE_LISTENER_RELAY},
	};
	unsigned n = self->listen.n + self->listen_plain.n + self->relay.listen.n, at = 0;
	unsigned n_sockets = p->common.group->n_workers * n;
	bool ok = true;
	int taken;

	p->listeners = xcalloc(n, sizeof(*p->listeners));
	p->sockets = xcalloc(n_sockets, sizeof(*p->sockets));
	p->status.listeners = p->listeners;
	p->status.n_listeners = n;
	for (unsigned i = 0; i < n_sockets; i++)
		p->sockets[i].fd = -1;
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		for (unsigned a = 0; a < all[i].addrs->n; a++)
			p->listeners[at++] =
			    (struct edge_listening){all[i].addrs->v[a], all[i].kind};
	}
	for (unsigned i = 0; i < n; i++) {
		sock_fit_any(&p->listeners[i].addr);
		taken = sock_check_free(&p->listeners[i].addr, SOCK_STREAM);
		ok &= taken == 0 || cannot_listen(&p->listeners[i].addr, taken);
	}
	/* After that: some of ours may overlap. */
	for (unsigned i = 0; ok && i < n; i++)
		ok = listen_on(p, self, i);
	return ok;
}

static bool open_access_log(struct program *p, const struct cfg_access_log *log)
{
	char *error = NULL;

	if (log->output[0] == '\0')
		return true;
	p->common.access_log = edge_access_log_open(log, "perigee-edge", p->daemon.options.node,
						    p->common.group, &error);
	if (p->common.access_log == NULL)
		log_error("access log: %s", error);
	free(error);
	return p->common.access_log != NULL;
}

static bool start_handshakes(struct program *p, const struct cfg_tls *tls)
{
	unsigned n = cfg_handshake_threads(tls, p->common.group->n_workers);

	if (n == 0)
		return true;
	p->common.handshakes = handshakes_create(n);
	return p->common.handshakes != NULL;
}

static void on_keeper(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	MAGIC_CHECK(&p->daemon, DAEMON_MAGIC);
	if (edge_keys_attend(p->keys))
		return;
	log_error("the signer's keeper is gone: handshakes are signed no more, and the edge ends");
	event_del(p->keeper_event);
	daemon_end(&p->daemon);
}

static void attend_to_keeper(struct program *p)
{
	int fd = edge_keys_keeper(p->keys);

	if (fd < 0)
		return;
	p->keeper_event =
	    event_new(loop_base(p->daemon.control), fd, EV_READ | EV_PERSIST, on_keeper, p);
	CHECK(p->keeper_event != NULL && event_add(p->keeper_event, NULL) == 0);
}

static void create_workers(struct program *p)
{
	struct loop_group *group = p->common.group;

	p->common.workers = xcalloc(group->n_workers, sizeof(struct edge_worker *));
	for (unsigned w = 0; w < group->n_workers; w++)
		p->common.workers[w] = edge_worker_create(&p->common, group->workers[w],
							  &p->sockets[w * p->status.n_listeners],
							  p->status.n_listeners);
}

/* Posted by each worker that was told to stop. */
static void worker_idle(void *arg)
{
	struct program *p = arg;

	MAGIC_CHECK(&p->daemon, DAEMON_MAGIC);
	if (++p->n_idle == p->common.group->n_workers)
		daemon_stopped(&p->daemon);
}

/* Files of one kind, of which the first is named. */
struct files {
	const char *first;
	unsigned n;
};

static void add_file(struct files *files, const char *path)
{
	if (files->n++ == 0)
		files->first = path;
}

static void warn_of(const struct files *files, const char *what)
{
	if (files->n > 1)
		log_warn("%s, and %u more files, %s", files->first, files->n - 1, what);
	else if (files->n == 1)
		log_warn("%s %s", files->first, what);
}

/* What is wrong with the files, from where the edge stands. */
struct lacks {
	struct files unreadable;
	struct files exposed; /* keys that are elsewhere for nothing */
};

static void look_at_key(const struct program *p, const char *key, struct lacks *lacks)
{
	bool readable = privileges_may_read(key);

	if (!edge_keys_are_elsewhere(p->keys)) {
		if (!readable)
			add_file(&lacks->unreadable, key);
		return;
	}
	if (strncmp(key, CFG_PKCS11, strlen(CFG_PKCS11)) == 0)
		return;
	/* One that is on another machine should not be on this one at all. */
	if (edge_keys_are_remote(p->keys) ? access(key, F_OK) == 0 : readable)
		add_file(&lacks->exposed, key);
}

/* What a reload would complain about, and keys that are elsewhere for nothing. */
static void look_at_files(const struct program *p, const struct edge_view *view)
{
	const struct cfg_fleet *fleet = view->fleet;
	struct lacks lacks = {0};

	if (!privileges_may_read(fleet->file))
		add_file(&lacks.unreadable, fleet->file);
	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];

		if (!cfg_site_is_served_by(site, view->self))
			continue;
		for (unsigned c = 0; c < site->n_certificates; c++) {
			if (!privileges_may_read(site->certificates[c].certificate))
				add_file(&lacks.unreadable, site->certificates[c].certificate);
			look_at_key(p, site->certificates[c].key, &lacks);
		}
	}
	warn_of(&lacks.unreadable, "cannot be read any more: a reload will fail");
	warn_of(&lacks.exposed, edge_keys_are_remote(p->keys)
				    ? "is on this machine too: perigee-keys protects nothing there"
				    : "can be read by the edge itself: the signer protects nothing "
				      "there");
}

static bool open_edge(struct daemon *d, const void *v)
{
	struct program *p = program_of(d);
	const struct edge_view *view = v;
	bool ok;

	file_watch_init(&p->watch, d->control, d->jobs, file_changed);
	p->common.group = d->group;
	p->common.metrics = edge_counters_create(d->group->n_workers + 1);
	p->common.pseudonym = span_of(xasprintf("perigee-%s", d->options.node));
	CHECK(gnutls_rnd(GNUTLS_RND_NONCE, &p->common.hints_seed, sizeof(p->common.hints_seed)) ==
	      0);
	p->common.worker_idle = worker_idle;
	p->common.arg = p;
	snapshot_slot_init(&p->common.views, d->group);
	p->control_buffers = stream_buffers_create(d->group->control);
	stream_buffers_set_budget(p->control_buffers, &p->common.budget);
	p->status.common = &p->common;
	p->status.keys = p->keys;
	p->common.guard = edge_guard_create(view->fleet->http.limit.tracked);
	ok = listen_all(p, view->self);
	/* What comes now can be opened again later, and so must work without root's rights. */
	if (!privileges_give_up(view->fleet->user))
		return false;
	look_at_files(p, view);
	edge_x25519_start();
	ok &= open_access_log(p, &view->fleet->http.access_log);
	ok &= start_handshakes(p, &view->fleet->tls);
	ok &= edge_stapling_start(&p->stapling, d->control, p->common.metrics);
	if (!ok)
		return false;
	p->common.olink = olink_create(d->group, p->control_buffers);
	attend_to_keeper(p);
	create_workers(p);
	return true;
}

static const char *kind_text(enum edge_listener_kind kind)
{
	return kind == EDGE_LISTENER_PLAIN   ? " (plain HTTP)"
	       : kind == EDGE_LISTENER_RELAY ? " (other edges)"
					     : "";
}

static void serve(struct daemon *d)
{
	struct program *p = program_of(d);
	char text[NET_ADDR_TEXT];

	for (unsigned w = 0; w < p->common.group->n_workers; w++)
		edge_worker_start_accepting_mt(p->common.workers[w]);
	for (unsigned i = 0; i < p->status.n_listeners; i++)
		log_info("serving on %s%s", net_addr_format(&p->listeners[i].addr, text),
			 kind_text(p->listeners[i].kind));
	file_watch_look(&p->watch);
	edge_expiry_start(&p->expiry, d->control, &p->common.views);
}

/* Stop */

static duration stop(struct daemon *d)
{
	struct program *p = program_of(d);

	for (unsigned w = 0; w < p->common.group->n_workers; w++)
		edge_worker_stop_mt(p->common.workers[w]);
	return current_view(p)->fleet->http.timeout.shutdown;
}

/* Those that no worker took. */
static void close_sockets(struct program *p)
{
	for (unsigned i = 0; i < p->common.group->n_workers * p->status.n_listeners; i++) {
		if (p->sockets[i].fd >= 0)
			close(p->sockets[i].fd);
	}
}

static bool close_edge(struct daemon *d)
{
	struct program *p = program_of(d);
	struct edge_hints *hints = atomic_load(&p->common.hints);
	bool whole = edge_stapling_stop(&p->stapling);

	edge_expiry_stop(&p->expiry);
	file_watch_stop(&p->watch);
	if (p->common.workers == NULL)
		close_sockets(p);
	if (p->keeper_event != NULL)
		event_free(p->keeper_event);
	for (unsigned w = 0; p->common.workers != NULL && w < p->common.group->n_workers; w++)
		edge_worker_destroy(&p->common.workers[w]);
	handshakes_destroy(&p->common.handshakes);
	edge_hints_destroy(&hints);
	snapshot_slot_fini(&p->common.views);
	keep_places(p, NULL);
	edge_guard_destroy(&p->common.guard);
	olink_destroy(&p->common.olink);
	edge_access_log_close(&p->common.access_log);
	stream_buffers_destroy(&p->control_buffers);
	metrics_destroy(&p->common.metrics);
	free(p->common.workers);
	free(p->sockets);
	free(p->listeners);
	free((char *)p->common.pseudonym.p);
	return whole;
}

/* The rest */

static void reopen_logs(struct daemon *d)
{
	struct program *p = program_of(d);

	if (p->common.access_log != NULL)
		edge_access_log_reopen(p->common.access_log);
}

static void status(struct daemon *d, json_t *status)
{
	edge_status_add(&program_of(d)->status, status);
}

static const struct daemon_ops ops = {
    .program = {"perigee-edge",
		"Ends TLS near the clients and forwards their requests to the origins."},
    .begin = begin,
    .load = load,
    .discard = discard,
    .settings = settings,
    .plan = plan,
    .open = open_edge,
    .watch = watch,
    .waits_for = waits_for,
    .drop = drop,
    .publish = publish,
    .needs_restart = needs_restart,
    .reloaded = reloaded,
    .serve = serve,
    .stop = stop,
    .close = close_edge,
    .reopen_logs = reopen_logs,
    .status = status,
};

int main(int argc, char **argv)
{
	struct program program = {.keeper = -1};
	int code;

	if (argc > 0 && strcmp(argv[0], EDGE_SIGNER_NAME) == 0)
		return edge_signer_main(argc, argv);
	if (argc > 0 && strcmp(argv[0], EDGE_RELAY_NAME) == 0)
		return edge_relay_main(argc, argv);
	daemon_signals_block();
	edge_resumption_init(&program.resumption);
	program.keys = edge_keys_create();
	program.certs = edge_cert_store_create();
	code = daemon_main(&program.daemon, &ops, argc, argv);
	edge_cert_store_destroy(&program.certs);
	edge_keys_destroy(&program.keys);
	file_watch_fini(&program.watch);
	edge_resumption_fini(&program.resumption);
	return code;
}
