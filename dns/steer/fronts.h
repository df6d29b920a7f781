/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fronts of all pools, as they are for one epoch of the verdicts. Made by a job again and again
 * as the verdicts change: a front is kept for as long as the edges that its pool may name are the
 * same. Immutable, counted; any thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "dns/steer/front.h"
#include "dns/steer/steering.h"

struct fleet_verdicts;
struct geo_places;

struct steer_fronts {
	_Atomic unsigned refs;
	uint64_t epoch; /* of the verdicts that they are for */
	bool complete;  /* nothing more is to be made for this epoch */
	unsigned n;
	struct steer_front **v;      /* by index of the pool * STEER_FAMILIES + family */
	struct dns_offered *offered; /* by edge id * STEER_FAMILIES + family */
	/* Of all fronts, each counted once; those that are by places because there was no room. */
	size_t bytes;
	unsigned without_room;
};

/* Those of `before` (of the same steering; or NULL) that still hold, and new ones for the rest.
 * Spreading a front over the ranges of addresses is what takes long, and is done for some only in
 * one call: until it is `complete`, call it again with what it returned. */
struct steer_fronts *steer_fronts_renew(const struct steering *steering,
					const struct geo_places *places,
					const struct fleet_verdicts *verdicts,
					const struct steer_fronts *before, mono_time now);
struct steer_fronts *steer_fronts_ref(struct steer_fronts *fronts);
void steer_fronts_unref(struct steer_fronts **fronts);

/* Whether they, who may be NULL, are for what is known now. */
bool steer_fronts_current(const struct steer_fronts *fronts, const struct fleet_verdicts *verdicts,
			  mono_time now);
