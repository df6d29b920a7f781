/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigee-dns: what of a daemon's life (core/process/daemon.h) is a name server's own. Nothing is
 * answered before every edge has been probed once, so that the first answer is already a good one.
 * Runs on the main thread, which is the control loop; workers answer.
 */
#include <pthread.h>
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
#include "core/process/privileges.h"
#include "dns/answer/answer.h"
#include "dns/report.h"
#include "dns/serve/counters.h"
#include "dns/serve/worker.h"
#include "dns/view/generation.h"
#include "dns/view/parts.h"
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
	struct jobs *steering; /* fronts, and the end of views; waits for nobody */
	struct jobs *keeping;  /* the writing of the state file, which a load must not hold up */
	struct dns_generation *serving;  /* published */
	struct dns_generation *settling; /* watched, and not published yet */
	pthread_mutex_t lock;
	struct dns_parts *latest;  /* under the lock: what the next load takes over from; or NULL */
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

/* Generations: what daemon.h calls a view */

static struct dns_parts *latest(struct program *p)
{
	struct dns_parts *parts = NULL;

	pthread_mutex_lock(&p->lock);
	if (p->latest != NULL)
		parts = dns_parts_ref(p->latest);
	pthread_mutex_unlock(&p->lock);
	return parts;
}

/* A reference is taken; NULL: there is none any more. */
static void set_latest(struct program *p, struct dns_parts *parts)
{
	struct dns_parts *before;

	pthread_mutex_lock(&p->lock);
	before = p->latest;
	p->latest = parts == NULL ? NULL : dns_parts_ref(parts);
	pthread_mutex_unlock(&p->lock);
	dns_parts_unref(&before);
}

static struct dns_parts *load_parts(struct daemon *d, struct diag *diag)
{
	struct cfg_fleet *fleet = cfg_load(d->options.config, diag);
	struct dns_parts *before, *parts;

	if (fleet == NULL)
		return NULL;
	(void)cfg_expect_nameserver(fleet, d->options.node, diag);
	before = latest(program_of(d));
	parts = dns_parts_load(&fleet, before, diag);
	dns_parts_unref(&before);
	if (parts == NULL)
		cfg_fleet_destroy(&fleet);
	else if (diag_count(diag) > 0)
		dns_parts_unref(&parts);
	return parts;
}

static const struct cfg_nameserver *own_node(const struct daemon *d, const struct cfg_fleet *fleet)
{
	const struct cfg_nameserver *node = cfg_find_nameserver(fleet, d->options.node);

	CHECK(node != NULL); /* load() has seen to it */
	return node;
}

/* At the start: what was known when this node was last stopped. */
static void recall(struct daemon *d, struct dns_parts *parts)
{
	struct program *p = program_of(d);

	if (!p->recalled)
		fleet_state_recall(own_node(d, parts->fleet)->state, parts->verdicts);
	p->recalled = true;
}

static void *load(struct daemon *d, char **complaints)
{
	struct diag *diag = diag_create();
	struct dns_parts *parts = load_parts(d, diag);

	*complaints = diag_text(diag);
	diag_destroy(&diag);
	if (parts != NULL && !d->options.check_only)
		recall(d, parts);
	return parts == NULL ? NULL : dns_generation_create(&parts);
}

static void discard(void *v)
{
	struct dns_generation *generation = v;

	dns_generation_discard(&generation);
}

static struct daemon_settings settings(struct daemon *d, const void *generation)
{
	const struct cfg_fleet *fleet = dns_generation_parts(generation)->fleet;
	const struct cfg_nameserver *node = own_node(d, fleet);

	return (struct daemon_settings){
	    .control = node->control,
	    .workers = node->workers,
	    .log_level = fleet->log.level,
	};
}

/* TCP connections; what it says at the start holds. */
static bool plan(struct daemon *d, void *generation, unsigned n_workers)
{
	const struct cfg_fleet *fleet = dns_generation_parts(generation)->fleet;

	return d->state != DAEMON_STARTING ||
	       dns_workers_plan(fleet, own_node(d, fleet), n_workers, d->open_files,
				&program_of(d)->descriptors);
}

