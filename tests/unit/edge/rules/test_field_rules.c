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

#include "config/change.h"
#include "core/base/check.h"
#include "edge/rules/field_rules.h"
#include "tests/support/known_request.h"

/* clang-format off */
#define SET(name, value) {name, CFG_FIELD_SET, value}
#define ADD(name, value) {name, CFG_FIELD_ADD, value}
#define APPEND(name, value) {name, CFG_FIELD_APPEND, value}
#define REMOVE(name) {name, CFG_FIELD_REMOVE, ""}
/* clang-format on */

struct said {
	const char *name;
	enum cfg_field_action action;
	const char *value;
};

#define SAID_MAX 3

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

/* What the rules make of the fields. */
static enum field_rules_result apply(const struct cfg_field_rule *cfg, unsigned n,
				     enum field_rules_of of, const char *in, const char *out)
{
	struct field_rules *rules = field_rules_create(cfg, n, of);
	struct http_fields fields = {0};
	enum field_rules_result result = FIELD_RULES_DONE;
	struct known_request k;

	known_request_init(&k, "/a?q=1");
	known_request_add(&k.request, "X", "x\r\ny");
	add_lines(&fields, &k.arena, in);
	if (n > 0)
		result = field_rules_apply(rules, &fields, &k.facts, &k.arena);
	else
		assert_null(rules);
	assert_lines(&fields, out);
	assert_int_equal(k.facts.captures.n, 0);
	known_request_fini(&k);
	field_rules_destroy(&rules);
	return result;
}

static void check_said(const struct said *said, unsigned n, enum field_rules_of of, const char *in,
		       const char *out)
{
	struct cfg_field_rule cfg[SAID_MAX] = {0};

	for (unsigned i = 0; i < n; i++)
		cfg[i] = (struct cfg_field_rule){
		    .name = said[i].name, .action = said[i].action, .value = said[i].value};
	assert_int_equal(apply(cfg, n, of, in, out), FIELD_RULES_DONE);
}

static void test_rules(void **state)
{
	static const struct {
		const char *in, *out;
		unsigned n;
		struct said rules[SAID_MAX];
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
	    {"", "A: 1\n", 1, {APPEND("A", "1")}},
	    {"a: 1\nB: 2\nA: 3\n", "B: 2\nA: 1, 3, 4\n", 1, {APPEND("A", "4")}},
	    /* a part of a name is another name */
	    {"X-A: 1\nX: 2\n", "X-A: 1\n", 1, {REMOVE("X")}},
	    {"X-A: 1\n", "X-A: 1\nX: 2\n", 1, {SET("X", "2")}},
	    /* each rule sees what those before it left */
	    {"A: 1\n", "A: 2\nA: 3\n", 3, {REMOVE("A"), SET("A", "2"), ADD("A", "3")}},
	    {"A: 1\n", "a: 3\n", 2, {ADD("A", "2"), SET("a", "3")}},
	    {"A: 1\nB: 2\n", "B: 2\nC: 4\n", 3, {SET("A", "3"), REMOVE("A"), ADD("C", "4")}},
	    /* variables; what is empty by them is not there */
	    {"", "A: GET /a fra1\n", 1, {SET("A", "{method} {path} {node}")}},
	    {"A: 1\n", "", 1, {SET("A", "{cookie.none}")}},
	    {"A: 1\n", "A: 1\n", 2, {ADD("A", "{cookie.none}"), APPEND("A", "{match.1}")}},
	    /* what strangers send begins no field */
	    {"", "A: x  y\n", 1, {SET("A", "{field.x}")}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unsigned of = 0; of < 2; of++)
			check_said(cases[i].rules, cases[i].n, (enum field_rules_of)of, cases[i].in,
				   cases[i].out);
	}
}

/* Origins that make variables of fields take one for the other. */
static void test_names_that_origins_take_for_each_other(void **state)
{
	static const struct said set = SET("X-User", "me"), remove = REMOVE("X-User"),
				 add = ADD("X-User", "me");
	static const char in[] = "x.user: admin\nX_User: root\nX-Users: a\nXUser: b\n";

	check_said(&set, 1, FIELD_RULES_OF_REQUESTS, in, "X-User: me\nX-Users: a\nXUser: b\n");
	check_said(&remove, 1, FIELD_RULES_OF_REQUESTS, in, "X-Users: a\nXUser: b\n");
	check_said(&add, 1, FIELD_RULES_OF_REQUESTS, in,
		   "x.user: admin\nX_User: root\nX-Users: a\nXUser: b\nX-User: me\n");
	check_said(&remove, 1, FIELD_RULES_OF_RESPONSES, in,
		   "x.user: admin\nX_User: root\nX-Users: a\nXUser: b\n");
}

