/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What counts as one client, by a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/facts/client.h"

static const struct {
	const char *address, *network;
} cases[] = {
    {"192.0.2.1", "192.0.2.1/32"},
    {"::ffff:192.0.2.1", "192.0.2.1/32"},
    {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
    {"2001:db8:1:2::", "2001:db8:1:2::/64"},
    {"::1", "::/64"},
};

static void test_networks(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_prefix network;
		struct net_addr addr;
		char text[NET_ADDR_TEXT];

		assert_true(net_addr_parse(cases[i].address, 0, &addr));
		network = edge_client_network(&addr);
		assert_string_equal(net_prefix_format(&network, text), cases[i].network);
	}
}

static void test_no_places(void **state)
{
	struct edge_client client = {.protocol = ""};

	assert_null(edge_client_place(&client, NULL));
}

/* A connection may outlive many reloads, and new places come to lie where old ones lay. */
static void test_places_at_the_address_of_others(void **state)
{
	struct cfg_geo geo = {.unknown = {.set = true}};
	struct edge_client client = {.protocol = ""};
	struct diag *diag = diag_create();

	assert_true(net_addr_parse("192.0.2.1", 0, &client.addr));
	for (int i = 0; i < 80; i++) {
		const struct geo_places *places;

		geo.unknown.latitude = i;
		places = geo_places_load(&geo, NULL, diag);
		assert_non_null(places);
		assert_true(edge_client_place(&client, places)->latitude == i);
		geo_places_unref(&places);
	}
	diag_destroy(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_networks),
	    cmocka_unit_test(test_no_places),
	    cmocka_unit_test(test_places_at_the_address_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
