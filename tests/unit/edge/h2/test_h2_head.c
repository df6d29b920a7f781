/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Header sections of HTTP/2 as heads: what becomes of them, and what is refused. Each case is its
 * fields, "name: value" by lines; a pseudo-header field keeps its colon in front.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/h2_fields.h"
#include "edge/h2/h2_head.h"

#define GET ":method: GET\n:scheme: https\n:path: /\n:authority: a.example\n"
#define POST ":method: POST\n:scheme: https\n:path: /\n:authority: a.example\n"
#define CONNECT ":method: CONNECT\n:scheme: https\n:path: /chat\n:authority: a.example\n"

static const struct h1_limits limits = {.head_bytes = 4096, .fields = 10, .target_bytes = 64};

struct read {
	struct arena arena;
	struct http_head head;
	struct h2_head_parser parser;
	enum h2_verdict verdict;
};

static void add_lines(struct h2_head_parser *p, const char *text)
{
	while (*text != '\0') {
		const char *colon = strchr(text + 1, ':'), *end = strchr(text, '\n');

		h2_head_add(p, (struct span){text, (size_t)(colon - text)},
			    (struct span){colon + 2, (size_t)(end - colon - 2)});
		text = end + 1;
	}
}

static void begin(struct read *r)
{
	arena_init(&r->arena, 65536);
	http_head_init(&r->head, &r->arena);
	h2_head_init(&r->parser, &r->head, &limits);
}

static void read_head(struct read *r, const char *text, bool end)
{
	begin(r);
	add_lines(&r->parser, text);
	r->verdict = h2_head_finish(&r->parser, end);
}

