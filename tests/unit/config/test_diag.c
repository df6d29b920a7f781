/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Complaints: their order, their form, their bound.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>
#include <string.h>

static void test_order_and_form(void **state)
{
	struct diag *diag = diag_create();
	char file[] = "b.yaml", *text;

	diag_add(diag, (struct cfg_place){file, 10, 2}, "tenth %s", "line");
	diag_add(diag, (struct cfg_place){"a.yaml", 1, 1}, "other file");
	diag_add(diag, (struct cfg_place){file, 9, 7}, "later column");
	diag_add(diag, (struct cfg_place){file, 9, 3}, "first of a place");
	diag_add(diag, (struct cfg_place){file, 9, 3}, "second of a place");
	diag_add(diag, (struct cfg_place){file, 0, 0}, "the file");
	diag_add(diag, (struct cfg_place){file, 9, 0}, "the line");
	diag_add(diag, (struct cfg_place){0}, "nowhere");
	strcpy(file, "x.yaml"); /* it was copied */
	text = diag_text(diag);
	assert_string_equal(text, "nowhere\n"
				  "b.yaml: the file\n"
				  "b.yaml:9: the line\n"
				  "b.yaml:9:3: first of a place\n"
				  "b.yaml:9:3: second of a place\n"
				  "b.yaml:9:7: later column\n"
				  "b.yaml:10:2: tenth line\n"
				  "a.yaml:1:1: other file\n");
	assert_int_equal(diag_count(diag), 8);
	free(text);
	diag_destroy(&diag);
	assert_null(diag);
	diag_destroy(&diag);
}

static void test_bound(void **state)
{
	struct diag *diag = diag_create();
	unsigned lines = 0;
	char *text;

	for (unsigned i = 0; i < 1234; i++)
		diag_add(diag, (struct cfg_place){"a.yaml", i + 1, 1}, "junk");
	assert_int_equal(diag_count(diag), 1234);
	text = diag_text(diag);
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 101);
	assert_string_equal(strstr(text, "a.yaml:100:"), "a.yaml:100:1: junk\nand 1134 more\n");
	free(text);
	diag_destroy(&diag);
}

/* It quoted ten megabytes. */
static void test_long_value(void **state)
{
	struct diag *diag = diag_create();
	char *value = malloc(100001), *text;

	assert_non_null(value);
	/* Of three bytes each, to be cut between two of them. */
	for (size_t i = 0; i < 99999; i += 3)
		memcpy(value + i, "\xe2\x82\xac", 3);
	value[99999] = '\0';
	for (unsigned i = 0; i < 3; i++)
		diag_add(diag, (struct cfg_place){"a.yaml", i + 1, 1}, "%.*s%s is wrong", (int)i,
			 "aa", value);
	text = diag_text(diag);
	assert_in_range(strlen(text), 3000, 3 * 2100);
	assert_non_null(strstr(text, "\xe2\x82\xac...\xe2\x82\xac"));
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		assert_memory_equal(p - 12, "\xe2\x82\xac is wrong", 12);
	free(text);
	free(value);
	diag_destroy(&diag);
}

/* A value or a file's name drove the terminal, or stood the wrong way round. */
static void test_complaints_with_hidden_characters(void **state)
{
	struct diag *diag = diag_create();
	char *text;

	diag_add(diag, (struct cfg_place){"a\xe2\x80\xae.yaml", 1, 1}, "\"%s\" is wrong",
		 "\x1b[2J\xc2\x9b"
		 "1m");
	diag_add(diag, (struct cfg_place){"a\xe2\x80\xae.yaml", 2, 1}, "\xff");
	text = diag_text(diag);
	assert_string_equal(text, "a\\u202e.yaml:1:1: \"\\u001b[2J\\u009b1m\" is wrong\n"
				  "a\\u202e.yaml:2:1: \\xff\n");
	free(text);
	diag_destroy(&diag);
}

static void test_warnings_are_no_errors(void **state)
{
	struct diag *diag = diag_create();
	char *text;

	for (unsigned i = 0; i < 102; i++)
		diag_warn(diag, (struct cfg_place){"a", 200 + i, 1}, "odd");
	assert_int_equal(diag_count(diag), 0);
	assert_true(diag_has_room(diag));
	diag_add(diag, (struct cfg_place){"a", 1, 2}, "wrong");
	text = diag_text(diag);
	assert_memory_equal(text, "a:1:2: wrong\na:200:1: warning: odd\n", 35);
	assert_non_null(strstr(text, "a:299:1: warning: odd\nand 2 more warnings\n"));
	free(text);
	diag_destroy(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_and_form),
	    cmocka_unit_test(test_bound),
	    cmocka_unit_test(test_long_value),
	    cmocka_unit_test(test_complaints_with_hidden_characters),
	    cmocka_unit_test(test_warnings_are_no_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
