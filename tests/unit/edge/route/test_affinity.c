/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys by which requests find their server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/route/affinity.h"
#include "tests/support/known_request.h"

static struct olink_affinity affinity_of(const struct cfg_balance *balance, const char *target)
{
	struct cfg_origin origin = {.name = "app", .balance = *balance};
	struct cfg_fleet fleet = {.origins = &origin, .n_origins = 1};
	struct edge_affinities *all = edge_affinities_create(&fleet, NULL);
	struct olink_affinity affinity;
	struct known_request w;

	known_request_init(&w, target);
	affinity = edge_affinity_of(all, &origin, &w.facts, &w.arena, clock_wall(), NULL);
	known_request_fini(&w);
	edge_affinities_destroy(&all);
	return affinity;
}

static void test_key(void **state)
{
	const struct cfg_balance by_path = {.method = CFG_BALANCE_HASH, .hash.by = "{path}"};
	struct olink_affinity a = affinity_of(&by_path, "/a/b?x=1");
	struct olink_affinity same = affinity_of(&by_path, "/a/./b?y=2");
	struct olink_affinity other = affinity_of(&by_path, "/a/c");

	assert_true(a.has_key && same.has_key && other.has_key);
	assert_true(a.key == same.key);
	assert_true(a.key != other.key);
	assert_false(a.has_server);
}

/* All who have no session yet went to one server. */
static void test_empty_key_is_none(void **state)
{
	const struct cfg_balance balance = {
	    .method = CFG_BALANCE_HASH,
	    .hash.by = "{cookie.none}",
	};

	assert_false(affinity_of(&balance, "/").has_key);
}

static void test_other_methods_have_no_key(void **state)
{
	const struct cfg_balance balance = {
	    .method = CFG_BALANCE_LEAST_REQUESTS,
	    .hash.by = "{path}",
	};

	assert_false(affinity_of(&balance, "/").has_key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_key),
	    cmocka_unit_test(test_empty_key_is_none),
	    cmocka_unit_test(test_other_methods_have_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
