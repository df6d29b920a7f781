/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What clients are told, from their address to the scope: 100,000 invented networks that overrides
 * put somewhere or give edges of their own, while verdicts change. The same by fronts as by looking
 * at every edge, and as by definition; and true in the whole network of the scope. That fronts'
 * scopes are no longer than need be is proven in test_front.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "dns/steer/fronts.h"
#include "dns/steer/steer.h"
#include "fleet/verdicts.h"
#include "geo/places.h"
#include "geo/ranges.h"
#include "tests/unit/dns/steer/world.h"

#define WORLDS 250
#define NETWORKS 100
#define CHANGES 4 /* of verdicts, in each world */
#define INSIDE 2  /* addresses of each scope that are asked too */

/* Overrides: those of the world, which give edges, and as many that say where clients are. */
#define OVERRIDES (2 * WORLD_OVERRIDES)
#define EACH (NETWORKS / OVERRIDES + 1)

struct scene {
	struct world w;
	struct cfg_override overrides[OVERRIDES];
	struct net_prefix networks[OVERRIDES][EACH];
	const struct geo_places *places;
	struct steer_fronts *fronts;
};

static void mask(struct net_prefix *p)
{
	for (unsigned bit = p->len; bit < 8 * sizeof(p->bytes); bit++)
		p->bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

/* Some close together, some anywhere, some of IPv6; in the latter IPv4 addresses may be wrapped. */
static struct net_prefix invent_network(struct world *w)
{
	struct net_prefix p = {.family = AF_INET, .len = (uint8_t)(4 + world_random(w, 29))};
	bool close = world_random(w, 2) == 0;

	if (world_random(w, 4) == 0) {
		p.family = AF_INET6;
		p.len = (uint8_t)(20 + world_random(w, 60));
	}
	for (unsigned i = 0; i < sizeof(p.bytes); i++)
		p.bytes[i] = (uint8_t)world_random(w, 256);
	if (close && p.family == AF_INET) {
		p.bytes[0] = 10;
		p.bytes[1] = 1;
	} else if (p.family == AF_INET6) {
		p.bytes[0] = 0x24;
	}
	mask(&p);
	return p;
}

static void set_scene(struct scene *s, uint64_t seed)
{
	struct world *w = &s->w;
	struct diag *diag = diag_create();

	world_init(w, seed);
	for (unsigned i = 0; i < OVERRIDES; i++) {
		if (i < WORLD_OVERRIDES)
			s->overrides[i] = w->overrides[i];
		else
			s->overrides[i] = (struct cfg_override){.location = world_coords(w)};
		for (unsigned k = 0; k < EACH; k++)
			s->networks[i][k] = invent_network(w);
		s->overrides[i].networks = (struct cfg_prefixes){s->networks[i], EACH};
	}
	w->fleet.geo.overrides = s->overrides;
	w->fleet.geo.n_overrides = OVERRIDES;
	if (world_random(w, 2) == 0)
		w->fleet.geo.unknown = world_coords(w);
	s->places = geo_places_load(&w->fleet.geo, NULL, diag);
	diag_print(diag, stderr);
	assert_non_null(s->places);
	w->steering = steering_create(&w->fleet, s->places, diag);
	assert_non_null(w->steering);
	s->fronts = NULL;
	diag_destroy(&diag);
}

static void clear_scene(struct scene *s)
{
	steer_fronts_unref(&s->fronts);
	geo_places_unref(&s->places);
	world_fini(&s->w);
}

static void renew(struct scene *s, size_t room)
{
	struct steer_fronts *before = s->fronts;

	s->fronts = steer_fronts_renew(s->w.steering, s->places, s->w.verdicts, before, room,
				       (mono_time){0});
	assert_true(s->fronts->complete);
	steer_fronts_unref(&before);
}

static struct steer_choice ask(const struct scene *s, enum cfg_policy policy,
			       enum steer_family family, const struct net_prefix *client,
			       bool by_fronts)
{
	struct steer_state state = {s->w.steering, s->places, s->w.verdicts,
				    by_fronts ? s->fronts : NULL};

	struct steer_choice choice;

	dns_steer(&state, &s->w.steering->steered[policy], family, client, (mono_time){0}, &choice);
	return choice;
}

static bool same_edges(const struct steer_choice *a, const struct steer_choice *b)
{
	return a->reason == b->reason && a->ttl == b->ttl && a->pick.n == b->pick.n &&
	       memcmp(a->pick.edges, b->pick.edges, a->pick.n * sizeof(a->pick.edges[0])) == 0;
}

static void expect_right(const struct scene *s, enum cfg_policy policy, enum steer_family family,
			 const struct net_prefix *client, const struct steer_choice *choice)
{
	uint32_t number = geo_ranges_find(geo_places_ranges(s->places), client).value;
	const struct geo_place *place = geo_places_get(s->places, number);
	const struct cfg_override *override =
	    place->override > 0 ? &s->overrides[place->override - 1] : NULL;
	struct steer_spot spot = {
	    .located = place->located, .latitude = place->latitude, .longitude = place->longitude};
	struct world_expected e = world_expect(&s->w, policy, family, &spot, override, client);

	assert_int_equal(choice->reason, e.reason);
	assert_int_equal(choice->pick.n, e.n);
	for (unsigned i = 0; i < e.n; i++)
		assert_int_equal(choice->pick.edges[i], e.edges[i]);
}

/* Who is in the same network is told the same. */
static void expect_true(struct scene *s, enum cfg_policy policy, enum steer_family family,
			const struct net_prefix *client, const struct steer_choice *choice,
			bool by_fronts)
{
	unsigned bits = client->family == AF_INET ? 32 : 128;

	assert_in_range(choice->scope, 0, bits);
	for (unsigned i = 0; i < INSIDE; i++) {
		struct net_prefix other = *client;
		struct steer_choice there;

		for (unsigned bit = choice->scope; bit < bits; bit++) {
			if (i == 0 || (i > 1 && world_random(&s->w, 2) == 0))
				other.bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
			else
				other.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
		}
		there = ask(s, policy, family, &other, by_fronts);
		assert_true(same_edges(&there, choice));
	}
}

static void expect_negatives_for_all(const struct steer_choice *choice)
{
	if (choice->pick.n == 0)
		assert_int_equal(choice->scope, 0);
}

static void ask_at(struct scene *s, const struct net_prefix *client)
{
	for (unsigned policy = 0; policy < WORLD_POLICIES; policy++) {
		for (unsigned family = 0; family < STEER_FAMILIES; family++) {
			struct steer_choice by_front = ask(s, policy, family, client, true);
			struct steer_choice by_members = ask(s, policy, family, client, false);

			assert_true(same_edges(&by_front, &by_members));
			expect_right(s, policy, family, client, &by_front);
			expect_true(s, policy, family, client, &by_front, true);
			expect_true(s, policy, family, client, &by_members, false);
			assert_true(by_front.scope <= by_members.scope);
			expect_negatives_for_all(&by_front);
			expect_negatives_for_all(&by_members);
		}
	}
}

static void test_told_the_same(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));

	for (unsigned n = 0; n < WORLDS; n++) {
		set_scene(s, n + 1);
		for (unsigned i = 0; i < CHANGES; i++) {
			world_change(&s->w);
			renew(s, STEER_FRONTS_BYTES_MAX);
			for (unsigned k = 0; k < NETWORKS; k++) {
				struct net_prefix client =
				    s->networks[k % OVERRIDES][k / OVERRIDES];

				client.len = client.family == AF_INET ? 32 : 128;
				ask_at(s, &client);
			}
		}
		clear_scene(s);
	}
	free(s);
}

