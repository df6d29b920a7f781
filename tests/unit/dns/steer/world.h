/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of steering share: fleets that are invented from a seed, with a steered name for
 * every policy, and what is right for a client by definition: written once more, by sorting, from
 * what the policies promise, and from nothing that dns/steer/ computes but hashes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/fleet.h"
#include "dns/steer/choose.h"
#include "dns/steer/steering.h"

#define WORLD_EDGES 12
#define WORLD_POLICIES 5
#define WORLD_OVERRIDES 4

struct world {
	uint64_t seed;
	struct cfg_fleet fleet;
	struct cfg_edge edges[WORLD_EDGES];
	char names[WORLD_EDGES][8];
	struct net_addr addresses[WORLD_EDGES][4];
	struct cfg_site site;
	const struct cfg_edge *of_site[WORLD_EDGES], *order[WORLD_EDGES];
	struct cfg_weight weights[WORLD_EDGES];
	struct cfg_steered steered[WORLD_POLICIES]; /* by enum cfg_policy */
	struct cfg_zone zone;
	struct cfg_override overrides[WORLD_OVERRIDES]; /* with edges; criteria are the test's */
	const struct cfg_edge *of_override[WORLD_OVERRIDES][WORLD_EDGES];
	struct steering *steering;
	struct fleet_verdicts *verdicts;
};

/* A number below n. */
unsigned world_random(struct world *w, unsigned n);
/* Edges, policies, overrides, verdicts. Steering is for the test to create. */
void world_init(struct world *w, uint64_t seed);
/* Another verdict for some of the addresses. */
void world_change(struct world *w);
void world_fini(struct world *w);

/* Somewhere: coordinates of a coarse grid, so that distances are often equal. */
struct cfg_coords world_coords(struct world *w);
const char *world_continent(struct world *w);

struct world_expected {
	uint16_t edges[WORLD_EDGES];
	unsigned n;
	enum dns_steer_reason reason;
};

/* By definition. `spot` is the client's; `override` is which of w->overrides, or NULL. */
struct world_expected world_expect(const struct world *w, enum cfg_policy policy,
				   enum steer_family family, const struct steer_spot *spot,
				   const struct cfg_override *override,
				   const struct net_prefix *client);
