/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What clients have under way: limits, places that become free and are taken by others, those for
 * whom there is none, and threads whose counts all come out even.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/limit/tally.h"

#define KEY(n) ((uint64_t)(n) << 32)

static void test_limits(void **state)
{
	struct edge_tally *tally = edge_tally_create(64);
	edge_place_of_client *one, *two, *other;

	assert_int_equal(edge_tally_open(tally, KEY(1), 2, &one), EDGE_TALLY_COUNTED);
	assert_int_equal(edge_tally_open(tally, KEY(1), 2, &two), EDGE_TALLY_COUNTED);
	assert_ptr_equal(one, two);
	assert_int_equal(edge_tally_open(tally, KEY(1), 2, &other), EDGE_TALLY_OVER);
	assert_null(other);
	assert_int_equal(edge_tally_open(tally, KEY(2), 2, &other), EDGE_TALLY_COUNTED);
	assert_ptr_not_equal(other, one);
	assert_int_equal(edge_tally_used(tally), 2);

	assert_true(edge_tally_begin(one, 1));
	assert_false(edge_tally_begin(two, 1));
	assert_true(edge_tally_begin(other, 1));
	edge_tally_end(one);
	assert_true(edge_tally_begin(two, 1));
	edge_tally_end(two);
	edge_tally_end(other);

	edge_tally_close(&one);
	assert_int_equal(edge_tally_open(tally, KEY(1), 2, &one), EDGE_TALLY_COUNTED);
	edge_tally_close(&one);
	edge_tally_close(&two);
	edge_tally_close(&other);
	edge_tally_close(&other); /* none: of no effect */
	assert_int_equal(edge_tally_used(tally), 0);
	edge_tally_destroy(&tally);
}

/* 0 is a key like any other. */
static void test_key_zero(void **state)
{
	struct edge_tally *tally = edge_tally_create(8);
	edge_place_of_client *one, *two;

	assert_int_equal(edge_tally_open(tally, 0, 1, &one), EDGE_TALLY_COUNTED);
	assert_int_equal(edge_tally_open(tally, 0, 1, &two), EDGE_TALLY_OVER);
	edge_tally_close(&one);
	assert_int_equal(edge_tally_used(tally), 0);
	edge_tally_destroy(&tally);
}

static void test_no_place(void **state)
{
	struct edge_tally *tally = edge_tally_create(8);
	edge_place_of_client *places[8], *other;

	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(edge_tally_open(tally, KEY(i + 1), 0, &places[i]),
				 EDGE_TALLY_COUNTED);
	assert_int_equal(edge_tally_open(tally, KEY(9), 1, &other), EDGE_TALLY_NONE);
	assert_int_equal(edge_tally_missed(tally), 1);
	edge_tally_close(&places[3]);
	assert_int_equal(edge_tally_open(tally, KEY(9), 1, &places[3]), EDGE_TALLY_COUNTED);
	for (unsigned i = 0; i < 8; i++)
		edge_tally_close(&places[i]);
	edge_tally_destroy(&tally);
}

/* Counts do not run over into each other. */
static void test_most(void **state)
{
	struct edge_tally *tally = edge_tally_create(8);
	edge_place_of_client *place = NULL, *other;
	unsigned n = 0;

	while (edge_tally_open(tally, KEY(1), 0, &other) == EDGE_TALLY_COUNTED) {
		place = other;
		n++;
	}
	assert_int_equal(n, EDGE_TALLY_MAX);
	for (n = 0; edge_tally_begin(place, 0); n++)
		;
	assert_int_equal(n, EDGE_TALLY_MAX);
	for (n = 0; n < EDGE_TALLY_MAX; n++)
		edge_tally_end(place);
	for (n = 0; n < EDGE_TALLY_MAX; n++) {
		other = place;
		edge_tally_close(&other);
	}
	assert_int_equal(edge_tally_used(tally), 0);
	edge_tally_destroy(&tally);
}

static void test_use_of_a_large_table_is_estimated(void **state)
{
	enum { PLACES = 1 << 18, CLIENTS = 1 << 16 };
	struct edge_tally *tally = edge_tally_create(PLACES);
	edge_place_of_client **places = xcalloc(CLIENTS, sizeof(*places));

	/* Two in each set. */
	for (uint64_t i = 0; i < CLIENTS; i++)
		assert_int_equal(edge_tally_open(tally, KEY(i + 1) | i, 0, &places[i]),
				 EDGE_TALLY_COUNTED);
	assert_int_equal(edge_tally_used(tally), CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++)
		edge_tally_close(&places[i]);
	assert_int_equal(edge_tally_used(tally), 0);
	free(places);
	edge_tally_destroy(&tally);
}

/* Threads */

#define THREADS 4
#define TURNS 20000
/* More than have a place. */
#define KEYS 12
/* Those of the first keys whose places are held throughout. */
#define HELD 4
#define LIMIT 3

static struct {
	struct edge_tally *tally;
	_Atomic unsigned open[KEYS];
	_Atomic bool over;
} shared;

static void *hammer(void *arg)
{
	edge_place_of_client *place;

	for (unsigned i = 0; i < TURNS; i++) {
		unsigned k = i % KEYS;

		if (edge_tally_open(shared.tally, KEY(k + 1), LIMIT, &place) != EDGE_TALLY_COUNTED)
			continue;
		if (atomic_fetch_add(&shared.open[k], 1) >= LIMIT && k < HELD)
			shared.over = true;
		if (edge_tally_begin(place, 1))
			edge_tally_end(place);
		atomic_fetch_sub(&shared.open[k], 1);
		edge_tally_close(&place);
	}
	return NULL;
}

static void test_threads(void **state)
{
	edge_place_of_client *held[HELD];
	pthread_t threads[THREADS];

	shared.tally = edge_tally_create(8);
	for (unsigned k = 0; k < HELD; k++) {
		assert_int_equal(edge_tally_open(shared.tally, KEY(k + 1), LIMIT, &held[k]),
				 EDGE_TALLY_COUNTED);
		atomic_fetch_add(&shared.open[k], 1);
	}
	for (unsigned t = 0; t < THREADS; t++)
		CHECK(pthread_create(&threads[t], NULL, hammer, NULL) == 0);
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	assert_false(shared.over);
	assert_int_equal(edge_tally_used(shared.tally), HELD);
	for (unsigned k = 0; k < HELD; k++)
		edge_tally_close(&held[k]);
	assert_int_equal(edge_tally_used(shared.tally), 0);
	edge_tally_destroy(&shared.tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_key_zero),
	    cmocka_unit_test(test_no_place),
	    cmocka_unit_test(test_most),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_use_of_a_large_table_is_estimated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
