/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What of a text is shown as it is, and what is made visible.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/printable.h"

static void assert_shown(const char *text, const char *expected)
{
	char *shown = printable(text);

	assert_string_equal(shown, expected);
	free(shown);
}

static void test_text_stays_as_it_is(void **state)
{
	assert_shown("", "");
	assert_shown("f.yaml:1:2: \"x\" is not known \\ \\u0041",
		     "f.yaml:1:2: \"x\" is not known \\ "
		     "\\u0041");
	assert_shown("S\xc3\xa3o Paulo \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x97\xba",
		     "S\xc3\xa3o Paulo \xe6\x9d\xb1\xe4\xba\xac \xf0\x9f\x97\xba");
	assert_shown("\xc2\xa0\xf4\x8f\xbf\xbf", "\xc2\xa0\xf4\x8f\xbf\xbf");
}

static void test_controls_are_seen(void **state)
{
	assert_shown("\x1b[31mred\x07", "\\u001b[31mred\\u0007");
	assert_shown("one\ntwo\r\tthree\x7f", "one\\u000atwo\\u000d\\u0009three\\u007f");
	/* C1: one character that is an escape and a bracket to some terminals. */
	assert_shown("\xc2\x9b"
		     "31m\xc2\x85",
		     "\\u009b31m\\u0085");
}

static void test_what_turns_text_round_is_seen(void **state)
{
	assert_shown("a\xe2\x80\xae"
		     "b\xe2\x81\xa6\xd8\x9c",
		     "a\\u202eb\\u2066\\u061c");
	assert_shown("\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029");
}

static void test_what_has_no_width_is_seen(void **state)
{
	assert_shown("www\xe2\x80\x8b.\xef\xbb\xbf\xc2\xad", "www\\u200b.\\ufeff\\u00ad");
	assert_shown("\xf3\xa0\x81\x81", "\\U000e0041");
}

static void test_bytes_that_are_no_utf8_are_seen(void **state)
{
	assert_shown("\xff\x80", "\\xff\\x80");
	assert_shown("cut\xe2\x80", "cut\\xe2\\x80");
	assert_shown("\xc0\x8a", "\\xc0\\x8a");          /* overlong newline */
	assert_shown("\xe0\x82\x9b", "\\xe0\\x82\\x9b"); /* overlong U+009B */
	assert_shown("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogate */
	assert_shown("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	assert_shown("\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80");
}

static void test_the_first_fault_is_found(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool found;
		uint32_t character;
	} cases[] = {
	    {"", 0, false, 0},
	    {"plain \xe6\x9d\xb1", 9, false, 0},
	    {"a\0b", 3, true, 0},
	    {"a\tb", 3, true, 9},
	    {"\xc2\x9bX\xe2\x80\xae", 6, true, 0x9b},
	    {"a\xe2\x80\xae", 4, true, 0x202e},
	    {"\xf3\xa0\x81\x81", 4, true, 0xe0041},
	    {"ab\xff", 3, true, 0xfffd},
	    {"ab\xe2\x80", 4, true, 0xfffd},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t character = 0;

		assert_int_equal(printable_fault(cases[i].text, cases[i].len, &character),
				 cases[i].found);
		if (cases[i].found)
			assert_int_equal(character, cases[i].character);
	}
}

static void test_masked_in_place(void **state)
{
	char text[] = "a\xe2\x80\xae\xff\x1b[\xc2\x9b\xe6\x9d\xb1\0b\xe2";

	printable_mask(text, sizeof(text) - 1);
	assert_memory_equal(text, "a????\x3f[??\xe6\x9d\xb1?b?", sizeof(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_stays_as_it_is),
	    cmocka_unit_test(test_controls_are_seen),
	    cmocka_unit_test(test_what_turns_text_round_is_seen),
	    cmocka_unit_test(test_what_has_no_width_is_seen),
	    cmocka_unit_test(test_bytes_that_are_no_utf8_are_seen),
	    cmocka_unit_test(test_the_first_fault_is_found),
	    cmocka_unit_test(test_masked_in_place),
	};

	return cmocka_run_group_tests_name("printable", tests, NULL, NULL);
}
