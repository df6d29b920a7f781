/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The HTTP/1.1 writer: exact bytes, every too small buffer, and that what was written is read back
 * as the same message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "tests/support/h1_run.h"

/* Writes into exactly `expected`'s length, into less, and into more. */
static void assert_head(const struct http_head *head, bool request, const char *expected)
{
	size_t n = strlen(expected);

	assert_true(h1_head_size(head) >= n);
	for (size_t cap = 0; cap <= n + 1; cap++) {
		char *out = malloc(cap ? cap : 1);
		size_t got = h1_write_head(head, request, out, cap);

		assert_int_equal(got, cap < n ? 0 : n);
		if (got > 0 && memcmp(out, expected, n) != 0)
			fail_msg("expected:\n%s\ngot:\n%.*s", expected, (int)got, out);
		free(out);
	}
}

static void test_request(void **state)
{
	struct http_head head;
	struct arena a;

	arena_init(&a, 10000);
	http_head_init(&head, &a);
	head.method = SPAN("GET");
	head.target = SPAN("/x?y");
	head.authority = SPAN("a.example:8443");
	assert_head(&head, true, "GET /x?y HTTP/1.1\r\nHost: a.example:8443\r\n\r\n");

	/* The writer's own fields are not written twice. */
	http_fields_add(&head.fields, &a, SPAN("A"), SPAN(""));
	http_fields_add(&head.fields, &a, SPAN("hOST"), SPAN("evil"));
	http_fields_add(&head.fields, &a, SPAN("content-length"), SPAN("9"));
	http_fields_add(&head.fields, &a, SPAN("transfer-encoding"), SPAN("chunked"));
	http_fields_add(&head.fields, &a, SPAN("B"), SPAN("c d"));
	head.framing = HTTP_FRAMING_LENGTH;
	head.content_length = UINT64_MAX;
	assert_head(&head, true,
		    "GET /x?y HTTP/1.1\r\nHost: a.example:8443\r\nA: \r\nB: c d\r\n"
		    "Content-Length: 18446744073709551615\r\n\r\n");
	head.framing = HTTP_FRAMING_CHUNKED;
	head.keep_alive = false;
	assert_head(&head, true,
		    "GET /x?y HTTP/1.1\r\nHost: a.example:8443\r\nA: \r\nB: c d\r\n"
		    "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
	/* What is for the next hop alone says so. */
	http_fields_add(&head.fields, &a, SPAN("te"), SPAN("trailers"));
	assert_head(&head, true,
		    "GET /x?y HTTP/1.1\r\nHost: a.example:8443\r\nA: \r\nB: c d\r\n"
		    "te: trailers\r\nConnection: TE\r\n"
		    "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
	arena_fini(&a);
}

static void test_response(void **state)
{
	struct http_head head;
	struct arena a;

	arena_init(&a, 10000);
	http_head_init(&head, &a);
	head.status = 404;
	head.framing = HTTP_FRAMING_LENGTH;
	assert_head(&head, false, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
	head.reason_phrase = SPAN("Gone Fishing");
	head.framing = HTTP_FRAMING_CLOSE;
	http_fields_add(&head.fields, &a, SPAN("Host"), SPAN("means nothing"));
	assert_head(
	    &head, false,
	    "HTTP/1.1 404 Gone Fishing\r\nHost: means nothing\r\nConnection: close\r\n\r\n");
	http_head_init(&head, &a);
	head.status = 799;
	assert_head(&head, false, "HTTP/1.1 799 \r\n\r\n");
	/* The answer to HEAD. */
	head.status = 200;
	head.length_declared = true;
	head.content_length = 123;
	assert_head(&head, false, "HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n");
	arena_fini(&a);
}

static void test_chunk_header(void **state)
{
	static const struct {
		size_t len;
		const char *text;
	} headers[] = {{1, "1\r\n"}, {500, "1f4\r\n"}, {SIZE_MAX, "ffffffffffffffff\r\n"}};

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		char out[20];
		size_t n = h1_write_chunk_header(headers[i].len, out);

		assert_int_equal(n, strlen(headers[i].text));
		assert_memory_equal(out, headers[i].text, n);
	}
}

static void test_last_chunk(void **state)
{
	static const char expected[] = "0\r\nA: b\r\nC: \r\n\r\n";
	struct http_fields trailers = {0};
	struct arena a;
	char out[100];

	arena_init(&a, 10000);
	assert_int_equal(h1_write_last_chunk(NULL, out, 4), 0);
	assert_int_equal(h1_write_last_chunk(NULL, out, 5), 5);
	assert_memory_equal(out, "0\r\n\r\n", 5);
	assert_int_equal(h1_write_last_chunk(&trailers, out, sizeof(out)), 5);
	http_fields_add(&trailers, &a, SPAN("A"), SPAN("b"));
	http_fields_add(&trailers, &a, SPAN("C"), SPAN(""));
	for (size_t cap = 0; cap < sizeof(expected) - 1; cap++)
		assert_int_equal(h1_write_last_chunk(&trailers, out, cap), 0);
	assert_int_equal(h1_write_last_chunk(&trailers, out, sizeof(out)), sizeof(expected) - 1);
	assert_memory_equal(out, expected, sizeof(expected) - 1);
	arena_fini(&a);
}

static void run_whole(struct h1_run *run, enum h1_run_kind kind, const char *wire, size_t len)
{
	struct h1_run_input in = {.kind = kind,
				  .limits = &h1_run_limits,
				  .arena_cap = 1 << 16,
				  .wire = wire,
				  .len = len,
				  .first = len,
				  .step = 1};

	h1_run(run, &in);
	assert_int_equal(run->result, H1_OK);
}

/* Messages that are written exactly as they were read. */
static void test_round_trip(void **state)
{
	static const struct {
		enum h1_run_kind kind;
		const char *wire;
	} messages[] = {
	    {H1_RUN_REQUEST, "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nC: \r\n\r\n"},
	    {H1_RUN_REQUEST, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
	    {H1_RUN_REQUEST, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"},
	    {H1_RUN_REQUEST, "GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
			     "Connection: upgrade\r\n\r\n"},
	    {H1_RUN_REQUEST, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"},
	    {H1_RUN_REQUEST, "POST /x HTTP/1.1\r\nHost: a\r\nA: b\r\n"
			     "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"},
	    {H1_RUN_RESPONSE, "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n"},
	    {H1_RUN_RESPONSE, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"},
	    {H1_RUN_RESPONSE_TO_HEAD, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 7\r\n\r\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct span wire = span_of(messages[i].wire);
		struct h1_run run;
		char out[1000];
		size_t n;

		run_whole(&run, messages[i].kind, wire.p, wire.n);
		http_fields_remove(&run.head.fields, SPAN("Connection"));
		n = h1_write_head(&run.head, messages[i].kind == H1_RUN_REQUEST, out, sizeof(out));
		assert_int_not_equal(n, 0);
		if (run.head.framing == HTTP_FRAMING_CHUNKED) {
			n += h1_write_chunk_header(run.data_len, out + n);
			memcpy(out + n, run.data, run.data_len);
			n += run.data_len;
			memcpy(out + n, "\r\n", 2);
			n += 2;
			n += h1_write_last_chunk(&run.body.trailers, out + n, sizeof(out) - n);
		} else if (run.data_len > 0) {
			memcpy(out + n, run.data, run.data_len);
			n += run.data_len;
		}
		if (n != wire.n || memcmp(out, wire.p, n) != 0)
			fail_msg("read:\n%s\nwritten:\n%.*s", wire.p, (int)n, out);
		h1_run_fini(&run);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_request),      cmocka_unit_test(test_response),
	    cmocka_unit_test(test_chunk_header), cmocka_unit_test(test_last_chunk),
	    cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
