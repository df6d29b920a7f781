/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The origins of one configuration: their transports, references to the servers they name, and
 * whose turn it is in each loop.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/servers/origins.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/names.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/lease.h"
#include "origin-link/conns/quota.h"
#include "origin-link/conns/transport.h"
#include "origin-link/conns/warm.h"
#include "origin-link/servers/choice.h"
#include "origin-link/servers/link.h"
#include "origin-link/servers/relays.h"

/* When to ask again where too much is under way: it ends one by one. */
#define FULL_FOR DUR_S(1)

/* Loading */

static bool load_one(struct olink_origins *o, const struct cfg_origin *origin, struct diag *diag)
{
	for (unsigned j = 0; j < origin->n_servers; j++) {
		char *error = NULL;
		const char *host = cfg_origin_server_name(&origin->servers[j]);
		struct transport *t = transport_load(origin, host, &error);

		o->transports[origin->id][j] = t;
		if (t && origin->health.enabled) {
			t = transport_load_check(origin, host, &error);
			o->check_transports[origin->id][j] = t;
		}
		if (t)
			continue;
		/* What is wrong with the first is wrong with the others. */
		diag_add(diag, origin->place, "origin %s: %s", origin->name, error);
		free(error);
		return false;
	}
	return true;
}

const struct olink_here olink_nowhere = {.name = ""};

static void measure(struct olink_origins *o, const struct cfg_origin *origin,
		    const struct olink_here *here)
{
	const struct cfg_coords *from = here->location;

	for (unsigned j = 0; j < origin->n_servers; j++) {
		const struct cfg_coords *to = &origin->servers[j].location;

		o->km[origin->id][j] = -1;
		if (here->distance_km && from && from->set && to->set)
			o->km[origin->id][j] = here->distance_km(from->latitude, from->longitude,
								 to->latitude, to->longitude);
	}
}

struct olink_origins *olink_origins_load(const struct cfg_fleet *fleet,
					 const struct olink_here *here, struct diag *diag)
{
	struct olink_origins *o = xcalloc(1, sizeof(*o));
	bool ok = true;

	o->fleet = fleet;
	o->self = here->name;
	o->km = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->km));
	o->edge = here->edge;
	o->transports = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->transports));
	o->check_transports = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->check_transports));
	o->servers = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->servers));
	o->gates = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->gates));
	o->quotas = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->quotas));
	o->recents = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->recents));
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		const struct cfg_origin *origin = &fleet->origins[i];
		unsigned n = MAX(origin->n_servers, 1);

		CHECK(origin->id == i);
		o->transports[i] = xcalloc(n, sizeof(*o->transports[i]));
		o->check_transports[i] = xcalloc(n, sizeof(*o->check_transports[i]));
		o->servers[i] = xcalloc(n, sizeof(*o->servers[i]));
		o->km[i] = xcalloc(n, sizeof(*o->km[i]));
		measure(o, origin, here);
		ok &= load_one(o, origin, diag);
		transport_warn(origin, diag);
		cfg_hash_put(&o->by_name, origin->name, strlen(origin->name), origin);
	}
	ok &= relays_load(o, diag);
	if (!ok)
		olink_origins_destroy(&o);
	return o;
}

/* Life */

static void open_one(struct olink_origins *o, const struct cfg_origin *origin)
{
	struct choice_setup setup = {
	    .group = o->olink->group,
	    .origin = origin,
	    .servers = o->servers[origin->id],
	    .km = o->km[origin->id],
	    .self = o->self,
	};

	o->recents[origin->id] =
	    recent_take(&o->olink->recents, origin->name, o->olink->group->n_workers + 1);
	if (origin->limit.all_connections > 0)
		o->quotas[origin->id] = quota_take(o->olink->conns, origin->name);
	for (unsigned j = 0; j < origin->n_servers; j++) {
		const struct cfg_origin_server *server = &origin->servers[j];
		struct server_identity id = {
		    .host = server->srv ? server->srv : server->address.host,
		    .port = server->srv ? 0 : server->address.port,
		    .resolve = &origin->resolve,
		    .check = origin->health.enabled ? &origin->health.check : NULL,
		    .transport = o->transports[origin->id][j],
		    .check_transport = o->check_transports[origin->id][j],
		    .is_watched = origin->health.outliers.enabled,
		    .watcher = origin->health.outliers.enabled || origin->breaker.enabled
				   ? origin->name
				   : NULL,
		    .is_drained = origin->servers[j].admin == CFG_ADMIN_DRAINED,
		};

		o->servers[origin->id][j] = server_take(&o->olink->servers, &id);
	}
	o->choices[origin->id] = choice_create(&setup);
}

