/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is counted of outcomes: which bucket a time is in, what a quantile is made of, and what is
 * told apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/conns/outcome.h"

static struct outcome_sums sums_of(const struct outcome *o)
{
	struct outcome_counts *counts = outcome_counts_create();
	struct outcome_sums sums = {0};

	outcome_count(counts, o);
	outcome_counts_sum(counts, &sums);
	outcome_counts_destroy(&counts);
	return sums;
}

/* Buckets */

static const struct place {
	duration time;
	unsigned bucket;
} places[] = {
    {DUR_NS(0), 0},      {DUR_NS(1), 0},          {DUR_US(250), 0}, {DUR_NS(250001), 1},
    {DUR_US(500), 1},    {DUR_US(501), 2},        {DUR_MS(1), 2},   {DUR_MS(150), 10},
    {DUR_MS(256), 10},   {DUR_NS(256000001), 11}, {DUR_S(32), 17},  {DUR_MS(32768), 17},
    {DUR_MS(32769), 18}, {DUR_S(86400), 18},
};

static void test_buckets(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		struct outcome o = outcome_init();
		struct outcome_sums sums;
		unsigned found = 0;

		o.ended = true;
		o.whole = places[i].time;
		sums = sums_of(&o);
		while (sums.times[OUTCOME_TIME_WHOLE].n[found] == 0)
			found++;
		if (found != places[i].bucket)
			fail_msg("%lld ns: bucket %u", (long long)places[i].time.ns, found);
		assert_int_equal(sums.times[OUTCOME_TIME_WHOLE].us, places[i].time.ns / 1000);
		assert_int_equal(outcome_histogram_count(&sums.times[OUTCOME_TIME_WHOLE]), 1);
		assert_int_equal(outcome_histogram_count(&sums.times[OUTCOME_TIME_QUEUE]), 0);
	}
}

static void test_bounds_are_inclusive(void **state)
{
	for (unsigned i = 0; i < OUTCOME_BUCKETS - 1; i++) {
		struct outcome o = outcome_init();
		struct outcome_sums sums;

		o.ended = true;
		o.connect = outcome_bound(i);
		sums = sums_of(&o);
		assert_int_equal(sums.times[OUTCOME_TIME_CONNECT].n[i], 1);
	}
}

static void test_quantiles(void **state)
{
	struct outcome_histogram h = {.us = 0};

	assert_true(outcome_quantile(&h, 0.5).ns < 0);
	h.n[2] = 100; /* 500 us to 1 ms */
	assert_int_equal(outcome_quantile(&h, 0.5).ns, DUR_US(750).ns);
	assert_int_equal(outcome_quantile(&h, 1).ns, DUR_MS(1).ns);
	h.n[4] = 100; /* 2 to 4 ms */
	assert_int_equal(outcome_quantile(&h, 0.5).ns, DUR_MS(1).ns);
	assert_int_equal(outcome_quantile(&h, 0.75).ns, DUR_MS(3).ns);
	h.n[OUTCOME_BUCKETS - 1] = 1000; /* longer than is told apart */
	assert_int_equal(outcome_quantile(&h, 0.99).ns, outcome_bound(OUTCOME_BUCKETS - 2).ns);
}

/* What an end counts as */

static const struct end {
	const char *name;
	enum reason reason;
	bool fails;
	uint64_t abandoned, shortages, failures;
} ends[] = {
    {"whole", REASON_DONE, false, 0, 0, 0},
    {"not wanted any more", REASON_NONE, false, 1, 0, 0},
    {"refused", REASON_ORIGIN_CONNECT_REFUSED, true, 0, 0, 1},
    {"broken", REASON_ORIGIN_TRUNCATED, true, 0, 0, 1},
    {"the first of the list", OUTCOME_REASON_FIRST, true, 0, 0, 1},
    {"the last of the list", OUTCOME_REASON_LAST, true, 0, 0, 1},
    {"waited in vain", REASON_ORIGIN_QUEUE_TIMEOUT, false, 0, 0, 1},
    {"the queue was full", REASON_ORIGIN_QUEUE_FULL, false, 0, 0, 1},
    {"no descriptors", REASON_EDGE_NO_DESCRIPTORS, false, 0, 1, 0},
    {"no memory", REASON_LIMIT, false, 0, 1, 0},
    {"the client's content", REASON_CLIENT_MALFORMED, false, 0, 0, 0},
};