static size_t bytes_of_largest(const struct steer_fronts *fronts)
{
	size_t largest = 0;

	for (unsigned i = 0; i < fronts->n; i++) {
		if (fronts->v[i] != NULL)
			largest = MAX(largest, fronts->v[i]->bytes);
	}
	return largest;
}

static unsigned without_ranges(const struct steer_fronts *fronts)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fronts->n; i++)
		n += fronts->v[i] == NULL || fronts->v[i]->kind == STEER_FRONT_PLACES;
	return n;
}

/* Only ranges were bounded, not what fronts without them take. */
static void test_fronts_outgrew_their_room(void **state)
{
	struct scene *s = xcalloc(1, sizeof(*s));
	size_t all;

	for (unsigned n = 0; n < WORLDS; n++) {
		set_scene(s, n + 1);
		renew(s, STEER_FRONTS_BYTES_MAX);
		assert_int_equal(s->fronts->without_room, 0);
		all = s->fronts->bytes;
		/* Down to nothing, while what there is of before is kept as far as it fits. */
		for (unsigned tenths = 10; tenths-- > 0;) {
			size_t room = all * tenths / 10;

			world_change(&s->w);
			renew(s, room);
			assert_true(s->fronts->bytes <= room + bytes_of_largest(s->fronts));
			assert_int_equal(s->fronts->without_room, without_ranges(s->fronts));
			for (unsigned k = 0; k < NETWORKS / 10; k++)
				ask_at(s, &s->networks[k % OVERRIDES][k / OVERRIDES]);
		}
		assert_int_equal(s->fronts->bytes, 0);
		assert_int_equal(s->fronts->without_room, s->fronts->n);
		clear_scene(s);
	}
	free(s);
}

/* v4-mapped, 6to4 and NAT64 addresses are the IPv4 address in them; the scope is in their terms. */
static void test_wrapped_clients(void **state)
{
	static const struct {
		uint8_t prefix[12];
		unsigned len;
	} wrappers[] = {
	    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96},
	    {{0x00, 0x64, 0xff, 0x9b}, 96},
	    {{0x20, 0x02}, 16},
	};
	struct scene *s = xcalloc(1, sizeof(*s));

	for (unsigned n = 0; n < WORLDS / 10; n++) {
		set_scene(s, n + 1);
		renew(s, STEER_FRONTS_BYTES_MAX);
		for (unsigned k = 0; k < NETWORKS * ARRAY_SIZE(wrappers); k++) {
			unsigned which = k % ARRAY_SIZE(wrappers), len = wrappers[which].len;
			struct net_prefix inner = s->networks[k % OVERRIDES][k % EACH];
			struct net_prefix outer = {.family = AF_INET6, .len = 128};

			if (inner.family != AF_INET)
				continue;
			inner.len = 32;
			memcpy(outer.bytes, wrappers[which].prefix, len / 8);
			memcpy(outer.bytes + len / 8, inner.bytes, 4);
			for (unsigned policy = 0; policy < WORLD_POLICIES; policy++) {
				struct steer_choice a = ask(s, policy, STEER_IPV4, &inner, true);
				struct steer_choice b = ask(s, policy, STEER_IPV4, &outer, true);

				assert_true(same_edges(&a, &b));
				expect_true(s, policy, STEER_IPV4, &outer, &b, true);
			}
		}
		clear_scene(s);
	}
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_told_the_same),
	    cmocka_unit_test(test_fronts_outgrew_their_room),
	    cmocka_unit_test(test_wrapped_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
