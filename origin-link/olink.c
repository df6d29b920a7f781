/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The link of a program to its origins: creation, the control loop's tick (warm connections,
 * endpoints that are gone) and status. Control loop, but for the workers' objects, which are
 * created and destroyed while their loops stand still. Owns the resolver, the server table, what
 * loops share of connections, and the counters.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/olink.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/reason.h"
#include "origin-link/conns/conns.h"
#include "origin-link/conns/counters.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/transport.h"
#include "origin-link/conns/warm.h"
#include "origin-link/health/probe.h"
#include "origin-link/health/probe_gate.h"
#include "origin-link/request/request_internal.h"
#include "origin-link/server_metrics.h"
#include "origin-link/servers/choice.h"
#include "origin-link/servers/gate.h"
#include "origin-link/servers/lookout.h"
#include "origin-link/servers/relays.h"
#include "origin-link/servers/seen.h"

static const struct timeval tick_interval = {.tv_sec = 1};

/* Where requests may go there are connections ready. An address that no check has found up yet
 * waits for that: it may be one that takes connections and never answers. When one of `n` ends, the
 * others get its requests at once: each has some ready for its share of them too. */
static void want_warm(const struct olink_origins *o, const struct cfg_origin *origin)
{
	const struct balance_table *table = choice_table(o->choices[origin->id]);
	unsigned n = balance_table_size(table), most = 0, share = 0;
	struct lease_terms terms = origins_terms(o, origin);

	for (unsigned i = 0; i < origin->n_servers; i++) {
		const struct olink_addresses *list = server_addresses(o->servers[origin->id][i]);

		for (unsigned k = 0; list && k < list->n; k++) {
			warm_want(list->v[k]->endpoint, &terms, 0);
			most = MAX(most, warm_most_in_use(list->v[k]->endpoint));
		}
	}
	if (balance_table_state(table) != BALANCE_UP)
		return;
	if (n > 1)
		share = (most + n - 2) / (n - 1);
	for (unsigned i = 0; i < n; i++)
		warm_want(balance_table_what(table, i), &terms, origin->pool.warm + share);
}

/* The newest configuration says what is to be warm. */
static void warm_up(struct olink *olink)
{
	const struct olink_origins *o = TAILQ_LAST(&olink->origins, origins_list);

	warm_begin(olink->conns);
	for (unsigned i = 0; o && i < o->fleet->n_origins; i++) {
		const struct cfg_origin *origin = &o->fleet->origins[i];

		/* Where it goes by relays, connections of its own are not kept ready: they are to
		 * shield it. */
		if (!relays_warm_up(o, origin, loop_now(olink->group->control)) &&
		    origins_keep_warm(origin))
			want_warm(o, origin);
	}
	warm_end(olink->conns);
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct olink *olink = arg;

	struct olink_origins *newest = TAILQ_LAST(&olink->origins, origins_list);

	endpoints_sweep(olink->conns);
	if (newest)
		lookout_look(newest, loop_now(olink->group->control));
	warm_up(olink);
}

static void warm_now(struct loop_task *task)
{
	warm_up(CONTAINER_OF(task, struct olink, warm_now));
}

static void servers_changed(struct server_table *table)
{
	struct olink *olink = CONTAINER_OF(table, struct olink, servers);

	/* After the tables by which requests go there. */
	loop_defer_last(olink->group->control, &olink->warm_now);
}

struct olink *olink_create(struct loop_group *group, struct stream_buffers *control_buffers)
{
	struct olink *olink = xcalloc(1, sizeof(*olink));

	LOOP_ASSERT_OWNER(group->control);
	olink->group = group;
	olink->buffers = control_buffers;
	olink->metrics = olink_counters_create(group->n_workers + 1);
	olink->conns = conns_node_create(group, olink->metrics);
	olink->servers = (struct server_table){
	    .group = group,
	    .buffers = control_buffers,
	    .metrics = olink->metrics,
	    .conns = olink->conns,
	    .resolver = resolver_create(group->control, olink->metrics, NULL),
	    .gate = probe_gate_create(group->control),
	    .on_change = servers_changed,
	};
	TAILQ_INIT(&olink->origins);
	olink->warm_now.run = warm_now;
	olink->tick = event_new(loop_base(group->control), -1, EV_PERSIST, tick_cb, olink);
	CHECK(olink->tick && event_add(olink->tick, &tick_interval) == 0);
	return olink;
}

void olink_destroy(struct olink **olinkp)
{
	struct olink *olink = TAKE(olinkp);

	if (!olink)
		return;
	LOOP_ASSERT_OWNER(olink->group->control);
	CHECK(TAILQ_EMPTY(&olink->origins));
	CHECK(olink->servers.n_servers == 0);
	event_free(olink->tick);
	loop_task_cancel(olink->group->control, &olink->warm_now);
	resolver_destroy(&olink->servers.resolver);
	probe_gate_destroy(&olink->servers.gate);
	recents_free(&olink->recents);
	conns_node_destroy(&olink->conns);
	metrics_destroy(&olink->metrics);
	free(olink);
}

