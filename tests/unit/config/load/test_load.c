/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From file to structs: every field of a good file, every default of a small one, and all the
 * complaints about bad ones, word by word.
 */
#include "tests/unit/config/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"

static const char full[] =
    "log: {level: debug}\n"
    "http:\n"
    "  timeout: {handshake: 1s, head: 2s, body: 3s, write: 4s, keep_alive: 5s, shutdown: 6s,\n"
    "            tunnel: 7s}\n"
    "  limit: {head_bytes: 16KiB, fields: 50, target_bytes: 4KiB, connections: 99, handshakes: 9,\n"
    "          silent: 8, buffered: 2MiB}\n"
    "  plain: serve\n"
    "  proxy_protocol: [10.0.0.0/8, \"::1\"]\n"
    "  access_log: {output: logs/access.log}\n"
    "  trusted_proxies: [192.0.2.0/24, \"2001:db8::/32\", 198.51.100.7]\n"
    "edges:\n"
    "  fra1:\n"
    "    location: 50.11,8.68\n"
    "    addresses: [203.0.113.10, \"2001:db8::10\"]\n"
    "    listen: [\"*:443\", \"192.0.2.1:8443\", \"[2001:db8::1]:443\"]\n"
    "    listen_plain: [\"*:80\", 192.0.2.1:8080]\n"
    "    admin: drained\n"
    "    bias: -12.5km\n"
    "    control: /tmp/fra1.sock\n"
    "    workers: 3\n"
    "    check: {kind: http, port: 8443, host: Check.example.com, path: /ok, status: 200-299,\n"
    "            interval: 7s, timeout: 6s, rise: 5, fall: 4}\n"
    "  nyc1: {listen: 127.0.0.1:9443}\n"
    "nameservers:\n"
    "  ns1: {listen: [\"127.0.0.1:0\", \"[::1]:0\"], control: ns.sock, workers: 2}\n"
    "origins:\n"
    "  app:\n"
    "    servers: [App1.example.net:8080, app2_x, \"192.0.2.7\", \"[2001:db8::7]:81\"]\n"
    "    health:\n"
    "      enabled: false\n"
    "      check: {kind: https, port: 1, host: h, path: /h, method: GET, status: 204, interval: "
    "3s, timeout: "
    "1s,\n"
    "              rise: 1, fall: 100}\n"
    "    all_down: refuse\n"
    "    timeout: {connect: 1s, tls: 500ms, response: 2s, idle: 3s, queue: 4s, total: 5s}\n"
    "    pool: {max_idle: 10, idle_timeout: 20s, warm: 5}\n"
    "    tls: {enabled: true, ca: tls/ca.pem, name: Tls.example, certificate: edge.pem,\n"
    "          key: /keys/edge.key}\n"
    "    proxy_protocol: v2\n"
    "    limit: {connections: 30, queue: 0, head_bytes: 2KiB, fields: 7}\n"
    "  api: {servers: api:1, health: off, tls: {enabled: true, verify: false},\n"
    "        connection: {keep_alive: {idle: 20s, interval: 4s, count: 5}, source: [192.0.2.1, "
    "\"2001:db8::1\"], fast_open: on, mss: 1200, congestion_control: bbr, user_timeout: 7s},"
    " proxy_protocol: v1}\n"
    "sites:\n"
    "  www:\n"
    "    hosts: [WWW.Example.com, \"*.example.com\", example.com]\n"
    "    certificates:\n"
    "      - {certificate: www.pem, key: /keys/www.key}\n"
    "      - {certificate: b.pem, key: b.key}\n"
    "    routes:\n"
    "      - {path: /, origin: app}\n"
    "      - {path: /api/v1, origin: api}\n"
    "      - path: /api\n"
    "        origin: api\n"
    "        response_fields:\n"
    "          - {name: Date, value: \"it: is $${{now}\"}\n"
    "          - {name: x-y, action: remove}\n"
    "          - {name: X-Y, action: add}\n"
    "    edges: [nyc1, fra1]\n"
    "  all:\n"
    "    hosts: all.example.org\n"
    "    certificates: {certificate: b.pem, key: b.key}\n"
    "    routes: {origin: app, response_fields: {name: \"!\", action: set, value: 1}}\n"
    "zones:\n"
    "  Example.COM.:\n"
    "    file: zones/example.com.zone\n"
    "    steered:\n"
    "      \"@\": {site: www}\n"
    "      Www.Sub: {site: www, ttl: 5s, none_up: servfail}\n"
    "  example.net: {file: n}\n"
    "geo: {unknown: \"-1,2\"}\n";

static void assert_addr(const struct net_addr *a, const char *expected)
{
	char text[NET_ADDR_TEXT];

	assert_string_equal(net_addr_format(a, text), expected);
}

static void assert_prefix(const struct net_prefix *p, const char *expected)
{
	char text[NET_ADDR_TEXT];

	assert_string_equal(net_prefix_format(p, text), expected);
}

/* A path that was relative. */
static void assert_here(const char *path, const char *expected)
{
	char *here = realpath(".", NULL), *full_path = xasprintf("%s/%s", here, expected);

	assert_string_equal(path, full_path);
	free(full_path);
	free(here);
}

static void assert_place(struct cfg_place place, unsigned line, unsigned column)
{
	assert_string_equal(place.file, "fleet.yaml");
	assert_int_equal(place.line, line);
	assert_int_equal(place.column, column);
}

static void assert_check(const struct cfg_check *c, enum cfg_check_kind kind, uint16_t port,
			 const char *host, const char *path, uint16_t low, uint16_t high,
			 int64_t interval_s, int64_t timeout_s, unsigned rise, unsigned fall)
{
	assert_int_equal(c->kind, kind);
	assert_int_equal(c->port, port);
	assert_string_equal(c->host, host);
	assert_string_equal(c->path, path);
	assert_int_equal(c->statuses.n, 1);
	assert_int_equal(c->statuses.v[0].low, low);
	assert_int_equal(c->statuses.v[0].high, high);
	assert_int_equal(c->interval.ns, DUR_S(interval_s).ns);
	assert_int_equal(c->timeout.ns, DUR_S(timeout_s).ns);
	assert_int_equal(c->rise, rise);
	assert_int_equal(c->fall, fall);
}

