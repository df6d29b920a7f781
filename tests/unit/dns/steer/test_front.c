/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Choices and fronts against the definition of world.c: 100,000 networks of invented fleets, each
 * for every policy and family. And for every network that its scope is exact: all clients in it are
 * told the same, and in the one around it somebody is told something else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "dns/steer/front.h"
#include "fleet/verdicts.h"
#include "geo/ranges.h"
#include "tests/unit/dns/steer/world.h"

#define WORLDS 500
#define NETWORKS 100 /* ranges of IPv4 addresses, and as many of IPv6 */

/* Ranges of addresses, each at a spot. */
struct map {
	struct steer_spots spots;
	int override[2 * NETWORKS]; /* by spot: index in world.overrides; -1: none */
	geo_bits starts[2][NETWORKS];
	struct geo_ranges *ranges;
};

/* Answers of one front for all ranges, in order of address. */
struct told {
	uint32_t value[NETWORKS]; /* the same for the same answer */
};

static const int families[] = {AF_INET, AF_INET6};

static unsigned bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

static int compare_bits(const void *va, const void *vb)
{
	const geo_bits *a = va, *b = vb;

	return (*a > *b) - (*a < *b);
}

static void invent_spot(struct world *w, struct map *m, uint32_t i)
{
	struct steer_spot *spot = &m->spots.v[i];

	*spot = (struct steer_spot){.continent = steer_continent(world_continent(w))};
	m->override[i] = -1;
	if (world_random(w, 8) > 0) {
		struct cfg_coords at = world_coords(w);

		spot->located = true;
		spot->latitude = at.latitude;
		spot->longitude = at.longitude;
	}
	if (world_random(w, 4) == 0) {
		m->override[i] = (int)world_random(w, WORLD_OVERRIDES);
		spot->override = &w->steering->spots.overrides[m->override[i]];
	}
}

/* All starts of IPv6 are here; below it are addresses in which an IPv4 address is wrapped, who are
 * told what that is. */
#define IPV6_PLAIN ((geo_bits)3 << 124)

/* Starts that share many first bits, so that prefixes of all lengths occur. */
static geo_bits invent_start(struct world *w, int family)
{
	geo_bits start = 0;
	unsigned bits = bits_of(family), known = world_random(w, bits);

	for (unsigned i = 0; i < bits; i++)
		start = start << 1 | (i < known ? (i % 3 == 0) : world_random(w, 2));
	return family == AF_INET ? start : start | IPV6_PLAIN;
}

static void invent_map(struct world *w, struct map *m)
{
	struct geo_builder *b = geo_builder_create();

	*m = (struct map){.spots = {.n = 2 * NETWORKS, .n_places = 2 * NETWORKS}};
	m->spots.v = xcalloc(m->spots.n, sizeof(*m->spots.v));
	m->spots.of_place = xcalloc(m->spots.n, sizeof(*m->spots.of_place));
	for (uint32_t i = 0; i < m->spots.n; i++) {
		invent_spot(w, m, i);
		m->spots.of_place[i] = i;
	}
	for (unsigned f = 0; f < 2; f++) {
		for (unsigned i = 1; i < NETWORKS; i++)
			m->starts[f][i] = invent_start(w, families[f]);
		qsort(m->starts[f], NETWORKS, sizeof(geo_bits), compare_bits);
		for (unsigned i = 0; i < NETWORKS; i++)
			geo_builder_add(b, families[f], m->starts[f][i], f * NETWORKS + i);
	}
	m->ranges = geo_builder_finish(&b);
}

static void free_map(struct map *m)
{
	geo_ranges_free(&m->ranges);
	free(m->spots.v);
	free(m->spots.of_place);
}

static struct net_prefix address(int family, geo_bits bits)
{
	unsigned octets = family == AF_INET ? 4 : 16;
	struct net_prefix p = {.family = (uint8_t)family, .len = (uint8_t)(octets * 8)};

	for (unsigned i = 0; i < octets; i++)
		p.bytes[i] = (uint8_t)(bits >> 8 * (octets - 1 - i));
	return p;
}