void olink_set_idle_limit(struct olink *olink, unsigned limit)
{
	conns_node_set_idle_limit(olink->conns, limit);
}

struct olink_worker *olink_worker_create(struct olink *olink, struct stream_buffers *buffers)
{
	struct olink_worker *w = xcalloc(1, sizeof(*w));

	w->olink = olink;
	w->buffers = buffers;
	w->conns = conns_create(olink->conns, buffers);
	LIST_INIT(&w->requests);
	return w;
}

void olink_worker_destroy(struct olink_worker **workerp)
{
	struct olink_worker *w = TAKE(workerp);

	if (!w)
		return;
	LOOP_ASSERT_OWNER(w->buffers->loop);
	olink_requests_sweep(w);
	conns_destroy(&w->conns);
	free(w->scratch);
	free(w);
}

static json_t *address_status(const struct olink_address *a)
{
	struct endpoint_facts facts = endpoint_facts(a->endpoint);
	char text[NET_ADDR_TEXT];
	json_t *j = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:b}", "address",
			      net_addr_format(&a->addr, text), "state", address_state_text(a),
			      "in_flight", (int)facts.in_flight, "idle", (int)facts.idle, "open",
			      (int)facts.open, "waiting", (int)facts.waiting, "tls",
			      endpoint_transport(a->endpoint)->tls != NULL);

	if (a->probe) {
		json_object_set_new(j, "cause",
				    json_string(probe_cause_text(atomic_load(&a->health.cause))));
		json_object_set_new(j, "probe_ms",
				    json_real(dur_to_us(probe_last_time(a->probe)) / 1000.0));
	}
	json_object_set_new(j, "changes", history_to_json(&a->history));
	if (facts.last_failure != REASON_NONE)
		json_object_set_new(j, "failure", json_string(reason_text(facts.last_failure)));
	return j;
}

/* What has become of the name. */
static json_t *lookup_status(const struct resolver_facts *facts, mono_time now)
{
	json_t *j = json_pack("{s:s, s:I}", "last", resolver_end_text(facts->last), "for_ms",
			      (json_int_t)dur_to_ms(mono_since(now, facts->since)));

	if (facts->has)
		json_object_set_new(
		    j, "found_ms",
		    json_integer((json_int_t)dur_to_ms(mono_since(now, facts->found))));
	return j;
}

static json_t *server_status(const struct olink_server *server)
{
	const struct olink_addresses *list = server_addresses(server);
	struct resolver_facts facts = server_lookup(server);
	json_t *addresses = json_array(), *j;

	for (unsigned i = 0; list && i < list->n; i++)
		json_array_append_new(addresses, address_status(list->v[i]));
	j = json_pack("{s:s, s:i, s:b, s:o}", "host", server->host, "port", (int)server->port,
		      "resolved", list != NULL, "addresses", addresses);
	if (!facts.is_literal)
		json_object_set_new(j, "lookup",
				    lookup_status(&facts, loop_now(server->table->group->control)));
	seen_add_status(server, j);
	return j;
}

/* Those that the origin is reached through, each once. */
static void add_relays(const struct olink_origins *o, const struct cfg_origin *origin,
		       json_t *relays)
{
	struct olink_server *const *list = o->relays[origin->id];
	json_t *servers = json_array();

	for (unsigned j = 0; list && j < origin->n_servers; j++) {
		bool known = list[j] == NULL;

		for (unsigned k = 0; k < j && !known; k++)
			known = list[k] == list[j];
		if (!known)
			json_array_append_new(servers, server_status(list[j]));
	}
	if (json_array_size(servers) > 0)
		json_object_set_new(relays, origin->name, json_pack("{s:O}", "servers", servers));
	json_decref(servers);
}

void olink_status(struct olink *olink, const struct olink_origins *o, json_t *status)
{
	json_t *counters = json_object_get(status, "counters");
	json_t *all = json_object(), *relays = json_object();

	LOOP_ASSERT_OWNER(olink->group->control);
	if (!counters) {
		counters = json_object();
		json_object_set_new(status, "counters", counters);
	}
	metrics_to_json(olink->metrics, counters);
	server_metrics_add(o->fleet, (struct olink_server *const *const *)o->servers, counters);
	server_metrics_add_breakers(o->fleet, o->gates, counters);
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		const struct cfg_origin *origin = &o->fleet->origins[i];
		json_t *servers = json_array(), *j;

		for (unsigned k = 0; k < origin->n_servers; k++)
			json_array_append_new(servers, server_status(o->servers[i][k]));
		j = json_pack("{s:o}", "servers", servers);
		if (origin->breaker.enabled)
			json_object_set_new(
			    j, "breaker",
			    json_string(breaker_state_text(o->gates[i].breaker.state)));
		json_object_set_new(all, origin->name, j);
		add_relays(o, origin, relays);
	}
	json_object_set_new(status, "origins", all);
	if (json_object_size(relays) > 0)
		json_object_set(status, "relays", relays);
	json_decref(relays);
}
