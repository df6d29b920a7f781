/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Contents of HTTP/1.1 messages: chunks, trailers and ends, each fed whole, byte by byte, and in
 * two pieces split at every place; the outcome must be the same.
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
#include "tests/support/h1_run.h"

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OK "200 OK 1.1 keep chunked {} "

static const struct {
	struct span wire; /* after CHUNKED */
	const char *summary;
} cases[] = {
    {SPAN("0\r\n\r\n"), OK "'' {}"},
    {SPAN("3\r\nabc\r\n0\r\n\r\n"), OK "'abc' {}"},
    {SPAN("3\r\nabc\r\nA\r\n\r\n23456789\r\n0000\r\n\r\n"), OK "'abc\\x0d\\x0a23456789' {}"},
    {SPAN("0000000000000003\r\nabc\r\n0\r\n\r\nnext"), OK "'abc' {}"},
    {SPAN("1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"), OK "'abcdefghijklmnopqrstuvwxyz' {}"},
    {SPAN("1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n"), OK "'abcdefghijklmnopqrstuvwxyz' {}"},

    /* cut short */
    {SPAN(""), "more body"},
    {SPAN("3"), "more body"},
    {SPAN("3\r\nab"), "more body"},
    {SPAN("3\r\nabc\r\n"), "more body"},
    {SPAN("0\r\n"), "more body"},
    {SPAN("0\r\n\r"), "more body"},
    {SPAN("ffffffffffffffff\r\nabc"), "more body"},

    /* size */
    {SPAN("\r\n\r\n"), "body: chunk without a size"},
    {SPAN(" 3\r\nabc\r\n"), "body: chunk without a size"},
    {SPAN("\n3\r\nabc\r\n"), "body: chunk without a size"},
    {SPAN(";x\r\n\r\n"), "body: chunk without a size"},
    {SPAN("-1\r\nabc\r\n"), "body: chunk without a size"},
    {SPAN("+3\r\nabc\r\n"), "body: chunk without a size"},
    {SPAN("0x3\r\nabc\r\n"), "body: malformed chunk size"},
    {SPAN("3_0\r\nabc\r\n"), "body: malformed chunk size"},
    {SPAN("3g\r\nabc\r\n"), "body: malformed chunk size"},
    {SPAN("3\0\r\nabc\r\n"), "body: malformed chunk size"},
    {SPAN("3\x0b\r\nabc\r\n"), "body: malformed chunk size"},
    {SPAN("3 \r\nabc\r\n"), "body: malformed chunk size"},
    {SPAN("3 3\r\nabc\r\n"), "body: malformed chunk size"},
    {SPAN("3\nabc\r\n"), "body: malformed chunk size"},
    {SPAN("3\rabc\r\n"), "body: chunk size does not end with CRLF"},
    {SPAN("3\r\r\nabc\r\n"), "body: chunk size does not end with CRLF"},
    {SPAN("00000000000000003\r\nabc\r\n"), "body: chunk size too large"},
    {SPAN("10000000000000000\r\nabc\r\n"), "body: chunk size too large"},

    /* data */
    {SPAN("3\r\nabcd\r\n0\r\n\r\n"), "body: chunk longer than its size"},
    {SPAN("3\r\nabc\n0\r\n\r\n"), "body: chunk longer than its size"},
    {SPAN("3\r\nabc\r0\r\n\r\n"), "body: chunk does not end with CRLF"},
    {SPAN("3\r\nabc0\r\n\r\n"), "body: chunk longer than its size"},
    {SPAN("4\r\nabc\r\n0\r\n\r\n"), "body: chunk longer than its size"},

    /* extensions */
    {SPAN("3;\r\nabc\r\n0;x\r\n\r\n"), OK "'abc' {}"},
    {SPAN("3;a=b;c=\"d;e\"\r\nabc\r\n0 \t;x=\xff\r\n\r\n"), OK "'abc' {}"},
    {SPAN("3;a \t\r\nabc\r\n0\r\n\r\n"), OK "'abc' {}"},
    {SPAN("3;a\nabc\r\n0\r\n\r\n"), "body: control character in a chunk extension"},
    {SPAN("3;a\0\r\nabc\r\n0\r\n\r\n"), "body: control character in a chunk extension"},
    {SPAN("3;a\rb\r\nabc\r\n0\r\n\r\n"), "body: chunk size does not end with CRLF"},
    {SPAN("3;a=\"\n\"\r\nabc\r\n0\r\n\r\n"), "body: control character in a chunk extension"},

    /* trailers */
    {SPAN("0\r\nA: b\r\nc:\r\n\r\nHTTP"), OK "'' {A=b; c=}"},
    {SPAN("0\r\nServer-Timing: a\r\nTrailing: b\r\nHosts: c\r\nIf: d\r\n\r\n"),
     OK "'' {Server-Timing=a; Trailing=b; Hosts=c; If=d}"},
    {SPAN("0\r\nhost: x\r\nX: 1\r\nConTent-Type: x\r\nIf-None-Match: x\r\nCookie: x\r\n"
	  "TRAILER: x\r\nAuthorization: x\r\nX-Forwarded-For: x\r\nForwarded: x\r\nTE: x\r\n\r\n"),
     OK "'' {X=1}"},
    {SPAN("0\r\nContent-Length: 3\r\n\r\n"), "body: framing in the trailer section"},
    {SPAN("0\r\nTransfer-encoding: chunked\r\n\r\n"), "body: framing in the trailer section"},
    {SPAN("0\r\nA : b\r\n\r\n"), OK "'' {A=b}"},
    {SPAN("0\r\nA b\r\n\r\n"), "body: malformed field name, or a folded line"},
    {SPAN("0\r\n A: b\r\n\r\n"), "body: malformed field name, or a folded line"},
    {SPAN("0\r\nA: b\r\n c\r\n\r\n"), "body: malformed field name, or a folded line"},
    {SPAN("0\r\nA: b\0\r\n\r\n"), "body: control character in a field value"},
    {SPAN("0\r\nA: b\rc\r\n\r\n"), "body: control character in a field value"},
    {SPAN("0\r\nA: b\n\r\n"), "body: trailer line does not end with CRLF"},
    {SPAN("0\r\n\n"), "body: trailer line does not end with CRLF"},
    {SPAN("0\r\nGET / HTTP/1.1\r\n\r\n"), "body: malformed field name, or a folded line"},
};

