/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Addresses and prefixes by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/addr.h"
#include "core/base/check.h"

static void test_addresses_are_parsed_and_printed(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
	    {"192.0.2.1:443", "192.0.2.1:443"},
	    {"192.0.2.1", "192.0.2.1:7"},
	    {"192.0.2.1:0", "192.0.2.1:0"},
	    {"192.0.2.1:65535", "192.0.2.1:65535"},
	    {"[2001:db8::1]:443", "[2001:db8::1]:443"},
	    {"[2001:DB8:0::1]", "[2001:db8::1]:7"},
	    {"2001:db8::1", "[2001:db8::1]:7"},
	    {"::", "[::]:7"},
	    {"[::]:443", "[::]:443"},
	    {"*:443", "[::]:443"},
	    {"*", "[::]:7"},
	    {"::ffff:192.0.2.1", "192.0.2.1:7"},
	    {"[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
	    {"[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
	     "[1111:2222:3333:4444:5555:6666:7777:8888]:65535"},
	};
	char buf[NET_ADDR_TEXT];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_addr a, again;

		assert_true(net_addr_parse(rows[i].text, 7, &a));
		assert_string_equal(net_addr_format(&a, buf), rows[i].printed);
		assert_true(net_addr_parse(buf, 1, &again));
		assert_true(net_addr_equal(&a, &again));
	}
}

static void test_four_addresses_are_shown_at_a_time(void **state)
{
	static const char *const texts[] = {"192.0.2.1:1", "[2001:db8::1]:2", "192.0.2.3:3",
					    "192.0.2.4:4"};
	const char *shown[ARRAY_SIZE(texts)];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct net_addr addr;

		assert_true(net_addr_parse(texts[i], 0, &addr));
		shown[i] = net_addr_shown(&addr);
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_string_equal(shown[i], texts[i]);
}

static void test_junk_is_no_address(void **state)
{
	static const char *const junk[] = {
	    "",
	    ":",
	    ":443",
	    "443",
	    "localhost",
	    "localhost:80",
	    "192.0.2.1:",
	    "192.0.2.1:65536",
	    "192.0.2.1:-1",
	    "192.0.2.1:+1",
	    "192.0.2.1: 80",
	    "192.0.2.1:80 ",
	    " 192.0.2.1",
	    "192.0.2",
	    "192.0.2.256",
	    "192.0.2.1.1",
	    "192.0.2.1:99999999999999999999",
	    "[2001:db8::1",
	    "2001:db8::1]:443",
	    "[2001:db8::1]443",
	    "[2001:db8::1]:",
	    "[192.0.2.1]:80",
	    "[]:80",
	    "[",
	    "[*]:80",
	    "*:",
	    "**:80",
	    "2001:db8::1::2",
	    "2001:db8:::1",
	    "[fe80::1%eth0]:80",
	    "192.0.2.1/24",
	    "[::]:80:90",
	    "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff:0000:1111",
	};
	struct net_addr a;

	for (unsigned i = 0; i < ARRAY_SIZE(junk); i++)
		if (net_addr_parse(junk[i], 7, &a))
			fail_msg("taken as an address: '%s'", junk[i]);
}

static struct net_addr addr(const char *text)
{
	struct net_addr a;

	CHECK(net_addr_parse(text, 80, &a));
	return a;
}

static void test_equality_is_address_and_port(void **state)
{
	struct net_addr a = addr("192.0.2.1:80"), mapped = addr("[::ffff:192.0.2.1]:80");
	struct net_addr port = addr("192.0.2.1:81"), other = addr("192.0.2.2:80");
	/* the same four bytes, and zeros */
	struct net_addr v6 = addr("[c000:201::]:80");
	char buf[NET_ADDR_TEXT];

	assert_true(net_addr_equal(&a, &mapped));
	assert_false(net_addr_equal(&a, &port));
	assert_false(net_addr_equal(&a, &other));
	assert_false(net_addr_equal(&a, &v6));
	assert_int_equal(net_addr_len(&a), sizeof(struct sockaddr_in));
	assert_int_equal(net_addr_len(&v6), sizeof(struct sockaddr_in6));
	net_addr_set_port(&v6, 8443);
	assert_int_equal(net_addr_port(&v6), 8443);
	assert_string_equal(net_addr_format_ip(&v6, buf), "c000:201::");
	assert_string_equal(net_addr_format_ip(&mapped, buf), "192.0.2.1");
}

