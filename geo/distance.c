/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Great-circle distance on the mean earth sphere. The sphere is wrong by at most 0.6% against the
 * ellipsoid, which is far below the detours that cables take. Pure functions; any thread.
 */
#include "geo/distance.h"

#include <math.h>

#include "core/base/check.h"

struct geo_vector geo_vector_of(double latitude, double longitude)
{
	double lat = latitude * (M_PI / 180), lon = longitude * (M_PI / 180);

	return (struct geo_vector){cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)};
}

/* By the chord: exact for near places, where the arc cosine of the dot product loses digits; at the
 * antipodes the error grows to about a decimetre. */
double geo_vector_km(const struct geo_vector *a, const struct geo_vector *b)
{
	double half_chord = sqrt(geo_chord_square(a, b)) / 2;

	return 2 * GEO_EARTH_RADIUS_KM * asin(MIN(half_chord, 1.0));
}

double geo_distance_km(double lat1, double lon1, double lat2, double lon2)
{
	struct geo_vector a = geo_vector_of(lat1, lon1), b = geo_vector_of(lat2, lon2);

	return geo_vector_km(&a, &b);
}
