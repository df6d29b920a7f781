/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Values that are right alone and wrong together, and what is said about them, word by word.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>

#include "core/base/check.h"

/* Everything that takes more than one value to be wrong. */
static void test_contradictions(void **state)
{
	assert_complaints(
	    "http: {limit: {head_bytes: 1KiB}}\n"
	    "edges:\n"
	    "  a:\n"
	    "    addresses: [192.0.2.1, 192.0.2.2]\n"
	    "    listen: [\"*:443\", \"127.0.0.1:0\", \"[::]:443\", \"127.0.0.1:0\"]\n"
	    "    check: {interval: 1s}\n"
	    "    listen_plain: [\"*:80\", \"*:443\", \"[::]:80\", \"127.0.0.1:0\"]\n"
	    "  b:\n"
	    "    addresses: [\"::ffff:192.0.2.2\"]\n"
	    "    location: 1,2\n"
	    "  c: {}\n"
	    "nameservers: {n: {listen: [\"*:53\", \"*:53\"]}}\n"
	    "origins:\n"
	    "  app:\n"
	    "    servers: [A:80, \"a\"]\n"
	    "    health: {check: {timeout: 6s}}\n"
	    "    pool: {warm: 3, max_idle: 2}\n"
	    "    limit: {connections: 2}\n"
	    "  api: {servers: b, protocol: h2, proxy_protocol: v2, resolve: {ttl_min: 1h}}\n"
	    "sites:\n"
	    "  one:\n"
	    "    hosts: [x.example, y.example, \"*.example.com\"]\n"
	    "    certificates: {certificate: c, key: k}\n"
	    "    routes: [{origin: app}, {path: /, origin: app}]\n"
	    "    edges: [a, b, a]\n"
	    "  two:\n"
	    "    hosts: [Y.example, www.example.com]\n"
	    "    certificates: {certificate: c, key: k}\n"
	    "    routes: [{origin: app}]\n"
	    "zones:\n"
	    "  example.com:\n"
	    "    file: z\n"
	    "    steered:\n"
	    "      www: {site: two, ttl: 1500ms}\n"
	    "      WWW: {site: one}\n"
	    "      www.example.com: {site: one}\n"
	    "  EXAMPLE.com.: {file: z}\n"
	    "geo: {database: d}\n",

	    "fleet.yaml:1:28: http.limit: target_bytes is more than head_bytes, of which it is a "
	    "part\n"
	    "fleet.yaml:3:3: edges.a.location is missing: zones.example.com.steered.www goes by "
	    "distance\n"
	    "fleet.yaml:5:38: edges.a.listen: \"[::]:443\" is there twice; first at "
	    "fleet.yaml:5:14\n"
	    "fleet.yaml:6:23: edges.a.check: the timeout is longer than the interval\n"
	    "fleet.yaml:7:28: edges.a.listen_plain: \"[::]:443\" is there twice; first at "
	    "fleet.yaml:5:14\n"
	    "fleet.yaml:7:37: edges.a.listen_plain: \"[::]:80\" is there twice; first at "
	    "fleet.yaml:7:20\n"
	    "fleet.yaml:9:17: warning: edges.*.addresses: \"192.0.2.2\" is there twice; first at "
	    "fleet.yaml:4:28\n"
	    "fleet.yaml:11:3: edges.c.addresses is missing: zones.example.com.steered.www sends "
	    "clients there\n"
	    "fleet.yaml:12:36: nameservers.n.listen: \"[::]:53\" is there twice; first at "
	    "fleet.yaml:12:28\n"
	    "fleet.yaml:15:21: origins.app.servers: \"a:80\" is there twice; first at "
	    "fleet.yaml:15:15\n"
	    "fleet.yaml:16:31: origins.app.health.check: the timeout is longer than the interval\n"
	    "fleet.yaml:17:18: origins.app.pool: warm is more than max_idle\n"
	    "fleet.yaml:17:18: origins.app.pool: warm is more than limit.connections\n"
	    "fleet.yaml:19:31: origins.api: h2 is not possible with a PROXY protocol header\n"
	    "fleet.yaml:19:31: origins.api: servers that are asked by h2 only are checked by h2, "
	    "grpc, tcp or tls (health.check.kind)\n"
	    "fleet.yaml:19:74: origins.api.resolve: ttl_min is more than ttl_max\n"
	    "fleet.yaml:24:29: sites.one.routes: \"/\" is there twice; first at fleet.yaml:24:14\n"
	    "fleet.yaml:25:19: sites.one.edges: \"a\" is there twice\n"
	    "fleet.yaml:27:13: sites.*.hosts: \"y.example\" is there twice; first at "
	    "fleet.yaml:22:24\n"
	    "fleet.yaml:34:29: zones.example.com.steered.www.ttl: DNS knows whole seconds only\n"
	    "fleet.yaml:35:7: zones.example.com.steered: \"www\" is there twice; first at "
	    "fleet.yaml:34:7\n"
	    "fleet.yaml:36:7: zones.example.com.steered.www.example.com: an owner is relative to "
	    "its zone: leave out \"example.com\"\n"
	    "fleet.yaml:37:3: zones: \"example.com\" is there twice; first at fleet.yaml:31:3\n");
}

