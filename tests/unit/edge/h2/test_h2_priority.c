/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Priorities: what clients say, and who waits for whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/h2/h2_priority.h"

static void test_urgencies(void **state)
{
	static const struct {
		struct span value;
		unsigned urgency;
	} cases[] = {
	    {SPAN(""), 3},         {SPAN("u=0"), 0},        {SPAN("u=7, i"), 7},
	    {SPAN("i, u=1"), 1},   {SPAN("u=5;x=1, i"), 5}, {SPAN("u=1, u=2"), 2},
	    {SPAN("i"), 3},        {SPAN("u=8"), 3},        {SPAN("u=-1"), 3},
	    {SPAN("u=10"), 3},     {SPAN("u=1.5"), 3},      {SPAN("u=\"1\""), 3},
	    {SPAN("u=?1"), 3},     {SPAN("u"), 3},          {SPAN("u="), 3},
	    {SPAN("x=1, y=2"), 3}, {SPAN(",,u=2,,"), 2},    {SPAN("U=1"), 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(h2_priority_urgency(cases[i].value, H2_URGENCY_DEFAULT),
				 cases[i].urgency);
	assert_int_equal(h2_priority_urgency(SPAN("i"), 6), 6);
}

static void test_incremental(void **state)
{
	static const struct {
		struct span value;
		bool incremental;
	} cases[] = {
	    {SPAN(""), false},    {SPAN("i"), true},        {SPAN("u=7, i"), true},
	    {SPAN("i=?1"), true}, {SPAN("i, i=?0"), false}, {SPAN("i=1"), false},
	    {SPAN("u=1"), false}, {SPAN("ii"), false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(h2_priority_is_incremental(cases[i].value), cases[i].incremental);
}

static void test_the_less_urgent_waits_while_the_more_urgent_flows(void **state)
{
	struct h2_priorities p = {0};
	mono_time now = {1000000000};

	assert_false(h2_priority_waits(&p, 7, H2_PRIORITY_FLOWS, now));
	p.n[2] = 1;
	p.flowed[2] = now;
	assert_true(h2_priority_waits(&p, 3, H2_PRIORITY_FLOWS, now));
	assert_true(h2_priority_waits(&p, 7, H2_PRIORITY_FLOWS, now));
	assert_false(h2_priority_waits(&p, 2, H2_PRIORITY_FLOWS, now));
	assert_false(h2_priority_waits(&p, 0, H2_PRIORITY_FLOWS, now));
	/* One whose origin says nothing holds nobody up. */
	assert_false(h2_priority_waits(&p, 7, H2_PRIORITY_FLOWS, mono_add(now, H2_PRIORITY_FLOWS)));
	assert_false(h2_priority_waits(&p, 7, H2_PRIORITY_ASKS, mono_add(now, H2_PRIORITY_ASKS)));
	p.n[2] = 0;
	assert_false(h2_priority_waits(&p, 7, H2_PRIORITY_FLOWS, now));
}

static void test_one_that_need_not_wait_is_found_among_those_that_do(void **state)
{
	struct h2_priorities p = {0};
	mono_time now = {1000000000};

	assert_false(h2_priority_may_go(&p, 0, H2_PRIORITY_ASKS, now));
	assert_true(h2_priority_may_go(&p, 1U << 7, H2_PRIORITY_ASKS, now));
	p.n[2] = 1;
	p.flowed[2] = now;
	assert_false(h2_priority_may_go(&p, 0, H2_PRIORITY_ASKS, now));
	assert_false(h2_priority_may_go(&p, 1U << 3 | 1U << 7, H2_PRIORITY_ASKS, now));
	assert_true(h2_priority_may_go(&p, 1U << 2 | 1U << 7, H2_PRIORITY_ASKS, now));
	assert_true(h2_priority_may_go(&p, 1U << 0 | 1U << 7, H2_PRIORITY_ASKS, now));
	assert_true(
	    h2_priority_may_go(&p, 1U << 7, H2_PRIORITY_ASKS, mono_add(now, H2_PRIORITY_ASKS)));
	p.n[2] = 0;
	assert_true(h2_priority_may_go(&p, 1U << 7, H2_PRIORITY_ASKS, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_urgencies),
	    cmocka_unit_test(test_incremental),
	    cmocka_unit_test(test_the_less_urgent_waits_while_the_more_urgent_flows),
	    cmocka_unit_test(test_one_that_need_not_wait_is_found_among_those_that_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
