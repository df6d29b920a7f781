/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The text of the Date field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/node/date.h"

static void test_date(void **state)
{
	struct edge_date date = {0};

	/* The example of RFC 9110 section 5.6.7. */
	assert_true(span_equal(edge_date_text(&date, (wall_time){784111777 * INT64_C(1000000000)}),
			       SPAN("Sun, 06 Nov 1994 08:49:37 GMT")));
	assert_true(
	    span_equal(edge_date_text(&date, (wall_time){784111777 * INT64_C(1000000000) + 999}),
		       SPAN("Sun, 06 Nov 1994 08:49:37 GMT")));
	assert_true(span_equal(edge_date_text(&date, (wall_time){784111778 * INT64_C(1000000000)}),
			       SPAN("Sun, 06 Nov 1994 08:49:38 GMT")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
