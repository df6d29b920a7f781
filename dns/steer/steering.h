/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steering: all that one configuration says of who is sent where. Built by the job that loads it,
 * immutable, read by any thread; what is known of the edges at the moment stands elsewhere
 * (fleet/verdicts.h), as does what is derived from that (dns/steer/fronts.h).
 */
#pragma once

#include <stdint.h>

#include "dns/steer/pool.h"
#include "dns/steer/spot.h"

struct cfg_fleet;
struct diag;
struct geo_places;

/* One steered name. */
struct dns_steered {
	const struct cfg_steered *config;
	uint32_t pool; /* index in steering.pools */
	uint32_t ttl;  /* seconds */
};

struct steering {
	struct steer_edge *edges; /* by edge id */
	unsigned n_edges;
	struct steer_pools pools;
	/* Of all zones, one after the other in the order of the configuration. */
	struct dns_steered *steered;
	unsigned n_steered;
	struct steer_spots spots;
};

/* NULL with an error in `diag` when it would take too much memory. The fleet outlives it; places
 * are needed for the call only. */
struct steering *steering_create(const struct cfg_fleet *fleet, const struct geo_places *places,
				 struct diag *diag);
void steering_destroy(struct steering **steering);
