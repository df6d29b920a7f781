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
	/* By index of the pool * STEER_FAMILIES + family. NULL: there was no room, so that each
	 * choice is made by looking at every member. */
	struct steer_front **v;
	struct dns_offered *offered; /* by edge id * STEER_FAMILIES + family */
	size_t bytes;                /* of all fronts, each counted once */
	unsigned without_room; /* how many of `v` are NULL, or by places, because there was none */
};

/* All fronts of one configuration together. A fleet of a few hundred edges and a database of
 * millions of networks makes fronts of about 2 MiB; thousands of such pools do without their
 * ranges, and choose by the place of the client, which costs a microsecond and makes their scopes
 * those of places. While new fronts take the place of old ones, or a new configuration that of an
 * old one, there are both. */
#define STEER_FRONTS_BYTES_MAX ((size_t)256 << 20)

/* Those of `before` (of the same steering; or NULL) that still hold, and new ones for the rest, as
 * far as `room` goes: it is not exceeded but by the last front that is spread.
 * Spreading a front over the ranges of addresses is what takes long, and is done for some only in
 * one call: until it is `complete`, call it again with what it returned. */
struct steer_fronts *steer_fronts_renew(const struct steering *steering,
					const struct geo_places *places,
					const struct fleet_verdicts *verdicts,
					const struct steer_fronts *before, size_t room,
					mono_time now);
struct steer_fronts *steer_fronts_ref(struct steer_fronts *fronts);
void steer_fronts_unref(struct steer_fronts **fronts);

/* Whether they, who may be NULL, are for what is known now. */
bool steer_fronts_current(const struct steer_fronts *fronts, const struct fleet_verdicts *verdicts,
			  mono_time now);
