/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rankings: order, bias, ties, edges without a place, sharing, and their bound.
 */
#include <stdlib.h>
#include <string.h>

#include "geo/ranking.h"
#include "tests/unit/geo/geo_test.h"

static void expect(struct geo_ranker **r, unsigned n, uint32_t number, const uint16_t *order)
{
	size_t count;
	uint16_t *rankings = geo_ranker_take(*r, &count);

	assert_true(number < count);
	assert_memory_equal(rankings + number * n, order, n * sizeof(*order));
	free(rankings);
	geo_ranker_destroy(r);
	assert_null(*r);
}

static void nearest_comes_first(void **state)
{
	struct geo_ranker *r = geo_ranker_create(test_edges, N_EDGES);
	uint32_t madrid = geo_ranker_at(r, 40.4168, -3.7038);

	expect(&r, N_EDGES, madrid, (uint16_t[]){FRANKFURT, NEW_YORK, SAO_PAULO, SINGAPORE});
}

static void bias_moves_clients_away(void **state)
{
	struct cfg_edge edges[N_EDGES];
	struct geo_ranker *r;
	uint32_t madrid;

	memcpy(edges, test_edges, sizeof(edges));
	edges[FRANKFURT].bias_km = 7000;  /* Madrid: Frankfurt 1,448 km, New York 5,768 km */
	edges[SINGAPORE].bias_km = -9000; /* 11,391 km */
	r = geo_ranker_create(edges, N_EDGES);
	madrid = geo_ranker_at(r, 40.4168, -3.7038);
	expect(&r, N_EDGES, madrid, (uint16_t[]){SINGAPORE, NEW_YORK, SAO_PAULO, FRANKFURT});
}

static void ties_keep_the_order_of_the_file(void **state)
{
	struct cfg_edge edges[6] = {{.location = {10, 10, true}}, {.location = {0, 0, true}},
				    {.location = {10, 10, true}}, {.location = {10, 10, true}},
				    {.location = {0, 0, true}},   {.location = {10, 10, true}}};
	struct geo_ranker *r = geo_ranker_create(edges, 6);
	uint32_t here = geo_ranker_at(r, 1, 1);

	expect(&r, 6, here, (uint16_t[]){1, 4, 0, 2, 3, 5});
}

static void edges_without_a_place_come_last(void **state)
{
	struct cfg_edge edges[4] = {
	    {.bias_km = -1e6}, {.location = {10, 10, true}}, {0}, {.location = {0, 0, true}}};
	struct geo_ranker *r = geo_ranker_create(edges, 4);
	uint32_t here = geo_ranker_at(r, 1, 1);

	expect(&r, 4, here, (uint16_t[]){3, 1, 0, 2});
}

static void equal_orders_are_shared(void **state)
{
	struct geo_ranker *r = geo_ranker_create(test_edges, N_EDGES);
	uint32_t madrid = geo_ranker_at(r, 40.4168, -3.7038);
	size_t count;

	assert_int_equal(geo_ranker_at(r, 40.4168, -3.7038), madrid);
	assert_int_equal(geo_ranker_at(r, 41.1579, -8.6291), madrid); /* Porto */
	assert_int_not_equal(geo_ranker_at(r, 35.6762, 139.6503), madrid);
	/* A negative zero is in the same place. */
	assert_int_equal(geo_ranker_at(r, 0.0, 0.0), geo_ranker_at(r, -0.0, -0.0));
	/* Thousands of places, but never more rankings than there are orders. */
	for (int lat = -90; lat <= 90; lat += 3) {
		for (int lon = -180; lon <= 180; lon += 3)
			assert_true(geo_ranker_at(r, lat, lon) < 24);
	}
	assert_int_equal(geo_ranker_file_order(r), geo_ranker_file_order(r));
	free(geo_ranker_take(r, &count));
	assert_in_range(count, 4, 24);
	geo_ranker_destroy(&r);
}

static void no_edge_at_all(void **state)
{
	struct geo_ranker *r = geo_ranker_create(NULL, 0);

	assert_int_equal(geo_ranker_at(r, 1, 1), geo_ranker_at(r, 50, 50));
	expect(&r, 0, 0, (uint16_t[]){0});
}

/* 65,535 edges: 128 KiB a ranking, so 1 GiB is full after 8192 of them. */
static void many_edges(void **state)
{
	const unsigned n = UINT16_MAX;
	struct cfg_edge *edges = xcalloc(n, sizeof(*edges));
	struct geo_ranker *r;
	uint16_t *rankings;
	uint32_t number;
	size_t count;

	for (unsigned i = 0; i < n; i++)
		edges[i].location = (struct cfg_coords){i * 180.0 / n - 90, i % 360 - 180.0, true};
	r = geo_ranker_create(edges, n);
	number = geo_ranker_at(r, -90, 0);
	rankings = geo_ranker_take(r, &count);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rankings[number * n + i], i);
	free(rankings);
	geo_ranker_destroy(&r);
	free(edges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nearest_comes_first),
	    cmocka_unit_test(bias_moves_clients_away),
	    cmocka_unit_test(ties_keep_the_order_of_the_file),
	    cmocka_unit_test(edges_without_a_place_come_last),
	    cmocka_unit_test(equal_orders_are_shared),
	    cmocka_unit_test(no_edge_at_all),
	    cmocka_unit_test(many_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
