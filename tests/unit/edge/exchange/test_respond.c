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
#include "edge/route/content.h"

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
	assert_true(edge_respond(&head, &a, 410, SPAN("today"), &body));
	assert_true(span_equal(body, SPAN("410 Gone\n")));
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

static const struct http_field *field_of(const struct http_head *head, const char *name)
{
	return http_fields_find(&head->fields, span_of(name), NULL);
}

static void test_content_and_whether_it_changed(void **state)
{
	struct edge_content content = edge_content_of(NULL, "hello", NULL, "text/x");
	char weak[64], list[64];
	const struct {
		const char *named;
		int status;
	} cases[] = {
	    {NULL, 200}, {"\"x\"", 200}, {"hello", 200},    {content.etag, 304},
	    {weak, 304}, {list, 304},    {"\"x\", *", 304}, {"W/", 200},
	};

	snprintf(weak, sizeof(weak), "W/%s", content.etag);
	snprintf(list, sizeof(list), "\"a\" , %s,", content.etag);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head request, head;
		struct arena a;

		arena_init(&a, 65536);
		http_head_init(&request, &a);
		if (cases[i].named)
			http_fields_add(&request.fields, &a, SPAN("if-none-match"),
					span_of(cases[i].named));
		assert_true(edge_respond_content(&head, &a, 200, SPAN("today"), &content));
		assert_true(span_equal(field_of(&head, "Content-Type")->value, SPAN("text/x")));
		assert_int_equal(head.content_length, 5);
		assert_int_equal(edge_respond_unchanged(&head, &request), cases[i].status == 304);
		assert_int_equal(head.status, cases[i].status);
		assert_true(span_equal(field_of(&head, "ETag")->value, span_of(content.etag)));
		assert_int_equal(field_of(&head, "Content-Type") != NULL, cases[i].status == 200);
		arena_fini(&a);
	}
}

static void test_content_of_another_status(void **state)
{
	struct edge_content content = edge_content_of(NULL, "", NULL, "");
	struct http_head request, head;
	struct arena a;

	arena_init(&a, 65536);
	http_head_init(&request, &a);
	http_fields_add(&request.fields, &a, SPAN("If-None-Match"), SPAN("*"));
	assert_true(edge_respond_content(&head, &a, 204, SPAN("today"), &content));
	assert_int_equal(head.framing, HTTP_FRAMING_NONE);
	assert_null(field_of(&head, "ETag"));
	assert_null(field_of(&head, "Content-Type"));
	assert_false(edge_respond_unchanged(&head, &request));
	assert_true(span_equal(field_of(&head, "Cache-Control")->value, SPAN("no-store")));
	arena_fini(&a);
}

static void test_page_in_place_of_content(void **state)
{
	static const char *const gone[] = {"Content-Encoding", "ETag", "content-range", "Trailer"};
	struct edge_content page = edge_content_of(NULL, "sorry", NULL, "text/html");
	struct http_head head;
	struct arena a;

	arena_init(&a, 65536);
	http_head_init(&head, &a);
	head.status = 500;
	head.framing = HTTP_FRAMING_CHUNKED;
	http_fields_add(&head.fields, &a, SPAN("X-Own"), SPAN("1"));
	http_fields_add(&head.fields, &a, SPAN("content-type"), SPAN("text/plain"));
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		http_fields_add(&head.fields, &a, span_of(gone[i]), SPAN("x"));
	assert_true(edge_respond_page(&head, &page));
	assert_int_equal(head.framing, HTTP_FRAMING_LENGTH);
	assert_int_equal(head.content_length, 5);
	assert_int_equal(head.fields.n, 2);
	assert_non_null(field_of(&head, "X-Own"));
	assert_true(span_equal(field_of(&head, "Content-Type")->value, SPAN("text/html")));
	arena_fini(&a);
}

static void test_redirect(void **state)
{
	struct http_head head;
	struct span body;
	struct arena a;

	arena_init(&a, 65536);
	assert_true(edge_respond_redirect(&head, &a, 302, SPAN("today"), SPAN("/x"), &body));
	assert_int_equal(head.status, 302);
	assert_true(span_equal(field_of(&head, "Location")->value, SPAN("/x")));
	assert_true(span_equal(body, SPAN("302 Found\n")));
	assert_int_equal(head.content_length, body.n);
	assert_null(field_of(&head, "Cache-Control"));
	arena_fini(&a);
	arena_init(&a, 64);
	assert_false(edge_respond_redirect(&head, &a, 302, SPAN("today"), SPAN("/x"), &body));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_own_response),
	    cmocka_unit_test(test_status_without_a_row_was_an_abort),
	    cmocka_unit_test(test_location),
	    cmocka_unit_test(test_every_reason_has_a_status),
	    cmocka_unit_test(test_content_and_whether_it_changed),
	    cmocka_unit_test(test_content_of_another_status),
	    cmocka_unit_test(test_page_in_place_of_content),
	    cmocka_unit_test(test_redirect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
