/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who is let in, by a table of lists and clients: the first item that a client is in, whatever it
 * is in it by.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/limit/access.h"
#include "geo/places.h"

static struct net_prefix prefix(const char *text)
{
	struct net_prefix p;

	CHECK(net_prefix_parse(text, &p));
	return p;
}

static const struct geo_place berlin = {.country = "DE", .continent = "EU", .asn = 64500};
static const struct geo_place tokyo = {.country = "JP", .continent = "AS", .asn = 64501};
static const struct geo_place nowhere = {.asn = 0};

/* One list for all: */
static struct net_prefix friends[2], own[1], foes[5];
static unsigned foe_asn[] = {64500}, friend_asn[] = {64501};
static const char *europe[] = {"EU"}, *japan[] = {"KR", "JP"};
static struct cfg_access items[6];

static void build(void)
{
	friends[0] = prefix("192.0.2.0/24");
	friends[1] = prefix("2001:db8:1::/48");
	own[0] = prefix("198.51.100.7/32");
	foes[0] = prefix("198.51.100.0/25");
	foes[1] = prefix("198.51.100.128/25"); /* beside it */
	foes[2] = prefix("198.51.100.64/26");  /* in it */
	foes[3] = prefix("192.0.0.0/8");       /* around friends */
	foes[4] = prefix("2001:db8::/32");
	items[0].allow.networks = (struct cfg_prefixes){friends, 2};
	items[1].allow.networks = (struct cfg_prefixes){own, 1};
	items[1].allow.asns = (struct cfg_uints){friend_asn, 1};
	items[2].deny.networks = (struct cfg_prefixes){foes, 5};
	items[3].deny.asns = (struct cfg_uints){foe_asn, 1};
	items[4].deny.countries = (struct cfg_strings){japan, 2};
	items[5].deny.continents = (struct cfg_strings){europe, 1};
}

static const struct geo_place paris = {.country = "FR", .continent = "EU", .asn = 64502};
static const struct geo_place osaka = {.country = "JP", .continent = "AS", .asn = 64502};

static const struct ask {
	const char *client;
	const struct geo_place *place;
	enum edge_access_verdict verdict;
} asks[] = {
    {"192.0.2.9/32", &berlin, EDGE_ACCESS_GRANTED},
    {"192.0.3.9/32", &nowhere, EDGE_ACCESS_DENIED_NETWORK},
    {"193.0.0.0/32", &nowhere, EDGE_ACCESS_GRANTED},
    {"191.255.255.255/32", NULL, EDGE_ACCESS_GRANTED},
    {"198.51.100.7/32", &berlin, EDGE_ACCESS_GRANTED},
    {"198.51.100.8/32", NULL, EDGE_ACCESS_DENIED_NETWORK},
    {"198.51.100.100/32", NULL, EDGE_ACCESS_DENIED_NETWORK},
    {"198.51.100.255/32", NULL, EDGE_ACCESS_DENIED_NETWORK},
    {"198.51.101.0/32", NULL, EDGE_ACCESS_GRANTED},
    /* The second item has its system, and is before the one that has its network. */
    {"198.51.100.8/32", &tokyo, EDGE_ACCESS_GRANTED},
    {"203.0.113.1/32", &tokyo, EDGE_ACCESS_GRANTED},
    {"203.0.113.1/32", &berlin, EDGE_ACCESS_DENIED_ASN},
    {"203.0.113.1/32", &paris, EDGE_ACCESS_DENIED_CONTINENT},
    {"203.0.113.1/32", &osaka, EDGE_ACCESS_DENIED_COUNTRY},
    {"203.0.113.1/32", &nowhere, EDGE_ACCESS_GRANTED},
    {"203.0.113.1/32", NULL, EDGE_ACCESS_GRANTED},
    {"2001:db8:1::5/128", NULL, EDGE_ACCESS_GRANTED},
    {"2001:db8:2::5/128", NULL, EDGE_ACCESS_DENIED_NETWORK},
    {"2001:db9::1/128", NULL, EDGE_ACCESS_GRANTED},
    /* By the IPv4 address that is in it: 6to4. */
    {"2002:c633:6408::1/128", NULL, EDGE_ACCESS_DENIED_NETWORK},
};

static void test_first_item_counts(void **state)
{
	struct edge_access *access;

	build();
	access = edge_access_create(items, ARRAY_SIZE(items));
	assert_true(edge_access_needs_place(access));
	for (unsigned i = 0; i < ARRAY_SIZE(asks); i++) {
		struct net_prefix client = prefix(asks[i].client);

		assert_int_equal(edge_access_ask(access, &client, asks[i].place, ""),
				 asks[i].verdict);
	}
	edge_access_destroy(&access);
}

static void test_empty_list_grants(void **state)
{
	struct edge_access *access = edge_access_create(NULL, 0);
	struct net_prefix client = prefix("192.0.2.1/32");

	assert_null(access);
	assert_int_equal(edge_access_ask(access, &client, &berlin, ""), EDGE_ACCESS_GRANTED);
	assert_false(edge_access_needs_place(access));
	edge_access_destroy(&access);
}

