/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * gRPC: what is taken for it, how long its clients wait, and what they are told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/terms/grpc.h"

static struct http_head request(struct arena *a, const char *name, const char *value)
{
	struct http_head head;

	http_head_init(&head, a);
	head.method_id = HTTP_METHOD_POST;
	assert_true(http_fields_add(&head.fields, a, span_of(name), span_of(value)));
	return head;
}

static void test_what_is_grpc(void **state)
{
	static const struct {
		const char *type;
		bool is_grpc;
	} cases[] = {
	    {"application/grpc", true},
	    {"application/grpc+proto", true},
	    {"Application/GRPC;x=1", true},
	    {"application/grpc-web", false},
	    {"application/grp", false},
	    {"application/json", false},
	    {"", false},
	};
	struct arena a;

	arena_init(&a, 65536);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head head = request(&a, "content-type", cases[i].type);

		if (edge_grpc_is(&head) != cases[i].is_grpc)
			fail_msg("%s", cases[i].type);
		head.method_id = HTTP_METHOD_GET;
		assert_false(edge_grpc_is(&head));
	}
	arena_fini(&a);
}

static void test_timeouts(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: none */
	} cases[] = {
	    {"1H", INT64_C(3600000000000)},
	    {"2M", INT64_C(120000000000)},
	    {"3S", INT64_C(3000000000)},
	    {"250m", INT64_C(250000000)},
	    {"7u", 7000},
	    {"99999999n", 99999999},
	    {"0S", 0},
	    {"99999999H", -1},
	    {"123456789n", -1},
	    {"S", -1},
	    {"1", -1},
	    {"1s", -1},
	    {"-1S", -1},
	    {"1.5S", -1},
	    {"", -1},
	};
	struct arena a;

	arena_init(&a, 65536);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head head = request(&a, "Grpc-Timeout", cases[i].text);
		duration d = DUR_NS(-1);

		edge_grpc_timeout(&head, &d);
		if (d.ns != cases[i].ns)
			fail_msg("%s: %lld", cases[i].text, (long long)d.ns);
	}
	arena_fini(&a);
}

static void test_statuses(void **state)
{
	static const struct {
		int http;
		enum reason reason;
		int grpc;
	} cases[] = {
	    {400, REASON_CLIENT_MALFORMED, 13},
	    {401, REASON_DONE, 16},
	    {403, REASON_DONE, 7},
	    {404, REASON_DONE, 12},
	    {413, REASON_CLIENT_CONTENT_LIMIT, 8},
	    {429, REASON_LIMIT, 14},
	    {502, REASON_ORIGIN_RESET, 14},
	    {503, REASON_ORIGIN_ALL_DOWN, 14},
	    {504, REASON_ORIGIN_HEAD_TIMEOUT, 14},
	    {504, REASON_EDGE_DEADLINE, 4},
	    {418, REASON_DONE, 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(edge_grpc_status(cases[i].http, cases[i].reason), cases[i].grpc);
}

static void test_response_is_all_head(void **state)
{
	const struct http_field *field;
	struct http_head head;
	struct arena a, none;

	arena_init(&a, 65536);
	arena_init(&none, 0);
	assert_true(edge_grpc_respond(&head, &a, 502, REASON_ORIGIN_CONNECT_REFUSED));
	assert_int_equal(head.status, 200);
	assert_int_equal(head.content_length, 0);
	field = http_fields_find(&head.fields, SPAN("grpc-status"), NULL);
	assert_true(field && span_equal(field->value, SPAN("14")));
	field = http_fields_find(&head.fields, SPAN("grpc-message"), NULL);
	assert_true(field && span_equal(field->value, SPAN("origin-connect-refused")));
	assert_true(edge_grpc_respond(&head, &a, 404, REASON_DONE));
	field = http_fields_find(&head.fields, SPAN("grpc-message"), NULL);
	assert_true(field && span_equal(field->value, SPAN("404 Not Found")));
	assert_false(edge_grpc_respond(&head, &none, 404, REASON_DONE));
	arena_fini(&a);
	arena_fini(&none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_grpc),
	    cmocka_unit_test(test_timeouts),
	    cmocka_unit_test(test_statuses),
	    cmocka_unit_test(test_response_is_all_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
