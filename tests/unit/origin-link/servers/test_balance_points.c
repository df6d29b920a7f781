/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rings: how even they are, and that nothing but a server's own keys moves. Schedules: that turns
 * are as many as weights, and spread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/servers/balance_points.h"

#define SERVERS 100
#define KEYS 20000

static uint64_t ids[SERVERS];
static unsigned weights[SERVERS];

static int setup(void **state)
{
	for (unsigned i = 0; i < SERVERS; i++) {
		ids[i] = balance_mix(i + 1000);
		weights[i] = 1;
	}
	return 0;
}

static uint64_t key(unsigned i)
{
	return balance_mix(UINT64_C(7777777) + i);
}

static uint64_t server_of(const struct balance_points *ring, const uint64_t *of, unsigned i)
{
	return of[ring->v[balance_points_find(ring, (uint32_t)(key(i) >> 32))].entry];
}

static void test_ring_is_about_even(void **state)
{
	struct balance_points ring =
	    balance_ring(ids, weights, 10, balance_ring_density(weights, 10));
	unsigned n[10] = {0};

	assert_int_equal(ring.n, 10 * 128);
	for (unsigned i = 1; i < ring.n; i++)
		assert_true(ring.v[i - 1].at <= ring.v[i].at);
	for (unsigned i = 0; i < KEYS; i++)
		n[ring.v[balance_points_find(&ring, (uint32_t)(key(i) >> 32))].entry]++;
	/* A tenth each, with a standard deviation of 9% of that. */
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(n[i], KEYS / 10 * 70 / 100, KEYS / 10 * 130 / 100);
	balance_points_fini(&ring);
}

static void test_ring_obeys_weights(void **state)
{
	unsigned of[3] = {1, 2, 5}, n[3] = {0};
	struct balance_points ring = balance_ring(ids, of, 3, balance_ring_density(of, 3));

	for (unsigned i = 0; i < KEYS; i++)
		n[ring.v[balance_points_find(&ring, (uint32_t)(key(i) >> 32))].entry]++;
	assert_in_range(n[0], KEYS / 8 * 70 / 100, KEYS / 8 * 130 / 100);
	assert_in_range(n[1], KEYS / 8 * 2 * 80 / 100, KEYS / 8 * 2 * 120 / 100);
	assert_in_range(n[2], KEYS / 8 * 5 * 90 / 100, KEYS / 8 * 5 * 110 / 100);
	balance_points_fini(&ring);
}

/* Exactly the keys of the one that goes move; when it comes back they return. */
static void test_one_that_goes_moves_its_own_keys_only(void **state)
{
	double density = balance_ring_density(weights, SERVERS);
	struct balance_points with = balance_ring(ids, weights, SERVERS, density), without;
	uint64_t left[SERVERS];
	unsigned moved = 0, n = 0;

	for (unsigned i = 0; i < SERVERS; i++) {
		if (i != 42)
			left[n++] = ids[i];
	}
	without = balance_ring(left, weights, n, density);
	for (unsigned i = 0; i < KEYS; i++) {
		uint64_t before = server_of(&with, ids, i), after = server_of(&without, left, i);

		if (before == ids[42])
			moved++;
		else
			assert_true(before == after);
	}
	assert_in_range(moved, KEYS / SERVERS / 2, KEYS / SERVERS * 2);
	balance_points_fini(&with);
	balance_points_fini(&without);
}

/* Its keys are not all heaped upon one other. */
static void test_keys_of_one_that_goes_are_spread(void **state)
{
	double density = balance_ring_density(weights, 11);
	struct balance_points with = balance_ring(ids, weights, 11, density);
	struct balance_points without = balance_ring(ids, weights, 10, density);
	unsigned n[10] = {0}, moved = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		unsigned at = balance_points_find(&with, (uint32_t)(key(i) >> 32));

		if (with.v[at].entry != 10)
			continue;
		moved++;
		n[without.v[balance_points_find(&without, (uint32_t)(key(i) >> 32))].entry]++;
	}
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(n[i], 1, moved / 4);
	balance_points_fini(&with);
	balance_points_fini(&without);
}

/* Large weights, and many servers, do not make a ring too large to be made by the way. */
static void test_rings_are_bounded(void **state)
{
	unsigned *heavy = xcalloc(1000, sizeof(*heavy));
	uint64_t *many = xcalloc(1000, sizeof(*many));
	struct balance_points ring;

	for (unsigned i = 0; i < 1000; i++) {
		heavy[i] = i < 500 ? 1000 : 1;
		many[i] = balance_mix(i);
	}
	ring = balance_ring(many, heavy, 1000, balance_ring_density(heavy, 1000));
	assert_in_range(ring.n, 1000, 65536);
	balance_points_fini(&ring);
	ring = balance_ring(many, heavy, 1, balance_ring_density(heavy, 1));
	assert_in_range(ring.n, 1, 512);
	balance_points_fini(&ring);
	free(heavy);
	free(many);
}

/* "aacaaba": who has each turn of a round. */
static char *turns(const unsigned *of, unsigned n)
{
	struct balance_points schedule = balance_schedule(of, n);
	char *text = xcalloc(1, schedule.n + 1);

	for (unsigned i = 0; i < schedule.n; i++)
		text[i] = (char)('a' + schedule.v[i].entry);
	balance_points_fini(&schedule);
	return text;
}

static void assert_turns(unsigned n, const unsigned *of, const char *expected)
{
	char *text = turns(of, n);

	assert_string_equal(text, expected);
	free(text);
}

static void test_turns(void **state)
{
	assert_turns(1, (unsigned[]){7}, "");
	assert_turns(3, (unsigned[]){4, 4, 4}, "");
	assert_turns(2, (unsigned[]){2, 1}, "aab");
	assert_turns(2, (unsigned[]){300, 100}, "aaba");
	assert_turns(3, (unsigned[]){5, 1, 1}, "aacaaba");
}

/* Nowhere in a round has one been asked for much more, or much less, than its share. */
static void test_turns_are_spread(void **state)
{
	unsigned of[4] = {40, 30, 20, 10}, sum = 100;
	struct balance_points schedule = balance_schedule(of, 4);
	unsigned n[4] = {0};

	assert_int_equal(schedule.n, 10);
	balance_points_fini(&schedule);
	of[3] = 11;
	sum = 101;
	schedule = balance_schedule(of, 4);
	assert_int_equal(schedule.n, sum);
	for (unsigned i = 0; i < schedule.n; i++) {
		n[schedule.v[i].entry]++;
		for (unsigned j = 0; j < 4; j++) {
			double due = (double)of[j] * (i + 1) / sum;

			assert_true(n[j] > due - 2 && n[j] < due + 2);
		}
	}
	balance_points_fini(&schedule);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ring_is_about_even),
	    cmocka_unit_test(test_ring_obeys_weights),
	    cmocka_unit_test(test_one_that_goes_moves_its_own_keys_only),
	    cmocka_unit_test(test_keys_of_one_that_goes_are_spread),
	    cmocka_unit_test(test_rings_are_bounded),
	    cmocka_unit_test(test_turns),
	    cmocka_unit_test(test_turns_are_spread),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