static void watch(struct daemon *d, void *generation)
{
	struct program *p = program_of(d);

	p->settling = generation;
	fleet_checks_watch(p->checks, dns_generation_parts(generation)->verdicts);
	dns_generation_start(generation, d->group->control, p->steering);
}

/* The verdicts have changed. */
static void moved(void *arg)
{
	struct program *p = arg;

	if (p->serving != NULL)
		dns_generation_moved(p->serving);
	if (p->settling != NULL)
		dns_generation_moved(p->settling);
}

static char *waits_for(const void *generation)
{
	return dns_generation_waits_for(generation);
}

static void drop(struct daemon *d, void *v)
{
	struct program *p = program_of(d);
	struct dns_generation *generation = v;

	/* Another one may have taken its place. */
	if (p->settling == generation)
		p->settling = NULL;
	dns_generation_end(&generation);
}

static void publish(struct daemon *d, void *v)
{
	struct program *p = program_of(d);
	struct dns_generation *generation = v;

	p->settling = NULL;
	dns_generation_end(&p->serving);
	p->serving = generation;
	dns_generation_publish(generation, &p->views);
	set_latest(p, dns_generation_parts(generation));
}

static char *needs_restart(struct daemon *d, const void *generation)
{
	const struct cfg_fleet *old = dns_generation_parts(program_of(d)->serving)->fleet;
	const struct cfg_fleet *new = dns_generation_parts(generation)->fleet;
	char path[256];

	if (!cfg_needs_restart(old, new, d->options.node, path, sizeof(path)))
		return NULL;
	return xstrdup(path);
}

static void reloaded(struct daemon *d, bool ok)
{
	metrics_add(program_of(d)->metrics, d->control, ok ? DNS_RELOADS : DNS_RELOAD_FAILURES, 1);
}

/* Start and stop */

static bool open_server(struct daemon *d, const void *generation)
{
	const struct cfg_fleet *fleet = dns_generation_parts(generation)->fleet;
	const struct cfg_nameserver *node = own_node(d, fleet);
	struct program *p = program_of(d);

	p->metrics = dns_counters_create(d->group->n_workers + 1);
	p->buffers = stream_buffers_create(d->group->control);
	p->checks = fleet_checks_create(p->buffers, p->metrics,
					(struct fleet_counters){.prevented = DNS_PROBES_PREVENTED,
								.stale = DNS_VERDICTS_STALE});
	fleet_checks_on_move(p->checks, moved, p);
	p->steering = jobs_create(d->group->control, "steering");
	p->keeping = jobs_create(d->group->control, "state");
	p->state = fleet_state_create(d->control, p->keeping, p->checks, node->state);
	p->answerer = dns_answerer_create();
	snapshot_slot_init(&p->views, d->group);
	p->workers = dns_workers_create(d->group, &p->views, p->metrics, &p->descriptors);
	p->bound = xcalloc(node->listen.n, sizeof(*p->bound));
	p->n_bound = node->listen.n;
	if (!dns_workers_bind(p->workers, &node->listen, p->bound) || p->steering == NULL ||
	    p->keeping == NULL || !privileges_give_up(fleet->user))
		return false;
	if (!privileges_may_read(fleet->file))
		log_warn("%s cannot be read any more: reloads will fail", fleet->file);
	return true;
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

static bool close_server(struct daemon *d)
{
	struct program *p = program_of(d);
	bool whole = p->keeping == NULL || jobs_stop(p->keeping);

	dns_workers_destroy(&p->workers);
	dns_generation_end(&p->settling);
	dns_generation_end(&p->serving);
	if (p->steering != NULL)
		jobs_finish(p->steering);
	snapshot_slot_fini(&p->views);
	jobs_destroy(&p->steering);
	set_latest(p, NULL);
	fleet_state_destroy(&p->state);
	jobs_destroy(&p->keeping);
	fleet_checks_destroy(&p->checks);
	dns_answerer_destroy(&p->answerer);
	stream_buffers_destroy(&p->buffers);
	metrics_destroy(&p->metrics);
	free(p->bound);
	return whole;
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
	struct program program = {.lock = PTHREAD_MUTEX_INITIALIZER};

	daemon_signals_block();
	return daemon_main(&program.daemon, &ops, argc, argv);
}
