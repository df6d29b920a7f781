/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The edge's own responses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/exchange/respond.h"

static void test_every_own_response(void **state)
{
	static const int statuses[] = {200, 308, 400, 404, 405, 408, 414, 417,
				       431, 501, 502, 503, 504, 505, 508};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		char status[4];
		struct arena a;
		struct http_head head;
		struct span body;

		arena_init(&a, 65536);
		assert_true(edge_respond(&head, &a, statuses[i], SPAN("today"), &body));
		assert_int_equal(head.status, statuses[i]);
		assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
		assert_int_equal(head.content_length, body.n);
		assert_true(body.n > 0 && body.p[body.n - 1] == '\n');
		snprintf(status, sizeof(status), "%d", statuses[i]);
		if (statuses[i] != 200)
			assert_memory_equal(body.p, status, 3);
		assert_true(head.reason_phrase.n > 0);
		assert_non_null(http_fields_find(&head.fields, SPAN("Date"), NULL));
		assert_int_equal(http_fields_find(&head.fields, SPAN("Retry-After"), NULL) != NULL,
				 statuses[i] == 503);
		assert_int_equal(http_fields_find(&head.fields, SPAN("Allow"), NULL) != NULL,
				 statuses[i] == 405 || statuses[i] == 200);
		arena_fini(&a);
		arena_init(&a, 64);
		assert_false(edge_respond(&head, &a, statuses[i], SPAN("today"), &body));
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_own_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
