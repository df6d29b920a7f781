/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Paces, on a clock of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/limit/pace.h"

static const struct pace_terms hundred = {.rate = 100, .slack = DUR_S(30)};
static const struct pace_terms none = {.slack = DUR_S(30)};

static mono_time at(double seconds)
{
	return (mono_time){(int64_t)(seconds * 1e9) + 1000000000000};
}

static double left(const struct pace *pace, double now)
{
	return (double)pace_left(pace, at(now)).ns / 1e9;
}

#define ASSERT_LEFT(pace, now, seconds) assert_float_equal(left(pace, now), seconds, 1e-6)

static struct pace begun(const struct pace_terms *terms)
{
	struct pace pace;

	pace_init(&pace, terms);
	pace_turn(&pace, terms, true, at(0));
	return pace;
}

static void test_silence_is_a_timeout(void **state)
{
	struct pace pace = begun(&hundred);

	ASSERT_LEFT(&pace, 0, 30);
	ASSERT_LEFT(&pace, 29, 1);
	ASSERT_LEFT(&pace, 30, 0);
	assert_true(pace_is_silent(&pace, &hundred, at(30)));
	pace = begun(&none);
	ASSERT_LEFT(&pace, 30, 0);
	assert_true(pace_is_silent(&pace, &none, at(30)));
}

/* A byte each 20 s was progress enough to any timeout. */
static void test_trickle_is_too_slow(void **state)
{
	struct pace pace = begun(&hundred);

	pace_progress(&pace, &hundred, 1, at(20));
	ASSERT_LEFT(&pace, 20, 10.01);
	assert_true(left(&pace, 30) > 0);
	assert_true(left(&pace, 30.02) < 0);
	assert_false(pace_is_silent(&pace, &hundred, at(30.02)));
	/* without a rate it is not */
	pace = begun(&none);
	for (int i = 1; i < 100; i++) {
		pace_progress(&pace, &none, 1, at(20 * i));
		ASSERT_LEFT(&pace, 20 * i, 30);
	}
}

static void test_least_rate_is_enough_for_ever(void **state)
{
	struct pace pace = begun(&hundred);

	for (int i = 1; i <= 1000; i++) {
		pace_progress(&pace, &hundred, 1000, at(10 * i));
		ASSERT_LEFT(&pace, 10 * i, 30);
	}
	/* somewhat less is not */
	for (int i = 1001; i <= 1010; i++)
		pace_progress(&pace, &hundred, 900, at(10 * i));
	ASSERT_LEFT(&pace, 10100, 20);
}

static void test_nobody_saves_up(void **state)
{
	struct pace pace = begun(&hundred);

	pace_progress(&pace, &hundred, UINT64_MAX, at(1));
	ASSERT_LEFT(&pace, 1, 30);
	pace_progress(&pace, &hundred, 1000000000, at(2));
	ASSERT_LEFT(&pace, 2, 30);
	pace_progress(&pace, &hundred, 0, at(20));
	ASSERT_LEFT(&pace, 20, 12);
	assert_true(left(&pace, 33) < 0);
}

/* What an origin takes its time for is not the client's. */
static void test_time_of_others_is_not_counted(void **state)
{
	struct pace pace = begun(&hundred);

	pace_turn(&pace, &hundred, false, at(10));
	pace_turn(&pace, &hundred, false, at(500));
	ASSERT_LEFT(&pace, 1000, 20);
	pace_turn(&pace, &hundred, true, at(1000));
	pace_turn(&pace, &hundred, true, at(1001));
	ASSERT_LEFT(&pace, 1005, 15);
	/* but a turn that is taken up again and again is no new one */
	for (int i = 0; i < 15; i++) {
		pace_turn(&pace, &hundred, false, at(1006 + i));
		pace_turn(&pace, &hundred, true, at(1006 + i));
	}
	ASSERT_LEFT(&pace, 1020, 0);
	assert_false(pace_is_silent(&pace, &hundred, at(1020)));
	/* without a rate it is */
	pace = begun(&none);
	pace_turn(&pace, &none, false, at(20));
	pace_turn(&pace, &none, true, at(21));
	ASSERT_LEFT(&pace, 21, 30);
}

/* What it was looked at too late was taken from its next slack, and its silence then was none. */
static void test_who_is_looked_at_late_has_all_of_its_slack_again(void **state)
{
	struct pace pace = begun(&hundred);

	pace_progress(&pace, &hundred, 100000, at(30.5));
	ASSERT_LEFT(&pace, 30.5, 30);
	ASSERT_LEFT(&pace, 60.5, 0);
	assert_true(pace_is_silent(&pace, &hundred, at(60.5)));
}

/* It was looked at in ticks, each a little late, and what little had come by then was forgiven as
 * all: so it was never too slow. */
static void test_who_is_too_slow_and_looked_at_late_is_not_forgiven(void **state)
{
	struct pace pace = begun(&hundred);
	double t = 0;

	do {
		t += 4;
		pace_progress(&pace, &hundred, 100, at(t));
	} while (pace_left(&pace, at(t)).ns > 0 && t < 1000);
	assert_true(t == 40);
	ASSERT_LEFT(&pace, t, 0);
	pace = begun(&hundred);
	pace_progress(&pace, &hundred, 100, at(35));
	ASSERT_LEFT(&pace, 35, -4);
	assert_false(pace_is_silent(&pace, &hundred, at(35)));
}

static void test_terms_may_change(void **state)
{
	const struct pace_terms shorter = {.rate = 100, .slack = DUR_S(5)};
	struct pace pace = begun(&hundred);

	pace_progress(&pace, &shorter, 1, at(1));
	ASSERT_LEFT(&pace, 1, 5);
	pace_progress(&pace, &none, 1, at(2));
	ASSERT_LEFT(&pace, 2, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_silence_is_a_timeout),
	    cmocka_unit_test(test_trickle_is_too_slow),
	    cmocka_unit_test(test_least_rate_is_enough_for_ever),
	    cmocka_unit_test(test_nobody_saves_up),
	    cmocka_unit_test(test_time_of_others_is_not_counted),
	    cmocka_unit_test(test_who_is_looked_at_late_has_all_of_its_slack_again),
	    cmocka_unit_test(test_who_is_too_slow_and_looked_at_late_is_not_forgiven),
	    cmocka_unit_test(test_terms_may_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