/* One lets in, the rest of both families is denied. */
static void test_all_others(void **state)
{
	struct net_prefix all[] = {prefix("0.0.0.0/0"), prefix("::/0")};
	struct net_prefix office[] = {prefix("203.0.113.0/24")};
	struct cfg_access list[] = {{.allow.networks = {office, 1}}, {.deny.networks = {all, 2}}};
	struct edge_access *access = edge_access_create(list, 2);
	struct net_prefix in = prefix("203.0.113.255/32"), beside = prefix("203.0.114.0/32"),
			  last = prefix("255.255.255.255/32"), six = prefix("ffff::1/128");

	assert_false(edge_access_needs_place(access));
	assert_int_equal(edge_access_ask(access, &in, NULL, ""), EDGE_ACCESS_GRANTED);
	assert_int_equal(edge_access_ask(access, &beside, NULL, ""), EDGE_ACCESS_DENIED_NETWORK);
	assert_int_equal(edge_access_ask(access, &last, NULL, ""), EDGE_ACCESS_DENIED_NETWORK);
	assert_int_equal(edge_access_ask(access, &six, NULL, ""), EDGE_ACCESS_DENIED_NETWORK);
	edge_access_destroy(&access);
}

/* The networks of IPv6 that carry IPv4 addresses were never looked at, with ::1 among them: who had
 * let in its own host was locked out. Nor does an IPv4 address let in whom it is only carried by.
 */
static void test_addresses_that_carry_others(void **state)
{
	struct net_prefix all[] = {prefix("0.0.0.0/0"), prefix("::/0")};
	struct net_prefix host[] = {prefix("127.0.0.0/8"), prefix("::1/128"),
				    prefix("192.0.2.0/24")};
	struct net_prefix tunnels[] = {prefix("2002::/16"), prefix("2001::/32")};
	struct cfg_access only_host[] = {{.allow.networks = {host, 3}},
					 {.deny.networks = {all, 2}}};
	struct cfg_access no_ipv6[] = {{.deny.networks = {all + 1, 1}}};
	struct cfg_access no_tunnels[] = {{.deny.networks = {tunnels, 2}}};
	struct edge_access *a = edge_access_create(only_host, 2),
			   *b = edge_access_create(no_ipv6, 1),
			   *c = edge_access_create(no_tunnels, 1);
	struct net_prefix one = prefix("::1/128"), tunnel = prefix("2002:c000:201::1/128"),
			  six = prefix("2001:db8::1/128");

	assert_int_equal(edge_access_ask(a, &one, NULL, ""), EDGE_ACCESS_GRANTED);
	assert_int_equal(edge_access_ask(a, &tunnel, NULL, ""), EDGE_ACCESS_DENIED_NETWORK);
	assert_int_equal(edge_access_ask(b, &one, NULL, ""), EDGE_ACCESS_DENIED_NETWORK);
	assert_int_equal(edge_access_ask(b, &tunnel, NULL, ""), EDGE_ACCESS_DENIED_NETWORK);
	assert_int_equal(edge_access_ask(c, &tunnel, NULL, ""), EDGE_ACCESS_DENIED_NETWORK);
	assert_int_equal(edge_access_ask(c, &six, NULL, ""), EDGE_ACCESS_GRANTED);
	edge_access_destroy(&a);
	edge_access_destroy(&b);
	edge_access_destroy(&c);
}

#define ONE "t13d1516h2_8daaf6152771_e5627efa2ab1"
#define OTHER "t13d1516h2_8daaf6152771_02713d6af862"

static void test_fingerprints(void **state)
{
	const char *bad[] = {OTHER, "t13i010000_f57a46bbacb6_ab7e3b40a677", ONE}, *good[] = {ONE};
	struct net_prefix all[] = {prefix("0.0.0.0/0")}, client = prefix("192.0.2.1/32");
	struct cfg_access denied[] = {{.deny.ja4 = {bad, 3}}};
	struct cfg_access only[] = {{.allow.ja4 = {good, 1}}, {.deny.networks = {all, 1}}};
	struct edge_access *a = edge_access_create(denied, 1), *b = edge_access_create(only, 2);

	assert_true(edge_access_needs_ja4(a));
	assert_false(edge_access_needs_ja4(NULL));
	assert_int_equal(edge_access_ask(a, &client, NULL, ONE), EDGE_ACCESS_DENIED_JA4);
	assert_int_equal(edge_access_ask(a, &client, NULL, OTHER), EDGE_ACCESS_DENIED_JA4);
	assert_int_equal(edge_access_ask(a, &client, NULL, ""), EDGE_ACCESS_GRANTED);
	assert_int_equal(edge_access_ask(a, &client, NULL, NULL), EDGE_ACCESS_GRANTED);
	assert_int_equal(edge_access_ask(b, &client, NULL, ONE), EDGE_ACCESS_GRANTED);
	assert_int_equal(edge_access_ask(b, &client, NULL, OTHER), EDGE_ACCESS_DENIED_NETWORK);
	assert_int_equal(edge_access_ask(b, &client, NULL, ""), EDGE_ACCESS_DENIED_NETWORK);
	/* Before it is known the list must not be read further. */
	assert_int_equal(edge_access_ask(b, &client, NULL, NULL), EDGE_ACCESS_GRANTED);
	edge_access_destroy(&a);
	edge_access_destroy(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fingerprints),
	    cmocka_unit_test(test_first_item_counts),
	    cmocka_unit_test(test_empty_list_grants),
	    cmocka_unit_test(test_all_others),
	    cmocka_unit_test(test_addresses_that_carry_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
