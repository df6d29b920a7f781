/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An index over points on the globe: which are the nearest of a place, at a cost that hardly
 * depends on how many there are. Immutable; any thread may search.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "geo/distance.h"

struct geo_point {
	bool located; /* false: it is nowhere, and farther than all that are somewhere */
	double latitude, longitude; /* degrees */
	double bias_km;             /* added to every distance of it; may be negative */
};

struct geo_nearest;

struct geo_nearest *geo_nearest_create(const struct geo_point *points, uint32_t n);
void geo_nearest_destroy(struct geo_nearest **index);

/* Writes the numbers of the up to `k` first points, by distance plus bias, of equal ones by number;
 * and what that is to each, INFINITY for those that are nowhere. Only points that usable(arg,
 * number) lets through count; NULL: all. Returns how many there are. What comes out is what a sort
 * of all by geo_distance_km() plus bias says, to the last digit. */
uint32_t geo_nearest_find(const struct geo_nearest *index, double latitude, double longitude,
			  uint32_t k, bool (*usable)(const void *arg, uint32_t number),
			  const void *arg, uint32_t *numbers, double *km);
