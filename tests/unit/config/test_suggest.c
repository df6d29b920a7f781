/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Edit distance and the nearest name, by tables.
 */
#include "tests/unit/config/support.h"

#include <limits.h>
#include <string.h>

#include "config/suggest.h"
#include "core/base/check.h"

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
	    {"", "", 0},
	    {"", "abc", 3},
	    {"listen", "listen", 0},
	    {"Listen", "lISTEN", 0},
	    {"lisen", "listen", 1},   /* one is missing */
	    {"listten", "listen", 1}, /* one too many */
	    {"lysten", "listen", 1},  /* one is wrong */
	    {"lsiten", "listen", 1},  /* two are exchanged */
	    {"kitten", "sitting", 3},
	    {"ca", "abc", 3}, /* optimal string alignment: no edit inside an exchange */
	    {"timeout", "timeouts", 1},
	};
	char longest[65], longer[66];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(cfg_edit_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(cfg_edit_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
	memset(longest, 'a', 64);
	longest[64] = '\0';
	memset(longer, 'a', 65);
	longer[65] = '\0';
	assert_int_equal(cfg_edit_distance(longest, ""), 64);
	assert_int_equal(cfg_edit_distance(longer, ""), UINT_MAX);
	assert_int_equal(cfg_edit_distance("", longer), UINT_MAX);
}

static void test_nearest(void **state)
{
	static const char *const known[] = {"listen", "location", "addresses", "admin", "bias"};
	static const struct {
		const char *written, *best;
	} cases[] = {
	    {"lisen", "listen"},
	    {"lokation", "location"},
	    {"adresses", "addresses"},
	    {"address", "addresses"},
	    {"amdin", "admin"},
	    {"bais", "bias"},
	    {"frobnicate", NULL},
	    {"x", NULL},
	    {"", NULL},
	    {"li", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_suggest s;

		cfg_suggest_init(&s, cases[i].written);
		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			cfg_suggest_offer(&s, known[k]);
		if (cases[i].best == NULL)
			assert_null(s.best);
		else
			assert_string_equal(s.best, cases[i].best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_distance),
	    cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
