/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigee-edge: command line, start, reload and stop. Runs on the main thread, which is the control
 * loop; owns everything that lives as long as the process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/sock.h"
#include "core/net/stream.h"
#include "core/process/control.h"
#include "core/process/daemon.h"
#include "core/process/log_control.h"
#include "core/process/log_file.h"
#include "core/process/metrics.h"
#include "edge/node/counters.h"
#include "edge/node/view.h"
#include "edge/node/worker.h"
#include "edge/status.h"
#include "edge/worker.h"
#include "origin-link/olink.h"

/* How often, and how long at most, a starting or reloading edge waits for the first word about its
 * origins. */
#define SETTLE_CHECK DUR_MS(20)
#define SETTLE_MAX DUR_S(3)

struct program {
	const struct daemon_options *options;
	struct edge_common common;
	struct edge_status status;
	gnutls_datum_t ticket_key;
	struct stream_buffers *control_buffers;
	struct daemon_signals *signals;
	struct control_server *control;
	struct edge_listening *listeners;
	struct edge_socket *sockets; /* of worker w: from w * n_listeners on, until it took them */
	struct event *timer;         /* starting: the next look; stopping: the end of patience */
	mono_time began;
	uint64_t open_at_start; /* descriptors */
	unsigned n_idle;        /* workers, while stopping */
	struct edge_view *next; /* loaded, waiting for word of its origins; NULL: none */
	struct event *next_timer;
	mono_time next_loaded;
};

/* False after the errors went to standard error. */
static bool load_view(const struct program *p, struct edge_view **view)
{
	struct diag *diag = diag_create();

	*view = edge_view_load(p->options->config, p->options->node, &p->ticket_key, diag);
	if (*view == NULL)
		diag_print(diag, stderr);
	diag_destroy(&diag);
	return *view != NULL;
}

static struct edge_view *current_view(struct program *p)
{
	return edge_view_current(&p->common.views);
}

/* Start */

/* One socket of each worker. */
static bool listen_on(struct program *p, unsigned at)
{
	struct edge_listening *l = &p->listeners[at];
	char text[NET_ADDR_TEXT];

	for (unsigned w = 0; w < p->common.group->n_workers; w++) {
		int fd = sock_listen_tcp(&l->addr, EDGE_LISTEN_BACKLOG);

		if (fd < 0) {
			log_error("cannot listen on %s: %s", net_addr_format(&l->addr, text),
				  strerrordesc_np(-fd));
			return false;
		}
		if (w == 0) {
			/* Port 0 becomes a real one, the same for all workers. */
			int error = sock_local_addr(fd, &l->addr);

			CHECK(error == 0);
		}
		p->sockets[w * p->status.n_listeners + at] = (struct edge_socket){fd, l->kind};
	}
	return true;
}

static bool listen_all(struct program *p, const struct cfg_edge *self)
{
	unsigned n = self->listen.n + self->listen_plain.n;

	p->listeners = xcalloc(n, sizeof(*p->listeners));
	p->sockets = xcalloc((size_t)p->common.group->n_workers * n, sizeof(*p->sockets));
	p->status.listeners = p->listeners;
	p->status.n_listeners = n;
	for (unsigned i = 0; i < n; i++) {
		bool tls = i < self->listen.n;

		p->listeners[i] = (struct edge_listening){
		    .addr = tls ? self->listen.v[i] : self->listen_plain.v[i - self->listen.n],
		    .kind = tls ? EDGE_LISTENER_TLS : EDGE_LISTENER_PLAIN,
		};
		if (!listen_on(p, i))
			return false;
	}
	return true;
}

static bool open_access_log(struct program *p, const char *path)
{
	char *error = NULL;

	if (path[0] == '\0')
		return true;
	p->common.access_log = log_file_open(path, p->common.group, &error);
	if (p->common.access_log == NULL)
		log_error("access log: %s", error);
	free(error);
	return p->common.access_log != NULL;
}

static json_t *handle_control(void *arg, int argc, char **argv)
{
	struct program *p = arg;

	if (strcmp(argv[0], "log") == 0)
		return log_control(argc, argv);
	if (argc != 1 || strcmp(argv[0], "status") != 0)
		return control_error("unknown command \"%s\"; there are: status, log", argv[0]);
	p->status.uptime = mono_since(clock_mono(), p->began);
	return edge_status_json(&p->status);
}

static bool open_control(struct program *p, const char *configured)
{
	const char *path = p->options->control != NULL ? p->options->control : configured;
	char *error = NULL;

	if (path[0] == '\0')
		return true;
	p->control =
	    control_server_create(p->common.group->control, path, handle_control, p, &error);
	if (p->control == NULL)
		log_error("control socket: %s", error);
	free(error);
	return p->control != NULL;
}

