/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which coding a response gets: tables of requests and responses, and how heads change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/filter/coding_choice.h"
#include "edge/filter/encoder.h"

static enum cfg_coding formats[] = {CFG_CODING_ZSTD, CFG_CODING_BR, CFG_CODING_GZIP};
static const char *types[] = {"text/*", "application/json", "application/*+json"};
static const struct cfg_compression on = {
    .enabled = true,
    .formats = formats,
    .n_formats = 3,
    .types = types,
    .n_types = 3,
    .min_size = 100,
};

/* "Name: value\nName: value" */
static void add_fields(struct http_head *head, const char *lines)
{
	while (lines && *lines != '\0') {
		size_t n = strcspn(lines, "\n"), colon = strcspn(lines, ":");

		CHECK(http_fields_add(&head->fields, head->arena, (struct span){lines, colon},
				      (struct span){lines + colon + 2, n - colon - 2}));
		lines += n + (lines[n] == '\n');
	}
}

static struct http_head request_head(struct arena *a, const char *fields)
{
	struct http_head head;

	http_head_init(&head, a);
	head.method_id = HTTP_METHOD_GET;
	add_fields(&head, fields);
	return head;
}

static struct http_head response_head(struct arena *a, const char *fields)
{
	struct http_head head;

	http_head_init(&head, a);
	head.status = 200;
	head.framing = HTTP_FRAMING_LENGTH;
	head.content_length = 1000;
	add_fields(&head, fields);
	return head;
}

/* The coding's name; "" for none. */
static const char *chosen(struct edge_coding_choice choice)
{
	return choice.encode ? edge_coding_name(choice.coding).p : "";
}

static void test_accept_encoding(void **state)
{
	static const struct {
		const char *fields, *coding;
	} cases[] = {
	    {"", ""},
	    {"Accept-Encoding: ", ""},
	    {"Accept-Encoding: identity", ""},
	    {"Accept-Encoding: gzip", "gzip"},
	    {"Accept-Encoding: GZip", "gzip"},
	    {"Accept-Encoding: x-gzip", "gzip"},
	    {"Accept-Encoding: deflate", ""},
	    {"Accept-Encoding: gzip, deflate, br, zstd", "zstd"},
	    {"Accept-Encoding: gzip, deflate, br", "br"},
	    {"Accept-Encoding: gzip\nAccept-Encoding: br", "br"},
	    {"Accept-Encoding: br;q=0.9, gzip;q=1.0", "gzip"},
	    {"Accept-Encoding: br ; q=0.9 , gzip;Q=0.899", "br"},
	    {"Accept-Encoding: br;q=0, gzip;q=0.001", "gzip"},
	    {"Accept-Encoding: br;q=0, gzip;q=0.000", ""},
	    {"Accept-Encoding: *", "zstd"},
	    {"Accept-Encoding: *;q=0", ""},
	    {"Accept-Encoding: zstd;q=0, *;q=0.5", "br"},
	    {"Accept-Encoding: *;q=0.1, gzip;q=0.2", "gzip"},
	    {"Accept-Encoding: gzip, identity;q=0", "gzip"},
	    {"Accept-Encoding: identity;q=0", ""},
	    {"Accept-Encoding: gzip;q=0.5, identity", ""},
	    {"Accept-Encoding: gzip;q=0.5, identity;q=0.5", "gzip"},
	    /* What makes no sense is not there. */
	    {"Accept-Encoding: gzip;q=2", ""},
	    {"Accept-Encoding: gzip;q=1.001", ""},
	    {"Accept-Encoding: gzip;q=0.1234", ""},
	    {"Accept-Encoding: gzip;q=.5", ""},
	    {"Accept-Encoding: gzip;q=-1", ""},
	    {"Accept-Encoding: gzip;q=", ""},
	    {"Accept-Encoding: gzip;x=1", ""},
	    {"Accept-Encoding: gzip;", ""},
	    {"Accept-Encoding: ,,;,q=1,;q=1", ""},
	    {"Accept-Encoding: gzipp, xgzip, \"gzip\"", ""},
	    {"Accept-Encoding: zstd;q=x, br;q=0.5", "br"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head request, response;
		struct edge_coding_choice choice;
		struct arena a;

		arena_init(&a, 65536);
		request = request_head(&a, cases[i].fields);
		response = response_head(&a, "Content-Type: text/html");
		choice = edge_coding_choose(&on, &request, &response, false);
		print_message("%s\n", cases[i].fields);
		assert_string_equal(chosen(choice), cases[i].coding);
		assert_true(choice.varies);
		arena_fini(&a);
	}
}

enum expected { NOTHING, VARIES, ENCODED };

static void expect(const struct cfg_compression *cfg, const struct http_head *request,
		   const struct http_head *response, enum expected expected)
{
	struct edge_coding_choice choice = edge_coding_choose(cfg, request, response, false);

	assert_int_equal(choice.encode, expected == ENCODED);
	assert_int_equal(choice.varies, expected != NOTHING);
}

static void test_what_the_response_is(void **state)
{
	static const struct {
		const char *request, *response;
		enum expected expected;
	} cases[] = {
	    {"", "Content-Type: text/html", ENCODED},
	    {"", "Content-Type: Text/HTML; charset=utf-8", ENCODED},
	    {"", "Content-Type: application/json;charset=utf-8", ENCODED},
	    {"", "Content-Type: application/problem+json", ENCODED},
	    {"", "Content-Type: application/jsonp", NOTHING},
	    {"", "Content-Type: application/+jsonx", NOTHING},
	    {"", "Content-Type: xtext/html", NOTHING},
	    {"", "Content-Type: image/png", NOTHING},
	    {"", "Content-Type: ", NOTHING},
	    {"", "", NOTHING},
	    {"", "Content-Type: text/html\nContent-Type: image/png", NOTHING},
	    /* It is what it is. */
	    {"", "Content-Type: text/html\nContent-Encoding: br", NOTHING},
	    {"", "Content-Type: text/html\nContent-Encoding: identity", NOTHING},
	    {"", "Content-Type: text/html\nContent-Range: bytes 0-9/99", NOTHING},
	    {"", "Content-Type: text/html\nContent-Digest: sha-256=:x=:", NOTHING},
	    {"", "Content-Type: text/html\nRepr-Digest: sha-256=:x=:", NOTHING},
	    {"", "Content-Type: text/html\nContent-MD5: x", NOTHING},
	    {"", "Content-Type: text/html\nCache-Control: max-age=1, No-Transform", NOTHING},
	    {"Cache-Control: no-transform", "Content-Type: text/html", NOTHING},
	    {"", "Content-Type: text/html\nCache-Control: no-transformx", ENCODED},
	    {"", "Content-Type: text/html\nETag: \"x\"", ENCODED},
	    /* Secrets. */
	    {"", "Content-Type: text/html\nSet-Cookie: a=b", VARIES},
	    {"", "Content-Type: text/html\nCache-Control: private", VARIES},
	    {"", "Content-Type: text/html\nCache-Control: private=\"x\", max-age=3", VARIES},
	    {"", "Content-Type: text/html\nCache-Control: no-store", VARIES},
	    {"Cookie: a=b", "Content-Type: text/html", VARIES},
	    {"Authorization: Basic x", "Content-Type: text/html", VARIES},
	    {"Cookie: a=b", "Content-Type: text/css\nCache-Control: public, max-age=9", ENCODED},
	    {"", "Content-Type: text/css\nCache-Control: public\nSet-Cookie: a=b", VARIES},
	};
	struct cfg_compression open = on;

	open.secrets = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum expected expected = cases[i].expected;
		struct http_head request, response;
		struct arena a;

		arena_init(&a, 65536);
		request = request_head(&a, cases[i].request);
		add_fields(&request, "Accept-Encoding: gzip");
		response = response_head(&a, cases[i].response);
		print_message("%s / %s\n", cases[i].request, cases[i].response);
		expect(&on, &request, &response, expected);
		expect(&open, &request, &response, expected == VARIES ? ENCODED : expected);
		response.status = 206;
		expect(&open, &request, &response, NOTHING);
		arena_fini(&a);
	}
}

