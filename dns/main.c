/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigee-dns: what of a daemon's life (core/process/daemon.h) is a name server's own. Nothing is
 * answered before every edge has been probed once, so that the first answer is already a good one.
 * Runs on the main thread, which is the control loop; workers answer.
 */
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "config/node.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/stream.h"
#include "core/process/control.h"
#include "core/process/daemon.h"
#include "core/process/descriptors.h"
#include "dns/answer/answer.h"
#include "dns/report.h"
#include "dns/serve/counters.h"
#include "dns/serve/worker.h"
#include "dns/view/view.h"
#include "fleet/checks.h"
#include "fleet/state.h"
#include "fleet/verdicts.h"

/* For clients that do not take what they have asked for. */
#define STOP_PATIENCE DUR_S(3)

struct program {
	struct daemon daemon;
	struct metrics *metrics;
	struct snapshot_slot views;
	struct stream_buffers *buffers; /* the control loop's */
	struct fleet_checks *checks;
	struct fleet_state *state; /* its file */
	bool recalled;             /* load() has read that file; its own */
	struct dns_workers *workers;
	struct dns_answerer *answerer; /* for `explain` */
	struct net_addr *bound;
	unsigned n_bound;
	struct descriptor_budget descriptors;
	unsigned n_unfinished; /* workers, and the state file, while stopping */
};

static struct program *program_of(struct daemon *d)
{
	return CONTAINER_OF(d, struct program, daemon);
}

/* Views */

static struct dns_view *load_view(const struct daemon_options *options, struct diag *diag)
{
	struct cfg_fleet *fleet = cfg_load(options->config, diag);
	struct dns_view *view;

	if (fleet == NULL)
		return NULL;
	(void)cfg_expect_nameserver(fleet, options->node, diag);
	view = dns_view_load(&fleet, diag);
	if (view == NULL)
		cfg_fleet_destroy(&fleet);
	else if (diag_count(diag) > 0)
		dns_view_destroy(&view);
	return view;
}

static const struct cfg_nameserver *own_node(const struct daemon *d, const struct dns_view *view);

/* At the start: what was known when this node was last stopped. */
static void recall(struct daemon *d, struct dns_view *view)
{
	struct program *p = program_of(d);

	if (!p->recalled)
		fleet_state_recall(own_node(d, view)->state, view->verdicts);
	p->recalled = true;
}

static void *load(struct daemon *d, char **complaints)
{
	struct diag *diag = diag_create();
	struct dns_view *view = load_view(&d->options, diag);

	*complaints = diag_text(diag);
	diag_destroy(&diag);
	if (view != NULL && !d->options.check_only)
		recall(d, view);
	return view;
}

static void discard(void *v)
{
	struct dns_view *view = v;

	dns_view_destroy(&view);
}

static const struct cfg_nameserver *own_node(const struct daemon *d, const struct dns_view *view)
{
	const struct cfg_nameserver *node = cfg_find_nameserver(view->fleet, d->options.node);

	CHECK(node != NULL); /* load() has seen to it */
	return node;
}

static struct daemon_settings settings(struct daemon *d, const void *view)
{
	const struct cfg_nameserver *node = own_node(d, view);

	return (struct daemon_settings){
	    .control = node->control,
	    .workers = node->workers,
	    .log_level = ((const struct dns_view *)view)->fleet->log.level,
	};
}

/* TCP connections; what it says at the start holds. */
static bool plan(struct daemon *d, void *v, unsigned n_workers)
{
	struct program *p = program_of(d);
	const struct dns_view *view = v;

	return d->state != DAEMON_STARTING ||
	       dns_workers_plan(view->fleet, own_node(d, view), n_workers, d->open_files,
				&p->descriptors);
}

static void watch(struct daemon *d, void *v)
{
	struct dns_view *view = v;

	dns_view_watch(view, program_of(d)->checks);
}

static char *waits_for(const void *v)
{
	const struct dns_view *view = v;

	return fleet_verdicts_unsettled(view->verdicts);
}

static void drop(struct daemon *d, void *v)
{
	struct dns_view *view = v;

	dns_view_drop(&view, d->jobs);
}

static void publish(struct daemon *d, void *v)
{
	struct dns_view *view = v;

	dns_view_publish(&view, &program_of(d)->views, d->jobs);
}

static char *needs_restart(struct daemon *d, const void *v)
{
	const struct dns_view *view = v, *old = dns_view_current(&program_of(d)->views);
	char path[256];

	if (!cfg_needs_restart(old->fleet, view->fleet, d->options.node, path, sizeof(path)))
		return NULL;
	return xstrdup(path);
}