static void check_wire(const char *wire, size_t len, const struct h1_limits *limits,
		       const char *expected)
{
	struct h1_run_input in = {.kind = H1_RUN_RESPONSE,
				  .limits = limits,
				  .arena_cap = 1 << 16,
				  .wire = wire,
				  .len = len};
	char *report = h1_run_check(&in, expected);

	if (report)
		fail_msg("%s", report);
}

static void test_chunked(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char wire[1000] = CHUNKED;
		size_t n = sizeof(CHUNKED) - 1;

		memcpy(wire + n, cases[i].wire.p, cases[i].wire.n);
		check_wire(wire, n + cases[i].wire.n, &h1_run_limits, cases[i].summary);
	}
}

static void test_trailer_limits(void **state)
{
	struct h1_limits limits = {.head_bytes = sizeof(CHUNKED) - 1, .fields = 2};
	char wire[1000];

	strcpy(wire, CHUNKED "0\r\nA: b\r\nCookie: d\r\n\r\n");
	check_wire(wire, strlen(wire), &limits, OK "'' {A=b}");
	/* Those left out count. */
	strcpy(wire, CHUNKED "0\r\nA: b\r\nCookie: d\r\nE: f\r\n\r\n");
	check_wire(wire, strlen(wire), &limits, "body: too many trailer fields");
	/* As long as the head. */
	snprintf(wire, sizeof(wire), CHUNKED "0\r\nA: %0*d\r\n\r\n", (int)sizeof(CHUNKED) - 1 - 7,
		 0);
	check_wire(wire, strlen(wire), &limits,
		   OK "'' {A=0000000000000000000000000000000000000000}");
	snprintf(wire, sizeof(wire), CHUNKED "0\r\nA: %0*d\r\n\r\n", (int)sizeof(CHUNKED) - 1 - 6,
		 0);
	check_wire(wire, strlen(wire), &limits, "body: trailer section too large");
	snprintf(wire, sizeof(wire), CHUNKED "0\r\nA: %0*d", (int)sizeof(CHUNKED), 0);
	check_wire(wire, strlen(wire), &limits, "body: trailer section too large");
}

/* Of bytes that may be changed, as the decoder wants them; *data is valid until the next call. */
static enum h1_result decode_up_to(struct h1_body *body, const char *wire, size_t len, size_t max,
				   size_t *n, struct span *data)
{
	static char copy[256];

	assert_in_range(len, 0, sizeof(copy));
	memcpy(copy, wire, len);
	return h1_body_decode(body, copy, len, max, n, data);
}

static enum h1_result decode(struct h1_body *body, const char *wire, size_t len, size_t *n,
			     struct span *data)
{
	return decode_up_to(body, wire, len, SIZE_MAX, n, data);
}