static void set_timer(struct program *p, duration after)
{
	struct timeval tv = dur_to_timeval(after);

	CHECK(event_add(p->timer, &tv) == 0);
}

static void serve(struct program *p)
{
	char text[NET_ADDR_TEXT];

	p->status.state = EDGE_SERVING;
	for (unsigned w = 0; w < p->common.group->n_workers; w++)
		edge_worker_start_accepting_mt(p->common.workers[w]);
	for (unsigned i = 0; i < p->status.n_listeners; i++)
		log_info("serving on %s%s", net_addr_format(&p->listeners[i].addr, text),
			 p->listeners[i].kind == EDGE_LISTENER_PLAIN ? " (plain HTTP)" : "");
}

/* True while it is worth waiting before requests are sent to the origins of `view`. */
static bool must_settle(const struct edge_view *view, mono_time since)
{
	return mono_since(clock_mono(), since).ns < SETTLE_MAX.ns &&
	       !olink_origins_settled(view->origins);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	if (p->status.state == EDGE_STOPPING) {
		log_warn("requests were still open after http.timeout.shutdown: cut off");
		loop_stop_mt(p->common.group->control);
	} else if (must_settle(current_view(p), p->began)) {
		set_timer(p, SETTLE_CHECK);
	} else {
		serve(p);
	}
}

/* Stop */

static void stop(void *arg)
{
	struct program *p = arg;

	log_info("stopping");
	p->status.state = EDGE_STOPPING;
	for (unsigned w = 0; w < p->common.group->n_workers; w++)
		edge_worker_stop_mt(p->common.workers[w]);
	set_timer(p, current_view(p)->fleet->http.timeout.shutdown);
}

static void stop_now(void *arg)
{
	struct program *p = arg;

	loop_stop_mt(p->common.group->control);
}

static void worker_idle(void *arg)
{
	struct program *p = arg;

	if (++p->n_idle == p->common.group->n_workers)
		loop_stop_mt(p->common.group->control);
}

/* Reload */

/* From here on it is what requests are served by; consumes *view. */
static void publish(struct program *p, struct edge_view **view)
{
	const struct cfg_fleet *fleet = (*view)->fleet;

	log_set_level(fleet->log.level);
	atomic_store(&p->common.budget.limit, fleet->http.limit.buffered);
	atomic_store(&p->common.budget.closing,
		     MAX((*view)->descriptors.closing / p->common.group->n_workers, 1));
	olink_set_idle_limit(p->common.olink, (*view)->descriptors.idle);
	edge_view_publish(view, &p->common.views);
}

static void next_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = dur_to_timeval(SETTLE_CHECK);
	struct program *p = arg;

	if (must_settle(p->next, p->next_loaded)) {
		CHECK(event_add(p->next_timer, &again) == 0);
		return;
	}
	event_del(p->next_timer); /* it may wait for the one whose place this took */
	publish(p, &p->next);
	metrics_add(p->common.metrics, p->common.group->control, EDGE_RELOADS, 1);
	log_info("configuration reloaded");
}

/* The running configuration serves until the origins of the new one are known, so that no request
 * is refused for want of an address. A later reload takes the place of one that still waits. */
static void reload(void *arg)
{
	struct program *p = arg;
	struct edge_view *view;
	char path[256];

	if (p->status.state == EDGE_STOPPING)
		return;
	if (!load_view(p, &view)) {
		log_error("reload refused: the running configuration stays");
		metrics_add(p->common.metrics, p->common.group->control, EDGE_RELOAD_FAILURES, 1);
		return;
	}
	if (cfg_needs_restart(current_view(p)->fleet, view->fleet, p->options->node, path,
			      sizeof(path)))
		log_warn("%s has changed: that takes a restart", path);
	/* Too few for what is new: it gets what there is, as there is no way back. */
	edge_view_plan_descriptors(view, p->common.group->n_workers, p->open_at_start);
	/* First the new one: what both name is kept. */
	edge_view_open_origins(view, p->common.olink);
	edge_view_destroy(&p->next);
	p->next = view;
	p->next_loaded = clock_mono();
	next_timer_cb(-1, 0, p);
}

static void reopen_logs(void *arg)
{
	struct program *p = arg;

	if (p->common.access_log != NULL)
		log_file_reopen(p->common.access_log);
}

static const struct daemon_signal_ops signal_ops = {
    .stop = stop,
    .stop_now = stop_now,
    .reload = reload,
    .reopen_logs = reopen_logs,
};