/* Where requests have no TLS these checks begin with prior knowledge; with TLS, tls.verify says it.
 */
static void test_verify_of_checks_without_tls_had_no_effect(void **state)
{
	assert_complaints(
	    "origins:\n"
	    "  two: {servers: a, health: {check: {kind: h2, verify: yes}}}\n"
	    "  rpc: {servers: a, health: {check: {kind: grpc, verify: yes}}}\n"
	    "  web: {servers: a, health: {check: {kind: https, verify: yes}}}\n"
	    "  any: {servers: a, health: {check: {kind: tls, verify: yes}}}\n"
	    "edges:\n"
	    "  e: {check: {kind: h2, verify: yes}}\n",
	    "fleet.yaml:2:48: origins.two.health.check.verify belongs to kind https or tls, but "
	    "here kind is h2\n"
	    "fleet.yaml:3:50: origins.rpc.health.check.verify belongs to kind https or tls, but "
	    "here kind is grpc\n");
}

/* What is said of TLS is never silently without effect, and a mistake is complained about once. */
static void test_tls_contradictions(void **state)
{
	assert_complaints(
	    "origins:\n"
	    "  off: {servers: a, tls: {verify: no, ca: c, name: n, certificate: x, key: k}}\n"
	    "  implied: {servers: a, tls: {name: n}}\n"
	    "  half: {servers: a, tls: {enabled: on, certificate: x}}\n"
	    "  other: {servers: a, tls: {enabled: on, key: k}}\n"
	    "  blind: {servers: a, tls: {enabled: on, verify: off, ca: c, name: n}}\n"
	    "  odd: {servers: a, tls: {enabled: yess, ca: c}}\n"
	    "  even: {servers: a, tls: {enabled: on, verify: noo, ca: \"\", key: \"\", "
	    "certificate: c}}\n"
	    "  short: {servers: a, tls: onn}\n",
	    "fleet.yaml:2:27: origins.off.tls.verify belongs to enabled true, but here enabled is "
	    "false\n"
	    "fleet.yaml:2:39: origins.off.tls.ca belongs to enabled true, but here enabled is "
	    "false\n"
	    "fleet.yaml:2:46: origins.off.tls.name belongs to enabled true, but here enabled is "
	    "false\n"
	    "fleet.yaml:2:55: origins.off.tls.certificate belongs to enabled true, but here "
	    "enabled is false\n"
	    "fleet.yaml:2:71: origins.off.tls.key belongs to enabled true, but here enabled is "
	    "false\n"
	    "fleet.yaml:3:31: origins.implied.tls.name belongs to enabled true, but here enabled "
	    "is false\n"
	    "fleet.yaml:4:54: origins.half.tls: a certificate without its key\n"
	    "fleet.yaml:5:47: origins.other.tls: a key without its certificate\n"
	    "fleet.yaml:6:59: origins.blind.tls.ca has no effect, since certificates are not "
	    "verified\n"
	    "fleet.yaml:7:36: origins.odd.tls.enabled: \"yess\" is not a boolean: true or false\n"
	    "fleet.yaml:8:49: origins.even.tls.verify: \"noo\" is not a boolean: true or false\n"
	    "fleet.yaml:8:58: origins.even.tls.ca: \"\" is not the path of a file\n"
	    "fleet.yaml:8:67: origins.even.tls.key: \"\" is not the path of a file\n"
	    "fleet.yaml:9:28: origins.short.tls.enabled: \"onn\" is not a boolean: true or "
	    "false\n");
}

