/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Server-Timing: milliseconds to three places, behind what the origin says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "edge/exchange/server_timing.h"

static void assert_added(struct edge_timing timing, const char *expected)
{
	const struct http_field *field;
	struct http_head head;
	struct arena a;
	unsigned from = 0;

	arena_init(&a, 4096);
	http_head_init(&head, &a);
	assert_true(http_fields_add(&head.fields, &a, SPAN("Server-Timing"), SPAN("db;dur=3")));
	assert_true(edge_server_timing_add(&head, &timing));
	field = http_fields_find(&head.fields, SPAN("Server-Timing"), &from);
	assert_true(span_equal(field->value, SPAN("db;dur=3")));
	field = http_fields_find(&head.fields, SPAN("Server-Timing"), &from);
	assert_non_null(field);
	assert_int_equal(field->value.n, strlen(expected));
	assert_memory_equal(field->value.p, expected, field->value.n);
	arena_fini(&a);
}

static void test_metrics(void **state)
{
	assert_added((struct edge_timing){.total = DUR_US(1)}, "edge;dur=0.001");
	assert_added((struct edge_timing){.total = DUR_US(12345),
					  .asked = true,
					  .queue = DUR_US(40),
					  .connect = DUR_MS(3),
					  .response = DUR_US(9000)},
		     "edge;dur=12.345, queue;dur=0.040, connect;dur=3.000, origin;dur=9.000");
	/* Clocks of a loop stand still within a turn. */
	assert_added((struct edge_timing){.total = DUR_US(-1)}, "edge;dur=0.000");
}

static void test_bounds(void **state)
{
	const duration longest = {INT64_MAX};
	struct http_head head;
	struct arena a;

	arena_init(&a, 4096);
	http_head_init(&head, &a);
	assert_true(edge_server_timing_add(
	    &head, &(struct edge_timing){longest, true, longest, longest, longest}));
	arena_fini(&a);
	arena_init(&a, 0);
	http_head_init(&head, &a);
	assert_false(edge_server_timing_add(&head, &(struct edge_timing){0}));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_metrics),
	    cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
