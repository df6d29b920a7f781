/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Renewing of fronts, see fronts.h. Verdicts are read once for each edge, so that all pools are
 * judged by the same; who has one family and no other, or the same verdicts for both, has one front
 * for both.
 */
#include "dns/steer/fronts.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "fleet/verdicts.h"
#include "geo/places.h"

/* Choices for spots in one call: some 0.2 s. What has been made by then is of use already. */
#define CHOICES_AT_ONCE 200000

/* No epoch of verdicts: theirs begin at 1. */
#define EPOCH_NEVER 0

struct renewal {
	const struct steering *steering;
	const struct geo_places *places;
	const struct steer_fronts *before;
	struct steer_fronts *fronts;
	uint8_t *states;  /* enum health_state, by edge id * STEER_FAMILIES + family */
	uint16_t *usable; /* room for the members of a pool */
	uint64_t choices;
	size_t room;
	size_t largest; /* front with ranges */
};

static void read_verdicts(struct renewal *r, const struct fleet_verdicts *verdicts, mono_time now)
{
	unsigned n = r->steering->n_edges * STEER_FAMILIES;

	r->states = xcalloc(n + 1, sizeof(*r->states));
	r->fronts->offered = xcalloc(n + 1, sizeof(*r->fronts->offered));
	for (unsigned i = 0; i < n; i++) {
		unsigned id = i / STEER_FAMILIES;
		enum steer_family family = i % STEER_FAMILIES;

		r->states[i] =
		    (uint8_t)fleet_verdicts_edge_state(verdicts, id, steer_family_af(family), now);
		r->fronts->offered[i] =
		    dns_offer_judge(&r->steering->edges[id].offer, id, family, verdicts, now);
	}
}

/* The members of the best tier, into r->usable; returns how many. */
static unsigned find_usable(const struct renewal *r, const struct steer_pool *pool,
			    enum steer_family family, enum steer_tier *tier)
{
	unsigned n = 0;

	*tier = STEER_TIER_NONE;
	for (unsigned i = 0; i < pool->n; i++) {
		uint16_t id = pool->members[i];
		enum steer_tier t =
		    steer_tier_of(pool, &r->steering->edges[id], family,
				  r->states[(unsigned)id * STEER_FAMILIES + family]);

		if (t == STEER_TIER_NONE || t > *tier)
			continue;
		if (t < *tier)
			n = 0;
		*tier = t;
		r->usable[n++] = (uint16_t)i;
	}
	return n;
}

static bool holds(const struct steer_front *front, enum steer_tier tier, const uint16_t *usable,
		  unsigned n)
{
	return front != NULL && front->tier == tier && front->n_usable == n &&
	       memcmp(front->usable, usable, n * sizeof(*usable)) == 0;
}

/* One of the fronts that this pool has or had; NULL: none is right. */
static struct steer_front *find_front(const struct renewal *r, unsigned pool,
				      enum steer_family family, enum steer_tier tier, unsigned n)
{
	struct steer_front *const *made = &r->fronts->v[pool * STEER_FAMILIES];

	for (unsigned f = 0; f < family; f++) {
		if (holds(made[f], tier, r->usable, n))
			return made[f];
	}
	for (unsigned f = 0; f < STEER_FAMILIES && r->before != NULL; f++) {
		struct steer_front *front = r->before->v[pool * STEER_FAMILIES + f];

		if (holds(front, tier, r->usable, n))
			return front;
	}
	return NULL;
}

/* Whether the front of that slot is counted at another one. */
static bool is_shared(const struct steer_fronts *fronts, unsigned slot)
{
	for (unsigned i = slot - slot % STEER_FAMILIES; i < slot; i++) {
		if (fronts->v[i] == fronts->v[slot])
			return true;
	}
	return false;
}

/* A reference to the front of that slot, one that there is or a new one; NULL: there is no room. */
static struct steer_front *make_front(const struct renewal *r, unsigned slot)
{
	const struct steer_pool *pool = &r->steering->pools.v[slot / STEER_FAMILIES];
	enum steer_family family = slot % STEER_FAMILIES;
	enum steer_tier tier;
	unsigned n = find_usable(r, pool, family, &tier);
	struct steer_front *front = find_front(r, slot / STEER_FAMILIES, family, tier, n);
	size_t bytes = front != NULL ? front->bytes : steer_front_bytes(pool, n);

	if (r->fronts->bytes + bytes > r->room)
		return NULL;
	if (front != NULL)
		return steer_front_ref(front);
	return steer_front_create(pool, r->steering->edges, tier, r->usable, n);
}

