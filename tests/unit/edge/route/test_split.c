/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Shares of a split: as large as their weights, stable, and no key moves that need not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/route/split.h"

#define KEYS 20000

static struct cfg_origin origins[] = {{.name = "app"}, {.name = "canary"}, {.name = "third"}};

/* The origin of each key, as an index, with these weights. */
static void choose_all(const unsigned weights[3], const char *site, unsigned chosen[KEYS],
		       unsigned counts[3])
{
	struct cfg_split parts[3];
	struct cfg_route route = {.split = parts, .n_split = 3};
	struct edge_split *split;

	for (unsigned i = 0; i < 3; i++)
		parts[i] = (struct cfg_split){.origin = &origins[i], .weight = weights[i]};
	split = edge_split_create(&route, site);
	memset(counts, 0, 3 * sizeof(*counts));
	for (unsigned i = 0; i < KEYS; i++) {
		char key[32];

		snprintf(key, sizeof(key), "192.0.2.%u", i);
		chosen[i] = (unsigned)(edge_split_choose(split, span_of(key)) - origins);
		counts[chosen[i]]++;
	}
	edge_split_destroy(&split);
}

/* Keys are fixed, so this is no matter of luck: five standard deviations are the bound. */
static void assert_share(unsigned count, double share)
{
	double expected = KEYS * share, off = count - expected;

	assert_true(off * off <= 25 * expected * (1 - share));
}

static void test_shares(void **state)
{
	static unsigned chosen[KEYS], counts[3];

	choose_all((unsigned[]){90, 10, 0}, "www", chosen, counts);
	assert_share(counts[0], 0.9);
	assert_share(counts[1], 0.1);
	assert_int_equal(counts[2], 0);
	choose_all((unsigned[]){1, 1, 1}, "www", chosen, counts);
	for (unsigned i = 0; i < 3; i++)
		assert_share(counts[i], 1.0 / 3);
	choose_all((unsigned[]){999999, 1, 0}, "www", chosen, counts);
	assert_true(counts[1] <= 1);
}

static void test_only_what_must_moves(void **state)
{
	static unsigned before[KEYS], after[KEYS], counts[3];
	unsigned moved = 0;

	choose_all((unsigned[]){80, 10, 10}, "www", before, counts);
	choose_all((unsigned[]){80, 20, 10}, "www", after, counts);
	for (unsigned i = 0; i < KEYS; i++) {
		if (before[i] == after[i])
			continue;
		moved++;
		assert_int_equal(after[i], 1);
	}
	/* From 10 of 100 to 20 of 110. */
	assert_share(moved, 20.0 / 110 - 0.1);
	choose_all((unsigned[]){80, 0, 10}, "www", after, counts);
	for (unsigned i = 0; i < KEYS; i++) {
		if (before[i] != 1)
			assert_int_equal(after[i], before[i]);
	}
}

static void test_sites_do_not_agree(void **state)
{
	static unsigned one[KEYS], again[KEYS], other[KEYS], counts[3];
	unsigned equal = 0;

	choose_all((unsigned[]){1, 1, 0}, "one", one, counts);
	choose_all((unsigned[]){1, 1, 0}, "one", again, counts);
	choose_all((unsigned[]){1, 1, 0}, "other", other, counts);
	assert_memory_equal(one, again, sizeof(one));
	for (unsigned i = 0; i < KEYS; i++)
		equal += one[i] == other[i];
	assert_share(equal, 0.5);
}

static void test_no_split(void **state)
{
	struct cfg_route route = {0};

	assert_null(edge_split_create(&route, "www"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shares),
	    cmocka_unit_test(test_only_what_must_moves),
	    cmocka_unit_test(test_sites_do_not_agree),
	    cmocka_unit_test(test_no_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