/* However much of the content is allowed at a time, all of it comes, and no more than that. */
static void test_no_more_content_than_allowed(void **state)
{
	static const char wire[] = "3\r\nabc\r\n1\r\nd\r\n4;x=y\r\nefgh\r\n0\r\nA: b\r\n\r\nnext";
	struct arena a;

	arena_init(&a, 100000);
	for (size_t max = 1; max < 10; max++) {
		enum h1_result r = H1_MORE;
		struct http_head head;
		struct h1_body body;
		struct span data;
		char got[16];
		size_t at = 0, n, total = 0;

		http_head_init(&head, &a);
		head.framing = HTTP_FRAMING_CHUNKED;
		h1_body_init(&body, &head, &h1_run_limits);
		/* Nothing is allowed: the framing in front of the content is taken. */
		assert_int_equal(decode_up_to(&body, wire, sizeof(wire) - 1, 0, &n, &data),
				 H1_MORE);
		assert_int_equal(data.n, 0);
		at += n;
		while (r == H1_MORE) {
			r = decode_up_to(&body, wire + at, sizeof(wire) - 1 - at, max, &n, &data);
			assert_in_range(data.n, r == H1_OK ? 0 : 1, max);
			memcpy(got + total, data.p, data.n);
			total += data.n;
			at += n;
		}
		assert_int_equal(r, H1_OK);
		assert_int_equal(total, 8);
		assert_memory_equal(got, "abcdefgh", 8);
		assert_string_equal(wire + at, "next");
	}
	arena_fini(&a);
}

/* Bytes of extensions are paid for by content. */
static void test_extensions_are_bounded(void **state)
{
	struct http_head head;
	struct h1_body body;
	struct span data;
	size_t n, total = 0;
	enum h1_result r;

	http_head_init(&head, NULL);
	head.framing = HTTP_FRAMING_CHUNKED;

	/* One endless line. */
	h1_body_init(&body, &head, &h1_run_limits);
	assert_int_equal(decode(&body, "1;", 2, &n, &data), H1_MORE);
	do {
		r = decode(&body, "aaaaaaaaaa", 10, &n, &data);
		total += n;
	} while (r == H1_MORE);
	assert_int_equal(r, H1_BAD);
	assert_int_equal(total, H1_CHUNK_EXTENSIONS_MAX);
	assert_int_equal(decode(&body, "\r\n", 2, &n, &data), H1_BAD);
	assert_int_equal(n, 0);

	/* Many small ones: each chunk of 1 byte pays for 1 of its 9. */
	h1_body_init(&body, &head, &h1_run_limits);
	for (total = 0; total < H1_CHUNK_EXTENSIONS_MAX; total++) {
		static const char chunk[] = "1;1234567\r\nx\r\n";

		r = decode(&body, chunk, sizeof(chunk) - 1, &n, &data);
		if (r == H1_BAD)
			break;
		assert_int_equal(r, H1_MORE);
		assert_int_equal(data.n, 1);
	}
	assert_in_range(total, H1_CHUNK_EXTENSIONS_MAX / 9, H1_CHUNK_EXTENSIONS_MAX / 7);

	/* As large as their chunks: for ever. */
	h1_body_init(&body, &head, &h1_run_limits);
	for (int i = 0; i < 10000; i++) {
		static const char chunk[] = "9;1234567\r\n123456789\r\n";

		assert_int_equal(decode(&body, chunk, sizeof(chunk) - 1, &n, &data), H1_MORE);
		assert_int_equal(data.n, 9);
	}
}

