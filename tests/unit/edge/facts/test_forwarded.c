/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who is trusted, and whom the chains of trusted proxies name: by tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/facts/forwarded.h"

static void test_trusted(void **state)
{
	static const struct {
		const char *client;
		bool trusted;
	} cases[] = {
	    {"192.0.2.9:1", true},      {"192.0.3.1:1", false},         {"[2001:db8::9]:1", true},
	    {"[2001:db9::1]:1", false}, {"[::ffff:192.0.2.9]:1", true},
	};
	struct net_prefix list[2];
	struct cfg_prefixes trusted = {list, 2};

	assert_true(net_prefix_parse("192.0.2.0/24", &list[0]));
	assert_true(net_prefix_parse("2001:db8::/32", &list[1]));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net_addr client;

		assert_true(net_addr_parse(cases[i].client, 0, &client));
		assert_int_equal(edge_is_trusted(&trusted, &client), cases[i].trusted);
		assert_false(edge_is_trusted(&(struct cfg_prefixes){0}, &client));
	}
}

/* Trusted: 10.0.0.0/8 and 2001:db8:a::/48. Fields are "NAME: VALUE" in lines. */
static const struct chain {
	const char *fields;
	const char *client; /* NULL: none */
} chains[] = {
    {"", NULL},
    {"X-Forwarded-For: 192.0.2.1", "192.0.2.1"},
    {"x-forwarded-for: 192.0.2.1", "192.0.2.1"},
    {"X-Forwarded-For:  192.0.2.1 ", "192.0.2.1"},
    {"X-Forwarded-For: 192.0.2.1:4711", "192.0.2.1"},
    {"X-Forwarded-For: 2001:db8::7", "2001:db8::7"},
    {"X-Forwarded-For: [2001:db8::7]:4711", "2001:db8::7"},
    /* What a client wrote itself stands before what was added. */
    {"X-Forwarded-For: 6.6.6.6, 192.0.2.1", "192.0.2.1"},
    {"X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.1, 10.9.9.9", "192.0.2.1"},
    {"X-Forwarded-For: 6.6.6.6\nX-Forwarded-For: 192.0.2.1\nX-Forwarded-For: 10.0.0.1",
     "192.0.2.1"},
    {"X-Forwarded-For: 192.0.2.1,, ,10.0.0.1,", "192.0.2.1"},
    {"X-Forwarded-For: \nX-Forwarded-For: 192.0.2.1\nX-Forwarded-For: ", "192.0.2.1"},
    {"X-Forwarded-For: 192.0.2.1, 2001:db8:a::1", "192.0.2.1"},
    /* Nobody else, and nobody who can be told. */
    {"X-Forwarded-For: 10.0.0.1, 10.0.0.2", NULL},
    {"X-Forwarded-For: ", NULL},
    {"X-Forwarded-For: unknown", NULL},
    {"X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.1", NULL},
    {"X-Forwarded-For: 192.0.2.1, _hidden", NULL},
    {"X-Forwarded-For: 192.0.2.1, 192.0.2.300", NULL},
    {"X-Forwarded-For: 192.0.2.1, *", NULL},
    {"X-Forwarded-For: 192.0.2.1, "
     "1111111111111111111111111111111111111111111111111111111111111111",
     NULL},
    /* RFC 7239 */
    {"Forwarded: for=192.0.2.1", "192.0.2.1"},
    {"Forwarded: For=\"[2001:db8::7]:4711\";proto=https", "2001:db8::7"},
    {"Forwarded: proto=https; for=192.0.2.1 ;by=10.0.0.1", "192.0.2.1"},
    {"Forwarded: for=6.6.6.6, for=192.0.2.1, for=10.0.0.1", "192.0.2.1"},
    {"Forwarded: for=6.6.6.6\nForwarded: for=192.0.2.1", "192.0.2.1"},
    {"Forwarded: for=192.0.2.1, for=unknown", NULL},
    {"Forwarded: for=192.0.2.1, proto=https", NULL},
    {"Forwarded: for=192.0.2.1, for=_x, for=10.0.0.1", NULL},
    {"Forwarded: for=10.0.0.1", NULL},
    {"Forwarded: for=\"6.6.6.6, for=192.0.2.1\"", NULL},
    /* A quote that was left open swallows nothing that a proxy has added. */
    {"Forwarded: for=6.6.6.6;x=\", for=192.0.2.1", "192.0.2.1"},
    {"Forwarded: for=6.6.6.6;x=\", for=192.0.2.1;host=\"a\"", "192.0.2.1"},
    {"Forwarded: for=6.6.6.6;x=\"\\, for=\"[2001:db8::7]\"", "2001:db8::7"},
    {"Forwarded: for=6.6.6.6;x=\"\nForwarded: for=192.0.2.1", "192.0.2.1"},
    /* Quotes that a client opens hide nobody, and what is quoted names nobody. */
    {"Forwarded: for=\"6.6.6.6, for=192.0.2.1", "192.0.2.1"},
    {"Forwarded: for=x;host=\"\\, for=192.0.2.1, for=10.0.0.1", "192.0.2.1"},
    {"Forwarded: for=192.0.2.1;host=\"a;for=6.6.6.6;b\";proto=https", "192.0.2.1"},
    {"Forwarded: host=\"a;for=6.6.6.6;b\";for=192.0.2.1", "192.0.2.1"},
    {"Forwarded: for=192.0.2.1;host=\"a, for=6.6.6.6\"", "192.0.2.1"},
    {"Forwarded: for=192.0.2.1;host=\"a\\\", for=6.6.6.6;b=\\\"\"", "192.0.2.1"},
    {"Forwarded: \", for=192.0.2.1;host=\"a\\\\\"", "192.0.2.1"},
    /* One chain, not both. */
    {"Forwarded: for=6.6.6.6\nX-Forwarded-For: 192.0.2.1", "192.0.2.1"},
    {"Forwarded: for=6.6.6.6\nX-Forwarded-For: unknown", NULL},
};

static void add_fields(struct http_head *head, const char *lines)
{
	while (*lines != '\0') {
		const char *colon = strchr(lines, ':'), *end = strchrnul(lines, '\n');
		const char *value = colon + 1;

		assert_true(http_fields_add(&head->fields, head->arena,
					    (struct span){lines, (size_t)(colon - lines)},
					    (struct span){value, (size_t)(end - value)}));
		lines = *end == '\0' ? end : end + 1;
	}
}

static void test_chains(void **state)
{
	struct net_prefix list[2];
	struct cfg_prefixes trusted = {list, 2};

	assert_true(net_prefix_parse("10.0.0.0/8", &list[0]));
	assert_true(net_prefix_parse("2001:db8:a::/48", &list[1]));
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		char text[NET_ADDR_TEXT] = "";
		struct http_head head;
		struct net_addr client;
		struct arena arena;
		bool found;

		arena_init(&arena, 65536);
		http_head_init(&head, &arena);
		add_fields(&head, chains[i].fields);
		found = edge_forwarded_client(&head, &trusted, &client);
		if (found)
			net_addr_format_ip(&client, text);
		if (chains[i].client == NULL && found)
			fail_msg("\"%s\" names %s", chains[i].fields, text);
		if (chains[i].client != NULL && strcmp(text, chains[i].client) != 0)
			fail_msg("\"%s\" names \"%s\"", chains[i].fields, text);
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_trusted),
	    cmocka_unit_test(test_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