static void test_verdicts(void **state)
{
	static const struct {
		const char *text;
		bool open; /* content follows */
		enum h2_verdict verdict;
		int status;
	} cases[] = {
	    {.text = GET},
	    {.text = GET "accept: */*\nx: \n"},
	    {.text = GET "host: a.example\n"},
	    {.text = GET "host: A.EXAMPLE\n"},
	    {.text = ":method: GET\n:scheme: https\n:path: /\nhost: a.example:443\n"},
	    {.text = ":method: OPTIONS\n:scheme: https\n:path: *\n:authority: a.example\n"},
	    {.text = ":method: GET\n:scheme: http\n:path: /?a=\"b\"\n:authority: [::1]:80\n"},
	    {.text = POST "content-length: 5\n", true},
	    {.text = POST "content-length: 0\n"},
	    {.text = GET "expect: 100-continue\n", true},
	    /* the request line that it will be */
	    {.text = ":method: GET x\n:scheme: https\n:path: /\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: G\rT\n:scheme: https\n:path: /\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: / HTTP/1.1\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: /\ta\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: /#a\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: /\xc3\xa4\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: a\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: http://b/\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: \n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: *\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: ftp\n:path: /\n:authority: a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:authority: a\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = ":scheme: https\n:path: /\n:authority: a\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET ":version: HTTP/1.1\n", .verdict = H2_HEAD_MALFORMED},
	    /* whom it is for */
	    {.text = ":method: GET\n:scheme: https\n:path: /\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: /\n:authority: u@a\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: /\n:authority: a b\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = ":method: GET\n:scheme: https\n:path: /\n:authority: a:99999\n",
	     .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "host: b.example\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "host: a.example:8443\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "host: a.example\nhost: a.example\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "host: a/b\n", .verdict = H2_HEAD_MALFORMED},
	    /* fields */
	    {.text = GET "x: a\rSet-Cookie: b\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "x: a\x01\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "x: a\x7f\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "x y: a\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "x\t: a\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = GET "http2-settings: AAMAAABk\n", .verdict = H2_HEAD_MALFORMED},
	    /* the content */
	    {.text = POST "content-length: 5\n", .verdict = H2_HEAD_MALFORMED},
	    {.text = POST "content-length: 5\ncontent-length: 5\n", true, H2_HEAD_MALFORMED},
	    {.text = POST "content-length: 5, 5\n", true, H2_HEAD_MALFORMED},
	    {.text = POST "content-length: +5\n", true, H2_HEAD_MALFORMED},
	    {.text = POST "content-length: 0x5\n", true, H2_HEAD_MALFORMED},
	    {.text = POST "content-length: \n", true, H2_HEAD_MALFORMED},
	    {.text = POST "content-length: 9223372036854775808\n", true, H2_HEAD_MALFORMED},
	    {.text = POST "expect: magic\n", true, H2_HEAD_REFUSED, 417},
	    /* limits */
	    {.text = ":method: GET\n:scheme: https\n:authority: a\n:path: "
		     "/0123456789012345678901234567890123456789012345678901234567890123\n",
	     .verdict = H2_HEAD_REFUSED,
	     .status = 414},
	    {.text = GET "a: 1\na: 2\na: 3\na: 4\na: 5\na: 6\na: 7\na: 8\na: 9\na: 10\n"},
	    {.text = GET "a: 1\na: 2\na: 3\na: 4\na: 5\na: 6\na: 7\na: 8\na: 9\na: 10\na: 11\n",
	     .verdict = H2_HEAD_REFUSED,
	     .status = 431},
	    /* tunnels */
	    {.text = ":method: CONNECT\n:authority: a.example:443\n", true},
	    {.text = ":method: CONNECT\n:authority: a.example\n", true, H2_HEAD_MALFORMED},
	    {.text = CONNECT ":protocol: websocket\n", true},
	    {.text = CONNECT ":protocol: websocket\ncontent-length: 5\n", true, H2_HEAD_MALFORMED},
	    {.text = CONNECT ":protocol: connect-udp\n", true, H2_HEAD_REFUSED, 501},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct read r;

		read_head(&r, cases[i].text, !cases[i].open);
		if (r.verdict != cases[i].verdict)
			print_error("case %zu: %s\n%s", i, r.parser.why ? r.parser.why : "taken",
				    cases[i].text);
		assert_int_equal(r.verdict, cases[i].verdict);
		if (r.verdict == H2_HEAD_REFUSED)
			assert_int_equal(r.parser.status, cases[i].status);
		assert_int_equal(r.parser.why != NULL, r.verdict != H2_HEAD_OK);
		arena_fini(&r.arena);
	}
}

static void test_framings(void **state)
{
	static const struct {
		const char *text;
		bool end;
		enum http_framing framing;
		uint64_t length;
		bool waits;
	} cases[] = {
	    {.text = GET, true, HTTP_FRAMING_NONE},
	    {.text = GET, false, HTTP_FRAMING_CHUNKED},
	    {.text = GET "content-length: 0\n", true, HTTP_FRAMING_LENGTH},
	    /* An HTTP/1.1 origin may ask where its length is (411). */
	    {.text = POST, true, HTTP_FRAMING_LENGTH},
	    {.text = POST, false, HTTP_FRAMING_CHUNKED},
	    {.text = POST "content-length: 7\n", false, HTTP_FRAMING_LENGTH, 7},
	    {.text = POST "expect: 100-continue\n", false, HTTP_FRAMING_CHUNKED, 0, true},
	    {.text = POST "expect: 100-continue\n", true, HTTP_FRAMING_LENGTH, 0, false},
	    {.text = CONNECT ":protocol: websocket\n", false, HTTP_FRAMING_TUNNEL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct read r;

		read_head(&r, cases[i].text, cases[i].end);
		assert_int_equal(r.verdict, H2_HEAD_OK);
		assert_int_equal(r.head.framing, cases[i].framing);
		assert_int_equal(r.head.content_length, cases[i].length);
		assert_int_equal(r.head.expect_continue, cases[i].waits);
		assert_null(http_fields_find(&r.head.fields, SPAN("content-length"), NULL));
		arena_fini(&r.arena);
	}
}

static void test_crumbs_of_cookies_are_joined(void **state)
{
	const struct http_field *cookie;
	unsigned from = 0;
	struct read r;

	read_head(&r, GET "cookie: a=1\nx: 1\ncookie: b=2\ncookie: c\ny: 2\n", true);
	assert_int_equal(r.verdict, H2_HEAD_OK);
	assert_int_equal(r.head.fields.n, 3);
	cookie = http_fields_find(&r.head.fields, SPAN("Cookie"), &from);
	assert_true(span_equal(cookie->value, SPAN("a=1; b=2; c")));
	assert_null(http_fields_find(&r.head.fields, SPAN("Cookie"), &from));
	assert_non_null(http_fields_find(&r.head.fields, SPAN("X"), NULL));
	assert_non_null(http_fields_find(&r.head.fields, SPAN("Y"), NULL));
	arena_fini(&r.arena);
}

static void test_websocket_is_asked_for_as_http1_does(void **state)
{
	const struct http_field *upgrade;
	struct read r;

	read_head(&r, CONNECT ":protocol: websocket\nsec-websocket-key: mine\norigin: o\n", false);
	assert_int_equal(r.verdict, H2_HEAD_OK);
	assert_true(h2_head_is_websocket(&r.parser));
	assert_int_equal(r.head.method_id, HTTP_METHOD_GET);
	assert_true(span_equal(r.head.method, SPAN("GET")));
	assert_true(span_equal(r.head.target, SPAN("/chat")));
	upgrade = http_fields_find(&r.head.fields, SPAN("Upgrade"), NULL);
	assert_non_null(upgrade);
	assert_true(span_equal(upgrade->value, SPAN("websocket")));
	assert_null(http_fields_find(&r.head.fields, SPAN("Sec-WebSocket-Key"), NULL));
	arena_fini(&r.arena);
}

static void test_the_port_of_an_authority_may_be_empty(void **state)
{
	struct read r;

	read_head(&r, ":method: GET\n:scheme: https\n:path: /\n:authority: a:\nhost: a\n", true);
	assert_int_equal(r.verdict, H2_HEAD_OK);
	assert_true(span_equal(r.head.authority, SPAN("a")));
	arena_fini(&r.arena);
}

static void test_a_head_that_is_too_large_is_refused_and_counted_on(void **state)
{
	char value[1000];
	struct read r;

	memset(value, 'x', sizeof(value));
	begin(&r);
	add_lines(&r.parser, GET);
	for (int i = 0; i < 8; i++)
		h2_head_add(&r.parser, SPAN("x"), (struct span){value, sizeof(value)});
	assert_int_equal(h2_head_finish(&r.parser, true), H2_HEAD_REFUSED);
	assert_int_equal(r.parser.status, 431);
	assert_true(r.parser.bytes > 8000);
	assert_true(r.head.fields.n < 5);
	arena_fini(&r.arena);
}

static void test_no_memory_is_too_large(void **state)
{
	struct read r;

	arena_init(&r.arena, 0);
	http_head_init(&r.head, &r.arena);
	h2_head_init(&r.parser, &r.head, &limits);
	add_lines(&r.parser, GET "x: 1\n");
	assert_int_equal(h2_head_finish(&r.parser, true), H2_HEAD_REFUSED);
	assert_int_equal(r.parser.status, 431);
	arena_fini(&r.arena);
}

static void test_trailers(void **state)
{
	static const struct {
		struct span name, value;
		bool ok;
		unsigned kept;
	} cases[] = {
	    {SPAN("grpc-status"), SPAN("0"), true, 1},
	    {SPAN("x"), SPAN(""), true, 1},
	    /* left out: no place for it there */
	    {SPAN("host"), SPAN("evil"), true, 0},
	    {SPAN("authorization"), SPAN("x"), true, 0},
	    /* malformed */
	    {SPAN(":path"), SPAN("/"), false, 0},
	    {SPAN("content-length"), SPAN("1"), false, 0},
	    {SPAN("x"), SPAN("a\r\nb: c"), false, 0},
	    {SPAN("x y"), SPAN("a"), false, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_fields trailers = {0};
		struct arena arena;
		size_t bytes = 0;

		arena_init(&arena, 4096);
		assert_int_equal(h2_trailer_add(&trailers, &arena, &limits, &bytes, cases[i].name,
						cases[i].value),
				 cases[i].ok);
		assert_int_equal(trailers.n, cases[i].kept);
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_framings),
	    cmocka_unit_test(test_crumbs_of_cookies_are_joined),
	    cmocka_unit_test(test_websocket_is_asked_for_as_http1_does),
	    cmocka_unit_test(test_the_port_of_an_authority_may_be_empty),
	    cmocka_unit_test(test_a_head_that_is_too_large_is_refused_and_counted_on),
	    cmocka_unit_test(test_no_memory_is_too_large),
	    cmocka_unit_test(test_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