/* What the breakers of before have found out about origins of the same name. */
static void take_over_gates(struct olink_origins *o, const struct olink_origins *before)
{
	for (unsigned i = 0; before && i < o->fleet->n_origins; i++) {
		const struct cfg_origin *new = &o->fleet->origins[i];
		const struct cfg_origin *old = olink_origins_find(before, span_of(new->name));

		if (new->breaker.enabled && old && old->breaker.enabled)
			gate_take_over(&o->gates[i], &before->gates[old->id]);
	}
}

/* Each loop begins somewhere else, so that not all begin with the same server. */
static void begin_turns(struct olink_origins *o, unsigned n_loops)
{
	unsigned per_line = 64 / sizeof(*o->turns), n = o->fleet->n_origins;

	/* Whole cache lines a loop: nobody's count slows another's. */
	o->turns_stride = (n / per_line + 1) * per_line;
	o->turns = xcalloc((size_t)o->turns_stride * n_loops, sizeof(*o->turns));
	for (unsigned loop = 0; loop < n_loops; loop++) {
		for (unsigned i = 0; i < n; i++)
			o->turns[loop * o->turns_stride + i] = loop * 2654435769u;
	}
}

void olink_origins_open(struct olink_origins *o, struct olink *olink)
{
	LOOP_ASSERT_OWNER(olink->group->control);
	CHECK(!o->olink);
	/* A reload is how an operator says that something has changed. */
	if (!TAILQ_EMPTY(&olink->origins))
		resolver_start_over(olink->servers.resolver);
	o->olink = olink;
	o->choices = xcalloc(MAX(o->fleet->n_origins, 1), sizeof(*o->choices));
	for (unsigned i = 0; i < o->fleet->n_origins; i++)
		open_one(o, &o->fleet->origins[i]);
	relays_open(o);
	begin_turns(o, olink->group->n_workers + 1);
	take_over_gates(o, TAILQ_LAST(&olink->origins, origins_list));
	TAILQ_INSERT_TAIL(&olink->origins, o, link);
	/* At once: no request is to find an address of which it is not known what is wanted. */
	olink->warm_now.run(&olink->warm_now);
}

void olink_origins_close(struct olink_origins *o)
{
	LOOP_ASSERT_OWNER(o->olink->group->control);
	TAILQ_REMOVE(&o->olink->origins, o, link);
	relays_close(o);
	o->olink = NULL;
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		choice_destroy(&o->choices[i]);
		for (unsigned j = 0; j < o->fleet->origins[i].n_servers; j++)
			server_give(&o->servers[i][j]);
	}
}

void olink_origins_destroy(struct olink_origins **originsp)
{
	struct olink_origins *o = TAKE(originsp);

	if (!o)
		return;
	if (o->olink)
		olink_origins_close(o);
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		for (unsigned j = 0; j < o->fleet->origins[i].n_servers; j++) {
			transport_unref(&o->transports[i][j]);
			transport_unref(&o->check_transports[i][j]);
		}
		free(o->servers[i]);
		free(o->check_transports[i]);
		free(o->km[i]);
		free(o->transports[i]);
	}
	relays_destroy(o);
	cfg_hash_fini(&o->by_name);
	free(o->servers);
	free(o->km);
	free(o->quotas);
	free(o->recents);
	free(o->transports);
	free(o->check_transports);
	free(o->gates);
	free(o->turns);
	free(o->choices);
	free(o);
}

/* The connections that are kept ready are there, or cannot be had. */
static bool is_warm(const struct olink_origins *o, unsigned origin)
{
	const struct balance_table *table = choice_table(o->choices[origin]);

	if (!origins_keep_warm(&o->fleet->origins[origin]) ||
	    balance_table_state(table) != BALANCE_UP)
		return true;
	for (unsigned i = 0; i < balance_table_size(table); i++) {
		if (!warm_is_settled(balance_table_what(table, i)))
			return false;
	}
	return true;
}

