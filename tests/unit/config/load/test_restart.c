/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which changes need a restart of which node.
 */
#include "tests/unit/config/support.h"

#include <string.h>

#include "core/base/check.h"

#define BASE_HTTP "http: {access_log: {output: /a}}\n"
#define BASE_EDGES "edges: {a: {listen: \"*:443\", control: /a}, b: {workers: 2}}\n"
#define BASE_SERVERS "nameservers: {n: {listen: [\"*:53\"]}, b: {}}\n"

static void test_needs_restart(void **state)
{
	static const struct {
		const char *text, *node, *path; /* path NULL: reloads */
	} cases[] = {
	    {BASE_HTTP BASE_EDGES BASE_SERVERS, "a", NULL},
	    /* The same, written otherwise. */
	    {BASE_HTTP
	     "edges: {a: {listen: [\"[::]:443\"], control: /a}, b: {workers: 2}}\n" BASE_SERVERS,
	     "a", NULL},
	    /* What takes effect on reload. */
	    {"http: {access_log: {output: /a}, timeout: {head: 1s}, plain: serve, proxy_protocol: "
	     "\"::1\",\n"
	     "       limit: {silent: 1, handshakes: 1, buffered: 1MiB}}\nlog: {level: debug}\n"
	     "edges: {a: {location: \"1,2\", control: /a, admin: drained, bias: 1km,\n"
	     "            check: {port: 1}}, b: {workers: 2}, c: {}}\n" BASE_SERVERS,
	     "a", NULL},
	    {"http: {access_log: {output: /b}}\n" BASE_EDGES BASE_SERVERS, "a",
	     "http.access_log.output"},
	    {BASE_HTTP BASE_EDGES BASE_SERVERS "tls: {handshake_threads: auto}\n", "a", NULL},
	    {BASE_HTTP BASE_EDGES BASE_SERVERS "tls: {handshake_threads: 0}\n", "a",
	     "tls.handshake_threads"},
	    {BASE_HTTP BASE_EDGES BASE_SERVERS "user: perigee\n", "a", "user"},
	    {BASE_HTTP BASE_EDGES BASE_SERVERS "user: perigee\n", "n", "user"},
	    {BASE_HTTP BASE_EDGES BASE_SERVERS "tls: {keys: {place: signer}}\n", "a",
	     "tls.keys.place"},
	    {BASE_HTTP BASE_EDGES BASE_SERVERS "tls: {handshake_threads: 0}\n", "n", NULL},
	    /* Name servers write no access log. */
	    {"http: {access_log: {output: /b}}\n" BASE_EDGES BASE_SERVERS, "n", NULL},
	    {BASE_HTTP
	     "edges: {a: {listen: \"*:444\", control: /a}, b: {workers: 2}}\n" BASE_SERVERS,
	     "a", "edges.a.listen"},
	    {BASE_HTTP "edges: {a: {listen: [\"*:443\", \"*:80\"], control: /a}, b: {workers: "
		       "2}}\n" BASE_SERVERS,
	     "a", "edges.a.listen"},
	    {BASE_HTTP
	     "edges: {a: {listen_plain: \"*:80\", control: /a}, b: {workers: 2}}\n" BASE_SERVERS,
	     "a", "edges.a.listen_plain"},
	    {BASE_HTTP "edges: {a: {control: /other}, b: {workers: 2}}\n" BASE_SERVERS, "a",
	     "edges.a.control"},
	    /* Another node's business. */
	    {BASE_HTTP
	     "edges: {a: {control: /a}, b: {workers: 2, listen_plain: \"*:80\"}}\n" BASE_SERVERS,
	     "a", NULL},
	    {BASE_HTTP "edges: {a: {control: /a}, b: {workers: 3}}\n" BASE_SERVERS, "a", NULL},
	    {BASE_HTTP "edges: {a: {control: /a}, b: {workers: 3}}\n" BASE_SERVERS, "b",
	     "edges.b.workers"},
	    {BASE_HTTP "edges: {b: {workers: 2}}\n" BASE_SERVERS, "a", "edges.a"},
	    {BASE_HTTP BASE_EDGES "nameservers: {n: {listen: \"*:54\"}, b: {}}\n", "n",
	     "nameservers.n.listen"},
	    {BASE_HTTP BASE_EDGES "nameservers: {n: {workers: 9}, b: {}}\n", "n",
	     "nameservers.n.workers"},
	    {BASE_HTTP BASE_EDGES "nameservers: {n: {}, b: {control: /x}}\n", "b",
	     "nameservers.b.control"},
	    {BASE_HTTP BASE_EDGES "nameservers: {b: {}}\n", "n", "nameservers.n"},
	    {BASE_HTTP BASE_EDGES BASE_SERVERS, "nobody", NULL},
	};
	struct cfg_fleet *before = load_good(BASE_HTTP BASE_EDGES BASE_SERVERS);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_fleet *after = load_good(cases[i].text);
		char path[64] = "";
		bool needs = cfg_needs_restart(before, after, cases[i].node, path, sizeof(path));

		assert_string_equal(path, cases[i].path != NULL ? cases[i].path : "");
		assert_int_equal(needs, cases[i].path != NULL);
		cfg_fleet_destroy(&after);
	}
	cfg_fleet_destroy(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_needs_restart),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