static void check_http(const struct cfg_fleet *f)
{
	assert_int_equal(f->log.level, LOG_LEVEL_DEBUG);
	assert_int_equal(f->http.timeout.handshake.ns, DUR_S(1).ns);
	assert_int_equal(f->http.timeout.head.ns, DUR_S(2).ns);
	assert_int_equal(f->http.timeout.body.ns, DUR_S(3).ns);
	assert_int_equal(f->http.timeout.write.ns, DUR_S(4).ns);
	assert_int_equal(f->http.timeout.keep_alive.ns, DUR_S(5).ns);
	assert_int_equal(f->http.timeout.shutdown.ns, DUR_S(6).ns);
	assert_int_equal(f->http.timeout.tunnel.ns, DUR_S(7).ns);
	assert_int_equal(f->http.limit.head_bytes, 16384);
	assert_int_equal(f->http.limit.fields, 50);
	assert_int_equal(f->http.limit.target_bytes, 4096);
	assert_int_equal(f->http.limit.connections, 99);
	assert_int_equal(f->http.limit.handshakes, 9);
	assert_int_equal(f->http.limit.silent, 8);
	assert_int_equal(f->http.limit.buffered, 2 << 20);
	assert_int_equal(f->http.plain, CFG_PLAIN_SERVE);
	assert_int_equal(f->http.proxy_protocol.n, 2);
	assert_prefix(&f->http.proxy_protocol.v[0], "10.0.0.0/8");
	assert_prefix(&f->http.proxy_protocol.v[1], "::1/128");
	assert_here(f->http.access_log.output, "logs/access.log");
	assert_int_equal(f->http.trusted_proxies.n, 3);
	assert_prefix(&f->http.trusted_proxies.v[0], "192.0.2.0/24");
	assert_prefix(&f->http.trusted_proxies.v[1], "2001:db8::/32");
	assert_prefix(&f->http.trusted_proxies.v[2], "198.51.100.7/32");
}

static void check_nodes(const struct cfg_fleet *f)
{
	const struct cfg_edge *e = &f->edges[0];
	const struct cfg_nameserver *s = &f->nameservers[0];

	assert_int_equal(f->n_edges, 2);
	assert_string_equal(e->name, "fra1");
	assert_place(e->place, 12, 3);
	assert_int_equal(e->id, 0);
	assert_true(e->location.set && e->location.latitude == 50.11 &&
		    e->location.longitude == 8.68);
	assert_int_equal(e->addresses.n, 2);
	assert_addr(&e->addresses.v[0], "203.0.113.10:0");
	assert_addr(&e->addresses.v[1], "[2001:db8::10]:0");
	assert_int_equal(e->listen.n, 3);
	assert_addr(&e->listen.v[0], "[::]:443");
	assert_addr(&e->listen.v[1], "192.0.2.1:8443");
	assert_addr(&e->listen.v[2], "[2001:db8::1]:443");
	assert_int_equal(e->listen_plain.n, 2);
	assert_addr(&e->listen_plain.v[0], "[::]:80");
	assert_addr(&e->listen_plain.v[1], "192.0.2.1:8080");
	assert_int_equal(e->admin, CFG_ADMIN_DRAINED);
	assert_true(e->bias_km == -12.5);
	assert_string_equal(e->control, "/tmp/fra1.sock");
	assert_int_equal(e->workers, 3);
	assert_check(&e->check, CFG_CHECK_HTTP, 8443, "check.example.com", "/ok", 200, 299, 7, 6, 5,
		     4);
	assert_int_equal(f->edges[1].id, 1);
	assert_false(f->edges[1].location.set);
	assert_ptr_equal(cfg_find_edge(f, "nyc1"), &f->edges[1]);
	assert_null(cfg_find_edge(f, "ns1"));

	assert_int_equal(f->n_nameservers, 1);
	assert_place(s->place, 25, 3);
	assert_int_equal(s->listen.n, 2);
	assert_addr(&s->listen.v[1], "[::1]:0");
	assert_here(s->control, "ns.sock");
	assert_int_equal(s->workers, 2);
	assert_ptr_equal(cfg_find_nameserver(f, "ns1"), s);
	assert_null(cfg_find_nameserver(f, "fra1"));
}

