/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules over fields, by table: fields in, fields out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/rules/field_rules.h"

/* clang-format off */
#define SET(name, value) {{name, sizeof(name) - 1}, FIELD_SET, {value, sizeof(value) - 1}}
#define ADD(name, value) {{name, sizeof(name) - 1}, FIELD_ADD, {value, sizeof(value) - 1}}
#define REMOVE(name) {{name, sizeof(name) - 1}, FIELD_REMOVE, {NULL, 0}}
/* clang-format on */

/* "Name: value" lines to fields and back. */
static void add_lines(struct http_fields *fields, struct arena *a, const char *lines)
{
	while (*lines != '\0') {
		const char *colon = strchr(lines, ':'), *end = strchr(lines, '\n');

		assert_true(http_fields_add(fields, a,
					    (struct span){lines, (size_t)(colon - lines)},
					    (struct span){colon + 2, (size_t)(end - colon - 2)}));
		lines = end + 1;
	}
}

static void assert_lines(const struct http_fields *fields, const char *expected)
{
	char got[4096] = "";

	for (unsigned i = 0; i < fields->n; i++) {
		const struct http_field *f = &fields->v[i];

		snprintf(got + strlen(got), sizeof(got) - strlen(got), SPAN_FMT ": " SPAN_FMT "\n",
			 SPAN_ARG(f->name), SPAN_ARG(f->value));
	}
	assert_string_equal(got, expected);
}

static void test_rules(void **state)
{
	static const struct {
		const char *in, *out;
		unsigned n;
		struct field_rule rules[3];
	} cases[] = {
	    {"A: 1\n", "A: 1\n", 0, {REMOVE("A")}},
	    {"", "A: 1\n", 1, {SET("A", "1")}},
	    {"A: 1\nB: 2\n", "A: 1\nB: 2\nC: 3\n", 1, {SET("C", "3")}},
	    {"A: 1\nb: 2\nC: 3\n", "A: 1\nB: new\nC: 3\n", 1, {SET("B", "new")}},
	    {"a: 1\nB: 2\nA: 3\nC: 4\na: 5\n", "A: \nB: 2\nC: 4\n", 1, {SET("A", "")}},
	    {"B: 2\nA: 1\nA: 1\n", "B: 2\nA: 1\n", 1, {SET("A", "1")}},
	    {"A: 1\nB: 2\n", "A: 1\nB: 2\na: 3\n", 1, {ADD("a", "3")}},
	    {"", "A: 1\nA: 1\n", 2, {ADD("A", "1"), ADD("A", "1")}},
	    {"A: 1\nB: 2\na: 3\n", "B: 2\n", 1, {REMOVE("A")}},
	    {"A: 1\n", "", 1, {REMOVE("a")}},
	    {"", "", 1, {REMOVE("A")}},
	    /* a part of a name is another name */
	    {"X-A: 1\nX: 2\n", "X-A: 1\n", 1, {REMOVE("X")}},
	    {"X-A: 1\n", "X-A: 1\nX: 2\n", 1, {SET("X", "2")}},
	    /* each rule sees what those before it left */
	    {"A: 1\n", "A: 2\nA: 3\n", 3, {REMOVE("A"), SET("A", "2"), ADD("A", "3")}},
	    {"A: 1\n", "a: 3\n", 2, {ADD("A", "2"), SET("a", "3")}},
	    {"A: 1\nB: 2\n", "B: 2\nC: 4\n", 3, {SET("A", "3"), REMOVE("A"), ADD("C", "4")}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_fields fields = {0};
		struct arena a;

		arena_init(&a, 65536);
		add_lines(&fields, &a, cases[i].in);
		assert_true(field_rules_apply(cases[i].rules, cases[i].n, &fields, &a));
		assert_lines(&fields, cases[i].out);
		arena_fini(&a);
	}
}

/* The names and values of the rules are not copied. */
static void test_spans_are_shared(void **state)
{
	static const struct field_rule rules[] = {SET("A", "1"), ADD("B", "2")};
	struct http_fields fields = {0};
	struct arena a;

	arena_init(&a, 65536);
	assert_true(field_rules_apply(rules, ARRAY_SIZE(rules), &fields, &a));
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		assert_ptr_equal(fields.v[i].name.p, rules[i].name.p);
		assert_ptr_equal(fields.v[i].value.p, rules[i].value.p);
	}
	arena_fini(&a);
}

/* As many fields as the vector holds, and an arena that gives no larger one. */
static void fill(struct http_fields *fields, struct arena *a)
{
	unsigned n = 0;

	arena_init(a, 1000);
	while (http_fields_add(fields, a, SPAN("A"), SPAN("1")))
		n++;
	assert_int_equal(n, fields->cap);
}

static void test_full_arena(void **state)
{
	static const struct {
		struct field_rule rule;
		bool fits;
	} cases[] = {
	    {SET("A", "2"), true},
	    {SET("B", "2"), false},
	    {ADD("A", "2"), false},
	    {REMOVE("A"), true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_fields fields = {0};
		struct arena a;

		fill(&fields, &a);
		assert_int_equal(field_rules_apply(&cases[i].rule, 1, &fields, &a), cases[i].fits);
		arena_fini(&a);
	}
}

static void test_rules_before_the_arena_was_full_stay(void **state)
{
	struct field_rule rules[100] = {SET("A", "2"), ADD("B", "1")};
	struct http_fields fields = {0};
	struct arena a;

	for (size_t i = 2; i < ARRAY_SIZE(rules); i++)
		rules[i] = rules[1];
	fill(&fields, &a);
	assert_false(field_rules_apply(rules, ARRAY_SIZE(rules), &fields, &a));
	assert_int_equal(fields.n, fields.cap);
	assert_true(span_equal(fields.v[0].value, SPAN("2")));
	for (unsigned i = 1; i < fields.n; i++)
		assert_true(span_equal(fields.v[i].name, SPAN("B")));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_spans_are_shared),
	    cmocka_unit_test(test_full_arena),
	    cmocka_unit_test(test_rules_before_the_arena_was_full_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