static void test_framing_and_size(void **state)
{
	static const struct {
		enum http_method method;
		int status;
		enum http_framing framing;
		unsigned length;
		bool declared;
		enum expected expected;
	} cases[] = {
	    {HTTP_METHOD_GET, 200, HTTP_FRAMING_LENGTH, 100, true, ENCODED},
	    {HTTP_METHOD_GET, 200, HTTP_FRAMING_LENGTH, 99, true, NOTHING},
	    {HTTP_METHOD_GET, 200, HTTP_FRAMING_LENGTH, 0, true, NOTHING},
	    {HTTP_METHOD_GET, 404, HTTP_FRAMING_LENGTH, 100, true, ENCODED},
	    {HTTP_METHOD_GET, 500, HTTP_FRAMING_CHUNKED, 0, false, ENCODED},
	    {HTTP_METHOD_POST, 200, HTTP_FRAMING_CHUNKED, 0, false, ENCODED},
	    {HTTP_METHOD_GET, 200, HTTP_FRAMING_CLOSE, 0, false, ENCODED},
	    {HTTP_METHOD_GET, 204, HTTP_FRAMING_NONE, 0, false, NOTHING},
	    {HTTP_METHOD_GET, 101, HTTP_FRAMING_TUNNEL, 0, false, NOTHING},
	    {HTTP_METHOD_HEAD, 200, HTTP_FRAMING_NONE, 100, true, ENCODED},
	    {HTTP_METHOD_HEAD, 200, HTTP_FRAMING_NONE, 99, true, NOTHING},
	    {HTTP_METHOD_HEAD, 200, HTTP_FRAMING_NONE, 0, false, ENCODED},
	    {HTTP_METHOD_HEAD, 204, HTTP_FRAMING_NONE, 0, false, NOTHING},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head request, response;
		struct arena a;

		arena_init(&a, 65536);
		request = request_head(&a, "Accept-Encoding: gzip");
		request.method_id = cases[i].method;
		response = response_head(&a, "Content-Type: text/html");
		response.status = cases[i].status;
		response.framing = cases[i].framing;
		response.content_length = cases[i].length;
		response.length_declared = cases[i].declared;
		print_message("case %zu\n", i);
		expect(&on, &request, &response, cases[i].expected);
		if (cases[i].expected == ENCODED) {
			request.minor = 0;
			expect(&on, &request, &response, VARIES);
		}
		arena_fini(&a);
	}
}