static void test_conditions(void **state)
{
	struct cfg_range not_found = {400, 404}, found = {200, 299};
	struct cfg_field_rule cfg[2] = {
	    {.name = "A",
	     .value = "{match.1}",
	     .when = {.regex = "^/(.)", .statuses = {&not_found, 1}}},
	    {.name = "B", .value = "[{match.1}]"},
	};

	/* What one rule has captured is not the next one's. */
	assert_int_equal(apply(cfg, 2, FIELD_RULES_OF_RESPONSES, "", "A: a\nB: []\n"),
			 FIELD_RULES_DONE);
	cfg[0].when.statuses.v = &found;
	assert_int_equal(apply(cfg, 2, FIELD_RULES_OF_RESPONSES, "A: 1\n", "A: 1\nB: []\n"),
			 FIELD_RULES_DONE);
}

/* "q" is there, but to some it is another parameter. */
static void test_unsure_conditions(void **state)
{
	struct cfg_match_part q = {.name = "q", .value = "1"};
	struct cfg_field_rule cfg = {
	    .name = "A", .value = "1", .when = {.query = &q, .n_query = 1}};
	static const enum field_rules_result expected[] = {
	    [FIELD_RULES_OF_REQUESTS] = FIELD_RULES_UNSURE,
	    [FIELD_RULES_OF_RESPONSES] = FIELD_RULES_DONE,
	};

	for (unsigned of = 0; of < 2; of++) {
		struct field_rules *rules = field_rules_create(&cfg, 1, (enum field_rules_of)of);
		struct http_fields fields = {0};
		struct known_request k;

		known_request_init(&k, "/?q=1&q=2");
		assert_int_equal(field_rules_apply(rules, &fields, &k.facts, &k.arena),
				 expected[of]);
		assert_int_equal(fields.n, 0);
		known_request_fini(&k);
		field_rules_destroy(&rules);
	}
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
		struct said said;
		enum field_rules_result result;
	} cases[] = {
	    {SET("A", "2"), FIELD_RULES_DONE},
	    {SET("B", "2"), FIELD_RULES_NO_ROOM},
	    {ADD("A", "2"), FIELD_RULES_NO_ROOM},
	    {REMOVE("A"), FIELD_RULES_DONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_field_rule cfg = {.name = cases[i].said.name,
					     .action = cases[i].said.action,
					     .value = cases[i].said.value};
		struct field_rules *rules = field_rules_create(&cfg, 1, FIELD_RULES_OF_RESPONSES);
		struct edge_facts facts = {0};
		struct http_fields fields = {0};
		struct arena a;

		fill(&fields, &a);
		assert_int_equal(field_rules_apply(rules, &fields, &facts, &a), cases[i].result);
		arena_fini(&a);
		field_rules_destroy(&rules);
	}
}

/* What was set in the head is not to be said again after the content. */
static void test_trailers(void **state)
{
	struct cfg_field_rule cfg[] = {
	    {.name = "X-User", .action = CFG_FIELD_SET, .value = "me"},
	    {.name = "X-Secret", .action = CFG_FIELD_REMOVE, .value = ""},
	    {.name = "X-More", .action = CFG_FIELD_ADD, .value = "1"},
	};
	struct field_rules *rules =
	    field_rules_create(cfg, ARRAY_SIZE(cfg), FIELD_RULES_OF_REQUESTS);
	struct http_fields trailers = {0};
	struct arena a;

	arena_init(&a, 65536);
	add_lines(&trailers, &a, "X.User: admin\nx-secret: 1\nX-More: 2\nChecksum: 3\n");
	field_rules_clean_trailers(NULL, &trailers);
	field_rules_clean_trailers(rules, &trailers);
	assert_lines(&trailers, "X-More: 2\nChecksum: 3\n");
	arena_fini(&a);
	field_rules_destroy(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_names_that_origins_take_for_each_other),
	    cmocka_unit_test(test_conditions),
	    cmocka_unit_test(test_unsure_conditions),
	    cmocka_unit_test(test_full_arena),
	    cmocka_unit_test(test_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
