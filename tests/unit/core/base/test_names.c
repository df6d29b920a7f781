/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names in a sentence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "core/base/names.h"

static void assert_sentence(unsigned n, const char *expected)
{
	struct names names = {0};
	char name[16], *text;

	for (unsigned i = 1; i <= n; i++) {
		snprintf(name, sizeof(name), "e%u", i);
		names_add(&names, name);
	}
	text = names_sentence(&names, "edge", "edges");
	assert_string_equal(text, expected);
	free(text);
}

static void test_sentence_names_a_few(void **state)
{
	assert_null(names_sentence(&(struct names){0}, "edge", "edges"));
	assert_sentence(1, "edge e1");
	assert_sentence(2, "edges e1, e2");
	assert_sentence(5, "edges e1, e2, e3, e4, e5");
	assert_sentence(6, "edges e1, e2, e3, e4, e5 and 1 more");
	assert_sentence(3000, "edges e1, e2, e3, e4, e5 and 2995 more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sentence_names_a_few),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
