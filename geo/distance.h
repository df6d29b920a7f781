/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Great-circle distance, and places as unit vectors, so that the trigonometry of each place is
 * done once. Pure functions; any thread.
 */
#pragma once

struct geo_vector {
	double x, y, z;
};

/* Degrees. */
struct geo_vector geo_vector_of(double latitude, double longitude);
double geo_vector_km(const struct geo_vector *a, const struct geo_vector *b);
/* Great-circle distance in kilometres on the mean earth sphere (radius 6371.0088 km, IUGG). */
double geo_distance_km(double lat1, double lon1, double lat2, double lon2);
