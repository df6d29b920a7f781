/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the workers of the responder are planned with. How they serve, and end, is told by
 * tests/scenario/test_dns.py and tests/scenario/test_fault_dns_end.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/process/descriptors.h"
#include "dns/serve/worker.h"

#define EDGES 3

static uint64_t needed(unsigned addresses)
{
	struct cfg_edge edges[EDGES] = {0};
	const struct cfg_fleet fleet = {.edges = edges, .n_edges = EDGES};
	const struct cfg_nameserver node = {.listen = {.n = 1}};
	struct descriptor_budget budget;

	for (unsigned i = 0; i < EDGES; i++)
		edges[i].addresses.n = addresses;
	assert_true(dns_workers_plan(&fleet, &node, 1, 3, &budget));
	return budget.needed;
}

/* There was room for one check of each edge, whatever the number of its addresses. */
static void test_checks_of_all_addresses_have_descriptors(void **state)
{
	assert_int_equal(needed(1), needed(0) + EDGES);
	assert_int_equal(needed(4), needed(0) + 4 * EDGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_checks_of_all_addresses_have_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
