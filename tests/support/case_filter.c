/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Part of every cmocka test, by CMOCKA_LIBS: TEST_CASES in the environment is a pattern
 * ("test_a_*") of the cases that are run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void filter_cases(void)
{
	const char *pattern = getenv("TEST_CASES");

	if (pattern != NULL && *pattern != '\0')
		cmocka_set_test_filter(pattern);
}
