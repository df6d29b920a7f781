/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Regular expressions: what matches, what can be said of a beginning, and that it ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/http/regex.h"

static struct regex *compiled(const char *pattern)
{
	char *why = NULL;
	struct regex *regex = regex_compile(pattern, &why);

	if (!regex)
		fail_msg("%s: %s", pattern, why);
	return regex;
}

static void test_matches(void **state)
{
	static const struct {
		const char *pattern, *text;
		enum regex_result result;
	} cases[] = {
	    {"^/v[0-9]+/", "/v2/x", REGEX_YES},
	    {"^/v[0-9]+/", "/x/v2/", REGEX_NO},
	    {"v2", "/x/v2/", REGEX_YES},
	    {"^/$", "/", REGEX_YES},
	    {"^$", "", REGEX_YES},
	    {"A", "a", REGEX_NO},
	    {"(?i)A", "a", REGEX_YES},
	    {"\xc3\xa9", "/caf\xc3\xa9", REGEX_YES},
	    {"x", "\xff\xfex", REGEX_YES},
	    /* no way around it by a newline */
	    {"^/admin/.*php", "/admin/\n/x.php", REGEX_YES},
	    {"^/open$", "/open\n", REGEX_NO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct regex *regex = compiled(cases[i].pattern);

		if (regex_match(regex, span_of(cases[i].text), NULL) != cases[i].result)
			fail_msg("%s: %s", cases[i].pattern, cases[i].text);
		regex_destroy(&regex);
	}
}

static void test_captures(void **state)
{
	struct regex *regex = compiled("^/(a)?(b)?/(.*)$");
	struct regex_captures captures;

	assert_int_equal(regex_match(regex, SPAN("/b/rest"), &captures), REGEX_YES);
	assert_int_equal(captures.n, 4);
	assert_true(span_equal(captures.v[0], SPAN("/b/rest")));
	assert_int_equal(captures.v[1].n, 0);
	assert_true(span_equal(captures.v[2], SPAN("b")));
	assert_true(span_equal(captures.v[3], SPAN("rest")));
	assert_int_equal(captures.v[4].n, 0);
	regex_destroy(&regex);
	/* More groups than there is room for. */
	regex = compiled("(1)(2)(3)(4)(5)(6)(7)(8)(9)(a)(b)");
	assert_int_equal(regex_match(regex, SPAN("123456789ab"), &captures), REGEX_YES);
	assert_int_equal(captures.n, REGEX_CAPTURES_MAX);
	assert_true(span_equal(captures.v[9], SPAN("9")));
	regex_destroy(&regex);
}

static void test_beginnings(void **state)
{
	static const struct {
		const char *pattern, *text;
		enum regex_result result;
	} cases[] = {
	    {"^/api/", "/api/x", REGEX_YES},
	    {"^/api/", "/app", REGEX_NO},
	    {"^/api/", "/ap", REGEX_UNSURE},
	    {"^/api$", "/api", REGEX_UNSURE},
	    {"^/api(?!x)", "/api", REGEX_UNSURE},
	    {"admin", "/api", REGEX_UNSURE},
	    {"^/.*admin", "/admin", REGEX_UNSURE},
	    {"^/.*?admin", "/admin", REGEX_YES},
	    {"^/api\\b", "/api", REGEX_UNSURE},
	    {"^/(?!api)", "/api/", REGEX_NO},
	    {"x", "", REGEX_UNSURE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct regex *regex = compiled(cases[i].pattern);

		if (regex_match_beginning(regex, span_of(cases[i].text)) != cases[i].result)
			fail_msg("%s: %s", cases[i].pattern, cases[i].text);
		regex_destroy(&regex);
	}
}

static void test_faults_are_said(void **state)
{
	static const struct {
		const char *pattern, *why;
	} cases[] = {
	    {"(", "missing closing parenthesis, at character 2"},
	    {"a[", "missing terminating ] for character class, at character 3"},
	    {"(*UTF)x", "using UTF is disabled by the application, at character 7"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *why = NULL;

		assert_null(regex_compile(cases[i].pattern, &why));
		assert_string_equal(why, cases[i].why);
		free(why);
	}
}

/* What takes exponential time elsewhere is given up in the time that a few hundred requests take.
 * The bound is far above what is measured, which is 10 ms at most. */
static void test_costly_ones_are_given_up(void **state)
{
	static const char *const patterns[] = {
	    "(a+)+$",
	    "^(a+)+$",
	    "^(a|aa)+$",
	    "(?:(?:a*)*)*[yz]",
	    "^(a|a?)+[y]",
	    "(.*)*(.*)*[yz]",
	    "^(.*)(.*)(.*)(.*)[yz]",
	};
	char text[8192];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '!';
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		struct regex *regex = compiled(patterns[i]);
		mono_time before = clock_mono();

		assert_int_not_equal(regex_match(regex, (struct span){text, sizeof(text)}, NULL),
				     REGEX_YES);
		assert_true(mono_since(clock_mono(), before).ns < 5 * INT64_C(1000000000));
		regex_destroy(&regex);
	}
}

/* As many bytes as a target has at most by default, each of them a step back. */
static void test_long_texts(void **state)
{
	struct regex *regex = compiled("^/(?:a|b)*$");
	char text[8192];

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	assert_int_equal(regex_match(regex, (struct span){text, sizeof(text)}, NULL), REGEX_YES);
	regex_destroy(&regex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_matches),
	    cmocka_unit_test(test_captures),
	    cmocka_unit_test(test_beginnings),
	    cmocka_unit_test(test_faults_are_said),
	    cmocka_unit_test(test_costly_ones_are_given_up),
	    cmocka_unit_test(test_long_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