static void reloaded(struct daemon *d, bool ok)
{
	metrics_add(program_of(d)->metrics, d->control, ok ? DNS_RELOADS : DNS_RELOAD_FAILURES, 1);
}

/* Start and stop */

static bool open_server(struct daemon *d, const void *view)
{
	const struct cfg_nameserver *node = own_node(d, view);
	struct program *p = program_of(d);

	p->metrics = dns_counters_create(d->group->n_workers + 1);
	p->buffers = stream_buffers_create(d->group->control);
	p->checks = fleet_checks_create(p->buffers, p->metrics,
					(struct fleet_counters){.prevented = DNS_PROBES_PREVENTED,
								.stale = DNS_VERDICTS_STALE});
	p->state = fleet_state_create(d->control, d->jobs, p->checks, node->state);
	p->answerer = dns_answerer_create();
	snapshot_slot_init(&p->views, d->group);
	p->workers = dns_workers_create(d->group, &p->views, p->metrics, &p->descriptors);
	p->bound = xcalloc(node->listen.n, sizeof(*p->bound));
	p->n_bound = node->listen.n;
	return dns_workers_bind(p->workers, &node->listen, p->bound);
}

static void serve(struct daemon *d)
{
	struct program *p = program_of(d);
	char text[NET_ADDR_TEXT];

	dns_workers_serve(p->workers);
	for (unsigned i = 0; i < p->n_bound; i++)
		log_info("serving DNS on %s", net_addr_format(&p->bound[i], text));
}

/* Of each worker, and of the state file. */
static void finished(void *arg)
{
	struct program *p = arg;

	MAGIC_CHECK(&p->daemon, DAEMON_MAGIC);
	if (--p->n_unfinished == 0)
		daemon_stopped(&p->daemon);
}

/* What has been received is answered. Resolvers ask elsewhere meanwhile. */
static duration stop(struct daemon *d)
{
	struct program *p = program_of(d);

	p->n_unfinished = d->group->n_workers + 1;
	fleet_state_finish(p->state, finished, p);
	dns_workers_finish(p->workers, finished, p);
	return STOP_PATIENCE;
}

static void close_server(struct daemon *d)
{
	struct program *p = program_of(d);

	dns_workers_destroy(&p->workers);
	snapshot_slot_fini(&p->views);
	fleet_state_destroy(&p->state);
	fleet_checks_destroy(&p->checks);
	dns_answerer_destroy(&p->answerer);
	stream_buffers_destroy(&p->buffers);
	metrics_destroy(&p->metrics);
	free(p->bound);
}

/* The log goes to standard error. */
static void reopen_logs(struct daemon *d)
{
}

/* Control socket */

static void status(struct daemon *d, json_t *status)
{
	struct program *p = program_of(d);
	json_t *listeners = json_array(), *counters = json_object();
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; d->state == DAEMON_SERVING && i < p->n_bound; i++)
		json_array_append_new(listeners, json_string(net_addr_format(&p->bound[i], text)));
	metrics_set_total(p->metrics, d->control, DNS_LOG_DROPPED, log_dropped());
	metrics_set_total(p->metrics, d->control, DNS_RECEIVE_DROPS,
			  dns_workers_receive_drops(p->workers));
	metrics_to_json(p->metrics, counters);
	json_object_set_new(status, "listeners", listeners);
	json_object_set_new(status, "counters", counters);
	json_object_set_new(status, "descriptors", descriptors_status(&p->descriptors));
	dns_report_view(dns_view_current(&p->views), status);
}

static void explain(struct daemon *d, struct control_request *request, char **arguments, int n)
{
	struct program *p = program_of(d);

	control_answer(&request, dns_report_explain(dns_view_current(&p->views), p->answerer,
						    arguments[0], arguments[1], arguments[2]));
}

static const struct daemon_verb verbs[] = {
    {"explain", "NAME TYPE CLIENT", 3, 3, explain},
};

static const struct daemon_ops ops = {
    .program = {"perigee-dns",
		"Authoritative DNS that sends each client to its nearest healthy edge."},
    .verbs = verbs,
    .n_verbs = ARRAY_SIZE(verbs),
    .load = load,
    .discard = discard,
    .settings = settings,
    .plan = plan,
    .open = open_server,
    .watch = watch,
    .waits_for = waits_for,
    .drop = drop,
    .publish = publish,
    .needs_restart = needs_restart,
    .reloaded = reloaded,
    .serve = serve,
    .stop = stop,
    .close = close_server,
    .reopen_logs = reopen_logs,
    .status = status,
};

int main(int argc, char **argv)
{
	struct program program = {0};

	daemon_signals_block();
	return daemon_main(&program.daemon, &ops, argc, argv);
}