static void test_ends(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		const struct end *end = &ends[i];
		struct outcome o = outcome_init();
		struct outcome_sums sums;
		uint64_t failures = 0;

		o.ended = true;
		o.reason = end->reason;
		sums = sums_of(&o);
		for (unsigned j = 0; j < OUTCOME_REASONS; j++)
			failures += sums.failures[j];
		if (outcome_is_failure(&o) != end->fails || sums.abandoned != end->abandoned ||
		    sums.shortages != end->shortages || failures != end->failures ||
		    sums.attempts != 1)
			fail_msg("%s: counted otherwise", end->name);
		if (end->failures > 0)
			assert_int_equal(sums.failures[end->reason - OUTCOME_REASON_FIRST], 1);
	}
}

/* The head is told once, and so is the end: neither counts what the other does. */
static void test_head_and_end(void **state)
{
	struct outcome o = outcome_init();
	struct outcome_sums sums;

	o.status = 404;
	o.first_byte = DUR_MS(3);
	o.connect = DUR_MS(1);
	sums = sums_of(&o);
	assert_int_equal(sums.answers[4], 1);
	assert_int_equal(sums.attempts, 0);
	assert_int_equal(outcome_histogram_count(&sums.times[OUTCOME_TIME_FIRST_BYTE]), 1);
	assert_int_equal(outcome_histogram_count(&sums.times[OUTCOME_TIME_CONNECT]), 0);
	o.ended = true;
	o.reason = REASON_DONE;
	sums = sums_of(&o);
	assert_int_equal(sums.answers[4], 0);
	assert_int_equal(sums.attempts, 1);
	assert_int_equal(outcome_histogram_count(&sums.times[OUTCOME_TIME_FIRST_BYTE]), 0);
	assert_int_equal(outcome_histogram_count(&sums.times[OUTCOME_TIME_CONNECT]), 1);
}

static void test_warm(void **state)
{
	struct outcome o = outcome_init();
	struct outcome_sums sums;

	o.ended = true;
	o.warm = true;
	o.reason = REASON_DONE;
	sums = sums_of(&o);
	assert_int_equal(sums.warm, 1);
	assert_int_equal(sums.attempts, 0);
	o.reason = REASON_ORIGIN_CONNECT_REFUSED;
	sums = sums_of(&o);
	assert_int_equal(sums.warm, 0);
	/* No request has failed: there would be more failures than attempts. */
	assert_int_equal(sums.failures[REASON_ORIGIN_CONNECT_REFUSED - OUTCOME_REASON_FIRST], 0);
	o.reason = REASON_EDGE_NO_DESCRIPTORS;
	assert_int_equal(sums_of(&o).shortages, 0);
}

static void test_sums_add_up(void **state)
{
	struct outcome_counts *one = outcome_counts_create(), *other = outcome_counts_create();
	struct outcome_sums sums = {0};

	outcome_count_opened(one);
	outcome_count_held(one, false);
	outcome_count_held(other, true);
	outcome_count_held(other, true);
	outcome_counts_sum(one, &sums);
	outcome_counts_sum(other, &sums);
	assert_int_equal(sums.opened, 1);
	assert_int_equal(sums.fresh, 1);
	assert_int_equal(sums.reused, 2);
	outcome_counts_destroy(&one);
	outcome_counts_destroy(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_buckets),      cmocka_unit_test(test_bounds_are_inclusive),
	    cmocka_unit_test(test_quantiles),    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_head_and_end), cmocka_unit_test(test_warm),
	    cmocka_unit_test(test_sums_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
