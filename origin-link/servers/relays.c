/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A relay is a server like others to the pool and to the checks, shared by all origins that go by
 * it; but what it is asked for its health is whether it has a server for that origin, which it
 * answers by its own checks: so nobody else need ask that origin as often. It is down for one
 * origin, and not for another.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/servers/relays.h"

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/lease.h"
#include "origin-link/conns/transport.h"
#include "origin-link/conns/warm.h"
#include "origin-link/servers/link.h"

/* What edge/exchange/exchange_relay.c answers. */
#define HEALTH_TARGET "/.well-known/perigee/health?origin=%s"
/* Found to be down by two failures, half a second apart, and up again by three successes: who comes
 * back has cold connections, and the other way is not bad. */
#define CHECK_INTERVAL DUR_S(2)
#define CHECK_FAST_INTERVAL DUR_MS(500)
#define CHECK_TIMEOUT DUR_S(2)
#define CHECK_RISE 3
#define CHECK_FALL 2

/* NULL: straight on. */
static const struct cfg_edge *relay_for(const struct olink_origins *o,
					const struct cfg_origin *origin, unsigned server)
{
	const struct cfg_edge *via = cfg_origin_via(origin, server);

	return via != o->edge ? via : NULL;
}

static bool goes_by_any(const struct olink_origins *o, const struct cfg_origin *origin)
{
	for (unsigned j = 0; j < origin->n_servers; j++) {
		if (relay_for(o, origin, j))
			return true;
	}
	return false;
}

/* Loading */

static bool load_transport(struct olink_origins *o, const struct cfg_origin *origin,
			   const struct cfg_edge *relay, struct diag *diag)
{
	struct relay_transports *t = &o->relay_transports[relay->id];
	char *error = NULL;

	if (t->requests)
		return true;
	if (!o->edge->relay.certificate) {
		if (!o->warned_of_relay)
			diag_warn(
			    diag, origin->place,
			    "origin %s is via edge %s, but this edge, %s, has no certificate for "
			    "that (edges.%s.relay): it goes straight on",
			    origin->name, relay->name, o->edge->name, o->edge->name);
		o->warned_of_relay = true;
		return true;
	}
	t->requests =
	    transport_of_relay(&o->edge->relay, relay->name, CFG_ORIGIN_PROTOCOL_AUTO, &error);
	if (t->requests)
		t->checks = transport_of_relay(&o->edge->relay, relay->name,
					       CFG_ORIGIN_PROTOCOL_HTTP1, &error);
	if (!t->checks)
		diag_add(diag, o->edge->place, "edges.%s.relay: %s", o->edge->name, error);
	free(error);
	return t->checks != NULL;
}

bool relays_load(struct olink_origins *o, struct diag *diag)
{
	const struct cfg_fleet *fleet = o->fleet;
	bool ok = true;

	o->relay_transports = xcalloc(MAX(fleet->n_edges, 1), sizeof(*o->relay_transports));
	o->relays = xcalloc(MAX(fleet->n_origins, 1), sizeof(struct olink_server **));
	for (unsigned i = 0; o->edge && i < fleet->n_origins; i++) {
		const struct cfg_origin *origin = &fleet->origins[i];

		for (unsigned j = 0; ok && j < origin->n_servers; j++) {
			const struct cfg_edge *relay = relay_for(o, origin, j);

			ok = !relay || load_transport(o, origin, relay, diag);
		}
	}
	return ok;
}

/* Life */

static struct olink_server *take_server(struct olink_origins *o, const struct cfg_origin *origin,
					const struct cfg_edge *relay)
{
	static struct cfg_range ok = {200, 200};
	struct cfg_check check = {
	    .kind = CFG_CHECK_HTTPS,
	    .host = relay->name,
	    .method = CFG_CHECK_GET,
	    .service = "",
	    .statuses = {&ok, 1},
	    .interval = CHECK_INTERVAL,
	    .fast_interval = CHECK_FAST_INTERVAL,
	    .timeout = CHECK_TIMEOUT,
	    .rise = CHECK_RISE,
	    .fall = CHECK_FALL,
	};
	const struct cfg_server *address = &relay->relay.address;
	uint16_t port = net_addr_port(&relay->relay.listen.v[0]);
	char *path = xasprintf(HEALTH_TARGET, origin->name), ip[NET_ADDR_TEXT];
	struct server_identity id = {
	    .resolve = &origin->resolve,
	    .host = address->host ? address->host : net_addr_format_ip(&relay->addresses.v[0], ip),
	    .port = address->host && address->port ? address->port : port,
	    .check = &check,
	    .transport = o->relay_transports[relay->id].requests,
	    .check_transport = o->relay_transports[relay->id].checks,
	};
	struct olink_server *server;

	check.path = path;
	server = server_take(&o->olink->servers, &id);
	free(path);
	return server;
}