/* Fronts without ranges, or with those that there are. */
static void make_fronts(struct renewal *r)
{
	struct steer_fronts *fronts = r->fronts;

	for (unsigned i = 0; i < fronts->n; i++) {
		const struct steer_front *front = fronts->v[i] = make_front(r, i);

		if (front == NULL)
			fronts->without_room++;
		else if (!is_shared(fronts, i))
			fronts->bytes += front->bytes;
		if (front != NULL && front->kind == STEER_FRONT_RANGES)
			r->largest = MAX(r->largest, front->bytes);
	}
}

/* Puts `front` in place of the one at the slot, and wherever else the pool has that. */
static void replace(struct steer_fronts *fronts, unsigned slot, struct steer_front **front)
{
	struct steer_front *new = TAKE(front);
	const struct steer_front *old = fronts->v[slot];
	unsigned first = slot - slot % STEER_FAMILIES;

	fronts->bytes += new->bytes;
	fronts->bytes -= old->bytes;
	for (unsigned i = first; i < first + STEER_FAMILIES; i++) {
		if (fronts->v[i] != old)
			continue;
		steer_front_unref(&fronts->v[i]);
		fronts->v[i] = steer_front_ref(new);
	}
	steer_front_unref(&new);
}

/* Ranges for those that have none, as far as work and memory go. */
static void spread_fronts(struct renewal *r)
{
	const struct steering *steering = r->steering;
	struct steer_fronts *fronts = r->fronts;

	fronts->complete = true;
	for (unsigned i = 0; i < fronts->n; i++) {
		const struct steer_pool *pool = &steering->pools.v[i / STEER_FAMILIES];
		struct steer_front *spread;

		if (fronts->v[i] == NULL || fronts->v[i]->kind != STEER_FRONT_PLACES)
			continue;
		if (fronts->bytes + r->largest > r->room) {
			fronts->without_room++;
			continue;
		}
		if (r->choices >= CHOICES_AT_ONCE) {
			fronts->complete = false;
			continue;
		}
		r->choices += steering->spots.n;
		spread = steer_front_spread(fronts->v[i], pool, steering->edges, &steering->spots,
					    geo_places_ranges(r->places));
		r->largest = MAX(r->largest, spread->bytes);
		replace(fronts, i, &spread);
	}
}

struct steer_fronts *steer_fronts_renew(const struct steering *steering,
					const struct geo_places *places,
					const struct fleet_verdicts *verdicts,
					const struct steer_fronts *before, size_t room,
					mono_time now)
{
	struct steer_fronts *fronts = xcalloc(1, sizeof(*fronts));
	struct renewal r = {.steering = steering,
			    .places = places,
			    .before = before,
			    .fronts = fronts,
			    .room = room};

	atomic_init(&fronts->refs, 1);
	/* Before the verdicts: what changes after this moves it once more. But one that is too old
	 * and not yet known to be may come back without that. */
	fronts->epoch = fleet_verdicts_epoch(verdicts);
	if (!fleet_verdicts_fresh(verdicts, now))
		fronts->epoch = EPOCH_NEVER;
	fronts->n = steering->pools.n * STEER_FAMILIES;
	fronts->v = xcalloc(fronts->n + 1, sizeof(*fronts->v));
	r.usable = xcalloc(steering->n_edges + 1, sizeof(*r.usable));
	read_verdicts(&r, verdicts, now);
	make_fronts(&r);
	spread_fronts(&r);
	if (fronts->epoch == EPOCH_NEVER)
		fronts->complete = false;
	free(r.states);
	free(r.usable);
	return fronts;
}

struct steer_fronts *steer_fronts_ref(struct steer_fronts *fronts)
{
	atomic_fetch_add_explicit(&fronts->refs, 1, memory_order_relaxed);
	return fronts;
}

void steer_fronts_unref(struct steer_fronts **frontsp)
{
	struct steer_fronts *fronts = TAKE(frontsp);

	if (fronts == NULL || atomic_fetch_sub_explicit(&fronts->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < fronts->n; i++)
		steer_front_unref(&fronts->v[i]);
	free(fronts->v);
	free(fronts->offered);
	free(fronts);
}

bool steer_fronts_current(const struct steer_fronts *fronts, const struct fleet_verdicts *verdicts,
			  mono_time now)
{
	return fronts != NULL && fronts->epoch == fleet_verdicts_epoch(verdicts) &&
	       fleet_verdicts_fresh(verdicts, now);
}
