/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Token buckets by a table of arrivals with their own clock; who is forgotten in a full set; and
 * many threads on few keys, none of which gets more than its rate.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/limit/rates.h"

/* Far from the beginning of the clock. */
#define START INT64_C(1000000000000)

static mono_time at_ms(int64_t ms)
{
	return (mono_time){START + ms * 1000000};
}

/* Ten a second, three at once. */
static const struct edge_rate ten = {DUR_MS(100), 3};

static const struct arrival {
	int64_t at, wait; /* ms */
	unsigned left;
	bool allowed;
} arrivals[] = {
    {0, 100, 2, true},     /* a full bucket */
    {0, 100, 1, true},     /* */
    {0, 100, 0, true},     /* the whole burst */
    {0, 100, 0, false},    /* */
    {99, 1, 0, false},     /* almost */
    {100, 100, 0, true},   /* one interval, one more */
    {100, 100, 0, false},  /* who was refused was not charged, */
    {150, 50, 0, false},   /* and does not put it off */
    {200, 100, 0, true},   /* */
    {450, 50, 1, true},    /* two and a half are there, one is taken */
    {500, 100, 1, true},   /* */
    {10000, 100, 2, true}, /* no more gather than the burst */
};

static void test_arrivals(void **state)
{
	struct edge_rates *rates = edge_rates_create(64);

	for (unsigned i = 0; i < ARRAY_SIZE(arrivals); i++) {
		const struct arrival *a = &arrivals[i];
		struct edge_rate_state got = edge_rates_take(rates, 7, &ten, at_ms(a->at));

		assert_int_equal(got.allowed, a->allowed);
		assert_int_equal(got.left, a->left);
		assert_int_equal(dur_to_ms(got.wait), a->wait);
	}
	assert_int_equal(edge_rates_used(rates, at_ms(10000)), 1);
	assert_int_equal(edge_rates_used(rates, at_ms(11000)), 0);
	edge_rates_destroy(&rates);
}

static void test_given_back(void **state)
{
	struct edge_rates *rates = edge_rates_create(8);
	const struct edge_rate slow = {DUR_S(60), 2};

	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(edge_rates_take(rates, 7, &ten, at_ms(0)).left, 2);
		edge_rates_give_back(rates, 7, &ten);
	}
	/* No more gather than the burst, */
	edge_rates_give_back(rates, 7, &ten);
	for (unsigned i = 0; i < 3; i++)
		assert_true(edge_rates_take(rates, 7, &ten, at_ms(0)).allowed);
	assert_false(edge_rates_take(rates, 7, &ten, at_ms(0)).allowed);
	/* and whoever is in the place of one that was forgotten keeps what it is charged. */
	for (uint64_t key = 1; key <= 8; key++)
		edge_rates_take(rates, key << 32, &slow, at_ms(1));
	edge_rates_give_back(rates, 7, &ten);
	for (uint64_t key = 1; key <= 8; key++)
		assert_int_equal(edge_rates_take(rates, key << 32, &slow, at_ms(1)).left, 0);
	edge_rates_destroy(&rates);
}

/* One that was refused by a slow rate would go on to be, though a reload has let it have more. */
static void test_rate_is_raised(void **state)
{
	struct edge_rates *rates = edge_rates_create(8);
	const struct edge_rate slow = {DUR_S(1800), 2};

	while (edge_rates_take(rates, 7, &slow, at_ms(0)).allowed)
		continue;
	assert_false(edge_rates_take(rates, 7, &ten, at_ms(0)).allowed);
	assert_true(edge_rates_take(rates, 7, &ten, at_ms(100)).allowed);
	edge_rates_destroy(&rates);
}

static void test_keys_are_apart(void **state)
{
	struct edge_rates *rates = edge_rates_create(64);
	const struct edge_rate one = {DUR_S(1), 1};

	for (uint64_t key = 0; key < 8; key++) {
		/* Of one set: they differ in their high bits. */
		assert_true(edge_rates_take(rates, key << 40, &one, at_ms(0)).allowed);
		assert_false(edge_rates_take(rates, key << 40, &one, at_ms(0)).allowed);
	}
	assert_int_equal(edge_rates_forgotten(rates), 0);
	edge_rates_destroy(&rates);
}

static void test_least_is_forgotten(void **state)
{
	struct edge_rates *rates = edge_rates_create(8);
	const struct edge_rate slow = {DUR_S(60), 2}, fast = {DUR_S(1), 2};

	for (uint64_t key = 1; key <= 8; key++)
		edge_rates_take(rates, key << 32, key == 5 ? &fast : &slow, at_ms(0));
	assert_true(edge_rates_take(rates, 9ULL << 32, &slow, at_ms(10)).allowed);
	assert_int_equal(edge_rates_forgotten(rates), 1);
	/* The one that would have aged first has a full bucket again, */
	assert_int_equal(edge_rates_take(rates, 5ULL << 32, &fast, at_ms(10)).left, 1);
	assert_int_equal(edge_rates_forgotten(rates), 2);
	/* the newcomer begins with its own, and all others but one are as they were. */
	assert_int_equal(edge_rates_take(rates, 9ULL << 32, &slow, at_ms(10)).left, 0);
	assert_int_equal(edge_rates_take(rates, 8ULL << 32, &slow, at_ms(10)).left, 0);
	edge_rates_destroy(&rates);
}

