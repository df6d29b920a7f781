/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pools: names that agree share one, and no others do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "dns/steer/pool.h"

#define EDGES 400
#define SITES 2500
#define EACH 300 /* edges of a site */

struct fleet {
	struct cfg_edge configs[EDGES];
	struct steer_edge edges[EDGES];
	bool overridden[EDGES];
	struct steer_pools pools;
	struct steer_interner *interner;
};

static void init(struct fleet *f)
{
	static struct net_addr address = {.in = {.sin_family = AF_INET}};

	*f = (struct fleet){.overridden = {[2] = true}};
	for (unsigned i = 0; i < EDGES; i++) {
		f->configs[i] = (struct cfg_edge){
		    .name = "edge", .id = i, .weight = 1, .addresses = {&address, i < 3}};
		f->edges[i].config = &f->configs[i];
		dns_offer_init(&f->edges[i].offer, &f->configs[i]);
	}
	f->interner = steer_interner_create(&f->pools, f->edges, EDGES, f->overridden);
}

static void fini(struct fleet *f)
{
	steer_interner_destroy(&f->interner);
	steer_pools_fini(&f->pools);
	for (unsigned i = 0; i < EDGES; i++)
		dns_offer_fini(&f->edges[i].offer);
}

/* A name of that policy for edges whose ids are letters from a on. */
struct name {
	struct cfg_site site;
	const struct cfg_edge *edges[EDGES], *order[EDGES];
	struct cfg_steered steered;
};

static unsigned list(const struct fleet *f, const char *letters, const struct cfg_edge **out)
{
	unsigned n = 0;

	for (; letters[n] != '\0'; n++)
		out[n] = &f->configs[letters[n] - 'a'];
	return n;
}

static uint32_t intern(struct fleet *f, enum cfg_policy policy, const char *site, const char *order,
		       unsigned answers)
{
	static struct name n;

	n = (struct name){.site = {.edges = n.edges},
			  .steered = {.site = &n.site, .policy = policy, .answers = answers}};
	n.site.n_edges = list(f, site, n.edges);
	if (order != NULL) {
		n.steered.order = n.order;
		n.steered.n_order = list(f, order, n.order);
	}
	return steer_intern(f->interner, &n.steered);
}

static void test_equal_ones_are_one(void **state)
{
	struct fleet *f = xcalloc(1, sizeof(*f));

	init(f);
	assert_int_equal(intern(f, CFG_POLICY_NEAREST, "abc", NULL, 1), 0);
	assert_int_equal(intern(f, CFG_POLICY_NEAREST, "cab", NULL, 1), 0);
	assert_int_equal(intern(f, CFG_POLICY_NEAREST, "ab", NULL, 1), 1);
	assert_int_equal(intern(f, CFG_POLICY_NEAREST, "abc", NULL, 2), 2);
	assert_int_equal(intern(f, CFG_POLICY_WEIGHTED, "abc", NULL, 1), 3);
	f->configs[0].weight = 2;
	assert_int_equal(intern(f, CFG_POLICY_WEIGHTED, "abc", NULL, 1), 4);
	assert_int_equal(intern(f, CFG_POLICY_FAILOVER, "abc", "ab", 1), 5);
	assert_int_equal(intern(f, CFG_POLICY_FAILOVER, "abc", "ba", 1), 6);
	/* The rest of the site is of no matter there, but where it is of use. */
	assert_int_equal(intern(f, CFG_POLICY_FAILOVER, "abcd", "ba", 1), 6);
	assert_int_equal(intern(f, CFG_POLICY_CONTINENT, "abc", "ba", 1), 7);
	assert_int_equal(intern(f, CFG_POLICY_CONTINENT, "abcd", "ba", 1), 8);
	assert_int_equal(intern(f, CFG_POLICY_STATIC, "abc", "ba", 1), 9);
	assert_int_equal(intern(f, CFG_POLICY_STATIC, "abc", "cb", 1), 10);

	assert_true(f->pools.v[0].overridden);
	assert_false(f->pools.v[1].overridden);
	assert_false(f->pools.v[10].overridden); /* static: the order as it stands */
	assert_int_equal(f->pools.v[8].of_family[STEER_IPV4], 3);
	assert_int_equal(f->pools.v[8].of_family[STEER_IPV6], 0);
	assert_int_equal(f->pools.v[8].values[0], 1);
	assert_int_equal(f->pools.v[8].values[2], STEER_RANK_NONE);
	fini(f);
	free(f);
}

/* 2,500 sites with lists of 300 edges each took 44 s: each name was looked for among all. */
static void test_thousands_of_sites_with_lists(void **state)
{
	struct fleet *f = xcalloc(1, sizeof(*f));
	const struct cfg_edge *edges[EACH];
	struct cfg_site site = {.edges = edges, .n_edges = EACH};
	struct cfg_steered steered = {.site = &site, .answers = 1};

	init(f);
	for (unsigned i = 0; i < SITES; i++) {
		for (unsigned k = 0; k < EACH; k++)
			edges[k] = &f->configs[(i % EDGES + k) % EDGES];
		assert_int_equal(steer_intern(f->interner, &steered), i % EDGES);
	}
	assert_int_equal(f->pools.n, EDGES);
	for (unsigned i = 0; i < EDGES; i++) {
		assert_int_equal(f->pools.v[i].n, EACH);
		for (unsigned k = 1; k < EACH; k++)
			assert_true(f->pools.v[i].members[k - 1] < f->pools.v[i].members[k]);
	}
	fini(f);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_equal_ones_are_one),
	    cmocka_unit_test(test_thousands_of_sites_with_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
