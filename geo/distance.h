/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Places as unit vectors, so that a ranking of many edges computes the trigonometry of each place
 * once. Pure functions; any thread.
 */
#pragma once

struct geo_vector {
	double x, y, z;
};

/* Degrees. */
struct geo_vector geo_vector_of(double latitude, double longitude);
double geo_vector_km(const struct geo_vector *a, const struct geo_vector *b);
