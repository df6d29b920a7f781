/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hashes of passwords, by table: which are taken, and which passwords they are of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/auth/password.h"

static void test_hashes_of_each_kind(void **state)
{
	/* All of "secret"; by htpasswd -B, -s, -2, -5, and crypt(3). */
	static const char *const hashes[] = {
	    "$2y$05$CNR8y1Zn5W8IRgVGM.We1eSgXurzWV.9O29B254vqpBJwdB7v5DLG",
	    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	    "$5$5TBmj845iPAKB.8h$yhc00a.UvYJ3XS7fIT3oW2yqsXqVoURP5o.VrLbRIjA",
	    "$6$7WcJXXqV5uDoIxgj$veDzJpgPFkv6stLouoCi/"
	    "GuwYOp1mcPR85eeaswLm3jrBiZ7qDwroY9F36KgbD0vT3BhyPaVWeZW3RVrawmWj/",
	    "$y$j75$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01",
	};

	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		if (edge_password_fault(hashes[i]))
			fail_msg("%s %s", hashes[i], edge_password_fault(hashes[i]));
		assert_true(edge_password_matches("secret", hashes[i]));
		assert_false(edge_password_matches("Secret", hashes[i]));
		assert_false(edge_password_matches("secret ", hashes[i]));
		assert_false(edge_password_matches("", hashes[i]));
	}
}

static void test_hashes_that_are_refused(void **state)
{
	static const char *const hashes[] = {
	    "",
	    "secret",
	    "*",
	    "!",
	    "ab1FgTGGK9xTg",                         /* DES */
	    "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",    /* MD5 */
	    "$apr1$HbSUuU3V$yJ7hFHYGbSPBdBlnAqUzR/", /* Apache's */
	    "{SHA}5en6G6MezRroT3XKqkdPOmY/Bf==",     /* 19 bytes */
	    "{SHA}",
	    "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	    "$2y$05$CNR8",
	    "$2y$15$CNR8y1Zn5W8IRgVGM.We1eSgXurzWV.9O29B254vqpBJwdB7v5DLG",
	    "$6$rounds=1000001$7WcJXXqV5uDoIxgj$veDzJpgPFkv6stLouoCi/"
	    "GuwYOp1mcPR85eeaswLm3jrBiZ7qDwroY9F36KgbD0vT3BhyPaVWeZW3RVrawmWj/",
	    "$y$jFT$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01",
	};

	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		if (!edge_password_fault(hashes[i]))
			fail_msg("%s is taken", hashes[i]);
	}
}

static void test_costs_of_all_kinds_compare(void **state)
{
	/* By what they take, the least first. */
	static const char *const hashes[] = {
	    "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
	    "$2y$05$CNR8y1Zn5W8IRgVGM.We1eSgXurzWV.9O29B254vqpBJwdB7v5DLG",
	    "$5$5TBmj845iPAKB.8h$yhc00a.UvYJ3XS7fIT3oW2yqsXqVoURP5o.VrLbRIjA",
	    "$y$j9T$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01",
	    "$2y$10$CNR8y1Zn5W8IRgVGM.We1eSgXurzWV.9O29B254vqpBJwdB7v5DLG",
	    "$5$rounds=500000$5TBmj845iPAKB.8h$yhc00a.UvYJ3XS7fIT3oW2yqsXqVoURP5o.VrLbRIjA",
	    "$2b$14$CNR8y1Zn5W8IRgVGM.We1eSgXurzWV.9O29B254vqpBJwdB7v5DLG",
	};

	for (size_t i = 1; i < ARRAY_SIZE(hashes); i++)
		assert_true(edge_password_cost(hashes[i - 1]) < edge_password_cost(hashes[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hashes_of_each_kind),
	    cmocka_unit_test(test_hashes_that_are_refused),
	    cmocka_unit_test(test_costs_of_all_kinds_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
