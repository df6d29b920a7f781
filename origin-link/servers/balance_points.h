/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Servers as points on a circle of 2^32 places: where a key looks for its server (a ring), and in
 * what order servers have their turns (a schedule). Pure; any thread.
 */
#pragma once

#include <stdint.h>

struct balance_point {
	uint32_t at;
	uint32_t entry;
};

struct balance_points {
	struct balance_point *v; /* by `at`; NULL: none */
	unsigned n;
};

/* What servers have in common: how many points one has for each unit of its weight. From `weights`
 * of all that there are, whether they are up or not: who comes or goes changes it rarely. */
double balance_ring_density(const unsigned *weights, unsigned n);
/* A server's points depend on its id, its weight and the density alone, so that only its own keys
 * move when it goes, and only keys that become its own when it comes. */
struct balance_points balance_ring(const uint64_t *ids, const unsigned *weights, unsigned n,
				   double density);
/* The greatest of both; one of them may be 0. */
unsigned balance_common_divisor(unsigned a, unsigned b);
/* Each has as many turns as it weighs, spread evenly over a round. Empty when all weigh the same:
 * then they take turns as they stand. */
struct balance_points balance_schedule(const unsigned *weights, unsigned n);
/* The first point at or after `at`, or else the first of all; there is one. */
unsigned balance_points_find(const struct balance_points *points, uint32_t at);
void balance_points_fini(struct balance_points *points);

/* Spreads what is near over all numbers (the finalizer of splitmix64). */
static inline uint64_t balance_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}