static void check_origins(const struct cfg_fleet *f)
{
	const struct cfg_origin *o = &f->origins[0];

	assert_int_equal(f->n_origins, 2);
	assert_string_equal(o->name, "app");
	assert_place(o->place, 27, 3);
	assert_int_equal(o->n_servers, 4);
	assert_string_equal(o->servers[0].address.host, "app1.example.net");
	assert_int_equal(o->servers[0].address.port, 8080);
	assert_place(o->servers[0].place, 28, 15);
	assert_string_equal(o->servers[1].address.host, "app2_x");
	assert_int_equal(o->servers[1].address.port, 443);
	assert_string_equal(o->servers[2].address.host, "192.0.2.7");
	assert_int_equal(o->servers[2].address.port, 443);
	assert_string_equal(o->servers[3].address.host, "2001:db8::7");
	assert_int_equal(o->servers[3].address.port, 81);
	assert_true(o->tls.enabled);
	assert_true(o->tls.verify);
	assert_here(o->tls.ca, "tls/ca.pem");
	assert_string_equal(o->tls.name, "tls.example");
	assert_here(o->tls.certificate, "edge.pem");
	assert_string_equal(o->tls.key, "/keys/edge.key");
	assert_int_equal(o->proxy_protocol, CFG_PROXY_PROTOCOL_V2);
	assert_false(o->health.enabled);
	assert_check(&o->health.check, CFG_CHECK_HTTPS, 1, "h", "/h", 204, 204, 3, 1, 1, 100);
	assert_int_equal(o->health.check.method, CFG_CHECK_GET);
	assert_int_equal(o->all_down, CFG_ALL_DOWN_REFUSE);
	assert_int_equal(o->timeout.connect.ns, DUR_S(1).ns);
	assert_int_equal(o->timeout.response.ns, DUR_S(2).ns);
	assert_int_equal(o->timeout.idle.ns, DUR_S(3).ns);
	assert_int_equal(o->timeout.queue.ns, DUR_S(4).ns);
	assert_int_equal(o->timeout.tls.ns, DUR_MS(500).ns);
	assert_int_equal(o->timeout.total.ns, DUR_S(5).ns);
	assert_int_equal(o->limit.connections, 30);
	assert_int_equal(o->limit.queue, 0);
	assert_int_equal(o->limit.head_bytes, 2048);
	assert_int_equal(o->limit.fields, 7);
	assert_int_equal(o->pool.max_idle, 10);
	assert_int_equal(o->pool.idle_timeout.ns, DUR_S(20).ns);
	assert_int_equal(o->pool.warm, 5);
	assert_int_equal(f->origins[1].id, 1);
	assert_false(f->origins[1].health.enabled);
	assert_true(f->origins[1].tls.enabled);
	assert_false(f->origins[1].tls.verify);
	assert_int_equal(f->origins[1].servers[0].address.port, 1);
	assert_int_equal(f->origins[1].proxy_protocol, CFG_PROXY_PROTOCOL_V1);
	assert_true(f->origins[1].connection.keep_alive.enabled);
	assert_int_equal(f->origins[1].connection.keep_alive.idle.ns, DUR_S(20).ns);
	assert_int_equal(f->origins[1].connection.keep_alive.interval.ns, DUR_S(4).ns);
	assert_int_equal(f->origins[1].connection.keep_alive.count, 5);
	assert_int_equal(f->origins[1].connection.source.n, 2);
	assert_int_equal(f->origins[1].connection.source.v[1].sa.sa_family, AF_INET6);
	assert_true(f->origins[1].connection.fast_open);
	assert_int_equal(f->origins[1].connection.mss, 1200);
	assert_string_equal(f->origins[1].connection.congestion_control, "bbr");
	assert_int_equal(f->origins[1].connection.user_timeout.ns, DUR_S(7).ns);
}

static void assert_rule(const struct cfg_field_rule *rule, const char *name,
			enum cfg_field_action action, const char *value, unsigned line,
			unsigned column)
{
	assert_string_equal(rule->name, name);
	assert_int_equal(rule->action, action);
	assert_string_equal(rule->value, value);
	assert_place(rule->place, line, column);
}

static void check_sites(const struct cfg_fleet *f)
{
	const struct cfg_site *s = &f->sites[0];

	assert_int_equal(f->n_sites, 2);
	assert_string_equal(s->name, "www");
	assert_place(s->place, 43, 3);
	assert_int_equal(s->hosts.n, 3);
	assert_string_equal(s->hosts.v[0], "www.example.com");
	assert_string_equal(s->hosts.v[1], "*.example.com");
	assert_string_equal(s->hosts.v[2], "example.com");
	assert_int_equal(s->n_certificates, 2);
	assert_here(s->certificates[0].certificate, "www.pem");
	assert_string_equal(s->certificates[0].key, "/keys/www.key");
	assert_place(s->certificates[1].place, 47, 9);
	assert_int_equal(s->n_routes, 3);
	assert_string_equal(s->routes[0].path, "/api/v1");
	assert_ptr_equal(s->routes[0].origin, &f->origins[1]);
	assert_place(s->routes[0].place, 50, 9);
	assert_int_equal(s->routes[0].n_response_fields, 0);
	assert_string_equal(s->routes[1].path, "/api");
	assert_int_equal(s->routes[1].n_response_fields, 3);
	assert_rule(&s->routes[1].response_fields[0], "Date", CFG_FIELD_SET, "it: is ${{now}", 54,
		    13);
	assert_rule(&s->routes[1].response_fields[1], "x-y", CFG_FIELD_REMOVE, "", 55, 13);
	assert_rule(&s->routes[1].response_fields[2], "X-Y", CFG_FIELD_ADD, "", 56, 13);
	assert_string_equal(s->routes[2].path, "/");
	assert_int_equal(s->routes[2].n_response_fields, 0);
	assert_ptr_equal(s->routes[2].origin, &f->origins[0]);
	assert_int_equal(s->n_edges, 2);
	assert_ptr_equal(s->edges[0], &f->edges[1]);
	assert_ptr_equal(s->edges[1], &f->edges[0]);
	/* Single values for lists, all edges, the default route. */
	s = &f->sites[1];
	assert_int_equal(s->id, 1);
	assert_int_equal(s->hosts.n, 1);
	assert_int_equal(s->n_certificates, 1);
	assert_string_equal(s->routes[0].path, "/");
	assert_int_equal(s->routes[0].n_response_fields, 1);
	assert_rule(&s->routes[0].response_fields[0], "!", CFG_FIELD_SET, "1", 61, 44);
	assert_int_equal(s->n_edges, 2);
	assert_ptr_equal(s->edges[0], &f->edges[0]);
	assert_ptr_equal(s->edges[1], &f->edges[1]);
}

static void check_zones(const struct cfg_fleet *f)
{
	const struct cfg_zone *z = &f->zones[0];

	assert_int_equal(f->n_zones, 2);
	assert_string_equal(z->name, "example.com");
	assert_place(z->place, 63, 3);
	assert_here(z->file, "zones/example.com.zone");
	assert_int_equal(z->n_steered, 2);
	assert_string_equal(z->steered[0].owner, "@");
	assert_ptr_equal(z->steered[0].site, &f->sites[0]);
	assert_int_equal(z->steered[0].ttl.ns, DUR_S(30).ns);
	assert_int_equal(z->steered[0].none_up, CFG_NONE_UP_NEAREST);
	assert_string_equal(z->steered[1].owner, "www.sub");
	assert_place(z->steered[1].place, 67, 7);
	assert_int_equal(z->steered[1].ttl.ns, DUR_S(5).ns);
	assert_int_equal(z->steered[1].none_up, CFG_NONE_UP_SERVFAIL);
	assert_int_equal(f->zones[1].n_steered, 0);
	assert_int_equal(f->geo.databases.n, 0);
	assert_place(f->geo.place, 69, 1);
	assert_true(f->geo.unknown.set && f->geo.unknown.latitude == -1);
}