static void print_fields(const struct http_head *head, char text[static 512])
{
	char *p = text;

	*p = '\0';
	for (unsigned i = 0; i < head->fields.n; i++)
		p += sprintf(p, "%s" SPAN_FMT ": " SPAN_FMT, i > 0 ? "\n" : "",
			     SPAN_ARG(head->fields.v[i].name), SPAN_ARG(head->fields.v[i].value));
}

static void test_how_heads_change(void **state)
{
	static const struct {
		struct edge_coding_choice choice;
		const char *before, *after;
	} cases[] = {
	    {{0}, "ETag: \"a\"\nAccept-Ranges: bytes", "ETag: \"a\"\nAccept-Ranges: bytes"},
	    {{.varies = true},
	     "ETag: \"a\"\nAccept-Ranges: bytes",
	     "ETag: \"a\"\nAccept-Ranges: bytes\nVary: Accept-Encoding"},
	    {{.varies = true}, "Vary: Origin, accept-encoding", "Vary: Origin, accept-encoding"},
	    {{.varies = true}, "Vary: *", "Vary: *"},
	    {{.varies = true}, "Vary: Origin", "Vary: Origin, Accept-Encoding"},
	    {{.varies = true, .encode = true, .coding = CFG_CODING_BR},
	     "ETag: \"a\"\nAccept-Ranges: bytes",
	     "ETag: W/\"a\"\nVary: Accept-Encoding\nContent-Encoding: br"},
	    {{.varies = true, .encode = true, .coding = CFG_CODING_GZIP},
	     "ETag: W/\"a\"",
	     "ETag: W/\"a\"\nVary: Accept-Encoding\nContent-Encoding: gzip"},
	    {{.varies = true, .weaken = true},
	     "ETag: \"a\"",
	     "ETag: W/\"a\"\nVary: Accept-Encoding"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head response;
		struct arena a;
		struct edge_coding_choice choice = cases[i].choice;
		char text[512];

		choice.has_content = true;
		arena_init(&a, 65536);
		response = response_head(&a, cases[i].before);
		assert_true(edge_coding_apply(choice, &response));
		print_fields(&response, text);
		assert_string_equal(text, cases[i].after);
		assert_int_equal(response.framing,
				 choice.encode ? HTTP_FRAMING_CHUNKED : HTTP_FRAMING_LENGTH);
		assert_int_equal(response.content_length, choice.encode ? 0 : 1000);
		/* As an answer to HEAD. */
		choice.has_content = false;
		response.framing = HTTP_FRAMING_NONE;
		response.length_declared = true;
		assert_true(edge_coding_apply(choice, &response));
		assert_int_equal(response.framing, HTTP_FRAMING_NONE);
		assert_int_equal(response.length_declared, !choice.encode);
		arena_fini(&a);
	}
}

static void test_no_room_in_the_arena(void **state)
{
	const struct edge_coding_choice choice = {.varies = true, .encode = true};
	struct http_head response;
	struct arena a, none;

	arena_init(&a, 65536);
	arena_init(&none, 0);
	response = response_head(&a, "ETag: \"a\"");
	response.arena = &none;
	response.fields.cap = response.fields.n;
	assert_false(edge_coding_apply(choice, &response));
	arena_fini(&a);
}

static void test_304_has_the_tag_that_the_client_knows(void **state)
{
	static const struct {
		const char *request, *response;
		bool weaken;
	} cases[] = {
	    {"If-None-Match: W/\"a\"", "ETag: \"a\"", true},
	    {"If-None-Match: \"b\", W/\"a\"", "ETag: \"a\"", true},
	    {"If-None-Match: \"a\"", "ETag: \"a\"", false},
	    {"If-None-Match: W/\"a\"", "ETag: W/\"a\"", false},
	    {"If-None-Match: W/\"b\"", "ETag: \"a\"", false},
	    {"If-None-Match: *", "ETag: \"a\"", false},
	    {"If-None-Match: W/\"a\"", "", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_head request, response;
		struct edge_coding_choice choice;
		struct arena a;

		arena_init(&a, 65536);
		request = request_head(&a, cases[i].request);
		response = response_head(&a, cases[i].response);
		response.status = 304;
		response.framing = HTTP_FRAMING_NONE;
		choice = edge_coding_choose(&on, &request, &response, false);
		assert_true(choice.varies && !choice.encode);
		assert_int_equal(choice.weaken, cases[i].weaken);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accept_encoding),
	    cmocka_unit_test(test_what_the_response_is),
	    cmocka_unit_test(test_framing_and_size),
	    cmocka_unit_test(test_how_heads_change),
	    cmocka_unit_test(test_no_room_in_the_arena),
	    cmocka_unit_test(test_304_has_the_tag_that_the_client_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