/* In the range; of IPv6 none in which an IPv4 address is wrapped, as there are in the first. */
static struct net_prefix client_in(const struct map *m, unsigned f, unsigned i)
{
	return address(families[f], f == 1 && i == 0 ? (geo_bits)1 << 124 : m->starts[f][i]);
}

static void expect_pick(const struct world *w, const struct world_expected *e,
			const struct steer_pool *pool, const struct steer_pick *pick)
{
	enum dns_steer_reason reason = steer_tier_reason(pool, pick->tier);

	if (e->reason == DNS_STEER_NO_FAMILY)
		reason = pick->tier == STEER_TIER_NONE ? DNS_STEER_NO_FAMILY : reason;
	assert_int_equal(reason, e->reason);
	assert_int_equal(pick->n, e->n);
	for (unsigned i = 0; i < e->n; i++)
		assert_int_equal(pick->edges[i], e->edges[i]);
}

static bool same_margin(double a, double b)
{
	return a == b || (isinf(a) && isinf(b));
}

/* A front as steer_fronts_renew() would make it. */
static struct steer_front *front_of(const struct world *w, const struct steer_pool *pool,
				    enum steer_family family)
{
	enum steer_tier tiers[WORLD_EDGES], best = STEER_TIER_NONE;
	uint16_t usable[WORLD_EDGES];
	unsigned n = 0;

	for (unsigned i = 0; i < pool->n; i++) {
		tiers[i] = steer_tier_of(pool, &w->steering->edges[pool->members[i]], family,
					 fleet_verdicts_edge_state(w->verdicts, pool->members[i],
								   steer_family_af(family),
								   (mono_time){0}));
		best = MIN(best, tiers[i]);
	}
	for (unsigned i = 0; i < pool->n && best != STEER_TIER_NONE; i++) {
		if (tiers[i] == best)
			usable[n++] = (uint16_t)i;
	}
	return steer_front_create(pool, w->steering->edges, best, usable, n);
}

/* What a front says at an address, and for which network. */
static struct steer_pick ask_front(const struct world *w, const struct steer_front *front,
				   const struct steer_pool *pool, const struct net_prefix *client,
				   struct geo_found *found)
{
	struct steer_network network = steer_network_of(client);
	struct steer_pick pick;

	*found = (struct geo_found){0};
	if (front->kind == STEER_FRONT_RANGES)
		*found = geo_ranges_find(front->ranges, client);
	steer_front_pick(front, pool, w->steering->edges, found->value, &network, &pick);
	return pick;
}

/* All ranges that the network of that length around `start` touches have the same value, and one
 * that touches the network around it has not. */
static void expect_exact(const struct map *m, unsigned f, const struct told *told, unsigned i,
			 unsigned scope)
{
	unsigned bits = bits_of(families[f]);
	bool same[2] = {true, true};

	/* Whether the network, and the one around it, are of one answer. */
	for (unsigned wider = 0; wider < 2 && wider <= scope; wider++) {
		unsigned host = bits - scope + wider;
		geo_bits mask = host == 0     ? 0
				: host == 128 ? ~(geo_bits)0
					      : ((geo_bits)1 << host) - 1;
		geo_bits low = m->starts[f][i] & ~mask, high = low | mask;

		same[wider] = wider == 0 || f == 0 || low >= IPV6_PLAIN;
		for (unsigned k = 0; k < NETWORKS; k++) {
			bool ends = k + 1 < NETWORKS;

			/* Of equal starts the last one counts. */
			if (ends && m->starts[f][k + 1] == m->starts[f][k])
				continue;
			if (m->starts[f][k] > high || (ends && m->starts[f][k + 1] <= low))
				continue;
			same[wider] = same[wider] && told->value[k] == told->value[i];
		}
	}
	assert_true(same[0]);
	assert_true(scope == 0 || !same[1]);
}

