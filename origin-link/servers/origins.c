/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The origins of one configuration: their transports, references to the servers they name, and
 * whose turn it is. What is picked is read through the servers' published addresses, so nothing is
 * held across turns.
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
#include "origin-link/conns/transport.h"
#include "origin-link/servers/link.h"
#include "origin-link/servers/relays.h"

/* Loading */

static bool load_one(struct olink_origins *o, const struct cfg_origin *origin, struct diag *diag)
{
	for (unsigned j = 0; j < origin->n_servers; j++) {
		char *error = NULL;

		o->transports[origin->id][j] =
		    transport_load(origin, origin->servers[j].address.host, &error);
		if (o->transports[origin->id][j])
			continue;
		/* What is wrong with the first is wrong with the others. */
		diag_add(diag, origin->place, "origin %s: %s", origin->name, error);
		free(error);
		return false;
	}
	return true;
}

struct olink_origins *olink_origins_load(const struct cfg_fleet *fleet, const struct cfg_edge *self,
					 struct diag *diag)
{
	struct olink_origins *o = xcalloc(1, sizeof(*o));
	bool ok = true;

	o->fleet = fleet;
	o->self = self;
	o->transports = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->transports));
	o->servers = xcalloc(MAX(fleet->n_origins, 1), sizeof(*o->servers));
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		const struct cfg_origin *origin = &fleet->origins[i];
		unsigned n = MAX(origin->n_servers, 1);

		CHECK(origin->id == i);
		o->transports[i] = xcalloc(n, sizeof(*o->transports[i]));
		o->servers[i] = xcalloc(n, sizeof(*o->servers[i]));
		ok &= load_one(o, origin, diag);
		cfg_hash_put(&o->by_name, origin->name, strlen(origin->name), origin);
	}
	ok &= relays_load(o, diag);
	if (!ok)
		olink_origins_destroy(&o);
	return o;
}

/* Life */

void olink_origins_open(struct olink_origins *o, struct olink *olink)
{
	unsigned per_line = 64 / sizeof(*o->turns);

	LOOP_ASSERT_OWNER(olink->group->control);
	CHECK(!o->olink);
	/* A reload is how an operator says that something has changed. */
	if (!TAILQ_EMPTY(&olink->origins))
		resolver_start_over(olink->servers.resolver);
	o->olink = olink;
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
		const struct cfg_origin *origin = &o->fleet->origins[i];

		for (unsigned j = 0; j < origin->n_servers; j++) {
			struct server_identity id = {
			    .host = origin->servers[j].address.host,
			    .port = origin->servers[j].address.port,
			    .check = origin->health.enabled ? &origin->health.check : NULL,
			    .transport = o->transports[i][j],
			};

			o->servers[i][j] = server_take(&olink->servers, &id);
		}
	}
	relays_open(o);
	/* Whole cache lines a loop: nobody's count slows another's. */
	o->turns_stride = (o->fleet->n_origins / per_line + 1) * per_line;
	o->turns =
	    xcalloc((size_t)o->turns_stride * (olink->group->n_workers + 1), sizeof(*o->turns));
	TAILQ_INSERT_TAIL(&olink->origins, o, link);
	loop_defer(olink->group->control, &olink->warm_now);
}

void olink_origins_close(struct olink_origins *o)
{
	LOOP_ASSERT_OWNER(o->olink->group->control);
	TAILQ_REMOVE(&o->olink->origins, o, link);
	relays_close(o);
	o->olink = NULL;
	for (unsigned i = 0; i < o->fleet->n_origins; i++) {
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
		for (unsigned j = 0; j < o->fleet->origins[i].n_servers; j++)
			transport_unref(&o->transports[i][j]);
		free(o->servers[i]);
		free(o->transports[i]);
	}
	relays_destroy(o);
	cfg_hash_fini(&o->by_name);
	free(o->servers);
	free(o->transports);
	free(o->turns);
	free(o);
}

static bool is_settled(const struct olink_origins *o, unsigned origin)
{
	for (unsigned i = 0; i < o->fleet->origins[origin].n_servers; i++) {
		if (!server_is_settled(o->servers[origin][i]))
			return false;
	}
	return relays_are_settled(o, origin);
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

		for (unsigned i = 0; list && i < list->n; i++) {
			if (health_get(&list->v[i]->health) != HEALTH_DOWN)
				return true;
		}
	}
	return false;
}

struct lease_terms origins_terms(const struct cfg_origin *origin)
{
	return (struct lease_terms){
	    .max_idle = origin->pool.max_idle,
	    .max_connections = origin->limit.connections,
	    .max_waiting = origin->limit.queue,
	    .idle_timeout = origin->pool.idle_timeout,
	    .connect_timeout = origin->timeout.connect,
	    .queue_timeout = origin->timeout.queue,
	};
}

/* Candidates */

/* In the order in which addresses are preferred. Those that no check has had its say about yet are
 * unproven; one that is not checked is proven by the first connection to it, or becomes a suspect.
 */
enum rank {
	RANK_UP,
	RANK_UP_SUSPECT,
	RANK_UNPROVEN,
	RANK_UNPROVEN_SUSPECT,
	RANK_DOWN,
	N_RANKS,
};

static const char *rank_text(enum rank rank)
{
	static const char *const texts[N_RANKS] = {
	    [RANK_UP] = "up",
	    [RANK_UP_SUSPECT] = "up, suspect",
	    [RANK_UNPROVEN] = "unproven",
	    [RANK_UNPROVEN_SUSPECT] = "unproven, suspect",
	    [RANK_DOWN] = "down",
	};

	CHECK(rank < N_RANKS);
	return texts[rank];
}

