/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Great-circle distance, and places as unit vectors, so that the trigonometry of each place is
 * done once. Pure functions; any thread.
 */
#pragma once

#include <stdbool.h>

struct geo_vector {
	double x, y, z;
};

#define GEO_EARTH_RADIUS_KM 6371.0088

/* Degrees. */
struct geo_vector geo_vector_of(double latitude, double longitude);
double geo_vector_km(const struct geo_vector *a, const struct geo_vector *b);

static inline double geo_square(double x)
{
	return x * x;
}

/* Of the chord between two places, in earth radii. */
static inline double geo_chord_square(const struct geo_vector *a, const struct geo_vector *b)
{
	return geo_square(a->x - b->x) + geo_square(a->y - b->y) + geo_square(a->z - b->z);
}

/* False only where geo_vector_km() says more than `km`, for a chord is never longer than the arc:
 * spares arcs. How much longer it may come out: the rounding errors of both are some 1e-15 of them;
 * and of a bias that was taken from `km`, of at most the size of the earth, 1e-11 km. */
static inline bool geo_chord_within(double chord_square, double km)
{
	double left = km + 1e-9;

	return left >= 0 && chord_square * (GEO_EARTH_RADIUS_KM * GEO_EARTH_RADIUS_KM) <=
				left * left * (1 + 1e-12);
}

/* Great-circle distance in kilometres on the mean earth sphere (radius 6371.0088 km, IUGG). */
double geo_distance_km(double lat1, double lon1, double lat2, double lon2);
