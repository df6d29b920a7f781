/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Distances between places whose distance is known.
 */
#include <math.h>

#include "geo/distance.h"
#include "tests/unit/geo/geo_test.h"

#define QUARTER (M_PI / 2 * 6371.0088)

static void known_distances(void **state)
{
	static const struct {
		const char *what;
		double lat1, lon1, lat2, lon2, km, tolerance;
	} cases[] = {
	    {"same place", 50.1109, 8.6821, 50.1109, 8.6821, 0, 0},
	    /* Geodesic on WGS 84 (Karney): the sphere is within 0.6% of it. */
	    {"Frankfurt to London", 50.1109, 8.6821, 51.5074, -0.1278, 638, 4},
	    {"London to New York", 51.5074, -0.1278, 40.7128, -74.0060, 5585, 30},
	    {"Sydney to Tokyo", -33.8688, 151.2093, 35.6762, 139.6503, 7793, 45},
	    {"Paris to Sao Paulo", 48.8566, 2.3522, -23.5505, -46.6333, 9401, 50},
	    /* Exact on the sphere. */
	    {"a degree of latitude", 10, 20, 11, 20, QUARTER / 90, 1e-6},
	    {"a degree of the equator", 0, 20, 0, 21, QUARTER / 90, 1e-6},
	    {"pole to equator", 90, 77, 0, -12, QUARTER, 1e-6},
	    {"pole to pole", 90, 0, -90, 123, 2 * QUARTER, 1e-3},
	    {"one pole, two longitudes", 90, 0, 90, 123, 0, 1e-6},
	    {"antipodes", 30, 40, -30, -140, 2 * QUARTER, 1e-3},
	    {"antipodes on the equator", 0, 0, 0, 180, 2 * QUARTER, 1e-3},
	    {"over the date line", 0, 179.5, 0, -179.5, QUARTER / 90, 1e-6},
	    {"180 east is 180 west", 12, 180, 12, -180, 0, 1e-6},
	    {"a metre", 0, 0, 0.001 / (QUARTER / 90), 0, 0.001, 1e-9},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double km =
		    geo_distance_km(cases[i].lat1, cases[i].lon1, cases[i].lat2, cases[i].lon2);
		double back =
		    geo_distance_km(cases[i].lat2, cases[i].lon2, cases[i].lat1, cases[i].lon1);

		if (!(fabs(km - cases[i].km) <= cases[i].tolerance) || km != back)
			fail_msg("%s: %.9f km, back %.9f km, expected %.9f", cases[i].what, km,
				 back, cases[i].km);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_distances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
