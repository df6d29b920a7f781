/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The index of points against a sort of all of them.
 */
#include <math.h>
#include <stdlib.h>

#include "geo/nearest.h"
#include "tests/unit/geo/geo_test.h"

struct candidate {
	double km;
	uint32_t number;
};

static int compare(const void *va, const void *vb)
{
	const struct candidate *a = va, *b = vb;

	if (a->km != b->km)
		return a->km < b->km ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static bool is_third(const void *arg, uint32_t number)
{
	return number % 3 == *(const unsigned *)arg;
}

static void expect_sorted(const struct geo_nearest *index, const struct geo_point *points,
			  uint32_t n, double latitude, double longitude, uint32_t k,
			  const unsigned *third)
{
	struct candidate *all = xcalloc(n + 1, sizeof(*all));
	uint32_t *numbers = xcalloc(k + 1, sizeof(*numbers)), usable = 0, found;
	double *km = xcalloc(k + 1, sizeof(*km));

	for (uint32_t i = 0; i < n; i++) {
		const struct geo_point *p = &points[i];

		if (third != NULL && i % 3 != *third)
			continue;
		all[usable++] = (struct candidate){
		    p->located ? geo_distance_km(latitude, longitude, p->latitude, p->longitude) +
				     p->bias_km
			       : (double)INFINITY,
		    i};
	}
	qsort(all, usable, sizeof(*all), compare);
	found = geo_nearest_find(index, latitude, longitude, k, third ? is_third : NULL, third,
				 numbers, km);
	assert_int_equal(found, MIN(k, usable));
	for (uint32_t i = 0; i < found; i++) {
		if (numbers[i] != all[i].number || km[i] != all[i].km)
			fail_msg("%g,%g of %u: number %u is %u at %.17g, expected %u at %.17g",
				 latitude, longitude, n, i, numbers[i], km[i], all[i].number,
				 all[i].km);
	}
	free(all);
	free(numbers);
	free(km);
}

static double uniform(double from, double to)
{
	return from + (to - from) * rand() / RAND_MAX;
}

/* Where ties and edges of the map are: poles, the antimeridian, whole degrees, one spot. */
static double coordinate(double limit)
{
	switch (rand() % 6) {
	case 0:
		return limit;
	case 1:
		return -limit;
	case 2:
		return rand() % 5 * (limit / 4) - limit / 2;
	case 3:
		return 0;
	default:
		return uniform(-limit, limit);
	}
}

static struct geo_point *points_create(uint32_t n, unsigned kind)
{
	struct geo_point *points = xcalloc(n + 1, sizeof(*points));

	for (uint32_t i = 0; i < n; i++) {
		struct geo_point *p = &points[i];

		*p = (struct geo_point){true, coordinate(90), coordinate(180), 0};
		if (kind == 1) /* a few biases, some without a place */
			p->bias_km = rand() % 4 * 500 - 500;
		if (kind == 1 && rand() % 5 == 0)
			p->located = false;
		if (kind == 2) /* any bias */
			p->bias_km = uniform(-30000, 30000);
		if (kind == 3) { /* all in one town */
			p->latitude = uniform(50, 50.001);
			p->longitude = uniform(8, 8.001);
		}
		if (kind == 4) { /* all at one spot */
			p->latitude = 89.9999;
			p->longitude = -179.9999;
		}
	}
	return points;
}

static void what_is_found_is_what_a_sort_says(void **state)
{
	static const uint32_t sizes[] = {0, 1, 2, 7, 8, 9, 17, 100, 300, 3000};

	srand(1);
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		for (unsigned kind = 0; kind < 5; kind++) {
			struct geo_point *points = points_create(sizes[s], kind);
			struct geo_nearest *index = geo_nearest_create(points, sizes[s]);

			for (unsigned i = 0; i < 60; i++) {
				double lat = coordinate(90), lon = coordinate(180);
				uint32_t k = (uint32_t[]){0, 1, 2, 3, 9, 50}[rand() % 6];
				unsigned third = (unsigned)rand() % 3;

				if (sizes[s] > 0 && rand() % 3 == 0) { /* at a point */
					lat = points[(uint32_t)rand() % sizes[s]].latitude;
					lon = points[(uint32_t)rand() % sizes[s]].longitude;
				}
				expect_sorted(index, points, sizes[s], lat, lon, k, NULL);
				expect_sorted(index, points, sizes[s], lat, lon, k, &third);
			}
			expect_sorted(index, points, sizes[s], 10, 20, sizes[s] + 5, NULL);
			geo_nearest_destroy(&index);
			free(points);
		}
	}
}

/* Both ends of the antimeridian are one line, and every longitude of a pole is one point. */
static void the_map_has_no_edge(void **state)
{
	const struct geo_point points[] = {
	    {true, 0, -179.9, 0}, {true, 0, 170, 0}, {true, 89, 0, 0}, {true, 80, 180, 0}};
	struct geo_nearest *index = geo_nearest_create(points, ARRAY_SIZE(points));
	uint32_t number;
	double km;

	assert_int_equal(geo_nearest_find(index, 0, 179.9, 1, NULL, NULL, &number, &km), 1);
	assert_int_equal(number, 0);
	assert_true(km < 23);
	assert_int_equal(geo_nearest_find(index, 89.5, 180, 1, NULL, NULL, &number, &km), 1);
	assert_int_equal(number, 2);
	geo_nearest_destroy(&index);
	assert_null(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_found_is_what_a_sort_says),
	    cmocka_unit_test(the_map_has_no_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