/* IPv4 that was answered as IPv6, and addresses that no packet reaches. */
static void test_addresses_of_edges_that_reach_nobody(void **state)
{
	static const char *const wrong[] = {
	    "224.0.0.1",
	    "239.255.255.255",
	    "255.255.255.255",
	    "0.0.0.0",
	    "0.1.2.3",
	    "169.254.1.2",
	    "\"::\"",
	    "\"ff02::1\"",
	    "\"fe80::1\"",
	    "\"febf::1\"",
	    "\"::ffff:0.0.0.0\"",
	    "\"::ffff:224.0.0.1\"",
	    "192.0.2.1:80",
	    "edge.example",
	    "\"::ffff:127.0.0.256\"",
	};
	struct cfg_fleet *f =
	    load_good("edges: {a: {addresses: [\"::ffff:203.0.113.10\", 192.0.2.1, 10.0.0.1, "
		      "\"fd00::1\"]}}\n");
	char text[NET_ADDR_TEXT], *complaints;

	assert_int_equal(f->edges[0].addresses.v[0].sa.sa_family, AF_INET);
	assert_string_equal(net_addr_format(&f->edges[0].addresses.v[0], text), "203.0.113.10:0");
	cfg_fleet_destroy(&f);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char *fleet = xasprintf("edges: {a: {addresses: [%s]}}\n", wrong[i]);

		assert_null(load_text(fleet, &complaints));
		assert_memory_equal(complaints, "fleet.yaml:1:25: edges.a.addresses[0]: ", 39);
		free(complaints);
		free(fleet);
	}
}

static void test_profile_that_the_signer_does_not_sign(void **state)
{
	char *complaints;
	struct cfg_fleet *f =
	    load_text("tls: {keys: {place: signer}, profile: \"NORMAL:-VERS-ALL:+VERS-TLS1.2:"
		      "-KX-ALL:+ECDHE-RSA:+DHE-RSA\"}\nedges: {}\n",
		      &complaints);

	assert_non_null(f);
	assert_string_equal(complaints,
			    "fleet.yaml:1:39: warning: tls.profile allows DHE, by which handshakes "
			    "fail: the signer of tls.keys.place does not sign them\n");
	cfg_fleet_destroy(&f);
	free(complaints);
}

static void test_addresses_of_edges_that_are_odd(void **state)
{
	char *complaints;
	struct cfg_fleet *f = load_text("edges:\n"
					"  a: {addresses: [127.0.0.1, \"::1\"]}\n"
					"  b: {addresses: [192.0.2.1, 192.0.2.2]}\n"
					"  c: {addresses: \"::ffff:192.0.2.2\"}\n",
					&complaints);

	assert_non_null(f);
	assert_string_equal(
	    complaints,
	    "fleet.yaml:2:19: warning: edges.a.addresses: 127.0.0.1 is a loopback address: only "
	    "this machine reaches it\n"
	    "fleet.yaml:2:30: warning: edges.a.addresses: ::1 is a loopback address: only this "
	    "machine reaches it\n"
	    "fleet.yaml:4:18: warning: edges.*.addresses: \"192.0.2.2\" is there twice; first at "
	    "fleet.yaml:3:30\n");
	cfg_fleet_destroy(&f);
	free(complaints);
	assert_complaints("edges: {a: {addresses: [192.0.2.1, \"::ffff:192.0.2.1\"]}}\n",
			  "fleet.yaml:1:36: edges.a.addresses: \"192.0.2.1\" is there twice; first "
			  "at fleet.yaml:1:25\n");
}

/* Who listens for edges must know whom it lets in; and who is to be gone by must be there. */
static void test_relays(void **state)
{
	assert_complaints(
	    "edges:\n"
	    "  open: {relay: {listen: \"*:8443\"}}\n"
	    "  half: {relay: {listen: \"*:8443\", certificate: c, key: k}}\n"
	    "  odd: {relay: {certificate: c}}\n"
	    "  both: {listen: \"*:443\", relay: {listen: \"*:443\", certificate: c, key: k, ca: "
	    "a}}\n"
	    "  lost: {relay: {listen: \"*:8443\", certificate: c, key: k, ca: a}}\n"
	    "  none: {addresses: 192.0.2.1}\n"
	    "origins:\n"
	    "  app: {servers: a, via: none}\n"
	    "  api: {servers: [{address: a, via: lost}]}\n"
	    "  far: {servers: a, via: nowhere}\n",

	    "fleet.yaml:2:17: edges.open.relay: listens, so it needs certificate, key and ca\n"
	    "fleet.yaml:3:17: edges.half.relay: listens, so it needs certificate, key and ca\n"
	    "fleet.yaml:4:16: edges.odd.relay: certificate, key and ca belong together\n"
	    "fleet.yaml:5:43: edges.both.relay.listen: \"[::]:443\" is there twice; first at "
	    "fleet.yaml:5:18\n"
	    "fleet.yaml:9:26: origins.app.via: edge none is no relay: edges.none.relay.listen is "
	    "not there\n"
	    "fleet.yaml:10:19: origins.api.servers: where others reach edge lost is not known: "
	    "edges.lost has neither addresses nor relay.address\n"
	    "fleet.yaml:11:26: origins.far.via: there is no edge \"nowhere\"\n");
}

