/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pools: the edges that a steered name chooses from and the policy by which it does. Names that
 * agree in all of it share one. Built with the view by one thread, immutable afterwards.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/fleet.h"
#include "dns/steer/offer.h"
#include "geo/distance.h"

/* Most edges in an answer: the upper end of zones.*.steered.*.answers. */
#define STEER_ANSWERS_MAX 8

/* What steering asks of an edge, whichever pools it is in. */
struct steer_edge {
	const struct cfg_edge *config;
	struct geo_vector at; /* with `located` */
	double bias_km;
	uint64_t name_hash;
	uint16_t continent; /* its two letters; 0: not known */
	bool located;
	bool active;
	struct dns_offer offer;
};

/* Members' place in an order that they are not in. */
#define STEER_RANK_NONE UINT16_MAX

struct steer_pool {
	/* Two pools that agree in these are one. */
	enum cfg_policy policy;
	enum cfg_none_up none_up;
	unsigned answers;
	unsigned n;        /* members */
	uint16_t *members; /* ids of edges, ascending */
	uint16_t *values;  /* by member: its place in the order, or its weight; or NULL */

	unsigned of_family[STEER_FAMILIES]; /* members that have an address of it */
	bool overridden;                    /* an override for clients names one of them */
};

struct steer_pools {
	struct steer_pool *v;
	unsigned n;
	size_t bytes;
};

/* Interning; `edges` by edge id, `overridden` likewise: named by an override for clients. */
struct steer_interner;
struct steer_interner *steer_interner_create(struct steer_pools *pools,
					     const struct steer_edge *edges, unsigned n_edges,
					     const bool *overridden);
void steer_interner_destroy(struct steer_interner **interner);
/* The index of the pool of that steered name, which may be new; STEER_POOL_NONE when all pools
 * together take too much memory: then nothing more can be interned. */
#define STEER_POOL_NONE UINT32_MAX
uint32_t steer_intern(struct steer_interner *interner, const struct cfg_steered *steered);

void steer_pools_fini(struct steer_pools *pools);