static void test_every_field(void **state)
{
	char *text = xstrdup(full);
	struct cfg_fleet *f;

	/* Steered edges need addresses. */
	memcpy(strstr(text, "edges: [nyc1, fra1]"), "edges: [fra1]      ", 19);
	f = load_good(text);
	free(text);
	assert_int_equal(f->sites[0].n_edges, 1);
	cfg_fleet_destroy(&f);
	assert_null(f);

	/* The whole of it, with an address for the second edge. */
	text = xasprintf("%.*s, addresses: [203.0.113.11, \"2001:db8::11\"]%s",
			 (int)(strstr(full, "127.0.0.1:9443") + 14 - full), full,
			 strstr(full, "127.0.0.1:9443") + 14);
	f = load_good(text);
	free(text);
	assert_string_equal(f->file, "fleet.yaml");
	check_http(f);
	check_nodes(f);
	check_origins(f);
	check_sites(f);
	check_zones(f);
	cfg_fleet_destroy(&f);
}

static void test_defaults(void **state)
{
	struct cfg_fleet *f = load_good("edges:\n"
					"  a:\n"
					"origins: {app: {servers: s}}\n"
					"nameservers: {n: }\n");
	const struct cfg_origin *o = &f->origins[0];
	const struct cfg_http *h = &f->http;

	assert_int_equal(f->log.level, LOG_LEVEL_INFO);
	assert_int_equal(h->timeout.handshake.ns, DUR_S(10).ns);
	assert_int_equal(h->timeout.head.ns, DUR_S(10).ns);
	assert_int_equal(h->timeout.body.ns, DUR_S(30).ns);
	assert_int_equal(h->timeout.write.ns, DUR_S(30).ns);
	assert_int_equal(h->timeout.keep_alive.ns, DUR_S(60).ns);
	assert_int_equal(h->timeout.shutdown.ns, DUR_S(10).ns);
	assert_int_equal(h->timeout.tunnel.ns, DUR_S(3600).ns);
	assert_int_equal(h->limit.head_bytes, 32768);
	assert_int_equal(h->limit.fields, 100);
	assert_int_equal(h->limit.target_bytes, 8192);
	assert_int_equal(h->limit.connections, 15000);
	assert_int_equal(h->limit.handshakes, 1024);
	assert_int_equal(h->limit.silent, 4096);
	assert_int_equal(h->limit.buffered, 512 << 20);
	assert_int_equal(h->plain, CFG_PLAIN_REDIRECT);
	assert_int_equal(h->proxy_protocol.n, 0);
	assert_string_equal(h->access_log.output, "-");
	assert_int_equal(h->trusted_proxies.n, 0);
	assert_int_equal(f->edges[0].listen.n, 1);
	assert_addr(&f->edges[0].listen.v[0], "[::]:443");
	assert_int_equal(f->edges[0].listen_plain.n, 0);
	assert_int_equal(f->edges[0].addresses.n, 0);
	assert_int_equal(f->edges[0].admin, CFG_ADMIN_ACTIVE);
	assert_true(f->edges[0].bias_km == 0);
	assert_string_equal(f->edges[0].control, "/run/perigee/edge-a.sock");
	assert_int_equal(f->edges[0].workers, 0);
	assert_check(&f->edges[0].check, CFG_CHECK_HTTPS, 443, "", "/.well-known/perigee/health",
		     200, 200, 5, 2, 2, 2);
	assert_addr(&f->nameservers[0].listen.v[0], "[::]:53");
	assert_string_equal(f->nameservers[0].control, "/run/perigee/dns-n.sock");
	assert_int_equal(o->servers[0].address.port, 80);
	assert_false(o->tls.enabled);
	assert_true(o->tls.verify);
	assert_null(o->tls.ca);
	assert_string_equal(o->tls.name, "");
	assert_null(o->tls.certificate);
	assert_null(o->tls.key);
	assert_int_equal(o->proxy_protocol, CFG_PROXY_PROTOCOL_NONE);
	assert_true(o->health.enabled);
	assert_check(&o->health.check, CFG_CHECK_HTTP, 0, "", "/", 200, 399, 5, 2, 2, 3);
	assert_int_equal(o->health.check.method, CFG_CHECK_HEAD);
	assert_int_equal(o->all_down, CFG_ALL_DOWN_TRY);
	assert_int_equal(o->timeout.connect.ns, DUR_S(3).ns);
	assert_int_equal(o->timeout.response.ns, DUR_S(30).ns);
	assert_int_equal(o->timeout.idle.ns, DUR_S(30).ns);
	assert_int_equal(o->timeout.queue.ns, DUR_S(5).ns);
	assert_int_equal(o->limit.connections, 1000);
	assert_int_equal(o->limit.queue, 1000);
	assert_int_equal(o->limit.head_bytes, 65536);
	assert_int_equal(o->limit.fields, 200);
	assert_int_equal(o->pool.max_idle, 256);
	assert_int_equal(o->pool.idle_timeout.ns, DUR_S(55).ns);
	assert_int_equal(o->pool.warm, 1);
	assert_int_equal(f->geo.databases.n, 0);
	assert_false(f->geo.unknown.set);
	cfg_fleet_destroy(&f);
	cfg_fleet_destroy(&f);
}

/* The port that DNS checks is the one that the edge listens on, unless said otherwise. */
static void test_check_port_follows_listen(void **state)
{
	struct cfg_fleet *f = load_good("edges: {a: {listen: [\"*:8443\", \"*:443\"]}}\n");

	assert_int_equal(f->edges[0].check.port, 8443);
	cfg_fleet_destroy(&f);
}