static void create_workers(struct program *p)
{
	struct loop_group *group = p->common.group;

	p->common.workers = xcalloc(group->n_workers, sizeof(struct edge_worker *));
	for (unsigned w = 0; w < group->n_workers; w++)
		p->common.workers[w] = edge_worker_create(&p->common, group->workers[w],
							  &p->sockets[w * p->status.n_listeners],
							  p->status.n_listeners);
}

/* Serves until told to stop; consumes *view. False when it could not begin. */
static bool run(struct program *p, struct edge_view **view)
{
	const struct cfg_edge *self = (*view)->self;
	struct loop_group *group = p->common.group;

	if (!listen_all(p, self) || !open_access_log(p, (*view)->fleet->http.access_log)) {
		edge_view_destroy(view);
		return false;
	}
	p->common.olink = olink_create(group, p->control_buffers);
	create_workers(p);
	edge_view_open_origins(*view, p->common.olink);
	publish(p, view);
	p->signals = daemon_signals_create(group->control, &signal_ops, p);
	p->timer = evtimer_new(loop_base(group->control), timer_cb, p);
	p->next_timer = evtimer_new(loop_base(group->control), next_timer_cb, p);
	CHECK(p->timer != NULL && p->next_timer != NULL);
	if (!open_control(p, self->control))
		return false;
	loop_group_start_workers(group);
	set_timer(p, DUR_NS(0));
	loop_run(group->control);
	loop_group_stop_workers(group);
	return true;
}

static void destroy(struct program *p)
{
	control_server_destroy(&p->control);
	if (p->signals != NULL)
		daemon_signals_destroy(&p->signals);
	if (p->timer != NULL)
		event_free(p->timer);
	if (p->next_timer != NULL)
		event_free(p->next_timer);
	for (unsigned w = 0; p->common.workers != NULL && w < p->common.group->n_workers; w++)
		edge_worker_destroy(&p->common.workers[w]);
	edge_view_destroy(&p->next);
	if (p->common.olink != NULL) {
		snapshot_slot_fini(&p->common.views);
		olink_destroy(&p->common.olink);
	}
	if (p->common.access_log != NULL)
		log_file_close(&p->common.access_log);
	stream_buffers_destroy(&p->control_buffers);
	metrics_destroy(&p->common.metrics);
	loop_group_destroy(&p->common.group);
	free(p->common.workers);
	free(p->sockets);
	free(p->listeners);
	free((char *)p->common.pseudonym.p);
}

static unsigned worker_count(const struct program *p, const struct cfg_edge *self)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (p->options->workers > 0)
		return p->options->workers;
	if (self->workers > 0)
		return self->workers;
	return processors > 0 ? (unsigned)processors : 1;
}

static bool create_and_run(struct program *p, struct edge_view **view)
{
	unsigned n = worker_count(p, (*view)->self);
	bool ok;

	log_set_level((*view)->fleet->log.level);
	daemon_raise_file_limit();
	p->open_at_start = descriptors_open();
	if (!edge_view_plan_descriptors(*view, n, p->open_at_start)) {
		edge_view_destroy(view);
		return false;
	}
	p->began = clock_mono();
	p->common.group = loop_group_create(n);
	p->common.metrics = edge_counters_create(n + 1);
	p->common.pseudonym = span_of(xasprintf("perigee-%s", p->options->node));
	p->common.worker_idle = worker_idle;
	p->common.arg = p;
	snapshot_slot_init(&p->common.views, p->common.group);
	p->control_buffers = stream_buffers_create(p->common.group->control);
	stream_buffers_set_budget(p->control_buffers, &p->common.budget);
	p->status.node = p->options->node;
	p->status.common = &p->common;
	ok = run(p, view);
	destroy(p);
	return ok;
}

int main(int argc, char **argv)
{
	static const struct daemon_program about = {
	    "perigee-edge",
	    "Ends TLS near the clients and forwards their requests to the origins."};
	struct daemon_options options;
	struct program program = {.options = &options};
	struct edge_view *view;
	int code = daemon_options_parse(&options, &about, argc, argv);

	if (code >= 0)
		return code;
	if (!options.check_only)
		log_start_writer();
	CHECK(gnutls_session_ticket_key_generate(&program.ticket_key) == 0);
	code = 1;
	if (load_view(&program, &view)) {
		if (options.check_only) {
			printf("ok\n");
			edge_view_destroy(&view);
			code = 0;
		} else {
			code = create_and_run(&program, &view) ? 0 : 1;
		}
	}
	gnutls_memset(program.ticket_key.data, 0, program.ticket_key.size);
	gnutls_free(program.ticket_key.data);
	return code;
}
