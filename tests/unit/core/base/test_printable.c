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

static void test_what_does_not_fit_is_left_out_whole(void **state)
{
	char out[8];

	assert_int_equal(printable_into(out, sizeof(out), "ab\x1b"), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(printable_into(out, sizeof(out), "a\x1b\x1b"), 7);
	assert_string_equal(out, "a\\u001b");
	assert_int_equal(printable_into(out, sizeof(out), "abcdef\xc3\xa3"), 6);
	assert_int_equal(printable_into(out, 1, "a"), 0);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_stays_as_it_is),
	    cmocka_unit_test(test_controls_are_seen),
	    cmocka_unit_test(test_what_turns_text_round_is_seen),
	    cmocka_unit_test(test_what_has_no_width_is_seen),
	    cmocka_unit_test(test_bytes_that_are_no_utf8_are_seen),
	    cmocka_unit_test(test_what_does_not_fit_is_left_out_whole),
	};

	return cmocka_run_group_tests_name("printable", tests, NULL, NULL);
}