static void test_prefixes_are_parsed_and_printed(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
	    {"192.0.2.0/24", "192.0.2.0/24"},
	    {"192.0.2.1", "192.0.2.1/32"},
	    {"192.0.2.1/32", "192.0.2.1/32"},
	    {"0.0.0.0/0", "0.0.0.0/0"},
	    {"192.0.2.128/25", "192.0.2.128/25"},
	    {"198.18.0.0/15", "198.18.0.0/15"},
	    {"2001:db8::/32", "2001:db8::/32"},
	    {"2001:db8::1", "2001:db8::1/128"},
	    {"2001:db8:8000::/33", "2001:db8:8000::/33"},
	    {"::/0", "::/0"},
	    {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
	    {"::ffff:192.0.2.1", "192.0.2.1/32"},
	};
	static const char *const junk[] = {
	    "",
	    "/",
	    "/24",
	    "192.0.2.0/",
	    "192.0.2.0/33",
	    "192.0.2.0/-1",
	    "192.0.2.0/ 24",
	    "192.0.2.1/24",
	    "192.0.2.128/24",
	    "192.0.2.0/24/24",
	    "192.0.2/24",
	    "0.0.0.1/0",
	    "2001:db8::/129",
	    "2001:db8::1/64",
	    "2001:db8:4000::/33",
	    "[2001:db8::]/32",
	    "*",
	    "::ffff:192.0.2.0/24",
	    "example.com/24",
	};
	struct net_prefix p;
	char buf[NET_ADDR_TEXT];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(net_prefix_parse(rows[i].text, &p));
		assert_string_equal(net_prefix_format(&p, buf), rows[i].printed);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(junk); i++)
		if (net_prefix_parse(junk[i], &p))
			fail_msg("taken as a prefix: '%s'", junk[i]);
}

static void test_prefixes_cover(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} rows[] = {
	    {"192.0.2.0/24", "192.0.2.0/24", true},
	    {"192.0.2.0/24", "192.0.2.255", true},
	    {"192.0.2.0/24", "192.0.3.0", false},
	    {"192.0.2.0/24", "192.0.0.0/16", false},
	    {"192.0.2.0/25", "192.0.2.128/25", false},
	    {"0.0.0.0/0", "203.0.113.9", true},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"::/0", "192.0.2.1", false},
	    {"::/0", "2001:db8::1", true},
	    {"2001:db8::/33", "2001:db8:7fff::/48", true},
	    {"2001:db8::/33", "2001:db8:8000::/48", false},
	    {"2001:db8::1/128", "2001:db8::1", true},
	    {"2001:db8::1/128", "2001:db8::2", false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_prefix outer, inner;

		assert_true(net_prefix_parse(rows[i].outer, &outer));
		assert_true(net_prefix_parse(rows[i].inner, &inner));
		assert_int_equal(net_prefix_covers(&outer, &inner), rows[i].covers);
	}
}

static void test_an_address_is_a_full_length_prefix(void **state)
{
	struct net_addr mapped = addr("::ffff:192.0.2.1"), v6 = addr("2001:db8::1");
	struct net_prefix p = net_prefix_of(&mapped);
	char buf[NET_ADDR_TEXT];

	assert_int_equal(p.family, AF_INET);
	assert_string_equal(net_prefix_format(&p, buf), "192.0.2.1/32");
	p = net_prefix_of(&v6);
	assert_string_equal(net_prefix_format(&p, buf), "2001:db8::1/128");
}

static void test_unix(void **state)
{
	struct net_addr a, b, c, ip;
	char path[] = "/run/app.sock", longest[109], text[NET_ADDR_TEXT];

	assert_true(net_addr_unix(path, &a));
	assert_true(net_addr_unix("/run/app.sock", &b));
	assert_true(net_addr_unix("/run/app.sock2", &c));
	assert_true(net_addr_parse("192.0.2.1:80", 0, &ip));
	assert_true(net_addr_equal(&a, &b));
	assert_false(net_addr_equal(&a, &c));
	assert_false(net_addr_equal(&a, &ip));
	assert_false(net_addr_equal(&ip, &a));
	path[1] = 'x'; /* the address has a copy */
	assert_string_equal(net_addr_format(&a, text), "unix:/run/app.sock");
	net_addr_set_port(&a, 80);
	assert_int_equal(net_addr_port(&a), 0);
	assert_true(net_addr_equal(&a, &b));

	memset(longest, 'a', sizeof(longest));
	longest[108] = '\0';
	assert_false(net_addr_unix(longest, &a));
	longest[107] = '\0';
	assert_true(net_addr_unix(longest, &a));
	assert_int_equal(strlen(net_addr_format(&a, text)), 5 + 107);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unix),
	    cmocka_unit_test(test_addresses_are_parsed_and_printed),
	    cmocka_unit_test(test_four_addresses_are_shown_at_a_time),
	    cmocka_unit_test(test_junk_is_no_address),
	    cmocka_unit_test(test_equality_is_address_and_port),
	    cmocka_unit_test(test_prefixes_are_parsed_and_printed),
	    cmocka_unit_test(test_prefixes_cover),
	    cmocka_unit_test(test_an_address_is_a_full_length_prefix),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
