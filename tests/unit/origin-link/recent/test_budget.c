/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The budget of further attempts, and what is known of latency, by tables with a fake clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/recent/budget.h"
#include "origin-link/recent/latency.h"

/* The clock of a machine does not begin at zero. */
#define BEGIN_S 1000003

static mono_time at(double seconds)
{
	return (mono_time){(int64_t)((BEGIN_S + seconds) * 1e9)};
}

/* What happens in one second: so many requests, and so many that want to be sent again. */
struct second {
	unsigned at, requests, wanted, allowed;
};

struct play {
	const char *name;
	struct budget_terms terms;
	struct second seconds[6];
};

static const struct play plays[] = {
    {"a share of the requests", {20, 0}, {{0, 100, 30, 20}}},
    {"a minimum without requests", {20, 10}, {{0, 0, 200, 100}}},
    {"both together", {10, 1}, {{0, 100, 30, 20}}},
    {"nothing", {0, 0}, {{0, 1000, 5, 0}}},
    {"all", {100, 0}, {{0, 10, 11, 10}}},
    {"of the last seconds together", {20, 0}, {{0, 50, 5, 5}, {5, 50, 30, 15}}},
    {"what is spent stays spent for ten seconds", {20, 0}, {{0, 100, 20, 20}, {9, 0, 5, 0}}},
    {"and is forgotten then", {20, 0}, {{0, 100, 20, 20}, {9, 100, 1, 1}, {10, 0, 30, 19}}},
    {"requests of long ago do not count", {20, 0}, {{0, 1000, 0, 0}, {3600, 10, 5, 2}}},
    {"an outage does not pay for itself",
     {20, 1},
     {{0, 100, 100, 30}, {1, 100, 100, 20}, {2, 100, 100, 20}, {3, 100, 100, 20}}},
    {"the place of a second is used again", {10, 0}, {{0, 100, 10, 10}, {16, 100, 20, 10}}},
};

static unsigned play_second(const struct play *play, const struct second *s,
			    struct budget_counts counts[2])
{
	unsigned allowed = 0;

	/* By two loops in turn. */
	for (unsigned i = 0; i < s->requests; i++)
		budget_count_request(&counts[i % 2], at(s->at));
	for (unsigned i = 0; i < s->wanted; i++) {
		struct budget_sums sums = {0};

		budget_sum(&counts[0], at(s->at + 0.5), &sums);
		budget_sum(&counts[1], at(s->at + 0.5), &sums);
		if (!budget_allows(&play->terms, &sums))
			continue;
		budget_count_retry(&counts[i % 2], at(s->at + 0.5));
		allowed++;
	}
	return allowed;
}

static void test_plays(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(plays); i++) {
		struct budget_counts counts[2] = {0};

		for (unsigned j = 0; j < ARRAY_SIZE(plays[i].seconds); j++) {
			const struct second *s = &plays[i].seconds[j];
			unsigned allowed = play_second(&plays[i], s, counts);

			if (allowed != s->allowed)
				fail_msg("%s, second %u: %u allowed, not %u", plays[i].name, s->at,
					 allowed, s->allowed);
		}
	}
}

/* Another loop's clock is a little ahead. */
static void test_second_ahead(void **state)
{
	struct budget_counts counts = {0};
	struct budget_sums sums = {0};

	budget_count_request(&counts, at(1));
	budget_sum(&counts, at(0.999), &sums);
	assert_int_equal(sums.requests, 1);
}

/* Latency */

static void test_quantiles(void **state)
{
	static const struct {
		double percent;
		int64_t us;
	} cases[] = {{50, 50000}, {90, 90000}, {95, 95000}, {99, 99000}, {100, 100000}};
	struct latency l = {0};

	for (int i = 1; i <= 1000; i++)
		latency_add(&l, DUR_US(i * 100));
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t us = dur_to_us(latency_quantile(&l, cases[i].percent));

		if (us < cases[i].us || us > cases[i].us * 114 / 100)
			fail_msg("%g%%: %lld us", cases[i].percent, (long long)us);
	}
}

static void test_too_few_known(void **state)
{
	struct latency l = {0};

	for (int i = 0; i < LATENCY_ENOUGH - 1; i++)
		latency_add(&l, DUR_MS(1));
	assert_true(latency_quantile(&l, 50).ns < 0);
	latency_add(&l, DUR_MS(1));
	assert_true(latency_quantile(&l, 50).ns >= DUR_MS(1).ns);
}

static void test_old_ones_are_forgotten(void **state)
{
	struct latency l = {0};

	for (int i = 0; i < 100000; i++)
		latency_add(&l, DUR_S(1));
	for (int i = 0; i < 3 * LATENCY_FULL; i++)
		latency_add(&l, DUR_MS(1));
	assert_true(latency_quantile(&l, 50).ns < DUR_MS(2).ns);
}

/* Each is in the first bucket whose bound is over it. */
static void test_any_duration(void **state)
{
	static const int64_t us[] = {0, 1, 63, 64, 65, 127, 128, 1000, 999999, 60000000};

	for (unsigned i = 0; i < ARRAY_SIZE(us); i++) {
		struct latency l = {0};
		int64_t bound;

		for (int n = 0; n < LATENCY_ENOUGH; n++)
			latency_add(&l, DUR_US(us[i]));
		bound = dur_to_us(latency_quantile(&l, 50));
		if (bound < us[i] || bound > MAX(us[i] * 9 / 8 + 1, 64))
			fail_msg("%lld us: %lld", (long long)us[i], (long long)bound);
	}
	{
		struct latency l = {0};

		for (int n = 0; n < LATENCY_ENOUGH; n++)
			latency_add(&l, DUR_S(3600));
		assert_true(latency_quantile(&l, 50).ns >= DUR_S(60).ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plays),
	    cmocka_unit_test(test_second_ahead),
	    cmocka_unit_test(test_quantiles),
	    cmocka_unit_test(test_too_few_known),
	    cmocka_unit_test(test_old_ones_are_forgotten),
	    cmocka_unit_test(test_any_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
