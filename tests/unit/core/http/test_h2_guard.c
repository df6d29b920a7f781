/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What counts as a flood: bursts, and what time and good works forgive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/h2_guard.h"

#define BURST 200

static mono_time at_ms(int64_t ms)
{
	return (mono_time){1000000000 + ms * 1000000};
}

/* How many of a kind pass at one time. */
static unsigned passing(struct h2_guard *guard, enum h2_flood kind, mono_time now)
{
	unsigned n = 0;

	while (h2_guard_count(guard, kind, 1, BURST, now))
		n++;
	return n;
}

static void test_a_burst_is_free_and_no_more(void **state)
{
	for (enum h2_flood kind = 0; kind < H2_FLOODS; kind++) {
		struct h2_guard guard = {0};

		assert_int_equal(passing(&guard, kind, at_ms(0)), BURST);
		assert_false(h2_guard_count(&guard, kind, 1, BURST, at_ms(0)));
	}
}

static void test_kinds_are_counted_apart(void **state)
{
	struct h2_guard guard = {0};

	assert_int_equal(passing(&guard, H2_FLOOD_PING, at_ms(0)), BURST);
	assert_int_equal(passing(&guard, H2_FLOOD_RESET, at_ms(0)), BURST);
}

static void test_time_forgives(void **state)
{
	static const struct {
		int64_t after_ms;
		unsigned passing;
	} cases[] = {
	    /* The one too many has to be forgiven as well. */
	    {0, 0},
	    {1000, BURST / H2_FORGIVEN_IN - 1},
	    {5000, BURST / 2 - 1},
	    {H2_FORGIVEN_IN * 1000, BURST - 1},
	    {H2_FORGIVEN_IN * 1000 + 50, BURST},
	    {3600 * 1000, BURST},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct h2_guard guard = {0};

		passing(&guard, H2_FLOOD_RESET, at_ms(0));
		assert_int_equal(passing(&guard, H2_FLOOD_RESET, at_ms(cases[i].after_ms)),
				 cases[i].passing);
	}
}

static void test_a_steady_trickle_passes_for_ever(void **state)
{
	struct h2_guard guard = {0};

	for (int64_t i = 0; i < 100000; i++)
		assert_true(h2_guard_count(&guard, H2_FLOOD_PING, 1, BURST, at_ms(i * 50)));
}

static void test_good_works_forgive_but_are_not_saved_up(void **state)
{
	struct h2_guard guard = {0};

	h2_guard_forgive(&guard, H2_FLOOD_WINDOW_UPDATE, 1000, BURST);
	assert_int_equal(passing(&guard, H2_FLOOD_WINDOW_UPDATE, at_ms(0)), BURST);
	h2_guard_forgive(&guard, H2_FLOOD_WINDOW_UPDATE, 11, BURST);
	assert_int_equal(passing(&guard, H2_FLOOD_WINDOW_UPDATE, at_ms(0)), 10);
}

static void test_each_kind_has_a_name(void **state)
{
	for (enum h2_flood kind = 0; kind < H2_FLOODS; kind++)
		assert_true(strlen(h2_flood_text(kind)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_burst_is_free_and_no_more),
	    cmocka_unit_test(test_kinds_are_counted_apart),
	    cmocka_unit_test(test_time_forgives),
	    cmocka_unit_test(test_a_steady_trickle_passes_for_ever),
	    cmocka_unit_test(test_good_works_forgive_but_are_not_saved_up),
	    cmocka_unit_test(test_each_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
