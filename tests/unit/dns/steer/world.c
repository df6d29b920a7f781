/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/unit/dns/steer/world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "fleet/verdicts.h"
#include "geo/distance.h"
#include "geo/ranges.h"

unsigned world_random(struct world *w, unsigned n)
{
	/* xorshift64 */
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (unsigned)((w->seed >> 16) % n);
}

struct cfg_coords world_coords(struct world *w)
{
	return (struct cfg_coords){(double)world_random(w, 7) * 30 - 90,
				   (double)world_random(w, 13) * 30 - 180, true};
}

const char *world_continent(struct world *w)
{
	static const char *const continents[] = {"", "EU", "NA", "AS"};

	return continents[world_random(w, ARRAY_SIZE(continents))];
}

static void invent_edge(struct world *w, unsigned i)
{
	struct cfg_edge *edge = &w->edges[i];
	unsigned v4 = world_random(w, 3), v6 = world_random(w, 3);

	snprintf(w->names[i], sizeof(w->names[i]), "e%u", world_random(w, 1000));
	*edge = (struct cfg_edge){.name = w->names[i],
				  .id = i,
				  .continent = world_continent(w),
				  .addresses = {w->addresses[i], v4 + v6},
				  .weight = world_random(w, 4),
				  .admin = world_random(w, 3) == 0 ? CFG_ADMIN_DRAINED
								   : CFG_ADMIN_ACTIVE};
	if (world_random(w, 8) > 0)
		edge->location = world_coords(w);
	if (world_random(w, 4) == 0)
		edge->bias_km = (double)world_random(w, 9) * 500 - 2000;
	for (unsigned k = 0; k < v4 + v6; k++) {
		struct net_addr *addr = &edge->addresses.v[k];

		*addr = (struct net_addr){0};
		/* Not in the order in which records are kept. */
		if (k < v4) {
			addr->in.sin_family = AF_INET;
			addr->in.sin_addr.s_addr = htonl(0xc0000200 + i * 16 + (7 - k));
		} else {
			addr->in6.sin6_family = AF_INET6;
			addr->in6.sin6_addr.s6_addr[0] = 0x20;
			addr->in6.sin6_addr.s6_addr[15] = (uint8_t)(i * 16 + (15 - k));
		}
	}
}

/* Some of the edges in any order, each once; returns how many. */
static unsigned some_of(struct world *w, const struct cfg_edge *const *from, unsigned n,
			const struct cfg_edge **out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned at = world_random(w, kept + 1);

		if (world_random(w, 4) == 0)
			continue;
		memmove(&out[at + 1], &out[at], (kept - at) * sizeof(*out));
		out[at] = from[i];
		kept++;
	}
	return kept;
}

static void invent_policies(struct world *w, unsigned n_order, unsigned n_weights)
{
	unsigned answers = 1 + world_random(w, 4);

	for (unsigned p = 0; p < WORLD_POLICIES; p++) {
		struct cfg_steered *s = &w->steered[p];

		*s =
		    (struct cfg_steered){.owner = "www",
					 .site = &w->site,
					 .ttl = DUR_S(30),
					 .policy = p,
					 .answers = answers,
					 .none_up = world_random(w, 2) == 0 ? CFG_NONE_UP_NEAREST
									    : CFG_NONE_UP_SERVFAIL};
		if (p == CFG_POLICY_WEIGHTED) {
			s->weights = w->weights;
			s->n_weights = n_weights;
		} else if (p != CFG_POLICY_NEAREST) {
			s->order = w->order;
			s->n_order = n_order;
		}
	}
}

void world_init(struct world *w, uint64_t seed)
{
	const struct cfg_edge *all[WORLD_EDGES], *weighed[WORLD_EDGES];
	unsigned n, n_weights;

	*w = (struct world){.seed = seed * 0x9e3779b97f4a7c15u + 1};
	n = 1 + world_random(w, WORLD_EDGES);
	for (unsigned i = 0; i < n; i++) {
		invent_edge(w, i);
		all[i] = &w->edges[i];
	}
	w->site = (struct cfg_site){.name = "www", .edges = w->of_site};
	w->site.n_edges = some_of(w, all, n, w->of_site);
	n_weights = some_of(w, w->of_site, w->site.n_edges, weighed);
	for (unsigned i = 0; i < n_weights; i++)
		w->weights[i] =
		    (struct cfg_weight){.edge = weighed[i], .weight = world_random(w, 3)};
	invent_policies(w, some_of(w, w->of_site, w->site.n_edges, w->order), n_weights);
	for (unsigned i = 0; i < WORLD_OVERRIDES; i++) {
		w->overrides[i].edges = w->of_override[i];
		w->overrides[i].n_edges = some_of(w, all, n, w->of_override[i]);
	}
	w->zone = (struct cfg_zone){
	    .name = "example.com", .steered = w->steered, .n_steered = WORLD_POLICIES};
	w->fleet =
	    (struct cfg_fleet){.edges = w->edges,
			       .n_edges = n,
			       .sites = &w->site,
			       .n_sites = 1,
			       .zones = &w->zone,
			       .n_zones = 1,
			       .geo = {.overrides = w->overrides, .n_overrides = WORLD_OVERRIDES}};
	w->verdicts = fleet_verdicts_fixed(&w->fleet);
	world_change(w);
}