static void test_aged_give_their_place(void **state)
{
	struct edge_rates *rates = edge_rates_create(8);

	for (uint64_t key = 1; key <= 1000; key++)
		assert_int_equal(
		    edge_rates_take(rates, key << 32, &ten, at_ms((int64_t)key * 13)).left, 2);
	assert_int_equal(edge_rates_forgotten(rates), 0);
	edge_rates_destroy(&rates);
}

/* A reload may bring another rate: what was ahead by hours is ahead by the new burst at most. */
static void test_rate_changes(void **state)
{
	struct edge_rates *rates = edge_rates_create(8);
	const struct edge_rate slow = {DUR_S(3600), 10};
	struct edge_rate_state got;

	for (unsigned i = 0; i < 10; i++)
		edge_rates_take(rates, 3, &slow, at_ms(0));
	got = edge_rates_take(rates, 3, &ten, at_ms(1));
	assert_false(got.allowed);
	assert_int_equal(got.left, 0);
	assert_int_equal(dur_to_ms(got.wait), 100);
	edge_rates_destroy(&rates);
}

/* All of it was looked at, which for the largest takes a tenth of a second. */
static void test_use_of_a_large_table_is_estimated(void **state)
{
	enum { ENTRIES = 1 << 20, KEYS_IN_USE = 100000 };
	struct edge_rates *rates = edge_rates_create(ENTRIES);
	uint64_t key = 1;

	for (unsigned i = 0; i < KEYS_IN_USE; i++) {
		key = key * 6364136223846793005u + 1442695040888963407u;
		edge_rates_take(rates, key ^ key >> 32, &ten, at_ms(0));
	}
	assert_int_equal(edge_rates_forgotten(rates), 0);
	/* Of some 6,250 that are looked at, with six times their deviation. */
	assert_in_range(edge_rates_used(rates, at_ms(0)), 92000, 108000);
	assert_int_equal(edge_rates_used(rates, at_ms(1000)), 0);
	edge_rates_destroy(&rates);
}

/* Threads */

#define THREADS 4
#define TURNS 20000
#define KEYS 4

struct hammer {
	struct edge_rates *rates;
	unsigned allowed[KEYS];
};

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	const struct edge_rate rate = {DUR_S(1000), 500};

	for (unsigned i = 0; i < TURNS; i++) {
		unsigned k = i % KEYS;

		if (edge_rates_take(h->rates, k + 1, &rate, at_ms(0)).allowed)
			h->allowed[k]++;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct edge_rates *rates = edge_rates_create(1024);
	struct hammer hammers[THREADS] = {0};
	pthread_t threads[THREADS];

	/* Each has its place before they meet. */
	for (unsigned k = 0; k < KEYS; k++) {
		const struct edge_rate none = {DUR_NS(1), 1};

		edge_rates_take(rates, k + 1, &none, at_ms(-1));
	}
	for (unsigned t = 0; t < THREADS; t++) {
		hammers[t].rates = rates;
		CHECK(pthread_create(&threads[t], NULL, hammer, &hammers[t]) == 0);
	}
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (unsigned k = 0; k < KEYS; k++) {
		unsigned n = 0;

		for (unsigned t = 0; t < THREADS; t++)
			n += hammers[t].allowed[k];
		assert_int_equal(n, 500);
	}
	edge_rates_destroy(&rates);
}

static void *churn(void *arg)
{
	struct hammer *h = arg;

	for (uint64_t i = 0; i < TURNS; i++)
		edge_rates_take(h->rates, (i * 2654435761u) << 20, &ten, at_ms((int64_t)i / 100));
	return NULL;
}

/* All over one small table, so that they take each other's places. */
static void test_threads_that_forget(void **state)
{
	struct edge_rates *rates = edge_rates_create(16);
	struct hammer hammers[THREADS];
	pthread_t threads[THREADS];

	for (unsigned t = 0; t < THREADS; t++) {
		hammers[t].rates = rates;
		CHECK(pthread_create(&threads[t], NULL, churn, &hammers[t]) == 0);
	}
	for (unsigned t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	assert_true(edge_rates_forgotten(rates) > 0);
	assert_true(edge_rates_used(rates, at_ms(TURNS)) == 0);
	edge_rates_destroy(&rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_arrivals),
	    cmocka_unit_test(test_given_back),
	    cmocka_unit_test(test_rate_is_raised),
	    cmocka_unit_test(test_keys_are_apart),
	    cmocka_unit_test(test_least_is_forgotten),
	    cmocka_unit_test(test_aged_give_their_place),
	    cmocka_unit_test(test_rate_changes),
	    cmocka_unit_test(test_use_of_a_large_table_is_estimated),
	    cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_threads_that_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
