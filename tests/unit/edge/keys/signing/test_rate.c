/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many signatures are made, on a clock that the test has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/keys/signing/rate.h"

static struct signer_rate rate;

static mono_time at_ms(int64_t ms)
{
	return (mono_time){1000000000000 + ms * 1000000};
}

static unsigned taken_of(unsigned tries, int64_t ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tries; i++)
		n += signer_rate_take(&rate, at_ms(ms));
	return n;
}

static void test_so_many_at_once_and_then_by_the_rate(void **state)
{
	signer_rate_init(&rate, 10, 1);
	assert_int_equal(taken_of(20, 0), 10);
	assert_int_equal(taken_of(20, 99), 0);
	assert_int_equal(taken_of(20, 100), 1);
	assert_int_equal(taken_of(20, 500), 4);
	signer_rate_fini(&rate);
}

static void test_what_was_not_used_is_not_saved_up(void **state)
{
	signer_rate_init(&rate, 10, 1);
	assert_int_equal(taken_of(20, 0), 10);
	assert_int_equal(taken_of(1000, 3600 * 1000), 10);
	signer_rate_fini(&rate);
}

static void test_no_limit(void **state)
{
	signer_rate_init(&rate, 0, 1);
	assert_int_equal(taken_of(10000, 0), 10000);
	signer_rate_fini(&rate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_so_many_at_once_and_then_by_the_rate),
	    cmocka_unit_test(test_what_was_not_used_is_not_saved_up),
	    cmocka_unit_test(test_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