static void test_other_framings(void **state)
{
	static const struct {
		enum http_framing framing;
		uint64_t length;
		size_t taken; /* of "abc" */
		bool close_is_end;
	} framings[] = {
	    {HTTP_FRAMING_NONE, 0, 0, true},    {HTTP_FRAMING_LENGTH, 0, 0, true},
	    {HTTP_FRAMING_LENGTH, 2, 2, true},  {HTTP_FRAMING_LENGTH, 3, 3, true},
	    {HTTP_FRAMING_LENGTH, 4, 3, false}, {HTTP_FRAMING_LENGTH, 1ull << 62, 3, false},
	    {HTTP_FRAMING_CLOSE, 0, 3, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(framings); i++) {
		struct http_head head;
		struct h1_body body;
		struct span data;
		size_t n;

		http_head_init(&head, NULL);
		head.framing = framings[i].framing;
		head.content_length = framings[i].length;
		h1_body_init(&body, &head, &h1_run_limits);
		if (framings[i].taken > 0) {
			assert_int_equal(decode(&body, "", 0, &n, &data), H1_MORE);
			assert_int_equal(n, 0);
			assert_int_equal(h1_body_close_is_end(&body),
					 framings[i].framing == HTTP_FRAMING_CLOSE);
			assert_int_equal(decode(&body, "abc", 3, &n, &data),
					 framings[i].length == framings[i].taken ? H1_OK : H1_MORE);
			assert_int_equal(data.n, framings[i].taken);
			assert_memory_equal(data.p, "abc", data.n);
			assert_int_equal(n, data.n);
		}
		assert_int_equal(h1_body_close_is_end(&body), framings[i].close_is_end);
		if (framings[i].close_is_end && framings[i].framing != HTTP_FRAMING_CLOSE) {
			assert_int_equal(decode(&body, "next", 4, &n, &data), H1_OK);
			assert_int_equal(n, 0);
			assert_int_equal(data.n, 0);
		}
	}
}

/* A close is the end of a chunked body only after the end was seen. */
static void test_close_during_chunks(void **state)
{
	static const char wire[] = "1\r\nx\r\n0\r\nA: b\r\n\r\n";
	struct http_head head;
	struct h1_body body;
	struct arena a;

	arena_init(&a, 10000);
	for (size_t len = 0; len < sizeof(wire); len++) {
		struct span data;
		size_t n;

		http_head_init(&head, &a);
		head.framing = HTTP_FRAMING_CHUNKED;
		h1_body_init(&body, &head, &h1_run_limits);
		assert_int_not_equal(decode(&body, wire, len, &n, &data), H1_BAD);
		assert_int_equal(h1_body_close_is_end(&body), len == sizeof(wire) - 1);
	}
	arena_fini(&a);
}

/* No more at once than is allowed; what needs no leave comes without. */
static void test_content_is_taken_as_allowed(void **state)
{
	static const char wire[] = "3\r\nabc\r\n1;x\r\nd\r\n5\r\nefghi\r\n0\r\nA: b\r\n\r\n";

	for (size_t max = 1; max < 12; max++) {
		char buf[sizeof(wire)], content[16];
		size_t at = 0, got = 0, used;
		struct arena a;
		struct http_head head;
		struct h1_body body;
		struct span data;
		enum h1_result result;

		memcpy(buf, wire, sizeof(wire));
		arena_init(&a, 10000);
		http_head_init(&head, &a);
		head.framing = HTTP_FRAMING_CHUNKED;
		h1_body_init(&body, &head, &h1_run_limits);
		do {
			size_t left = sizeof(wire) - 1 - at;

			result = h1_body_decode(&body, buf + at, left, 0, &used, &data);
			assert_int_equal(data.n, 0);
			at += used;
			if (result == H1_OK)
				break;
			result = h1_body_decode(&body, buf + at, left - used, max, &used, &data);
			assert_true(data.n <= max);
			if (data.n > 0)
				memcpy(content + got, data.p, data.n);
			got += data.n;
			at += used;
		} while (result == H1_MORE);
		assert_int_equal(result, H1_OK);
		assert_int_equal(at, sizeof(wire) - 1);
		assert_int_equal(got, 9);
		assert_memory_equal(content, "abcdefghi", 9);
		assert_int_equal(body.trailers.n, 1);
		arena_fini(&a);
	}
}

static void test_in_trailers(void **state)
{
	char wire[] = "1\r\na\r\n0\r\nA: b";
	struct arena a;
	struct http_head head;
	struct h1_body body;
	struct span data;
	size_t used;

	arena_init(&a, 10000);
	http_head_init(&head, &a);
	head.framing = HTTP_FRAMING_CHUNKED;
	h1_body_init(&body, &head, &h1_run_limits);
	assert_int_equal(h1_body_decode(&body, wire, 6, SIZE_MAX, &used, &data), H1_MORE);
	assert_false(h1_body_in_trailers(&body));
	assert_int_equal(h1_body_decode(&body, wire + 6, 7, SIZE_MAX, &used, &data), H1_MORE);
	assert_int_equal(used, 3);
	assert_true(h1_body_in_trailers(&body));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_chunked),
	    cmocka_unit_test(test_trailer_limits),
	    cmocka_unit_test(test_no_more_content_than_allowed),
	    cmocka_unit_test(test_extensions_are_bounded),
	    cmocka_unit_test(test_other_framings),
	    cmocka_unit_test(test_close_during_chunks),
	    cmocka_unit_test(test_content_is_taken_as_allowed),
	    cmocka_unit_test(test_in_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
