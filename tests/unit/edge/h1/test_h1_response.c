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

static void append(char *out, const struct edge_h1_pieces *pieces)
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
		struct edge_h1_response r;
		struct edge_h1_pieces pieces;
		char got[1000] = "";

		arena_init(&a, 65536);
		http_head_init(&request, &a);
		request.minor = c->client_minor;
		request.method_id = c->head_request ? HTTP_METHOD_HEAD : HTTP_METHOD_GET;
		http_head_init(&head, &a);
		head.status = 200;
		head.framing = c->framing;
		head.content_length = c->length;
		assert_true(
		    edge_h1_response_start(&r, &head, &request, c->end_at_head, c->keep_alive));
		assert_int_equal(head.keep_alive, c->goes_on);
		for (int b = 0; b < 3 && c->body[b] != NULL; b++) {
			edge_h1_response_body(&r, c->body[b], strlen(c->body[b]),
					      b == 2 || c->body[b + 1] == NULL, &pieces);
			append(got, &pieces);
		}
		edge_h1_response_flush(&r, &pieces);
		append(got, &pieces);
		assert_string_equal(got, c->expected);
		arena_fini(&a);
	}
}

static void test_trailers_and_information(void **state)
{
	struct arena a;
	struct http_head request, head;
	struct edge_h1_response r = {0};
	struct edge_h1_pieces pieces;
	char got[1000] = "";

	arena_init(&a, 65536);
	http_head_init(&request, &a);
	http_head_init(&head, &a);
	head.status = 103;
	assert_true(edge_h1_response_inform(&r, &head, &pieces));
	append(got, &pieces);
	head.status = 200;
	head.framing = HTTP_FRAMING_CHUNKED;
	assert_true(edge_h1_response_start(&r, &head, &request, false, true));
	assert_true(http_fields_add(&head.fields, &a, SPAN("X-Sum"), SPAN("7")));
	assert_true(edge_h1_response_trailers(&r, &head.fields, &a, &pieces));
	append(got, &pieces);
	assert_string_equal(got, "HTTP/1.1 103 Early Hints\r\n\r\n"
				 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				 "0\r\nX-Sum: 7\r\n\r\n");
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_framing),
	    cmocka_unit_test(test_trailers_and_information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