/* An edge that is only a relay. */
static void test_edges_without_clients(void **state)
{
	struct cfg_fleet *f = load_good(
	    "edges:\n"
	    "  r: {listen: [], relay: {listen: \"*:8443\", certificate: c, key: k, ca: a}}\n"
	    "  a: {}\n"
	    "origins: {o: {servers: s}}\n"
	    "sites: {w: {hosts: h, routes: {origin: o}, certificates: {certificate: c, key: "
	    "k}}}\n");

	assert_false(cfg_edge_takes_clients(&f->edges[0]));
	assert_int_equal(f->sites[0].n_edges, 1);
	assert_ptr_equal(f->sites[0].edges[0], &f->edges[1]);
	assert_false(cfg_site_is_served_by(&f->sites[0], &f->edges[0]));
	cfg_fleet_destroy(&f);
	assert_complaints(
	    "edges:\n"
	    "  none: {listen: []}\n"
	    "  plain: {listen: [], listen_plain: \"*:80\", relay: {listen: \"*:8443\", "
	    "certificate: c, key: k, ca: a}}\n"
	    "  sent: {listen: [], addresses: 192.0.2.1, relay: {listen: \"*:8443\", certificate: "
	    "c, key: k, ca: a}}\n"
	    "origins: {o: {servers: s}}\n"
	    "sites: {w: {hosts: h, edges: [sent], routes: {origin: o}, certificates: {certificate: "
	    "c, key: "
	    "k}}}\n",

	    "fleet.yaml:2:18: edges.none.listen is empty: only a relay, with relay.listen, may do "
	    "without clients\n"
	    "fleet.yaml:3:37: edges.plain.listen_plain: clients cannot come by it alone, as "
	    "edges.plain.listen is empty\n"
	    "fleet.yaml:4:33: edges.sent.addresses: no client is sent there, as edges.sent.listen "
	    "is empty; where other edges reach it is relay.address\n"
	    "fleet.yaml:6:31: sites.w.edges: \"sent\" takes no clients: edges.sent.listen is "
	    "empty\n");
	assert_complaints(
	    "edges: {r: {listen: [], relay: {listen: \"*:8443\", certificate: c, key: k, ca: a}}}\n"
	    "origins: {o: {servers: s}}\n"
	    "sites: {w: {hosts: h, routes: {origin: o}, certificates: {certificate: c, key: k}}}\n",

	    "fleet.yaml:3:9: sites.w: no edge takes clients: edges.*.listen are all empty\n");
}

static void test_balance(void **state)
{
	struct cfg_fleet *f = load_good(
	    "origins:\n"
	    "  a: {servers: s, balance: {method: hash, hash: {by: \"{path}\"}, sticky: on}}\n");

	assert_int_equal(f->origins[0].balance.method, CFG_BALANCE_HASH);
	assert_string_equal(f->origins[0].balance.hash.by, "{path}");
	assert_string_equal(f->origins[0].balance.sticky.name, "server-a");
	cfg_fleet_destroy(&f);
	assert_complaints(
	    "edges: {e: {}, f: {}}\n"
	    "origins:\n"
	    "  a: {servers: s, balance: {method: latency, hash: {by: x}}}\n"
	    "  b: {servers: s, balance: {method: hash, hash: {by: "
	    "\"{match.1}{client.country}\"}}}\n"
	    "  c: {servers: s, balance: {sticky: {enabled: on, max_age: 1500ms, secure: no,\n"
	    "    same_site: none}}}\n"
	    "  d: {servers: s, balance: {sticky: {enabled: on, name: \"a b\", path: \"/;\"}}}\n"
	    "  e: {servers: s, balance: {sticky: {path: /}, spill: 101%}}\n",
	    "fleet.yaml:3:46: origins.a.balance.hash belongs to method hash, but here method is "
	    "latency\n"
	    "fleet.yaml:4:54: origins.b.balance.hash.by: {client.country} is never known: "
	    "geo.database is missing, which would tell it\n"
	    "fleet.yaml:5:37: warning: origins.c.balance.sticky: each edge understands its own "
	    "cookies only: tls.tickets.keys is missing\n"
	    "fleet.yaml:5:60: origins.c.balance.sticky.max_age: cookies know whole seconds only\n"
	    "fleet.yaml:6:16: origins.c.balance.sticky: same_site none needs secure: browsers "
	    "leave out the cookie else\n"
	    "fleet.yaml:7:37: warning: origins.d.balance.sticky: each edge understands its own "
	    "cookies only: tls.tickets.keys is missing\n"
	    "fleet.yaml:7:57: origins.d.balance.sticky.name: \"a b\" is not the name of a cookie "
	    "such as server: letters, digits, \"-\" and other characters of a token\n"
	    "fleet.yaml:7:70: origins.d.balance.sticky.path: \"/;\" is not a path that begins with "
	    "\"/\", without spaces and \";\"\n"
	    "fleet.yaml:8:38: origins.e.balance.sticky.path belongs to enabled true, but here "
	    "enabled is false\n"
	    "fleet.yaml:8:55: origins.e.balance.spill: \"101%\" is not a share such as 10% or "
	    "0.5%, at most 100%\n");
}