void world_change(struct world *w)
{
	/* In some worlds nearly all are up, in others nearly none is. */
	unsigned mood = 1 + world_random(w, 4);

	for (unsigned i = 0; i < w->fleet.n_edges; i++) {
		for (unsigned k = 0; k < w->edges[i].addresses.n; k++) {
			enum health_state state =
			    world_random(w, mood) == 0 ? HEALTH_UP : world_random(w, 3);

			if (world_random(w, 3) > 0)
				fleet_verdicts_set(w->verdicts, i, k, state,
						   world_random(w, 4) == 0);
		}
	}
}

void world_fini(struct world *w)
{
	steering_destroy(&w->steering);
	fleet_verdicts_unref(&w->verdicts);
}

/* By definition */

static bool has_family(const struct cfg_edge *edge, enum steer_family family)
{
	for (unsigned i = 0; i < edge->addresses.n; i++) {
		if (edge->addresses.v[i].sa.sa_family == steer_family_af(family))
			return true;
	}
	return false;
}

static unsigned count(const struct world *w, const struct cfg_edge *edge, enum steer_family family,
		      enum health_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < edge->addresses.n; i++) {
		const struct fleet_verdict *v = fleet_verdicts_at(w->verdicts, edge->id, i);

		n += edge->addresses.v[i].sa.sa_family == steer_family_af(family) &&
		     fleet_verdict_state(v, (mono_time){0}) == state;
	}
	return n;
}

/* Whether it is among those that are asked in the n-th place; each of its addresses counts. */
static bool is_of(const struct world *w, enum cfg_policy policy, const struct cfg_edge *edge,
		  enum steer_family family, unsigned preference)
{
	bool active = edge->admin == CFG_ADMIN_ACTIVE, up, unknown;

	if (!has_family(edge, family))
		return false;
	up = policy == CFG_POLICY_STATIC || count(w, edge, family, HEALTH_UP) > 0;
	unknown = !up && count(w, edge, family, HEALTH_UNKNOWN) > 0;
	switch (preference) {
	case 0:
		return active && up;
	case 1:
		return !active && up;
	case 2:
		return active && unknown;
	case 3:
		return active && !up && !unknown;
	default:
		return !active && !up;
	}
}

struct sortable {
	double value;
	unsigned tie;
	uint16_t edge;
};

static int compare(const void *va, const void *vb)
{
	const struct sortable *a = va, *b = vb;

	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	return a->tie < b->tie ? -1 : 1;
}

static unsigned place_in_order(const struct cfg_steered *steered, unsigned edge)
{
	unsigned i = 0;

	while (i < steered->n_order && steered->order[i]->id != edge)
		i++;
	return i < steered->n_order ? i : 1000 + edge;
}

static unsigned weight_of(const struct world *w, const struct cfg_steered *steered, unsigned edge)
{
	for (unsigned i = 0; i < steered->n_weights; i++) {
		if (steered->weights[i].edge->id == edge)
			return steered->weights[i].weight;
	}
	return w->edges[edge].weight;
}

static double draw(const struct world *w, unsigned edge, unsigned weight,
		   const struct net_prefix *client)
{
	const uint64_t pair[] = {steer_network_of(client).hash,
				 XXH3_64bits(w->names[edge], strlen(w->names[edge]))};
	double u = (double)((XXH3_64bits(pair, sizeof(pair)) >> 11) + 1) / 9007199254740992.0;

	return -log(u) / weight;
}

static double distance(const struct world *w, unsigned edge, const struct steer_spot *spot)
{
	const struct cfg_edge *e = &w->edges[edge];

	if (!spot->located)
		return 0;
	if (!e->location.set)
		return (double)INFINITY;
	return geo_distance_km(spot->latitude, spot->longitude, e->location.latitude,
			       e->location.longitude) +
	       e->bias_km;
}

/* What the policy says of these, without any override. Returns how many are left. */
static unsigned arrange(const struct world *w, const struct cfg_steered *steered,
			const struct steer_spot *spot, const struct net_prefix *client,
			struct sortable *v, unsigned n)
{
	enum { ALL, SOME, REST } which = ALL;
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		bool near = spot->continent != 0 &&
			    steer_continent(w->edges[v[i].edge].continent) == spot->continent;