/* A server without a port gets the one that its origin's scheme has; one that was written stays. */
static void test_server_ports_follow_tls(void **state)
{
	struct cfg_fleet *f = load_good("origins:\n"
					"  a: {servers: [s, \"::1\", \"[::2]\", 192.0.2.1, t:80, "
					"\"[::3]:80\"], tls: on}\n"
					"  b: {servers: [s, \"::1\", t:443], tls: off}\n");
	static const uint16_t ports[] = {443, 443, 443, 443, 80, 80};
	const struct cfg_origin *o = &f->origins[0];

	assert_true(o->tls.enabled);
	assert_true(o->tls.verify);
	assert_string_equal(o->tls.name, "");
	assert_int_equal(o->n_servers, ARRAY_SIZE(ports));
	for (unsigned i = 0; i < o->n_servers; i++)
		assert_int_equal(o->servers[i].address.port, ports[i]);
	o = &f->origins[1];
	assert_false(o->tls.enabled);
	assert_int_equal(o->servers[0].address.port, 80);
	assert_int_equal(o->servers[1].address.port, 80);
	assert_int_equal(o->servers[2].address.port, 443);
	cfg_fleet_destroy(&f);
	assert_complaints(
	    "origins:\n"
	    "  a: {tls: on, servers: [s:443, S]}\n"
	    "  b: {servers: [s:443, s, s:80]}\n"
	    "  c: {servers: [192.0.2.1:0, \"[::1]:0\", s:0]}\n",
	    "fleet.yaml:2:33: origins.a.servers: \"s:443\" is there twice; first at "
	    "fleet.yaml:2:26\n"
	    "fleet.yaml:3:27: origins.b.servers: \"s:80\" is there twice; first at "
	    "fleet.yaml:3:24\n"
	    "fleet.yaml:4:17: origins.c.servers[0].address: \"192.0.2.1:0\" is not a server "
	    "such as app.example.net:8080, 192.0.2.7:80 or \"[2001:db8::7]:80\"\n"
	    "fleet.yaml:4:30: origins.c.servers[1].address: \"[::1]:0\" is not a server such "
	    "as app.example.net:8080, 192.0.2.7:80 or \"[2001:db8::7]:80\"\n"
	    "fleet.yaml:4:41: origins.c.servers[2].address: \"s:0\" is not a server such as "
	    "app.example.net:8080, 192.0.2.7:80 or \"[2001:db8::7]:80\"\n");
}

#define FIELD_NAME_EXPECTED                                                                        \
	"is not the name of a field such as Cache-Control: letters, digits, \"-\" and other "      \
	"characters of a token\n"
#define FIELD_IS_OWN "the edge itself says how a message is framed and how its connection goes on\n"

static void test_wrong_response_fields(void **state)
{
	assert_complaints(
	    "origins: {app: {servers: s}}\n"
	    "sites:\n"
	    "  w:\n"
	    "    hosts: h\n"
	    "    certificates: {certificate: c, key: k}\n"
	    "    routes:\n"
	    "      - {path: /a, origin: app, response_fields: foo}\n"
	    "      - path: /\n"
	    "        origin: app\n"
	    "        response_fields:\n"
	    "          - {value: x}\n"
	    "          - {name: a b}\n"
	    "          - {name: \"\", value: \" x\"}\n"
	    "          - {name: \"x:\", value: \"x \"}\n"
	    "          - {name: f\xc3\xbc, value: \"a\\tb\"}\n"
	    "          - {name: content-length, value: 1}\n"
	    "          - {name: TRANSFER-ENCODING}\n"
	    "          - {name: connection}\n"
	    "          - {name: Keep-Alive, action: remove}\n"
	    "          - {name: upgrade}\n"
	    "          - {name: te}\n"
	    "          - {name: Trailer}\n"
	    "          - {name: Proxy-Connection}\n"
	    "          - {name: x, action: replace}\n"
	    "          - {name: x, action: remove, value: y}\n"
	    "          - {name: x, action: remove, value: \"\"}\n"
	    "          - foo\n",
	    "fleet.yaml:7:50: sites.w.routes[0].response_fields: a list of maps was expected, not "
	    "a value\n"
	    "fleet.yaml:11:13: sites.w.routes[1].response_fields[0].name is missing: The field's "
	    "name; fields of framing and of the connection are the edge's own.\n"
	    "fleet.yaml:12:20: sites.w.routes[1].response_fields[1].name: \"a "
	    "b\" " FIELD_NAME_EXPECTED
	    "fleet.yaml:13:20: sites.w.routes[1].response_fields[2].name: \"\" " FIELD_NAME_EXPECTED
	    "fleet.yaml:13:31: sites.w.routes[1].response_fields[2].value: \" x\" is not the value "
	    "of a field: a text without spaces at its ends, in which {name} is a variable\n"
	    "fleet.yaml:14:20: sites.w.routes[1].response_fields[3].name: "
	    "\"x:\" " FIELD_NAME_EXPECTED
	    "fleet.yaml:14:33: sites.w.routes[1].response_fields[3].value: \"x \" is not the value "
	    "of a field: a text without spaces at its ends, in which {name} is a variable\n"
	    "fleet.yaml:15:20: sites.w.routes[1].response_fields[4].name: "
	    "\"f\xc3\xbc\" " FIELD_NAME_EXPECTED
	    "fleet.yaml:15:31: the character U+0009 in a value: it could not be seen in messages\n"
	    "fleet.yaml:16:20: sites.w.routes[1].response_fields[5].name: "
	    "\"content-length\": " FIELD_IS_OWN
	    "fleet.yaml:17:20: sites.w.routes[1].response_fields[6].name: "
	    "\"TRANSFER-ENCODING\": " FIELD_IS_OWN
	    "fleet.yaml:18:20: sites.w.routes[1].response_fields[7].name: "
	    "\"connection\": " FIELD_IS_OWN
	    "fleet.yaml:19:20: sites.w.routes[1].response_fields[8].name: "
	    "\"Keep-Alive\": " FIELD_IS_OWN
	    "fleet.yaml:20:20: sites.w.routes[1].response_fields[9].name: "
	    "\"upgrade\": " FIELD_IS_OWN
	    "fleet.yaml:21:20: sites.w.routes[1].response_fields[10].name: \"te\": " FIELD_IS_OWN
	    "fleet.yaml:22:20: sites.w.routes[1].response_fields[11].name: "
	    "\"Trailer\": " FIELD_IS_OWN
	    "fleet.yaml:23:20: sites.w.routes[1].response_fields[12].name: "
	    "\"Proxy-Connection\": " FIELD_IS_OWN
	    "fleet.yaml:24:31: sites.w.routes[1].response_fields[13].action: \"replace\" is not "
	    "one "
	    "of set, add, append, remove\n"
	    "fleet.yaml:25:39: sites.w.routes[1].response_fields[14].value belongs to action set, "
	    "add or append, but here action is remove\n"
	    "fleet.yaml:26:39: sites.w.routes[1].response_fields[15].value belongs to action set, "
	    "add or append, but here action is remove\n"
	    "fleet.yaml:27:13: sites.w.routes[1].response_fields[16]: a map of options was "
	    "expected, not a value\n");
}