void relays_open(struct olink_origins *o)
{
	for (unsigned i = 0; o->edge && i < o->fleet->n_origins; i++) {
		const struct cfg_origin *origin = &o->fleet->origins[i];

		if (!goes_by_any(o, origin))
			continue;
		o->relays[i] = xcalloc(origin->n_servers, sizeof(struct olink_server *));
		for (unsigned j = 0; j < origin->n_servers; j++) {
			const struct cfg_edge *relay = relay_for(o, origin, j);

			if (relay && o->relay_transports[relay->id].checks)
				o->relays[i][j] = take_server(o, origin, relay);
		}
	}
}

void relays_close(struct olink_origins *o)
{
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		for (unsigned j = 0; o->relays[i] && j < o->fleet->origins[i].n_servers; j++) {
			if (o->relays[i][j])
				server_give(&o->relays[i][j]);
		}
	}
}

void relays_destroy(struct olink_origins *o)
{
	for (unsigned i = 0; o->relays && i < o->fleet->n_origins; i++)
		free(o->relays[i]);
	for (unsigned i = 0; o->relay_transports && i < o->fleet->n_edges; i++) {
		transport_unref(&o->relay_transports[i].requests);
		transport_unref(&o->relay_transports[i].checks);
	}
	free(o->relays);
	free(o->relay_transports);
}

bool relays_are_settled(const struct olink_origins *o, unsigned origin)
{
	struct olink_server *const *relays = o->relays[origin];

	for (unsigned j = 0; relays && j < o->fleet->origins[origin].n_servers; j++) {
		if (relays[j] && !server_is_settled(relays[j]))
			return false;
	}
	return true;
}

/* Candidates */

struct list {
	struct endpoint *v[2 * ORIGINS_CANDIDATES_MAX];
	unsigned n;
};

static bool has(const struct list *l, const struct endpoint *e)
{
	for (unsigned i = 0; i < l->n; i++) {
		if (l->v[i] == e)
			return true;
	}
	return false;
}

static void add(struct list *l, struct endpoint *e)
{
	if (l->n < ARRAY_SIZE(l->v) && !has(l, e))
		l->v[l->n++] = e;
}

static bool has_address(const struct olink_server *server, const struct endpoint *e)
{
	const struct olink_addresses *list = server_addresses(server);

	for (unsigned i = 0; list && i < list->n; i++) {
		if (list->v[i]->endpoint == e)
			return true;
	}
	return false;
}

/* Its first address that is up; else, with `perhaps`, one of which that is not known. NULL: none.
 */
static struct endpoint *endpoint_of(const struct olink_server *relay, mono_time now, bool perhaps)
{
	const struct olink_addresses *list = relay ? server_addresses(relay) : NULL;
	struct endpoint *found = NULL;

	for (unsigned i = 0; list && i < list->n; i++) {
		struct olink_address *a = list->v[i];
		enum health_state state = health_get(&a->health);

		if (state == HEALTH_UP && !endpoint_is_suspect(a->endpoint, now))
			return perhaps ? NULL : a->endpoint;
		if (state != HEALTH_DOWN && perhaps && !found)
			found = a->endpoint;
	}
	return found;
}

bool relays_warm_up(const struct olink_origins *o, const struct cfg_origin *origin, mono_time now)
{
	struct lease_terms terms = origins_terms(o, origin);
	struct olink_server *const *relays = o->relays[origin->id];
	bool all = relays != NULL;

	for (unsigned j = 0; relays && j < origin->n_servers; j++) {
		struct endpoint *relay = endpoint_of(relays[j], now, false);

		if (relay)
			warm_want(relay, &terms, MAX(origin->pool.warm, 1));
		all &= relay != NULL;
	}
	return all;
}

