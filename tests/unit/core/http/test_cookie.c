/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Cookies of requests, by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/cookie.h"

/* One line for each field, "-" is another field than Cookie. */
static void make(struct http_fields *fields, struct arena *arena, const char *lines)
{
	struct span rest = span_of(lines);

	*fields = (struct http_fields){0};
	while (rest.n > 0) {
		const char *end = memchr(rest.p, '\n', rest.n);
		size_t n = end ? (size_t)(end - rest.p) : rest.n;
		bool other = n > 0 && rest.p[0] == '-';

		assert_true(http_fields_add(fields, arena, other ? SPAN("Other") : SPAN("cookie"),
					    (struct span){rest.p, n}));
		rest.p += n + (end != NULL);
		rest.n -= n + (end != NULL);
	}
}

static void test_find_and_strip(void **state)
{
	static const struct {
		const char *lines, *value, *left; /* value NULL: there is none */
	} cases[] = {
	    {"", NULL, ""},
	    {"a=1", NULL, "a=1\n"},
	    {"s=1", "1", ""},
	    {"s", "", ""},
	    {"a=1; s=2; b=3", "2", "a=1; b=3\n"},
	    {"s=2; a=1", "2", "a=1\n"},
	    {"a=1;s=2;b=3", "2", "a=1; b=3\n"},
	    {"a=1; s=2; s=3", "2", "a=1\n"},
	    {"a=1; S=2; as=3; sa=4; s =5", "5", "a=1; S=2; as=3; sa=4\n"},
	    {"a=s=2; s=x=y", "x=y", "a=s=2\n"},
	    {"-s=9\na=1\ns=2\nb=3; s=4", "2", "-s=9\na=1\nb=3\n"},
	    {"; ;s=1;", "1", ""},
	    {"a=1;;b=2", NULL, "a=1;;b=2\n"},
	    {"a;b;c;s=;d", "", "a; b; c; d\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_fields fields;
		struct arena arena;
		struct span value = SPAN("");
		char left[256] = "";
		size_t n = 0;

		arena_init(&arena, 8192);
		make(&fields, &arena, cases[i].lines);
		assert_int_equal(http_cookie_find(&fields, SPAN("s"), &value),
				 cases[i].value != NULL);
		if (cases[i].value)
			assert_true(span_equal(value, span_of(cases[i].value)));
		assert_true(http_cookie_strip(&fields, &arena, SPAN("s")));
		for (unsigned f = 0; f < fields.n; f++)
			n += (size_t)snprintf(left + n, sizeof(left) - n, SPAN_FMT "\n",
					      SPAN_ARG(fields.v[f].value));
		assert_string_equal(left, cases[i].left);
		arena_fini(&arena);
	}
}

static void test_no_room(void **state)
{
	struct http_fields fields;
	struct arena arena;

	arena_init(&arena, 4096);
	make(&fields, &arena, "a=1; s=2; b=3");
	while (arena_alloc(&arena, 1))
		;
	assert_false(http_cookie_strip(&fields, &arena, SPAN("s")));
	assert_true(http_cookie_strip(&fields, &arena, SPAN("none")));
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find_and_strip),
	    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
