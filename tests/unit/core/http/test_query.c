/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Queries, by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/query.h"

static void test_parameters(void **state)
{
	static const struct {
		const char *target, *separators, *params; /* "name=value|" each */
	} cases[] = {
	    {"/", "&", ""},
	    {"/?", "&", ""},
	    {"/?&&", "&", ""},
	    {"/?a", "&", "a=|"},
	    {"/?a=1&b=2=3&=4&c=", "&", "a=1|b=2=3|=4|c=|"},
	    {"/?a=1;b=2", "&", "a=1;b=2|"},
	    {"/?a=1;b=2&c", "&;", "a=1|b=2|c=|"},
	    {"/a?b?c=d", "&", "b?c=d|"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span query = http_query_of(span_of(cases[i].target));
		struct http_param param;
		char text[256] = "";
		size_t n = 0;

		while (http_query_next(&query, cases[i].separators, &param))
			n += (size_t)snprintf(text + n, sizeof(text) - n, SPAN_FMT "=" SPAN_FMT "|",
					      SPAN_ARG(param.name), SPAN_ARG(param.value));
		assert_string_equal(text, cases[i].params);
	}
}

static void test_decoding(void **state)
{
	static const struct {
		const char *raw, *text;
	} cases[] = {
	    {"", ""},   {"abc", "abc"}, {"a+b", "a b"},   {"a%2Bb", "a+b"}, {"%61%6a", "aj"},
	    {"%", "%"}, {"%4", "%4"},   {"%zz%", "%zz%"}, {"%2561", "%61"}, {"a%00b", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span text = cases[i].text ? span_of(cases[i].text) : SPAN("a\0b");
		struct span raw = span_of(cases[i].raw);
		char out[64];

		assert_true(http_query_equal(raw, text));
		assert_false(http_query_equal(raw, SPAN("x")));
		assert_true(http_query_same(raw, raw));
		assert_false(http_query_same(raw, SPAN("%78")));
		assert_int_equal(http_query_decode(raw, out), text.n);
		assert_memory_equal(out, text.p, text.n);
		if (text.n > 0)
			assert_false(http_query_equal(raw, (struct span){text.p, text.n - 1}));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_decoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