bool relays_are_up(const struct olink_origins *o, const struct cfg_origin *origin, mono_time now)
{
	struct olink_server *const *relays = o->relays[origin->id];

	for (unsigned j = 0; relays && j < origin->n_servers; j++) {
		if (endpoint_of(relays[j], now, false))
			return true;
	}
	return false;
}

/* The relay that is up and stands for the server that has this address. */
static struct endpoint *relay_of(const struct olink_origins *o, const struct cfg_origin *origin,
				 const struct endpoint *e, mono_time now)
{
	for (unsigned j = 0; j < origin->n_servers; j++) {
		struct endpoint *relay = endpoint_of(o->relays[origin->id][j], now, false);

		if (relay && has_address(o->servers[origin->id][j], e))
			return relay;
	}
	return NULL;
}

static void put_relays_in(const struct olink_origins *o, const struct cfg_origin *origin,
			  mono_time now, struct endpoint *out[ORIGINS_CANDIDATES_MAX], unsigned *n)
{
	struct list first = {.n = 0}, last = {.n = 0};

	/* Where nothing is known of the servers themselves, as of names that only the relay can
	 * look up, it goes by the relay all the same. */
	for (unsigned j = 0; *n == 0 && j < origin->n_servers; j++) {
		struct endpoint *relay = endpoint_of(o->relays[origin->id][j], now, false);

		if (relay)
			add(&first, relay);
	}
	for (unsigned i = 0; i < *n; i++) {
		struct endpoint *relay = relay_of(o, origin, out[i], now);

		add(&first, relay ? relay : out[i]);
		if (relay)
			add(&last, out[i]);
	}
	for (unsigned j = 0; j < origin->n_servers; j++) {
		struct endpoint *relay = endpoint_of(o->relays[origin->id][j], now, true);

		if (relay)
			add(&last, relay);
	}
	for (unsigned i = 0; i < last.n; i++)
		add(&first, last.v[i]);
	*n = MIN(first.n, ORIGINS_CANDIDATES_MAX);
	memcpy(out, first.v, *n * sizeof(*out));
}

bool relays_may_ask(const struct olink_origins *o, const struct cfg_origin *origin, unsigned server)
{
	bool any = false;

	for (unsigned j = 0; j < origin->n_servers; j++)
		any |= cfg_origin_via(origin, j) == o->edge;
	return !any || cfg_origin_via(origin, server) == o->edge;
}

/* As a relay it stands for some of the servers; those of others, who has sent the request has had
 * the choice of itself. */
static void keep_own(const struct olink_origins *o, const struct cfg_origin *origin,
		     struct endpoint *out[ORIGINS_CANDIDATES_MAX], unsigned *n)
{
	unsigned kept = 0;
	bool any = false;

	for (unsigned j = 0; j < origin->n_servers; j++)
		any |= cfg_origin_via(origin, j) == o->edge;
	for (unsigned i = 0; any && i < *n; i++) {
		bool own = false;

		for (unsigned j = 0; j < origin->n_servers && !own; j++)
			own = cfg_origin_via(origin, j) == o->edge &&
			      has_address(o->servers[origin->id][j], out[i]);
		if (own)
			out[kept++] = out[i];
	}
	if (any)
		*n = kept;
}

enum reason relays_candidates(const struct olink_origins *o, const struct cfg_origin *origin,
			      const struct loop *loop, bool is_relayed,
			      const struct olink_affinity *affinity,
			      struct endpoint *out[ORIGINS_CANDIDATES_MAX], unsigned *n)
{
	enum reason reason = origins_candidates(o, origin, loop, affinity, out, n);

	if (reason != REASON_NONE)
		*n = 0;
	if (is_relayed)
		keep_own(o, origin, out, n);
	else if (o->relays[origin->id])
		put_relays_in(o, origin, loop_now(loop), out, n);
	if (*n > 0)
		return REASON_NONE;
	return reason != REASON_NONE ? reason : REASON_ORIGIN_ALL_DOWN;
}
