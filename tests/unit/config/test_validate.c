/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Values that are right alone and wrong together, and what is said about them, word by word.
 */
#include "tests/unit/config/support.h"

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
	    "sites:\n"
	    "  one:\n"
	    "    hosts: [x.example, y.example]\n"
	    "    certificates: {certificate: c, key: k}\n"
	    "    routes: [{origin: app}, {path: /, origin: app}]\n"
	    "    edges: [a, b, a]\n"
	    "  two:\n"
	    "    hosts: [Y.example]\n"
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
	    "fleet.yaml:9:17: edges.*.addresses: \"192.0.2.2\" is there twice; first at "
	    "fleet.yaml:4:28\n"
	    "fleet.yaml:11:3: edges.c.addresses is missing: zones.example.com.steered.www sends "
	    "clients there\n"
	    "fleet.yaml:11:3: edges.c.location is missing: zones.example.com.steered.www goes by "
	    "distance\n"
	    "fleet.yaml:12:36: nameservers.n.listen: \"[::]:53\" is there twice; first at "
	    "fleet.yaml:12:28\n"
	    "fleet.yaml:15:21: origins.app.servers: \"a:80\" is there twice; first at "
	    "fleet.yaml:15:15\n"
	    "fleet.yaml:16:31: origins.app.health.check: the timeout is longer than the interval\n"
	    "fleet.yaml:17:18: origins.app.pool: warm is more than max_idle\n"
	    "fleet.yaml:17:18: origins.app.pool: warm is more than limit.connections\n"
	    "fleet.yaml:23:29: sites.one.routes: \"/\" is there twice; first at fleet.yaml:23:14\n"
	    "fleet.yaml:24:19: sites.one.edges: \"a\" is there twice; first at fleet.yaml:24:13\n"
	    "fleet.yaml:26:13: sites.*.hosts: \"y.example\" is there twice; first at "
	    "fleet.yaml:21:24\n"
	    "fleet.yaml:33:29: zones.example.com.steered.www.ttl: DNS knows whole seconds only\n"
	    "fleet.yaml:34:7: zones.example.com.steered: \"www\" is there twice; first at "
	    "fleet.yaml:33:7\n"
	    "fleet.yaml:35:7: zones.example.com.steered.www.example.com: an owner is relative to "
	    "its zone: leave out \"example.com\"\n"
	    "fleet.yaml:36:3: zones: \"example.com\" is there twice; first at fleet.yaml:30:3\n");
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
	    "fleet.yaml:2:35: origins.off.tls.verify has no effect, since tls is not enabled\n"
	    "fleet.yaml:2:43: origins.off.tls.ca has no effect, since tls is not enabled\n"
	    "fleet.yaml:2:52: origins.off.tls.name has no effect, since tls is not enabled\n"
	    "fleet.yaml:2:68: origins.off.tls.certificate has no effect, since tls is not enabled\n"
	    "fleet.yaml:2:76: origins.off.tls.key has no effect, since tls is not enabled\n"
	    "fleet.yaml:3:37: origins.implied.tls.name has no effect, since tls is not enabled\n"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contradictions),
	    cmocka_unit_test(test_tls_contradictions),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
