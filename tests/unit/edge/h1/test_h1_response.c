/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The framing of responses for HTTP/1.x clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/h1/h1_response.h"

static void append(char *out, const struct h1_pieces *pieces)
{
	size_t total = 0;

	for (int i = 0; i < pieces->n; i++) {
		strncat(out, pieces->v[i].iov_base, pieces->v[i].iov_len);
		total += pieces->v[i].iov_len;
	}
	assert_int_equal(total, pieces->bytes);
}

struct framing_case {
	enum http_framing framing; /* of the origin's response */
	uint64_t length;
	uint8_t client_minor;
	bool head_request, end_at_head, keep_alive;
	const char *body[3]; /* pieces; the last ends it */
	const char *expected;
	bool goes_on;
};

static const struct framing_case framing_cases[] = {
    {HTTP_FRAMING_LENGTH, 5, 1, .keep_alive = true, .body = {"he", "llo"}, .goes_on = true,
     .expected = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
    {HTTP_FRAMING_LENGTH, 5, 1, .body = {"hello"},
     .expected = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
    {HTTP_FRAMING_LENGTH, 5, 0, .keep_alive = true, .body = {"hello"}, .goes_on = true,
     .expected = "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"},
    {HTTP_FRAMING_CHUNKED, 0, 1, .keep_alive = true, .body = {"he", "llo"}, .goes_on = true,
     .expected = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"},
    {HTTP_FRAMING_CHUNKED, 0, 1, .keep_alive = true, .body = {"he", ""}, .goes_on = true,
     .expected = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n\r\n"},
    {HTTP_FRAMING_CLOSE, 0, 1, .keep_alive = true, .body = {"hello"}, .goes_on = true,
     .expected = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
    {HTTP_FRAMING_CHUNKED, 0, 0, .keep_alive = true, .body = {"he", "llo"}, .goes_on = false,
     .expected = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"},
    {HTTP_FRAMING_CHUNKED, 0, 1, .keep_alive = true, .end_at_head = true, .goes_on = true,
     .expected = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {HTTP_FRAMING_CHUNKED, 0, 1, .keep_alive = true, .head_request = true, .end_at_head = true,
     .goes_on = true, .expected = "HTTP/1.1 200 OK\r\n\r\n"},
    {HTTP_FRAMING_LENGTH, 9, 1, .keep_alive = true, .head_request = true, .body = {"dropped"},
     .goes_on = true, .expected = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"},
    {HTTP_FRAMING_NONE, 0, 1, .keep_alive = true, .end_at_head = true, .goes_on = true,
     .expected = "HTTP/1.1 200 OK\r\n\r\n"},
};

static void test_framing(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(framing_cases); i++) {
		const struct framing_case *c = &framing_cases[i];
		struct arena a;
		struct http_head request, head;
		struct h1_response r;
		struct h1_pieces pieces;
		char got[1000] = "";
		size_t n;

		arena_init(&a, 65536);
		http_head_init(&request, &a);
		request.minor = c->client_minor;
		request.method_id = c->head_request ? HTTP_METHOD_HEAD : HTTP_METHOD_GET;
		http_head_init(&head, &a);
		head.status = 200;
		head.framing = c->framing;
		head.content_length = c->length;
		assert_true(h1_response_start(&r, &head, &request, c->end_at_head, c->keep_alive));
		assert_int_equal(head.keep_alive, c->goes_on);
		n = h1_write_head(&head, false, got, sizeof(got) - 1);
		assert_true(n > 0);
		got[n] = '\0';
		for (int b = 0; b < 3 && c->body[b] != NULL; b++) {
			h1_response_body(&r, c->body[b], strlen(c->body[b]),
					 b == 2 || c->body[b + 1] == NULL, &pieces);
			append(got, &pieces);
		}
		assert_string_equal(got, c->expected);
		arena_fini(&a);
	}
}

static void test_who_takes_trailers(void **state)
{
	static const struct {
		enum http_framing framing;
		uint8_t client_minor;
		bool head_request, takes;
	} cases[] = {
	    {HTTP_FRAMING_CHUNKED, 1, false, true}, {HTTP_FRAMING_CLOSE, 1, false, true},
	    {HTTP_FRAMING_LENGTH, 1, false, false}, {HTTP_FRAMING_CHUNKED, 0, false, false},
	    {HTTP_FRAMING_CHUNKED, 1, true, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head request, head;
		struct h1_response r;
		struct arena a;

		arena_init(&a, 65536);
		http_head_init(&request, &a);
		request.minor = cases[i].client_minor;
		request.method_id = cases[i].head_request ? HTTP_METHOD_HEAD : HTTP_METHOD_GET;
		http_head_init(&head, &a);
		head.status = 200;
		head.framing = cases[i].framing;
		assert_true(h1_response_start(&r, &head, &request, false, true));
		assert_int_equal(h1_response_takes_trailers(&r), cases[i].takes);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_framing),
	    cmocka_unit_test(test_who_takes_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