		if (steered->policy == CFG_POLICY_CONTINENT)
			which = near ? SOME : which == SOME ? SOME : REST;
		if (steered->policy == CFG_POLICY_WEIGHTED)
			which = weight_of(w, steered, v[i].edge) > 0 ? SOME
				: which == SOME                      ? SOME
								     : REST;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned edge = v[i].edge, weight = weight_of(w, steered, edge);
		bool near = spot->continent != 0 &&
			    steer_continent(w->edges[edge].continent) == spot->continent;
		struct sortable s = {.edge = (uint16_t)edge, .tie = edge};

		switch (steered->policy) {
		case CFG_POLICY_CONTINENT:
			if (which == SOME && !near)
				continue;
			if (which == SOME)
				s.value = distance(w, edge, spot);
			else
				s.tie = place_in_order(steered, edge);
			/* Those that the order does not name are there when nobody else is. */
			break;
		case CFG_POLICY_WEIGHTED:
			if (which == SOME && weight == 0)
				continue;
			s.value = draw(w, edge, MAX(weight, 1), client);
			break;
		case CFG_POLICY_FAILOVER:
		case CFG_POLICY_STATIC:
			s.tie = place_in_order(steered, edge);
			break;
		case CFG_POLICY_NEAREST:
			s.value = distance(w, edge, spot);
			break;
		}
		v[kept++] = s;
	}
	qsort(v, kept, sizeof(*v), compare);
	/* Nobody that the order names is put together with somebody whom it does not. */
	for (unsigned i = 1; steered->policy == CFG_POLICY_CONTINENT && which != SOME && i < kept;
	     i++) {
		if (v[i].tie >= 1000 && v[0].tie < 1000)
			return i;
	}
	return kept;
}

static unsigned members(const struct world *w, const struct cfg_steered *steered, unsigned *ids)
{
	bool by_order =
	    steered->policy == CFG_POLICY_FAILOVER || steered->policy == CFG_POLICY_STATIC;
	unsigned n = by_order ? steered->n_order : w->site.n_edges;

	for (unsigned i = 0; i < n; i++)
		ids[i] = (by_order ? steered->order : w->site.edges)[i]->id;
	return n;
}

static enum dns_steer_reason reason_of(enum cfg_policy policy, unsigned preference)
{
	static const enum dns_steer_reason reasons[] = {DNS_STEER_HEALTHY, DNS_STEER_DRAINED,
							DNS_STEER_UNPROBED, DNS_STEER_NONE_UP,
							DNS_STEER_NONE_UP};

	return policy == CFG_POLICY_STATIC ? DNS_STEER_STATIC : reasons[preference];
}

static void put_first(struct world_expected *e, const struct cfg_override *override,
		      struct sortable *v, unsigned *n, unsigned answers)
{
	for (unsigned i = 0; override != NULL && i < override->n_edges; i++) {
		for (unsigned k = 0; k < *n; k++) {
			if (v[k].edge != override->edges[i]->id)
				continue;
			if (e->n < answers)
				e->edges[e->n++] = v[k].edge;
			memmove(&v[k], &v[k + 1], (--*n - k) * sizeof(*v));
			break;
		}
	}
}

struct world_expected world_expect(const struct world *w, enum cfg_policy policy,
				   enum steer_family family, const struct steer_spot *spot,
				   const struct cfg_override *override,
				   const struct net_prefix *client)
{
	const struct cfg_steered *steered = &w->steered[policy];
	struct world_expected e = {.reason = DNS_STEER_SERVFAIL};
	unsigned ids[WORLD_EDGES], n_members = members(w, steered, ids), n = 0, preference;
	bool anybody = n_members == 0;
	struct sortable v[WORLD_EDGES];

	for (unsigned i = 0; i < n_members; i++)
		anybody = anybody || has_family(&w->edges[ids[i]], family);
	if (!anybody)
		e.reason = DNS_STEER_NO_FAMILY;
	for (preference = 0; preference < 5 && n == 0; preference++) {
		if (preference > 2 && steered->none_up == CFG_NONE_UP_SERVFAIL)
			break;
		for (unsigned i = 0; i < n_members; i++) {
			if (is_of(w, policy, &w->edges[ids[i]], family, preference))
				v[n++].edge = (uint16_t)ids[i];
		}
	}
	if (n == 0)
		return e;
	e.reason = reason_of(policy, preference - 1);
	put_first(&e, policy == CFG_POLICY_STATIC ? NULL : override, v, &n, steered->answers);
	n = arrange(w, steered, spot, client, v, n);
	for (unsigned i = 0; i < n && e.n < steered->answers; i++)
		e.edges[e.n++] = v[i].edge;
	return e;
}
