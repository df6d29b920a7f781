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

static void check_response(int status)
{
	char number[4];
	struct arena a;
	struct http_head head;
	struct span body;

	arena_init(&a, 65536);
	assert_true(edge_respond(&head, &a, status, SPAN("today"), &body));
	assert_int_equal(head.status, status);
	assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
	assert_int_equal(head.content_length, body.n);
	assert_true(body.n > 0 && body.p[body.n - 1] == '\n');
	snprintf(number, sizeof(number), "%d", status);
	if (status != 200)
		assert_memory_equal(body.p, number, 3);
	assert_true(span_equal(head.reason_phrase, span_of(http_status_text(status))));
	assert_non_null(http_fields_find(&head.fields, SPAN("Date"), NULL));
	assert_int_equal(http_fields_find(&head.fields, SPAN("Retry-After"), NULL) != NULL,
			 status == 503);
	assert_int_equal(http_fields_find(&head.fields, SPAN("Allow"), NULL) != NULL,
			 status == 405 || status == 200);
	arena_fini(&a);
	arena_init(&a, 64);
	assert_false(edge_respond(&head, &a, status, SPAN("today"), &body));
	arena_fini(&a);
}

static void test_every_own_response(void **state)
{
	static const int statuses[] = {200, 308, 400, 404, 405, 408, 414, 417,
				       431, 501, 502, 503, 504, 505, 508};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		check_response(statuses[i]);
		assert_true(http_status_text(statuses[i])[0] != '\0');
	}
}

static void test_status_without_a_row_was_an_abort(void **state)
{
	struct arena a;
	struct http_head head;
	struct span body;

	for (int status = 200; status <= 599; status++) {
		if (!http_status_has_no_content(status))
			check_response(status);
	}
	arena_init(&a, 65536);
	assert_true(edge_respond(&head, &a, 418, SPAN("today"), &body));
	assert_true(span_equal(body, SPAN("418\n")) && head.reason_phrase.n == 0);
	assert_true(edge_respond(&head, &a, 429, SPAN("today"), &body));
	assert_true(span_equal(body, SPAN("429 Too Many Requests\n")));
	assert_true(edge_respond(&head, &a, 404, SPAN("today"), &body));
	assert_true(span_equal(body, SPAN("404 Not Found: no such path is served here\n")));
	arena_fini(&a);
}

static void test_location(void **state)
{
	static const struct {
		const char *authority, *target, *location;
	} cases[] = {
	    {"a.test", "/x?y", "https://a.test/x?y"},
	    {"a.test:8080", "//x/%2f;", "https://a.test//x/%2f;"},
	    {"[2001:db8::1]:80", "*", "https://[2001:db8::1]/"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head request, head;
		struct arena a;

		arena_init(&a, 65536);
		http_head_init(&request, &a);
		http_head_init(&head, &a);
		request.authority = span_of(cases[i].authority);
		request.target = span_of(cases[i].target);
		assert_true(edge_respond_location(&head, &request));
		assert_true(
		    span_equal(http_fields_find(&head.fields, SPAN("Location"), NULL)->value,
			       span_of(cases[i].location)));
		arena_fini(&a);
	}
}

static void test_every_reason_has_a_status(void **state)
{
	for (unsigned r = 0; r < REASON_COUNT; r++)
		assert_in_range(edge_respond_status(r), 400, 599);
	assert_int_equal(edge_respond_status(REASON_CLIENT_MALFORMED), 400);
	assert_int_equal(edge_respond_status(REASON_ORIGIN_MALFORMED), 502);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_own_response),
	    cmocka_unit_test(test_status_without_a_row_was_an_abort),
	    cmocka_unit_test(test_location),
	    cmocka_unit_test(test_every_reason_has_a_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
