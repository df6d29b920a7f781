/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How long connections are kept, by table: what happens to one, with a clock of the test's own, and
 * whether it may be used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/conns/expiry.h"

#define LUCKLESS 0
#define LUCKIEST 1023

static const struct row {
	const char *name;
	struct expiry_rules rules;
	unsigned random;
	/* It is used so many times, ends its last use at `freed` and is looked at at `seen`, in
	 * seconds since it was made. */
	unsigned uses;
	int64_t freed, seen;
	enum expiry_cause cause;
	bool near;
} rows[] = {
    {"fresh", {DUR_S(55), DUR_S(800), 0}, LUCKLESS, 0, 0, 0, EXPIRY_NONE, false},
    {"idle, but not for too long",
     {DUR_S(55), DUR_S(800), 0},
     LUCKLESS,
     1,
     10,
     64,
     EXPIRY_NONE,
     true},
    {"idle for too long", {DUR_S(55), DUR_S(800), 0}, LUCKLESS, 1, 10, 65, EXPIRY_IDLE, true},
    {"almost too old", {DUR_S(55), DUR_S(800), 0}, LUCKLESS, 9, 790, 799, EXPIRY_NONE, true},
    {"too old", {DUR_S(55), DUR_S(800), 0}, LUCKLESS, 9, 790, 800, EXPIRY_WORN, true},
    {"too old when it is given back",
     {DUR_S(55), DUR_S(800), 0},
     LUCKLESS,
     1,
     900,
     900,
     EXPIRY_WORN,
     true},
    {"too old and idle for too long",
     {DUR_S(5), DUR_S(800), 0},
     LUCKLESS,
     1,
     790,
     800,
     EXPIRY_WORN,
     true},
    {"cut by chance, not yet",
     {DUR_S(55), DUR_S(800), 0},
     LUCKIEST,
     9,
     690,
     700,
     EXPIRY_NONE,
     true},
    {"cut by chance", {DUR_S(55), DUR_S(800), 0}, LUCKIEST, 9, 695, 701, EXPIRY_WORN, true},
    {"never cut by more",
     {DUR_S(55), DUR_S(800), 0},
     1024 * 77 + LUCKIEST,
     9,
     690,
     700,
     EXPIRY_NONE,
     true},
    {"three seconds left", {DUR_S(55), DUR_S(800), 0}, LUCKLESS, 1, 10, 62, EXPIRY_NONE, true},
    {"four seconds left", {DUR_S(55), DUR_S(800), 0}, LUCKLESS, 1, 10, 61, EXPIRY_NONE, false},
    {"half of a short time", {DUR_S(4), DUR_S(800), 0}, LUCKLESS, 1, 10, 12, EXPIRY_NONE, true},
    {"less than half of it", {DUR_S(4), DUR_S(800), 0}, LUCKLESS, 1, 10, 11, EXPIRY_NONE, false},
    {"any age", {DUR_S(55), {0}, 0}, LUCKLESS, 1, 1000000, 1000001, EXPIRY_NONE, false},
    {"one request left", {DUR_S(55), DUR_S(800), 3}, LUCKLESS, 2, 1, 1, EXPIRY_NONE, false},
    {"no request left", {DUR_S(55), DUR_S(800), 3}, LUCKLESS, 3, 1, 1, EXPIRY_WORN, false},
    {"one request only", {DUR_S(55), DUR_S(800), 1}, LUCKLESS, 1, 1, 1, EXPIRY_WORN, false},
    {"one request only, not used yet",
     {DUR_S(55), DUR_S(800), 1},
     LUCKLESS,
     0,
     1,
     1,
     EXPIRY_NONE,
     false},
};

static void test_rules(void **state)
{
	const mono_time made = {DUR_S(12345).ns};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		mono_time seen = mono_add(made, DUR_S(r->seen));
		struct expiry x;

		expiry_begin(&x, made, r->random);
		for (unsigned n = 0; n < r->uses; n++)
			expiry_use(&x);
		expiry_free(&x, &r->rules, mono_add(made, DUR_S(r->freed)));
		if (expiry_cause(&x, seen) != r->cause || expiry_is_near(&x, seen) != r->near)
			fail_msg("%s: cause %d, near: %d", r->name, expiry_cause(&x, seen),
				 expiry_is_near(&x, seen));
	}
}

/* By a use, before it is near; but not what its age puts an end to. */
static void test_put_off(void **state)
{
	static const struct expiry_rules rules = {DUR_S(55), DUR_S(100), 0};
	static const struct {
		int64_t freed, seen;
		bool can;
	} cases[] = {
	    {0, 40, false}, {0, 49, true},   {0, 54, true},
	    {0, 55, false}, {45, 93, false}, {50, 99, false},
	};
	const mono_time made = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct expiry x;

		expiry_begin(&x, made, LUCKLESS);
		expiry_free(&x, &rules, mono_add(made, DUR_S(cases[i].freed)));
		assert_int_equal(expiry_can_be_put_off(&x, mono_add(made, DUR_S(cases[i].seen))),
				 cases[i].can);
	}
}

/* Another origin's rules hold after its request. */
static void test_last_user_rules(void **state)
{
	static const struct expiry_rules strict = {DUR_S(1), DUR_S(100), 1};
	static const struct expiry_rules generous = {DUR_S(60), DUR_S(1000), 0};
	const mono_time made = {0};
	struct expiry x;

	expiry_begin(&x, made, LUCKLESS);
	expiry_use(&x);
	expiry_free(&x, &strict, made);
	assert_int_equal(expiry_cause(&x, made), EXPIRY_WORN);
	expiry_use(&x);
	expiry_free(&x, &generous, made);
	assert_int_equal(expiry_cause(&x, mono_add(made, DUR_S(59))), EXPIRY_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rules),
	    cmocka_unit_test(test_put_off),
	    cmocka_unit_test(test_last_user_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