/* Everything that a value alone can have wrong, in one go. */
static void test_wrong_values(void **state)
{
	assert_complaints(
	    "log: {level: inf}\n"
	    "htpp: {}\n"
	    "http:\n"
	    "  timeout: {head: 10, body: 2d}\n"
	    "  limit: [1]\n"
	    "edges:\n"
	    "  fra1:\n"
	    "    lokation: 50,8\n"
	    "    location: 95,8\n"
	    "    addresses: [\"192.0.2.1:80\", 0.0.0.0]\n"
	    "    listen: [\":443\", 1.2.3.4, 1.2.3.4:70000]\n"
	    "    bias: 100\n"
	    "    control:\n"
	    "  \"b d\": 1\n"
	    "origins:\n"
	    "  app: {health: offf, pool: {max_idle: -1}}\n"
	    "  api: {servers: [\"http://x/\", a.b:99999, \"10.0.0.300:80\", -a, [b]]}\n"
	    "sites:\n"
	    "  www:\n"
	    "    hosts: [\"*\", \"a.*.b\", exam_ple.com, \"b\xc3\xbc.de\", a..b]\n"
	    "    certificates: {certificate: x.pem}\n"
	    "    routes: [{path: api, origin: ap}, {origin: app, path: /x/}, foo]\n"
	    "    edges: [fra1, fra2]\n"
	    "zones:\n"
	    "  example.com:\n"
	    "    steered: {www.: {site: ww}, \"a.*\": {site: www}}\n",

	    "fleet.yaml:1:14: log.level: \"inf\" is not one of error, warn, info, debug; did you "
	    "mean \"info\"?\n"
	    "fleet.yaml:2:1: htpp is not known; did you mean \"http\"?\n"
	    "fleet.yaml:4:19: http.timeout.head: \"10\" is not a duration such as 500ms, 10s, 2m "
	    "or "
	    "1h\n"
	    "fleet.yaml:4:29: http.timeout.body: 2d is out of range; it may be 1ms to 1d\n"
	    "fleet.yaml:5:10: http.limit: a map of options was expected, not a list\n"
	    "fleet.yaml:8:5: edges.fra1.lokation is not known; did you mean \"location\"?\n"
	    "fleet.yaml:9:15: edges.fra1.location: \"95,8\" is not a place: latitude and longitude "
	    "in degrees, such as \"50.11,8.68\"\n"
	    "fleet.yaml:10:17: edges.fra1.addresses[0]: \"192.0.2.1:80\" is not an address without "
	    "a port, such as 192.0.2.1 or \"2001:db8::1\"\n"
	    "fleet.yaml:10:33: edges.fra1.addresses[1]: \"0.0.0.0\" is not an address without a "
	    "port, such as 192.0.2.1 or \"2001:db8::1\"\n"
	    "fleet.yaml:11:14: edges.fra1.listen[0]: \":443\" is not an address and port such as "
	    "\"*:443\", 192.0.2.1:443 or \"[2001:db8::1]:443\"\n"
	    "fleet.yaml:11:22: edges.fra1.listen[1]: \"1.2.3.4\" is not an address and port such "
	    "as \"*:443\", 192.0.2.1:443 or \"[2001:db8::1]:443\"\n"
	    "fleet.yaml:11:31: edges.fra1.listen[2]: \"1.2.3.4:70000\" is not an address and port "
	    "such as \"*:443\", 192.0.2.1:443 or \"[2001:db8::1]:443\"\n"
	    "fleet.yaml:12:11: edges.fra1.bias: \"100\" is not a distance such as 100km or -50km\n"
	    "fleet.yaml:13:13: edges.fra1.control: the path of a socket was expected, not nothing\n"
	    "fleet.yaml:14:3: edges.b d: \"b d\" is not a name: up to 63 letters, digits, \"-\", "
	    "\"_\" and \".\", a letter or digit first\n"
	    "fleet.yaml:14:10: edges.b d: a map of options was expected, not a value\n"
	    "fleet.yaml:16:3: origins.app.servers is missing: Its servers: the address of each, or "
	    "a map with what else is said of it.\n"
	    "fleet.yaml:16:17: origins.app.health.enabled: \"offf\" is not a boolean: true or "
	    "false\n"
	    "fleet.yaml:16:40: origins.app.pool.max_idle: \"-1\" is not a whole number\n"
	    "fleet.yaml:17:19: origins.api.servers[0].address: \"http://x/\": write host:port, "
	    "without a scheme and path\n"
	    "fleet.yaml:17:32: origins.api.servers[1].address: \"a.b:99999\" is not a server such "
	    "as app.example.net:8080, 192.0.2.7:80 or \"[2001:db8::7]:80\"\n"
	    "fleet.yaml:17:43: origins.api.servers[2].address: \"10.0.0.300:80\": this looks like "
	    "an address, but is none\n"
	    "fleet.yaml:17:60: origins.api.servers[3].address: \"-a\": a label of a name may not "
	    "begin or end with \"-\"\n"
	    "fleet.yaml:17:64: origins.api.servers[4]: a server such as app.example.net:8080, "
	    "192.0.2.7:80 or \"[2001:db8::7]:80\", or a map of options was expected, not a list\n"
	    "fleet.yaml:20:13: sites.www.hosts[0]: \"*\": \"*\" may stand for the first labels "
	    "only: \"*.example.com\"\n"
	    "fleet.yaml:20:18: sites.www.hosts[1]: \"a.*.b\": \"*\" may stand for the first labels "
	    "only: \"*.example.com\"\n"
	    "fleet.yaml:20:27: sites.www.hosts[2]: \"exam_ple.com\": a name has letters, digits, "
	    "\"-\" and \".\" only\n"
	    "fleet.yaml:20:41: sites.www.hosts[3]: \"b\xc3\xbc.de\": write an international name "
	    "in "
	    "its ASCII form, \"xn--...\"\n"
	    "fleet.yaml:20:50: sites.www.hosts[4]: \"a..b\": an empty label: a dot at the start, "
	    "at the end, or two in a row\n"
	    "fleet.yaml:21:19: sites.www.certificates[0].key is missing: PEM file of its private "
	    "key. A PKCS #11 URL (RFC 7512) stands for one on a token, such as "
	    "\"pkcs11:token=www;object=key;type=private?pin-source=/etc/perigee/pin\".\n"
	    "fleet.yaml:22:21: sites.www.routes[0].path: \"api\" is not a URL path such as /api, "
	    "without a query, other characters as %XX\n"
	    "fleet.yaml:22:34: sites.www.routes[0].origin: there is no origin \"ap\"; did you mean "
	    "\"app\"?\n"
	    "fleet.yaml:22:59: sites.www.routes[1].path: \"/x/\": leave out the last \"/\": "
	    "\"/api\" matches /api and all that is under it\n"
	    "fleet.yaml:22:65: sites.www.routes[2]: a map of options was expected, not a value\n"
	    "fleet.yaml:23:19: sites.www.edges[1]: there is no edge \"fra2\"; did you mean "
	    "\"fra1\"?\n"
	    "fleet.yaml:25:3: zones.example.com.file is missing: Its master file (RFC 1035).\n"
	    "fleet.yaml:26:15: zones.example.com.steered.www.: \"www.\": an owner is relative to "
	    "its zone, without a dot at the end\n"
	    "fleet.yaml:26:28: zones.example.com.steered.www..site: there is no site \"ww\"; did "
	    "you mean \"www\"?\n"
	    "fleet.yaml:26:33: zones.example.com.steered.a.*: \"a.*\": \"*\" may only be the first "
	    "label: "
	    "\"*\" or \"*.name\"\n");
}