static void compare_network(struct world *w, const struct map *m, enum cfg_policy policy,
			    enum steer_family family, unsigned f, unsigned i,
			    const struct steer_front *by_places, const struct steer_front *spread,
			    struct told *told)
{
	const struct steer_pool *pool = &w->steering->pools.v[w->steering->steered[policy].pool];
	const struct steer_edge *edges = w->steering->edges;
	uint32_t place = f * NETWORKS + i;
	const struct steer_spot *spot = &m->spots.v[place];
	struct net_prefix client = client_in(m, f, i);
	struct steer_network network = steer_network_of(&client);
	struct world_expected e = world_expect(
	    w, policy, family, spot,
	    m->override[place] < 0 ? NULL : &w->overrides[m->override[place]], &client);
	struct steer_pick chosen, pick;
	struct geo_found found;

	chosen = steer_choose(pool, edges, family, spot, &network, w->verdicts, (mono_time){0});
	expect_pick(w, &e, pool, &chosen);
	if (by_places->kind == STEER_FRONT_ONE)
		steer_front_pick(by_places, pool, edges, 0, &network, &pick);
	else
		steer_front_pick_at(by_places, pool, edges, spot, &network, &pick);
	expect_pick(w, &e, pool, &pick);
	assert_int_equal(pick.candidates, chosen.candidates);
	if (policy == CFG_POLICY_WEIGHTED)
		assert_int_equal(pick.rivals > 1, chosen.rivals > 1);
	else if (by_places->kind == STEER_FRONT_PLACES)
		assert_true(same_margin(pick.margin_km, chosen.margin_km));
	pick = ask_front(w, spread, pool, &client, &found);
	expect_pick(w, &e, pool, &pick);
	if (policy == CFG_POLICY_WEIGHTED)
		assert_int_equal(pick.rivals > 1, chosen.rivals > 1);
	else
		assert_true(pick.margin_km <= chosen.margin_km);
	told->value[i] = found.value;
}

/* Two values of a front never stand for the same answer: so equal ones are equal answers. */
static void expect_distinct(const struct steer_front *front)
{
	for (uint32_t i = 0; i < front->n_answers; i++) {
		for (uint32_t k = 0; k < i; k++)
			assert_false(front->answers[i].n == front->answers[k].n &&
				     memcmp(front->answers[i].edges, front->answers[k].edges,
					    front->answers[i].n * sizeof(uint16_t)) == 0);
	}
}

static void compare_pool(struct world *w, const struct map *m, enum cfg_policy policy,
			 enum steer_family family)
{
	const struct steer_pool *pool = &w->steering->pools.v[w->steering->steered[policy].pool];
	struct steer_front *front = front_of(w, pool, family), *spread;

	spread = front->kind == STEER_FRONT_PLACES
		     ? steer_front_spread(front, pool, w->steering->edges, &m->spots, m->ranges)
		     : steer_front_ref(front);
	expect_distinct(spread);
	for (unsigned f = 0; f < 2; f++) {
		struct told told;

		for (unsigned i = 0; i < NETWORKS; i++) {
			told.value[i] = UINT32_MAX;
			/* Of equal starts the last one counts. */
			if (i + 1 == NETWORKS || m->starts[f][i] != m->starts[f][i + 1])
				compare_network(w, m, policy, family, f, i, front, spread, &told);
		}
		for (unsigned i = 0; i < NETWORKS; i++) {
			struct net_prefix client = client_in(m, f, i);
			unsigned scope = 0;

			if (told.value[i] == UINT32_MAX || (f == 1 && i == 0))
				continue;
			if (spread->kind == STEER_FRONT_RANGES)
				scope = geo_ranges_find(spread->ranges, &client).scope;
			expect_exact(m, f, &told, i, scope);
		}
	}
	steer_front_unref(&front);
	steer_front_unref(&spread);
}

static void test_equal_to_definition(void **state)
{
	for (unsigned n = 0; n < WORLDS; n++) {
		struct diag *diag = diag_create();
		struct world w;
		struct map m;

		world_init(&w, n + 1);
		w.steering = steering_create(&w.fleet, NULL, diag);
		assert_non_null(w.steering);
		assert_int_equal(diag_count(diag), 0);
		invent_map(&w, &m);
		for (unsigned policy = 0; policy < WORLD_POLICIES; policy++) {
			for (unsigned family = 0; family < STEER_FAMILIES; family++)
				compare_pool(&w, &m, policy, family);
		}
		free_map(&m);
		world_fini(&w);
		diag_destroy(&diag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_equal_to_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
