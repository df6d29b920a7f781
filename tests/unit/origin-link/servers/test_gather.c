/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which addresses of an answer are used: by table, and of answers that are too large.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ares.h>
#include <arpa/inet.h>

#include "core/base/check.h"
#include "origin-link/servers/gather.h"

static const struct cfg_resolve usual = {DUR_S(1), DUR_S(300), DUR_S(86400), CFG_FAMILY_ANY};

/* An answer with these addresses. */
struct answer {
	struct ares_addrinfo info;
	struct ares_addrinfo_node *nodes;
	struct net_addr *addrs;
	unsigned n, cap;
};

static void answer_init(struct answer *a, unsigned cap)
{
	*a = (struct answer){.cap = cap};
	a->nodes = xcalloc(cap, sizeof(*a->nodes));
	a->addrs = xcalloc(cap, sizeof(*a->addrs));
}

static void answer_add(struct answer *a, const char *text, int ttl)
{
	struct ares_addrinfo_node *node = &a->nodes[a->n];
	struct net_addr *addr = &a->addrs[a->n];

	assert_true(a->n < a->cap);
	if (strncmp(text, "::ffff:", 7) == 0) {
		addr->in6.sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &addr->in6.sin6_addr), 1);
	} else {
		assert_true(net_addr_parse(text, 0, addr));
	}
	*node = (struct ares_addrinfo_node){
	    .ai_ttl = ttl,
	    .ai_family = addr->sa.sa_family,
	    .ai_addrlen = net_addr_len(addr),
	    .ai_addr = &addr->sa,
	    .ai_next = a->info.nodes,
	};
	a->info.nodes = node;
	a->n++;
}

static void answer_fini(struct answer *a)
{
	free(a->nodes);
	free(a->addrs);
}

/* No Linux connects to fe80::1 without being told by which interface, so it stands for the IPv6
 * addresses of an origin on a machine without IPv6. */
#define NO_ROUTE "fe80::1"

static const struct row {
	const char *in[4], *out[4];
} rows[] = {
    {{"127.0.0.3", "127.0.0.2"}, {"127.0.0.2", "127.0.0.3"}},
    {{"127.0.0.2", "127.0.0.2"}, {"127.0.0.2"}},
    /* Two of them in a row were the two that a request tried: every so many requests failed though
     * other addresses served. */
    {{NO_ROUTE, "127.0.0.2"}, {"127.0.0.2"}},
    /* Better than none. */
    {{NO_ROUTE}, {NO_ROUTE}},
    /* Nobody's. */
    {{"0.0.0.0"}, {NULL}},
    {{"0.1.2.3", "127.0.0.2"}, {"127.0.0.2"}},
    {{"255.255.255.255"}, {NULL}},
    {{"224.0.0.1", "239.255.255.255"}, {NULL}},
    {{"::"}, {NULL}},
    {{"ff02::1"}, {NULL}},
    {{"::ffff:0.0.0.0", "::ffff:224.0.0.1"}, {NULL}},
    /* The same in another form. */
    {{"::ffff:127.0.0.2", "127.0.0.2"}, {"127.0.0.2"}},
    {{NULL}, {NULL}},
};

static void test_which(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct net_addr out[RESOLVER_ADDRS_MAX];
		unsigned n, wanted = 0;
		struct answer a;
		duration ttl;

		answer_init(&a, 4);
		for (unsigned k = 0; k < 4 && row->in[k]; k++)
			answer_add(&a, row->in[k], 60);
		n = gather_addrs(&a.info, 80, &usual, out, &ttl);
		while (row->out[wanted])
			wanted++;
		if (n != wanted)
			fail_msg("row %u: %u addresses, not %u", i, n, wanted);
		for (unsigned k = 0; k < n; k++) {
			char text[NET_ADDR_TEXT];

			assert_string_equal(net_addr_format_ip(&out[k], text), row->out[k]);
			assert_int_equal(net_addr_port(&out[k]), 80);
		}
		answer_fini(&a);
	}
}

/* Name servers turn their answers around: the cut must not, or a name of many addresses would lose
 * and find some, their health and connections with them, at every look. */
