/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Heads of responses from fields of HTTP/2, by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/h2/h2_response.h"

static const struct h1_limits limits = {.head_bytes = 100, .fields = 4};

struct read {
	struct arena arena;
	struct http_head head;
	struct h2_response_parser parser;
	bool ok;
};

/* Lines of "name: value". */
static void read_head(struct read *r, const char *lines, bool answers_head, bool end)
{
	arena_init(&r->arena, 65536);
	http_head_init(&r->head, &r->arena);
	h2_response_init(&r->parser, &r->head, &limits, answers_head, false);
	while (*lines) {
		const char *colon = strchr(lines + 1, ':'), *eol = strchr(lines, '\n');

		h2_response_add(&r->parser, (struct span){lines, (size_t)(colon - lines)},
				(struct span){colon + 2, (size_t)(eol - colon - 2)});
		lines = eol + 1;
	}
	r->ok = h2_response_finish(&r->parser, end);
}

static void test_framing(void **state)
{
	static const struct {
		const char *lines;
		bool answers_head, end;
		enum http_framing framing;
		uint64_t length;
		bool declared;
	} cases[] = {
	    {":status: 200\n", false, false, HTTP_FRAMING_CHUNKED, 0, false},
	    {":status: 200\n", false, true, HTTP_FRAMING_LENGTH, 0, false},
	    {":status: 200\ncontent-length: 12\n", false, false, HTTP_FRAMING_LENGTH, 12, false},
	    {":status: 200\ncontent-length: 0\n", false, true, HTTP_FRAMING_LENGTH, 0, false},
	    {":status: 200\ncontent-length: 12\n", true, true, HTTP_FRAMING_NONE, 12, true},
	    {":status: 304\ncontent-length: 12\n", false, true, HTTP_FRAMING_NONE, 12, true},
	    {":status: 204\n", false, true, HTTP_FRAMING_NONE, 0, false},
	    {":status: 103\n", false, false, HTTP_FRAMING_NONE, 0, false},
	    {":status: 599\n", false, false, HTTP_FRAMING_CHUNKED, 0, false},
	};
	struct read r;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		read_head(&r, cases[i].lines, cases[i].answers_head, cases[i].end);
		assert_true(r.ok);
		assert_int_equal(r.head.framing, cases[i].framing);
		assert_int_equal(r.head.content_length, cases[i].length);
		assert_int_equal(r.head.length_declared, cases[i].declared);
		assert_int_equal(r.head.fields.n, 0);
		arena_fini(&r.arena);
	}
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const char *lines;
		bool end;
		const char *why;
	} cases[] = {
	    {"a: b\n", false, "no status code"},
	    {":status: 20\n", false, "malformed status code"},
	    {":status: 2000\n", false, "malformed status code"},
	    {":status: 099\n", false, "malformed status code"},
	    {":status: 2x0\n", false, "malformed status code"},
	    {":status: 101\n", false, "another protocol, which HTTP/2 has no way to"},
	    {":status: 100\n", true, "it ends with an informational response"},
	    {":status: 200\na b: c\n", false, "a byte that has no place in a field"},
	    {":status: 200\na: b\rc\n", false, "a byte that has no place in a field"},
	    {":status: 200\na: b\x7f\n", false, "a byte that has no place in a field"},
	    {":status: 200\ncontent-length: 1\ncontent-length: 1\n", false,
	     "more than one Content-Length"},
	    {":status: 200\ncontent-length: +1\n", false,
	     "Content-Length is not a number, or too large"},
	    {":status: 200\ncontent-length: 9999999999999999999\n", false,
	     "Content-Length is not a number, or too large"},
	    {":status: 200\ncontent-length: \n", false,
	     "Content-Length is not a number, or too large"},
	    {":status: 200\ncontent-length: 1\n", true, "the content ends before its length"},
	    {":status: 200\na: 1\na: 2\na: 3\na: 4\na: 5\n", false, "too many fields"},
	    {":status: 200\na: 1234567890123456789012345678901234567890123456789012345678901234567"
	     "890123456789012345678901234567890\n",
	     false, "head too large"},
	};
	struct read r;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		read_head(&r, cases[i].lines, false, cases[i].end);
		assert_false(r.ok);
		assert_string_equal(r.parser.why, cases[i].why);
		arena_fini(&r.arena);
	}
}

static void test_values_are_trimmed(void **state)
{
	struct read r;

	read_head(&r, ":status: 200\na:  \tb c \n", false, false);
	assert_true(r.ok);
	assert_true(span_equal(r.head.fields.v[0].value, SPAN("b c")));
	arena_fini(&r.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_framing),
	    cmocka_unit_test(test_what_is_refused),
	    cmocka_unit_test(test_values_are_trimmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