static void test_connections_of_origins(void **state)
{
	assert_complaints(
	    "origins:\n"
	    "  a: {servers: a, connection: {fast_open: true}}\n"
	    "  b: {servers: b, connection: {mss: 87}}\n"
	    "  c: {servers: c, connection: {congestion_control: BBR}}\n"
	    "  d: {servers: d, connection: {keep_alive: {idle: 0s}}}\n"
	    "  e: {servers: e, connection: {keep_alive: {enabled: off, count: 3}}}\n"
	    "  f: {servers: f, connection: {source: 0.0.0.0}}\n"
	    "  g: {servers: g, tls: on, connection: {keep_alive: off, fast_open: on, mss: 88}}\n",
	    "fleet.yaml:2:43: origins.a.connection.fast_open: only with TLS: a "
	    "request might arrive twice\n"
	    "fleet.yaml:3:37: origins.b.connection.mss: 0 or at least 88\n"
	    "fleet.yaml:4:52: origins.c.connection.congestion_control: \"BBR\" is "
	    "not the kernel's name of a congestion control such as bbr or cubic, or"
	    " \"\"\n"
	    "fleet.yaml:5:51: origins.d.connection.keep_alive.idle: 0s is out of "
	    "range; it may be 1s to 32767s\n"
	    "fleet.yaml:6:59: origins.e.connection.keep_alive.count belongs to "
	    "enabled true, but here enabled is false\n"
	    "fleet.yaml:7:40: origins.f.connection.source: \"0.0.0.0\" is not an "
	    "address without a port, such as 192.0.2.1 or \"2001:db8::1\"\n");
}

static void test_retries(void **state)
{
	assert_complaints(
	    "origins:\n"
	    "  a: {servers: a, retries: {statuses: [200, 502-504]}}\n"
	    "  b: {servers: b, retries: {attempts: 0, statuses: 503}}\n"
	    "  c: {servers: c, retries: {hedge: {enabled: true, percentile: 40%}}}\n"
	    "  d: {servers: d, retries: {statuses: [500, 501, 502, 503, 504, 505, "
	    "506, 507, 508]}}\n"
	    "  e: {servers: e, retries: 11}\n"
	    "  f: {servers: f, retries: {after: [idle, never]}}\n"
	    "  g: {servers: g, retries: 0}\n",
	    "fleet.yaml:2:40: origins.a.retries.statuses: 200 is no error\n"
	    "fleet.yaml:3:3: origins.b.retries: statuses have no effect without attempts\n"
	    "fleet.yaml:4:3: origins.c.retries.hedge: at least 50% was expected as percentile\n"
	    "fleet.yaml:5:80: origins.d.retries.statuses: there may be 8 only\n"
	    "fleet.yaml:6:28: origins.e.retries.attempts: 11 is out of range; it may be 0 to 10\n"
	    "fleet.yaml:7:43: origins.f.retries.after[1]: \"never\" is not one of connect, idle, "
	    "reset\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contradictions),
	    cmocka_unit_test(test_verify_of_checks_without_tls_had_no_effect),
	    cmocka_unit_test(test_tls_contradictions),
	    cmocka_unit_test(test_balance),
	    cmocka_unit_test(test_connections_of_origins),
	    cmocka_unit_test(test_retries),
	    cmocka_unit_test(test_addresses_of_edges_that_reach_nobody),
	    cmocka_unit_test(test_addresses_of_edges_that_are_odd),
	    cmocka_unit_test(test_profile_that_the_signer_does_not_sign),
	    cmocka_unit_test(test_relays),
	    cmocka_unit_test(test_edges_without_clients),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