static void test_empty_lists_and_maps(void **state)
{
	assert_complaints("", "fleet.yaml:1:1: nothing is configured\n");
	assert_complaints(
	    "- a\n- b\n",
	    "fleet.yaml:1:1: a map of edges, origins, sites and so on was expected\n");
	assert_complaints("nameservers: {a: {listen: []}}\n",
			  "fleet.yaml:1:27: nameservers.a.listen is missing: Where it answers, by "
			  "UDP and TCP.\n");
	assert_complaints("origins: {a: {servers: []}}\nedges: [a]\n",
			  "fleet.yaml:1:24: origins.a.servers is missing: Its servers: the address "
			  "of each, or a map with what else is said of it.\n"
			  "fleet.yaml:2:8: edges: a map, by name was expected, not a list\n");
	assert_complaints(
	    "zones: {z: {file: f, steered: {a: {}}}}\n",
	    "fleet.yaml:1:32: zones.z.steered.a.site is missing: The site whose edges "
	    "are chosen from.\n");
}

/* Addresses of less than an octet (RFC 2317 section 4) had no zone. */
static void test_zone_of_rfc_2317_was_refused(void **state)
{
	char *complaints;
	struct cfg_fleet *f =
	    load_text("zones: {0/25.2.0.192.in-addr.arpa.: {file: f}, b: {file: f, steered: {a/b: "
		      "{site: s}}}}\nsites: {s: {hosts: [a/b.b], certificates: [{certificate: c, "
		      "key: k}]}}\n",
		      &complaints);

	assert_null(f);
	/* Zones alone may have it. */
	assert_null(strstr(complaints, "0/25"));
	assert_non_null(strstr(complaints, "zones.b.steered.a/b: \"a/b\": a name has letters"));
	assert_non_null(strstr(complaints, "sites.s.hosts[0]: \"a/b.b\": a name has letters"));
	free(complaints);
}

/* A file that cannot be read says so, and nothing else. */
static void test_unreadable(void **state)
{
	struct diag *diag = diag_create();
	char *text;

	assert_null(cfg_load("missing.yaml", diag));
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_null(cfg_load("folder", diag));
	assert_null(cfg_load("/dev/zero", diag));
	text = diag_text(diag);
	assert_string_equal(text, "missing.yaml: cannot be read: No such file or directory\n"
				  "folder: is a folder, not a regular file\n"
				  "/dev/zero: is a device, not a regular file\n");
	free(text);
	diag_destroy(&diag);
}

/* Names of any length and content end in messages, not in trouble. */
static void test_long_names(void **state)
{
	char *name = xmalloc(70001), *text, *complaints;
	struct cfg_fleet *f;

	memset(name, 'a', 70000);
	name[70000] = '\0';
	text = xasprintf("edges:\n"
			 "  ? %s\n"
			 "  :\n"
			 "    control: \"/%s\"\n"
			 "    ? %s\n"
			 "    : 1\n"
			 "\"%s\": 1\n",
			 name, name, name, "%s%n");
	f = load_text(text, &complaints);
	assert_null(f);
	assert_non_null(strstr(complaints, "is not a name"));
	assert_non_null(strstr(complaints, "longer than the path of a socket may be"));
	assert_non_null(strstr(complaints, "%s%n is not known"));
	free(complaints);
	free(text);
	free(name);
}