static enum rank rank_of(const struct olink_address *a, mono_time now)
{
	bool suspect = endpoint_is_suspect(a->endpoint, now);

	if (health_get(&a->health) == HEALTH_DOWN)
		return RANK_DOWN;
	if (address_is_proven(a))
		return suspect ? RANK_UP_SUSPECT : RANK_UP;
	return suspect ? RANK_UNPROVEN_SUSPECT : RANK_UNPROVEN;
}

/* The last rank that is tried, given how many addresses each has. An unproven one may accept and
 * never answer: it is not tried while there is a proven one, not even when that is busy or cannot
 * be reached for the moment. The first check of it takes no longer than its timeout. */
static enum rank last_rank(const unsigned n[N_RANKS])
{
	if (n[RANK_UP] + n[RANK_UP_SUSPECT] > 0)
		return RANK_UP_SUSPECT;
	if (n[RANK_UNPROVEN] + n[RANK_UNPROVEN_SUSPECT] > 0)
		return RANK_UNPROVEN_SUSPECT;
	return RANK_DOWN;
}

/* All addresses of an origin, one after the other. */
struct walk {
	struct olink_server *const *servers;
	const struct cfg_origin_server *settings; /* as `servers` */
	unsigned n_servers, server, index;
	const struct olink_addresses *list; /* of `server`; NULL: not looked at yet, or none */
};

static const struct olink_address *next_address(struct walk *w)
{
	while (w->server < w->n_servers) {
		if (w->index == 0)
			w->list = server_addresses(w->servers[w->server]);
		if (w->list && w->index < w->list->n)
			return w->list->v[w->index++];
		w->server++;
		w->index = 0;
	}
	return NULL;
}

/* Of the one that next_address() has returned. */
static unsigned weight_of(const struct walk *w)
{
	return w->settings[w->server].weight;
}

/* Where each rank begins in the order, how many it has and what they weigh together, and which of
 * them is the first; those at ORIGINS_CANDIDATES_MAX and beyond are left out. */
struct order {
	unsigned begin[N_RANKS], n[N_RANKS], first[N_RANKS];
	uint64_t weight[N_RANKS];
};

/* Whose turn it is in each rank, when each has as many turns as it weighs. */
static void find_first(struct order *order, struct walk w, unsigned turn, mono_time now)
{
	uint64_t passed[N_RANKS] = {0};
	const struct olink_address *a;

	while ((a = next_address(&w))) {
		enum rank rank = rank_of(a, now);

		if (order->weight[rank] == 0)
			continue; /* its rank has changed since they were counted */
		passed[rank] += weight_of(&w);
		if (passed[rank] <= turn % order->weight[rank])
			order->first[rank]++;
	}
}

static void put(const struct order *order, enum rank rank, unsigned index, struct endpoint *e,
		struct endpoint *out[ORIGINS_CANDIDATES_MAX])
{
	unsigned n = order->n[rank];
	unsigned place;

	if (index >= n)
		return; /* its rank has changed since they were counted */
	place = order->begin[rank] + (index + n - order->first[rank] % n) % n;
	if (place < ORIGINS_CANDIDATES_MAX)
		out[place] = e;
}

/* Takes out the gaps, and what is there a second time: two servers may have the same address. */
static unsigned tidy(struct endpoint *v[ORIGINS_CANDIDATES_MAX])
{
	unsigned n = 0;

	for (unsigned i = 0; i < ORIGINS_CANDIDATES_MAX; i++) {
		bool known = v[i] == NULL;

		for (unsigned j = 0; j < n && !known; j++)
			known = v[j] == v[i];
		if (!known)
			v[n++] = v[i];
	}
	return n;
}

enum reason origins_candidates(const struct olink_origins *o, const struct cfg_origin *origin,
			       const struct loop *loop,
			       struct endpoint *out[ORIGINS_CANDIDATES_MAX], unsigned *n)
{
	unsigned turn = o->turns[loop_index(loop) * o->turns_stride + origin->id]++;
	struct walk start = {
	    .servers = o->servers[origin->id],
	    .settings = origin->servers,
	    .n_servers = origin->n_servers,
	};
	unsigned begin = 0, seen[N_RANKS] = {0};
	mono_time now = loop_now(loop);
	const struct olink_address *a;
	struct order order = {0};
	enum rank last;
	struct walk w;

	for (w = start; (a = next_address(&w));) {
		enum rank rank = rank_of(a, now);

		order.n[rank]++;
		order.weight[rank] += weight_of(&w);
	}
	last = last_rank(order.n);
	if (last == RANK_DOWN && order.n[RANK_DOWN] == 0)
		return REASON_ORIGIN_RESOLVE_FAILED;
	if (last == RANK_DOWN && origin->all_down == CFG_ALL_DOWN_REFUSE)
		return REASON_ORIGIN_ALL_DOWN;
	for (enum rank rank = RANK_UP; rank <= last; rank++) {
		order.begin[rank] = begin;
		begin += order.n[rank];
	}
	find_first(&order, start, turn, now);
	memset(out, 0, ORIGINS_CANDIDATES_MAX * sizeof(*out));
	for (w = start; (a = next_address(&w));) {
		enum rank rank = rank_of(a, now);

		log_debug("origin %s: %s is %s%s", origin->name,
			  net_addr_shown(endpoint_addr(a->endpoint)), rank_text(rank),
			  rank <= last ? "" : ", and not tried");
		if (rank <= last)
			put(&order, rank, seen[rank]++, a->endpoint, out);
	}
	*n = tidy(out);
	return *n > 0 ? REASON_NONE : REASON_ORIGIN_ALL_DOWN;
}