static bool is_settled(const struct olink_origins *o, unsigned origin)
{
	for (unsigned i = 0; i < o->fleet->origins[origin].n_servers; i++) {
		if (!server_is_settled(o->servers[origin][i]))
			return false;
	}
	return relays_are_settled(o, origin) && is_warm(o, origin);
}

bool olink_origins_settled(const struct olink_origins *o)
{
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		if (!is_settled(o, i))
			return false;
	}
	return true;
}

char *olink_origins_unsettled(const struct olink_origins *o)
{
	struct names names = {0};

	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		if (!is_settled(o, i))
			names_add(&names, o->fleet->origins[i].name);
	}
	return names_sentence(&names, "origin", "origins");
}

const struct cfg_origin *olink_origins_find(const struct olink_origins *o, struct span name)
{
	return cfg_hash_get(&o->by_name, name.p, name.n);
}

bool olink_origins_are_usable(const struct olink_origins *o, const struct cfg_origin *origin)
{
	for (unsigned j = 0; j < origin->n_servers; j++) {
		const struct olink_addresses *list = server_addresses(o->servers[origin->id][j]);

		if (origin->servers[j].admin == CFG_ADMIN_DRAINED || !relays_may_ask(o, origin, j))
			continue;
		for (unsigned i = 0; list && i < list->n; i++) {
			if (!address_is_down(list->v[i]))
				return true;
		}
	}
	return false;
}

bool origins_keep_warm(const struct cfg_origin *origin)
{
	return origin->pool.warm > 0 && origin->pool.max_idle > 0;
}

struct lease_terms origins_terms(const struct olink_origins *o, const struct cfg_origin *origin)
{
	return (struct lease_terms){
	    .max_idle = origin->pool.max_idle,
	    .max_connections = origin->limit.connections,
	    .max_waiting = origin->limit.queue,
	    .quota = o->quotas[origin->id],
	    .max_in_all = origin->limit.all_connections,
	    .max_requests = origin->pool.max_requests,
	    .max_age = origin->pool.max_age,
	    .idle_timeout = origin->pool.idle_timeout,
	    .connect_timeout = origin->timeout.connect,
	    .queue_timeout = origin->timeout.queue,
	    .tls_timeout = origin->timeout.tls,
	};
}

enum reason olink_origins_let_pass(const struct olink_origins *o, const struct cfg_origin *origin,
				   const struct loop *loop, duration *wait)
{
	*wait = FULL_FOR;
	if (origin->limit.requests > 0 &&
	    recent_open(o->recents[origin->id]) >= origin->limit.requests)
		return REASON_ORIGIN_QUEUE_FULL;
	return !origin->breaker.enabled || gate_pass(&o->gates[origin->id], loop_now(loop), wait)
		   ? REASON_NONE
		   : REASON_ORIGIN_BREAKER_OPEN;
}

enum reason olink_origins_admit(const struct olink_origins *o, const struct cfg_origin *origin,
				const struct loop *loop, duration *wait)
{
	const struct balance_table *table = choice_table(o->choices[origin->id]);
	const struct cfg_check *check = &origin->health.check;

	/* When the next checks may have found one up. */
	*wait = DUR_NS(check->interval.ns * check->rise);
	/* A relay that is up answers for servers that this node does not reach. */
	if (!relays_are_up(o, origin, loop_now(loop))) {
		if (balance_table_size(table) == 0)
			return choice_why_empty(o->choices[origin->id]);
		if (balance_table_state(table) == BALANCE_DOWN)
			return REASON_ORIGIN_ALL_DOWN;
	}
	return olink_origins_let_pass(o, origin, loop, wait);
}

enum reason origins_candidates(const struct olink_origins *o, const struct cfg_origin *origin,
			       const struct loop *loop, const struct olink_affinity *affinity,
			       struct endpoint *out[ORIGINS_CANDIDATES_MAX], unsigned *n)
{
	unsigned *turns = &o->turns[loop_index(loop) * o->turns_stride + origin->id];
	struct balance_list list;
	enum reason reason;

	_Static_assert(ORIGINS_CANDIDATES_MAX == BALANCE_LIST_MAX, "a list is what is tried");
	reason = choice_make(o->choices[origin->id], loop, (*turns)++, affinity, &list);
	if (reason != REASON_NONE)
		return reason;
	for (unsigned i = 0; i < list.n; i++)
		out[i] = list.v[i];
	*n = list.n;
	return REASON_NONE;
}