static void test_a_thousand_addresses_in_any_order(void **state)
{
	for (unsigned turn = 0; turn < 1000; turn += 250) {
		struct net_addr out[RESOLVER_ADDRS_MAX];
		struct answer a;
		duration ttl;

		answer_init(&a, 1000);
		for (unsigned i = 0; i < 1000; i++) {
			unsigned k = (i + turn) % 1000;
			char text[NET_ADDR_TEXT];

			snprintf(text, sizeof(text), "127.1.%u.%u", k / 250, k % 250 + 1);
			answer_add(&a, text, 60);
		}
		assert_int_equal(gather_addrs(&a.info, 80, &usual, out, &ttl), RESOLVER_ADDRS_MAX);
		for (unsigned i = 0; i < RESOLVER_ADDRS_MAX; i++) {
			char text[NET_ADDR_TEXT], wanted[NET_ADDR_TEXT];

			snprintf(wanted, sizeof(wanted), "127.1.0.%u", i + 1);
			assert_string_equal(net_addr_format_ip(&out[i], text), wanted);
		}
		answer_fini(&a);
	}
}

static void test_family(void **state)
{
	static const struct {
		enum cfg_family family;
		const char *out[3];
	} cases[] = {
	    {CFG_FAMILY_ANY, {"127.0.0.2", "127.0.0.3", "::1"}},
	    {CFG_FAMILY_IPV4, {"127.0.0.2", "127.0.0.3"}},
	    {CFG_FAMILY_IPV6, {"::1"}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_resolve terms = usual;
		struct net_addr out[RESOLVER_ADDRS_MAX];
		struct answer a;
		unsigned n;
		duration ttl;

		terms.family = cases[i].family;
		answer_init(&a, 3);
		answer_add(&a, "127.0.0.2", 60);
		answer_add(&a, "::1", 60);
		answer_add(&a, "::ffff:127.0.0.3", 60);
		n = gather_addrs(&a.info, 80, &terms, out, &ttl);
		for (unsigned k = 0; k < 3; k++) {
			char text[NET_ADDR_TEXT];

			assert_int_equal(k < n, cases[i].out[k] != NULL);
			if (k < n)
				assert_string_equal(net_addr_format_ip(&out[k], text),
						    cases[i].out[k]);
		}
		answer_fini(&a);
	}
}

static void test_ttl_has_a_floor_and_a_ceiling(void **state)
{
	struct cfg_resolve terms = {DUR_S(20), DUR_S(40), DUR_S(0), CFG_FAMILY_ANY};
	static const int64_t cases[][2] = {{0, 20}, {19, 20}, {30, 30}, {41, 40}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_addr out[RESOLVER_ADDRS_MAX];
		struct answer a;
		duration ttl;

		answer_init(&a, 1);
		answer_add(&a, "127.0.0.1", (int)cases[i][0]);
		assert_int_equal(gather_addrs(&a.info, 80, &terms, out, &ttl), 1);
		assert_int_equal(ttl.ns, DUR_S(cases[i][1]).ns);
		answer_fini(&a);
	}
}

static void test_ttl(void **state)
{
	static const struct {
		int ttl[2], alias;
		int64_t seconds;
	} cases[] = {
	    {{60, 30}, 100, 30}, {{60, 60}, 10, 10}, {{0, 60}, 60, 5},
	    {{-1, 60}, 60, 5},   {{60, 60}, 0, 5},   {{1 << 30, 1 << 30}, 1 << 30, 300},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ares_addrinfo_cname alias = {.ttl = cases[i].alias};
		struct net_addr out[RESOLVER_ADDRS_MAX];
		struct answer a;
		duration ttl;

		answer_init(&a, 2);
		answer_add(&a, "127.0.0.1", cases[i].ttl[0]);
		answer_add(&a, "127.0.0.2", cases[i].ttl[1]);
		a.info.cnames = &alias;
		assert_int_equal(gather_addrs(&a.info, 80, &usual, out, &ttl), 2);
		assert_int_equal(ttl.ns, DUR_S(cases[i].seconds).ns);
		answer_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_which),
	    cmocka_unit_test(test_a_thousand_addresses_in_any_order),
	    cmocka_unit_test(test_family),
	    cmocka_unit_test(test_ttl),
	    cmocka_unit_test(test_ttl_has_a_floor_and_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
