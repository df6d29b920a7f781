/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fronts: the choices of one pool and family for all places at once, as long as the edges are what
 * they were when it was made. A choice by a front says the same as steer_choose(), looks at no
 * member that it does not name, and its scope is exact: the largest network of clients who are all
 * told the same. Immutable; any thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "dns/steer/choose.h"
#include "dns/steer/spot.h"

struct geo_nearest;
struct geo_ranges;

/* What a weighted pool names for an override; the whole choice of any other. */
struct steer_answer {
	uint16_t edges[STEER_ANSWERS_MAX];
	unsigned n;
	double margin_km; /* the smallest of all places */
};

enum steer_front_kind {
	STEER_FRONT_ONE,    /* answers[0] is everybody's */
	STEER_FRONT_PLACES, /* computed for the client's place; scopes are those of places */
	STEER_FRONT_RANGES, /* by range of addresses */
};

struct steer_front {
	_Atomic unsigned refs;
	enum steer_front_kind kind;
	enum steer_tier tier;
	uint16_t *usable; /* members of the tier, by their index in the pool, ascending */
	unsigned n_usable;
	struct geo_nearest *nearest; /* by index in `usable`; NULL: not by distance */
	struct steer_answer *answers;
	uint32_t n_answers;
	struct geo_ranges *ranges; /* of indices of answers; NULL but for STEER_FRONT_RANGES */
	size_t bytes;
};

/* About what steer_front_create() takes. */
size_t steer_front_bytes(const struct steer_pool *pool, unsigned n_usable);
/* `usable` is copied. Never STEER_FRONT_RANGES: see steer_front_spread(). */
struct steer_front *steer_front_create(const struct steer_pool *pool,
				       const struct steer_edge *edges, enum steer_tier tier,
				       const uint16_t *usable, unsigned n_usable);
/* For a front by places: one that says the same by ranges, or STEER_FRONT_ONE when all places are
 * told the same. `places` are the ranges of places. */
struct steer_front *steer_front_spread(const struct steer_front *front,
				       const struct steer_pool *pool,
				       const struct steer_edge *edges,
				       const struct steer_spots *spots,
				       const struct geo_ranges *places);
struct steer_front *steer_front_ref(struct steer_front *front);
void steer_front_unref(struct steer_front **front);

/* The choice of the answer of that index (STEER_FRONT_ONE: 0); or, by places, for a spot. */
void steer_front_pick(const struct steer_front *front, const struct steer_pool *pool,
		      const struct steer_edge *edges, uint32_t answer,
		      const struct steer_network *network, struct steer_pick *pick);
void steer_front_pick_at(const struct steer_front *front, const struct steer_pool *pool,
			 const struct steer_edge *edges, const struct steer_spot *spot,
			 const struct steer_network *network, struct steer_pick *pick);
