/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Places against what libmaxminddb says of each address.
 */
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/places.h"
#include "tests/unit/geo/geo_test.h"

static const struct geo_places *load(const struct cfg_geo *geo)
{
	struct diag *diag = diag_create();
	const struct geo_places *places = geo_places_load(geo, NULL, diag);

	if (places == NULL || diag_count(diag) > 0) {
		diag_print(diag, stderr);
		fail_msg("was refused");
	}
	diag_destroy(&diag);
	return places;
}

static const struct geo_place *place_at(const struct geo_places *places, const char *text)
{
	struct net_prefix p = test_prefix(text);

	return geo_places_get(places, geo_ranges_find(geo_places_ranges(places), &p).value);
}

static void without_a_database_there_is_one_place(void **state)
{
	struct cfg_geo geo = {.unknown = {1.5, 2.5, true}};
	const struct geo_places *places = load(&geo);
	const struct geo_place *place = place_at(places, "192.0.2.1");

	assert_int_equal(geo_places_n(places), 1);
	assert_true(place->located);
	assert_int_equal(place->source, GEO_SOURCE_NONE);
	assert_true(place->latitude == 1.5 && place->longitude == 2.5);
	geo_places_unref(&places);
	assert_null(places);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_database_there_is_one_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