/* A server is known by an address or by a service, whose domain is what it is verified as. */
static void test_service_stands_for_servers(void **state)
{
	static const char *const domains[][2] = {
	    {"_http._tcp.App.example", "app.example"},
	    {"_x.app.example", "app.example"},
	    {"web.service.consul", "web.service.consul"},
	};
	struct cfg_fleet *f;

	for (unsigned i = 0; i < ARRAY_SIZE(domains); i++) {
		char *text = xasprintf("origins: {a: {servers: {srv: %s}}}\n", domains[i][0]);

		f = load_good(text);
		assert_null(f->origins[0].servers[0].address.host);
		assert_string_equal(cfg_origin_server_name(&f->origins[0].servers[0]),
				    domains[i][1]);
		cfg_fleet_destroy(&f);
		free(text);
	}
	assert_complaints(
	    "origins:\n"
	    "  a: {servers: {srv: _http._tcp}}\n"
	    "  b: {servers: {srv: _http._tcp.x, address: x}}\n"
	    "  c: {servers: [{srv: x.y}, {srv: X.y}]}\n"
	    "  d: {servers: {srv: a b}}\n",
	    "fleet.yaml:2:22: origins.a.servers[0].srv: \"_http._tcp\": it names no domain\n"
	    "fleet.yaml:3:16: origins.b.servers[0]: address and srv exclude each other\n"
	    "fleet.yaml:4:29: origins.c.servers: \"x.y\" is there twice; first at "
	    "fleet.yaml:4:17\n"
	    "fleet.yaml:5:22: origins.d.servers[0].srv: \"a b\": a name has letters, digits, \"-\" "
	    "and \".\" only\n");
}

static void test_sockets_are_servers(void **state)
{
	struct cfg_fleet *f = load_good("origins: {a: {servers: [unix:/run/a.sock, a:80]}}\n");

	assert_string_equal(f->origins[0].servers[0].address.host, "unix:/run/a.sock");
	assert_string_equal(cfg_origin_server_name(&f->origins[0].servers[0]), "localhost");
	cfg_fleet_destroy(&f);
	assert_complaints(
	    "origins:\n"
	    "  a: {servers: 'unix:run/a.sock'}\n"
	    "  b: {servers: 'unix:/run/a b'}\n"
	    "  c: {servers: ['unix:/run/a', 'unix:/run/a']}\n",
	    "fleet.yaml:2:16: origins.a.servers[0].address: \"unix:run/a.sock\": the path of a "
	    "socket "
	    "begins with \"/\"\n"
	    "fleet.yaml:3:16: origins.b.servers[0].address: \"unix:/run/a b\": the path of a "
	    "socket "
	    "has letters, digits and \"/._-+@=,\" only\n"
	    "fleet.yaml:4:32: origins.c.servers: \"unix:/run/a\" is there twice; first at "
	    "fleet.yaml:4:17\n");
}

/* A value may stand for an item, be it alone or in a list, beside items that are written out. */
static void test_address_stands_for_a_server(void **state)
{
	struct cfg_fleet *f = load_good("origins:\n"
					"  one: {servers: a}\n"
					"  map: {servers: {address: b:1, weight: 7}}\n"
					"  both: {servers: [c, {address: \"192.0.2.1:2\"}]}\n");

	assert_int_equal(f->origins[0].n_servers, 1);
	assert_string_equal(f->origins[0].servers[0].address.host, "a");
	assert_int_equal(f->origins[0].servers[0].weight, 1);
	assert_place(f->origins[0].servers[0].place, 2, 18);
	assert_int_equal(f->origins[1].n_servers, 1);
	assert_string_equal(f->origins[1].servers[0].address.host, "b");
	assert_int_equal(f->origins[1].servers[0].weight, 7);
	assert_int_equal(f->origins[2].n_servers, 2);
	assert_string_equal(f->origins[2].servers[0].address.host, "c");
	assert_int_equal(f->origins[2].servers[1].address.port, 2);
	assert_int_equal(f->origins[2].servers[1].weight, 1);
	cfg_fleet_destroy(&f);
	assert_complaints(
	    "origins:\n"
	    "  a: {servers: http://x}\n"
	    "  b: {servers: [{weight: 0}, [x], ~, \"\"]}\n"
	    "  c: {servers: [{address: x, wieght: 1}]}\n"
	    "  d: {servers: }\n"
	    "  e: {servers: []}\n",
	    "fleet.yaml:2:16: origins.a.servers[0].address: \"http://x\": write host:port, without "
	    "a scheme and path\n"
	    "fleet.yaml:3:17: origins.b.servers[0]: address or srv is missing\n"
	    "fleet.yaml:3:26: origins.b.servers[0].weight: 0 is out of range; it may be 1 to 1000\n"
	    "fleet.yaml:3:30: origins.b.servers[1]: a server such as app.example.net:8080, "
	    "192.0.2.7:80 or \"[2001:db8::7]:80\", or a map of options was expected, not a list\n"
	    "fleet.yaml:3:35: origins.b.servers[2]: a server such as app.example.net:8080, "
	    "192.0.2.7:80 or \"[2001:db8::7]:80\", or a map of options was expected, not nothing\n"
	    "fleet.yaml:3:38: origins.b.servers[3].address: \"\": an empty label: a dot at the "
	    "start, at the end, or two in a row\n"
	    "fleet.yaml:4:30: origins.c.servers[0].wieght is not known; did you mean \"weight\"?\n"
	    "fleet.yaml:5:16: origins.d.servers: a list was expected, not nothing\n"
	    "fleet.yaml:6:16: origins.e.servers is missing: Its servers: the address of each, or a "
	    "map with what else is said of it.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_field),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_check_port_follows_listen),
	    cmocka_unit_test(test_server_ports_follow_tls),
	    cmocka_unit_test(test_wrong_response_fields),
	    cmocka_unit_test(test_wrong_values),
	    cmocka_unit_test(test_empty_lists_and_maps),
	    cmocka_unit_test(test_zone_of_rfc_2317_was_refused),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_long_names),
	    cmocka_unit_test(test_service_stands_for_servers),
	    cmocka_unit_test(test_sockets_are_servers),
	    cmocka_unit_test(test_address_stands_for_a_server),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
