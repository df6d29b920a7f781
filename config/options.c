/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rows of the option table, and how to walk them. Rows stand in the order in which they are
 * filled and printed: what is referred to comes before what refers to it. Constants only.
 */
#include "config/options.h"

#include <stdlib.h>
#include <string.h>

#include "config/units.h"
#include "core/base/check.h"
#include "core/loop/loop.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define DAY (86400 * SECOND)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define TIB (MIB * MIB)

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const check_kinds[] = {"http", "https", "tcp", NULL};
static const char *const check_methods[] = {"HEAD", "GET", NULL};
static const char *const verifies[] = {"auto", "yes", "no", NULL};
static const char *const policies[] = {"nearest",  "continent", "weighted",
				       "failover", "static",    NULL};
static const char *const admins[] = {"active", "drained", NULL};
static const char *const all_downs[] = {"try", "refuse", NULL};
static const char *const none_ups[] = {"nearest", "servfail", NULL};
static const char *const plains[] = {"redirect", "serve", NULL};
static const char *const underscores[] = {"drop", "pass", NULL};
static const char *const proxy_protocols[] = {"none", "v1", "v2", NULL};
static const char *const field_actions[] = {"set", "add", "remove", NULL};

/* The generic code sees lists as struct cfg_array, and takes a thing's name to be its first member.
 */
#define IS_ARRAY(type, member)                                                                     \
	_Static_assert(offsetof(struct type, n_##member) ==                                        \
			   offsetof(struct type, member) + offsetof(struct cfg_array, n),          \
		       #type "." #member " is not a struct cfg_array")
IS_ARRAY(cfg_fleet, edges);
IS_ARRAY(cfg_fleet, nameservers);
IS_ARRAY(cfg_fleet, origins);
IS_ARRAY(cfg_fleet, sites);
IS_ARRAY(cfg_fleet, zones);
IS_ARRAY(cfg_origin, servers);
IS_ARRAY(cfg_site, certificates);
IS_ARRAY(cfg_site, routes);
IS_ARRAY(cfg_site, edges);
IS_ARRAY(cfg_route, response_fields);
IS_ARRAY(cfg_zone, steered);
IS_ARRAY(cfg_steered, order);
IS_ARRAY(cfg_steered, weights);
IS_ARRAY(cfg_geo, overrides);
IS_ARRAY(cfg_override, edges);
_Static_assert(offsetof(struct cfg_strings, n) == offsetof(struct cfg_array, n), "cfg_strings");
_Static_assert(offsetof(struct cfg_addrs, n) == offsetof(struct cfg_array, n), "cfg_addrs");
_Static_assert(offsetof(struct cfg_prefixes, n) == offsetof(struct cfg_array, n), "cfg_prefixes");
_Static_assert(offsetof(struct cfg_uints, n) == offsetof(struct cfg_array, n), "cfg_uints");
_Static_assert(offsetof(struct cfg_weight, edge) == 0, "keys come first");
_Static_assert(offsetof(struct cfg_edge, name) == 0 && offsetof(struct cfg_nameserver, name) == 0 &&
		   offsetof(struct cfg_origin, name) == 0 && offsetof(struct cfg_site, name) == 0 &&
		   offsetof(struct cfg_zone, name) == 0 && offsetof(struct cfg_steered, owner) == 0,
	       "names come first");

/* What frameworks and servers take for the client's address (Client-IP is Rails', the others are
 * those of well-known load balancers and networks), for the target in place of the request's (IIS,
 * Symfony), or, as CGI does with Proxy, for an option of their own. */
#define TRUSTED_FIELDS                                                                             \
	"X-Real-IP, True-Client-IP, X-Client-IP, Client-IP, X-Cluster-Client-IP, "                 \
	"CF-Connecting-IP, Fastly-Client-IP, X-Original-URL, X-Rewrite-URL, Proxy"

#define AT(struct_name, member) .offset = offsetof(struct struct_name, member)
#define OF(struct_name)                                                                            \
	.size = sizeof(struct struct_name), .place = offsetof(struct struct_name, place)
#define WHEN(choice_, when_) .choice = choice_, .when = when_
#define RANGE(low, high) .min = (low), .max = (high)

#define SECTION(path_, prose_)                                                                     \
	{                                                                                          \
		.path = path_, .shape = CFG_SECTION, .prose = prose_                               \
	}
#define TIMEOUT(path_, at, fallback_, prose_)                                                      \
	{                                                                                          \
		.path = path_, .type = &cfg_type_duration, at, .fallback = fallback_,              \
		RANGE(MS, DAY), .prose = prose_                                                    \
	}
#define COUNT(path_, at, fallback_, low, high, prose_)                                             \
	{                                                                                          \
		.path = path_, .type = &cfg_type_uint, at, .fallback = fallback_,                  \
		RANGE(low, high), .prose = prose_                                                  \
	}
#define BYTES(path_, at, fallback_, low, high, prose_)                                             \
	{                                                                                          \
		.path = path_, .type = &cfg_type_size, at, .fallback = fallback_,                  \
		RANGE(low, high), .prose = prose_                                                  \
	}
#define CHOICE(path_, at, fallback_, choices_, prose_)                                             \
	{                                                                                          \
		.path = path_, .type = &cfg_type_choice, at, .fallback = fallback_,                \
		.choices = choices_, .prose = prose_                                               \
	}

/* Edges and servers are checked alike; what differs are defaults, where they come from, and what
 * the kinds mean: those of a server start from how requests go to it. */
#define CHECK_ROWS(under, owner, member, kind_, kinds_, port_, host_, path_, status_, fall_)       \
	SECTION(under, "How to find out whether it serves."),                                      \
	    CHOICE(under ".kind", AT(owner, member.kind), kind_, check_kinds, kinds_),             \
	    {.path = under ".port",                                                                \
	     .type = &cfg_type_port,                                                               \
	     AT(owner, member.port),                                                               \
	     .fallback = "0",                                                                      \
	     RANGE(0, 65535),                                                                      \
	     .prose = port_},                                                                      \
	    {.path = under ".host",                                                                \
	     .type = &cfg_type_host,                                                               \
	     AT(owner, member.host),                                                               \
	     .fallback = "",                                                                       \
	     .prose = host_},                                                                      \
	    {.path = under ".path",                                                                \
	     .type = &cfg_type_url_path,                                                           \
	     AT(owner, member.path),                                                               \
	     .fallback = path_,                                                                    \
	     .prose = "What is asked for."},                                                       \
	    CHOICE(under ".method", AT(owner, member.method), "HEAD", check_methods,               \
		   "How it is asked for. Where HEAD does not get such a status, GET is asked at "  \
		   "once and decides, and if that gets one it is asked from then on. Of the "      \
		   "content that GET gets, 1 MiB is read."),                                       \
	    {.path = under ".status",                                                              \
	     .type = &cfg_type_status,                                                             \
	     AT(owner, member.status),                                                             \
	     .fallback = status_,                                                                  \
	     .prose = "Status of a response that counts as a success."},                           \
	    TIMEOUT(under ".interval", AT(owner, member.interval), "5s",                           \
		    "From the start of one check to the start of the next."),                      \
	    TIMEOUT(under ".timeout", AT(owner, member.timeout), "2s",                             \
		    "For one check, from connecting to the status line; not more than the "        \
		    "interval."),                                                                  \
	    COUNT(under ".rise", AT(owner, member.rise), "2", 1, 100,                              \
		  "Successes in a row that make it up."),                                          \
	    COUNT(under ".fall", AT(owner, member.fall), fall_, 1, 100,                            \
		  "Failures in a row that make it down.")

/* Policies that go by an order of the edges. */
#define ORDERED (1U << CFG_POLICY_CONTINENT | 1U << CFG_POLICY_FAILOVER | 1U << CFG_POLICY_STATIC)

const struct cfg_option cfg_options[] = {
    SECTION("log", "The programs' own log, on standard error."),
    CHOICE("log.level", AT(cfg_fleet, log.level), "info", levels,
	   "The least important level that is written, until perigeectl log says otherwise."),

    SECTION("http", "What every edge does to requests."),
    SECTION("http.timeout", "How long an edge waits for clients."),
    TIMEOUT("http.timeout.handshake", AT(cfg_fleet, http.timeout.handshake), "10s",
	    "From accept to the end of the TLS handshake, PROXY header and waiting included; "
	    "without TLS to the first byte."),
    TIMEOUT("http.timeout.head", AT(cfg_fleet, http.timeout.head), "10s",
	    "From the first byte of a request to the end of its head."),
    TIMEOUT("http.timeout.body", AT(cfg_fleet, http.timeout.body), "30s",
	    "Between two pieces of a request body."),
    TIMEOUT("http.timeout.write", AT(cfg_fleet, http.timeout.write), "30s",
	    "While a client takes nothing of its response."),
    TIMEOUT("http.timeout.keep_alive", AT(cfg_fleet, http.timeout.keep_alive), "60s",
	    "Between two requests on a connection."),
    TIMEOUT("http.timeout.tunnel", AT(cfg_fleet, http.timeout.tunnel), "1h",
	    "Without a byte in either direction of a tunnel (WebSocket and other upgrades)."),
    TIMEOUT("http.timeout.shutdown", AT(cfg_fleet, http.timeout.shutdown), "10s",
	    "For requests and tunnels to end when the program was told to stop; what is left is "
	    "cut off."),
    SECTION("http.limit", "How much an edge takes from clients."),
    BYTES("http.limit.head_bytes", AT(cfg_fleet, http.limit.head_bytes), "32KiB", KIB, MIB,
	  "Size of a request's head; a larger one is refused."),
    COUNT("http.limit.fields", AT(cfg_fleet, http.limit.fields), "100", 1, 10000,
	  "Fields in a request's head; one with more is refused."),
    BYTES("http.limit.target_bytes", AT(cfg_fleet, http.limit.target_bytes), "8KiB", 64, MIB,
	  "Length of a request's target; a longer one is refused."),
    COUNT("http.limit.connections", AT(cfg_fleet, http.limit.connections), "15000", 1, 10000000,
	  "Connections of clients to an edge at a time; over it the one that has awaited a "
	  "whole request for longest gives way, or else the one that has been silent for longest; "
	  "when there is none of them, newcomers are closed. Each takes up to two and a half open "
	  "files: where fewer are allowed, fewer connections are."),
    COUNT("http.limit.silent", AT(cfg_fleet, http.limit.silent), "4096", 1, 10000000,
	  "Connections at a time that have not yet said anything (no whole ClientHello, no PROXY "
	  "header, no first byte of a request); over it the oldest of them gives way."),
    COUNT("http.limit.handshakes", AT(cfg_fleet, http.limit.handshakes), "1024", 1, 1000000,
	  "TLS handshakes in flight at a time, in the whole edge."),
    BYTES("http.limit.buffered", AT(cfg_fleet, http.limit.buffered), "512MiB", MIB, TIB,
	  "What an edge holds, in all, for clients and origins that do not take it; over it the "
	  "connection that has taken nothing for longest is cut off."),
    CHOICE("http.plain", AT(cfg_fleet, http.plain), "redirect", plains,
	   "What listeners without TLS do with a request: \"redirect\" sends the client to https "
	   "(a challenge under /.well-known/acme-challenge/ goes to its route all the same), "
	   "\"serve\" serves it."),
    {.path = "http.access_log",
     .type = &cfg_type_output,
     AT(cfg_fleet, http.access_log),
     .fallback = "-",
     .reload = CFG_RESTART,
     .prose = "File that gets a line for each request; \"-\" is standard output, \"\" none."},
    {.path = "http.proxy_protocol",
     .shape = CFG_VALUES,
     .type = &cfg_type_prefix,
     AT(cfg_fleet, http.proxy_protocol),
     .prose = "Load balancers whose connections begin with a PROXY protocol header, version 1 or "
	      "2, which then says who the client is; connections from there without one are "
	      "closed."},
    {.path = "http.trusted_proxies",
     .shape = CFG_VALUES,
     .type = &cfg_type_prefix,
     AT(cfg_fleet, http.trusted_proxies),
     .prose = "Clients whose X-Forwarded- and Forwarded fields, and those of http.trusted_fields, "
	      "are kept."},
    {.path = "http.trusted_fields",
     .shape = CFG_VALUES,
     .type = &cfg_type_field_name,
     AT(cfg_fleet, http.trusted_fields),
     .fallback = TRUSTED_FIELDS,
     .prose = "Fields, beside Forwarded and all X-Forwarded-, by which origins let themselves be "
	      "told who the client is or what it asks for: they are removed unless they come from "
	      "http.trusted_proxies; [] is none."},
    CHOICE("http.underscores", AT(cfg_fleet, http.underscores), "drop", underscores,
	   "Fields with \"_\" in their names, which CGI and its kind take for \"-\": \"drop\" "
	   "removes them, \"pass\" sends on those that would not frame the message."),

    {.path = "edges",
     .shape = CFG_NAMED,
     .type = &cfg_type_name,
     AT(cfg_fleet, edges),
     OF(cfg_edge),
     .prose = "The nodes that run perigee-edge, by name."},
    {.path = "edges.*.location",
     .type = &cfg_type_coords,
     AT(cfg_edge, location),
     .prose = "Where it stands: latitude and longitude in degrees."},
    {.path = "edges.*.continent",
     .type = &cfg_type_own_continent,
     AT(cfg_edge, continent),
     .fallback = "",
     .prose = "The continent whose clients it is for where a steered name goes by continent: AF, "
	      "AN, AS, EU, NA, OC or SA."},
    {.path = "edges.*.addresses",
     .shape = CFG_VALUES,
     .type = &cfg_type_address,
     AT(cfg_edge, addresses),
     .prose = "What DNS answers to clients that are sent to it."},
    {.path = "edges.*.listen",
     .shape = CFG_VALUES,
     .type = &cfg_type_listen,
     AT(cfg_edge, listen),
     .fallback = "*:443",
     .required = true,
     .reload = CFG_RESTART,
     .prose = "Where it accepts clients, by TLS."},
    {.path = "edges.*.listen_plain",
     .shape = CFG_VALUES,
     .type = &cfg_type_listen,
     AT(cfg_edge, listen_plain),
     .reload = CFG_RESTART,
     .prose = "Where it accepts clients without TLS, such as \"*:80\"; see http.plain."},
    CHOICE("edges.*.admin", AT(cfg_edge, admin), "active", admins,
	   "Whether DNS sends clients to it; \"drained\" keeps serving those that come."),
    {.path = "edges.*.bias",
     .type = &cfg_type_km,
     AT(cfg_edge, bias_km),
     .fallback = "0km",
     RANGE(-20000, 20000),
     .prose = "Added to the distance of every client: more than 0 sends clients elsewhere."},
    COUNT("edges.*.weight", AT(cfg_edge, weight), "1", 0, 1000,
	  "Its share of clients where a steered name divides them by weight; 0: none, unless no "
	  "other edge is usable."),
    {.path = "edges.*.control",
     .type = &cfg_type_socket,
     AT(cfg_edge, control),
     .fallback = "/run/perigee/edge-NAME.sock",
     .reload = CFG_RESTART,
     .prose = "Its control socket, which perigeectl talks to."},
    {.path = "edges.*.workers",
     .type = &cfg_type_uint,
     AT(cfg_edge, workers),
     .fallback = "0",
     .reload = CFG_RESTART,
     RANGE(0, LOOP_WORKERS_MAX),
     .prose = "Worker threads; 0 is one for each processor."},
    CHECK_ROWS("edges.*.check", cfg_edge, check, "https",
	       "What is asked: an HTTP or HTTPS response with the right status, or a TCP "
	       "connection.",
	       "0 is the port of the first address that the edge listens on.",
	       "Host field and server name; \"\" is a host that the edge serves.",
	       "/.well-known/perigee/health", "200", "2"),
    CHOICE("edges.*.check.verify", AT(cfg_edge, check.verify), "auto", verifies,
	   "Whether the certificate that it shows must be valid for the host, with \"https\": "
	   "\"auto\" asks it of those that a public authority issued, and lets private ones "
	   "pass."),

    {.path = "nameservers",
     .shape = CFG_NAMED,
     .type = &cfg_type_name,
     AT(cfg_fleet, nameservers),
     OF(cfg_nameserver),
     .prose = "The nodes that run perigee-dns, by name."},
    {.path = "nameservers.*.listen",
     .shape = CFG_VALUES,
     .type = &cfg_type_listen,
     AT(cfg_nameserver, listen),
     .fallback = "*:53",
     .required = true,
     .reload = CFG_RESTART,
     .prose = "Where it answers, by UDP and TCP."},
    {.path = "nameservers.*.control",
     .type = &cfg_type_socket,
     AT(cfg_nameserver, control),
     .fallback = "/run/perigee/dns-NAME.sock",
     .reload = CFG_RESTART,
     .prose = "Its control socket, which perigeectl talks to."},
    {.path = "nameservers.*.state",
     .type = &cfg_type_state,
     AT(cfg_nameserver, state),
     .fallback = LOCALSTATEDIR "/lib/perigee/NAME.state",
     .reload = CFG_RESTART,
     .prose = "File that keeps what the checks of the edges last said, for the next start; \"\" "
	      "is none."},
    {.path = "nameservers.*.workers",
     .type = &cfg_type_uint,
     AT(cfg_nameserver, workers),
     .fallback = "0",
     .reload = CFG_RESTART,
     RANGE(0, LOOP_WORKERS_MAX),
     .prose = "Worker threads; 0 is one for each processor."},

    {.path = "origins",
     .shape = CFG_NAMED,
     .type = &cfg_type_name,
     AT(cfg_fleet, origins),
     OF(cfg_origin),
     .prose = "Where the content comes from, by name."},
    {.path = "origins.*.servers",
     .shape = CFG_VALUES,
     .type = &cfg_type_server,
     AT(cfg_origin, servers),
     .required = true,
     OF(cfg_server),
     .prose = "Its servers, which are equals: a name or an address, and a port (when there is "
	      "none, 443 with TLS and 80 without)."},
    {.path = "origins.*.tls",
     .shape = CFG_SECTION,
     .shorthand = "enabled",
     .prose = "Whether and how connections to its servers are by TLS."},
    {.path = "origins.*.tls.enabled",
     .type = &cfg_type_bool,
     AT(cfg_origin, tls.enabled),
     .fallback = "false",
     .prose = "Whether connections to its servers are by TLS."},
    {.path = "origins.*.tls.verify",
     .type = &cfg_type_bool,
     AT(cfg_origin, tls.verify),
     .fallback = "true",
     .prose = "Whether a server must have a certificate that is valid for its name; without this "
	      "anybody on the way can pass for the server."},
    {.path = "origins.*.tls.ca",
     .type = &cfg_type_path,
     AT(cfg_origin, tls.ca),
     .prose = "PEM file of the authorities that its servers' certificates may come from; without "
	      "it they are the system's, as they were when the edge started."},
    {.path = "origins.*.tls.name",
     .type = &cfg_type_host,
     AT(cfg_origin, tls.name),
     .fallback = "",
     .prose = "The name that is asked for (SNI) and that the certificate must be valid for; \"\" "
	      "is the server's own name."},
    {.path = "origins.*.tls.certificate",
     .type = &cfg_type_path,
     AT(cfg_origin, tls.certificate),
     .prose = "PEM file of the certificate that the edge shows to a server, followed by those of "
	      "its issuers."},
    {.path = "origins.*.tls.key",
     .type = &cfg_type_path,
     AT(cfg_origin, tls.key),
     .prose = "PEM file of its private key."},
    CHOICE("origins.*.proxy_protocol", AT(cfg_origin, proxy_protocol), "none", proxy_protocols,
	   "The PROXY protocol header that connections to its servers begin with, to tell who the "
	   "client is; such connections are not shared between clients."),
    {.path = "origins.*.health",
     .shape = CFG_SECTION,
     .shorthand = "enabled",
     .prose = "Whether and how its servers are checked."},
    {.path = "origins.*.health.enabled",
     .type = &cfg_type_bool,
     AT(cfg_origin, health.enabled),
     .fallback = "true",
     .prose = "Whether servers are checked at all; if not they are taken to be up."},
    CHECK_ROWS("origins.*.health.check", cfg_origin, health.check, "http",
	       "What is asked: \"http\" is a response with the right status, asked for the way "
	       "requests go (over verified TLS when tls is on); \"https\" is the same when tls is "
	       "on, and else one over TLS whose certificate is not verified; \"tcp\" is a "
	       "connection.",
	       "0 is the port of the server.",
	       "Host field, and server name (SNI) where tls is off, which else is the one of "
	       "requests; \"\" is the server's own name.",
	       "/", "200-399", "3"),
    CHOICE("origins.*.all_down", AT(cfg_origin, all_down), "try", all_downs,
	   "When all servers are down: try them all the same, or refuse the request with 503."),
    SECTION("origins.*.timeout", "How long an edge waits for its servers."),
    TIMEOUT("origins.*.timeout.connect", AT(cfg_origin, timeout.connect), "3s",
	    "From a server's name to a connection, for all that are tried for a request together. "
	    "A server that then acknowledges nothing for as long has vanished."),
    TIMEOUT("origins.*.timeout.response", AT(cfg_origin, timeout.response), "30s",
	    "From a request that was sent to the head of its response."),
    TIMEOUT("origins.*.timeout.idle", AT(cfg_origin, timeout.idle), "30s",
	    "Between two pieces of a response's body; also how long a server may take nothing of a "
	    "request."),
    TIMEOUT("origins.*.timeout.queue", AT(cfg_origin, timeout.queue), "5s",
	    "For a request to get a connection while as many as allowed are in use."),
    SECTION("origins.*.limit", "How much an edge asks of its servers, and takes from them."),
    COUNT("origins.*.limit.connections", AT(cfg_origin, limit.connections), "1000", 1, 1000000,
	  "Connections of an edge to each address of a server at a time, idle ones too."),
    COUNT("origins.*.limit.queue", AT(cfg_origin, limit.queue), "1000", 0, 1000000,
	  "Requests that wait for a connection at a time, for each address of a server; over it "
	  "they are answered with 503."),
    BYTES("origins.*.limit.head_bytes", AT(cfg_origin, limit.head_bytes), "64KiB", KIB, MIB,
	  "Size of a response's head; a larger one is refused."),
    COUNT("origins.*.limit.fields", AT(cfg_origin, limit.fields), "200", 1, 10000,
	  "Fields in a response's head; one with more is refused."),
    SECTION("origins.*.pool", "Connections to its servers that are kept for the next request."),
    COUNT("origins.*.pool.max_idle", AT(cfg_origin, pool.max_idle), "256", 0, 100000,
	  "Idle connections kept for each address of a server."),
    TIMEOUT("origins.*.pool.idle_timeout", AT(cfg_origin, pool.idle_timeout), "55s",
	    "How long an idle connection is kept; keep it below the server's own timeout."),
    COUNT("origins.*.pool.warm", AT(cfg_origin, pool.warm), "0", 0, 100000,
	  "Connections opened ahead of requests and kept ready for each address of a server."),

    {.path = "sites",
     .shape = CFG_NAMED,
     .type = &cfg_type_name,
     AT(cfg_fleet, sites),
     OF(cfg_site),
     .prose = "Hosts that are served together, by name."},
    {.path = "sites.*.hosts",
     .shape = CFG_VALUES,
     .type = &cfg_type_host_pattern,
     AT(cfg_site, hosts),
     .required = true,
     .prose = "Its host names; \"*.example.com\" stands for all names under example.com."},
    {.path = "sites.*.certificates",
     .shape = CFG_ITEMS,
     AT(cfg_site, certificates),
     .required = true,
     OF(cfg_certificate),
     .prose = "Its certificates with their keys; for instance one ECDSA and one RSA."},
    {.path = "sites.*.certificates.*.certificate",
     .type = &cfg_type_path,
     AT(cfg_certificate, certificate),
     .required = true,
     .prose = "PEM file of the certificate, followed by those of its issuers."},
    {.path = "sites.*.certificates.*.key",
     .type = &cfg_type_path,
     AT(cfg_certificate, key),
     .required = true,
     .prose = "PEM file of its private key."},
    {.path = "sites.*.routes",
     .shape = CFG_ITEMS,
     AT(cfg_site, routes),
     .required = true,
     OF(cfg_route),
     .prose = "Which origin answers for which paths; the longest path that matches wins."},
    {.path = "sites.*.routes.*.path",
     .type = &cfg_type_route_path,
     AT(cfg_route, path),
     .fallback = "/",
     .prose = "\"/api\" matches /api and all that is under it, but not /apix; how other spellings "
	      "of a path are taken is in perigee-edge(8)."},
    {.path = "sites.*.routes.*.origin",
     .type = &cfg_type_origin_ref,
     AT(cfg_route, origin),
     .required = true,
     .prose = "The origin that answers."},
    {.path = "sites.*.routes.*.response_fields",
     .shape = CFG_ITEMS,
     AT(cfg_route, response_fields),
     OF(cfg_field_rule),
     .prose = "What is changed in the fields of responses from this route, in this order, before "
	      "they go to the client."},
    {.path = "sites.*.routes.*.response_fields.*.name",
     .type = &cfg_type_field_name,
     AT(cfg_field_rule, name),
     .required = true,
     .prose = "The field's name; fields of framing and of the connection are the edge's own."},
    CHOICE("sites.*.routes.*.response_fields.*.action", AT(cfg_field_rule, action), "set",
	   field_actions,
	   "What is done: \"set\" puts one field in the place of all of that name, \"add\" adds "
	   "one, \"remove\" removes all of that name."),
    {.path = "sites.*.routes.*.response_fields.*.value",
     .type = &cfg_type_field_value,
     AT(cfg_field_rule, value),
     .fallback = "",
     .prose = "Its value, which may be empty; there is none with \"remove\"."},
    {.path = "sites.*.edges",
     .shape = CFG_VALUES,
     .type = &cfg_type_edge_ref,
     AT(cfg_site, edges),
     .prose = "The edges that serve it; all of them when there are none here."},

    {.path = "zones",
     .shape = CFG_NAMED,
     .type = &cfg_type_zone,
     AT(cfg_fleet, zones),
     OF(cfg_zone),
     .prose = "The DNS zones that the name servers answer for, by name."},
    {.path = "zones.*.file",
     .type = &cfg_type_path,
     AT(cfg_zone, file),
     .required = true,
     .prose = "Its master file (RFC 1035)."},
    {.path = "zones.*.steered",
     .shape = CFG_NAMED,
     .type = &cfg_type_owner,
     AT(cfg_zone, steered),
     OF(cfg_steered),
     .prose = "Names in the zone whose addresses are chosen for each client; \"@\" is the zone's "
	      "own name, \"*\" as the first label a wildcard (RFC 4592)."},
    {.path = "zones.*.steered.*.site",
     .type = &cfg_type_site_ref,
     AT(cfg_steered, site),
     .required = true,
     .prose = "The site whose edges are chosen from."},
    {.path = "zones.*.steered.*.ttl",
     .type = &cfg_type_duration,
     AT(cfg_steered, ttl),
     .fallback = "30s",
     RANGE(0, DAY),
     .prose = "How long resolvers may keep the answer, in whole seconds."},
    CHOICE("zones.*.steered.*.policy", AT(cfg_steered, policy), "nearest", policies,
	   "How edges are chosen, among those that are up: \"nearest\" by distance and bias; "
	   "\"continent\" the nearest of the client's continent, or else by the order; "
	   "\"weighted\" by weight, the same edge for the same network of clients; \"failover\" "
	   "the first of the order; \"static\" the order as it stands, whether they are up or "
	   "not."),
    {.path = "zones.*.steered.*.order",
     .shape = CFG_VALUES,
     .type = &cfg_type_edge_ref,
     AT(cfg_steered, order),
     WHEN("policy", ORDERED),
     .prose = "The order of the edges; without it that of the site."},
    {.path = "zones.*.steered.*.weights",
     .shape = CFG_PAIRS,
     .type = &cfg_type_edge_ref,
     AT(cfg_steered, weights),
     OF(cfg_weight),
     WHEN("policy", 1U << CFG_POLICY_WEIGHTED),
     .prose = "The weights of edges, by their names; an edge that is not here has its own."},
    COUNT("zones.*.steered.*.weights.*", AT(cfg_weight, weight), NULL, 0, 1000,
	  "The edge's share of clients; 0: none, unless no other edge is usable."),
    COUNT("zones.*.steered.*.answers", AT(cfg_steered, answers), "1", 1, 8,
	  "How many edges an answer has addresses of, the best ones first."),
    CHOICE("zones.*.steered.*.none_up", AT(cfg_steered, none_up), "nearest", none_ups,
	   "When none of the edges is up: answer as if all were, or SERVFAIL."),

    SECTION("geo", "Where clients are."),
    {.path = "geo.database",
     .shape = CFG_VALUES,
     .type = &cfg_type_path,
     AT(cfg_fleet, geo.databases),
     .prose = "MaxMind databases (.mmdb) of networks: their coordinates, countries, continents or "
	      "autonomous systems; without one that knows places every client is at an unknown "
	      "place."},
    {.path = "geo.unknown",
     .type = &cfg_type_coords,
     AT(cfg_fleet, geo.unknown),
     .prose = "Where clients of unknown place are taken to be; without it they get the edges in "
	      "the order of this file."},
    {.path = "geo.overrides",
     .shape = CFG_ITEMS,
     AT(cfg_fleet, geo.overrides),
     OF(cfg_override),
     .prose = "What is known better than by a database. The most specific one counts: the longest "
	      "network, then the autonomous system, the country, the continent; among equals the "
	      "first."},
    {.path = "geo.overrides.*.networks",
     .shape = CFG_VALUES,
     .type = &cfg_type_prefix,
     AT(cfg_override, networks),
     .prose = "Networks of the clients that it is for."},
    {.path = "geo.overrides.*.asns",
     .shape = CFG_VALUES,
     .type = &cfg_type_uint,
     AT(cfg_override, asns),
     RANGE(1, UINT32_MAX),
     .prose = "Their autonomous systems."},
    {.path = "geo.overrides.*.countries",
     .shape = CFG_VALUES,
     .type = &cfg_type_country,
     AT(cfg_override, countries),
     .prose = "Their countries, by ISO 3166-1 code."},
    {.path = "geo.overrides.*.continents",
     .shape = CFG_VALUES,
     .type = &cfg_type_continent,
     AT(cfg_override, continents),
     .prose = "Their continents: AF, AN, AS, EU, NA, OC or SA."},
    {.path = "geo.overrides.*.location",
     .type = &cfg_type_coords,
     AT(cfg_override, location),
     .prose = "Where they are taken to be; either this or edges."},
    {.path = "geo.overrides.*.edges",
     .shape = CFG_VALUES,
     .type = &cfg_type_edge_ref,
     AT(cfg_override, edges),
     .prose = "The edges that come first for them, in this order, of those that the policy of a "
	      "name chooses from."},
};

const unsigned cfg_n_options = ARRAY_SIZE(cfg_options);

/* Whether `o` stands somewhere under `parent`. */
static bool is_under(const struct cfg_option *o, const struct cfg_option *parent)
{
	size_t len = strlen(parent->path);

	return strncmp(o->path, parent->path, len) == 0 && o->path[len] == '.';
}

/* Whether `o` stands right under `parent`, and not deeper. */
static bool is_child(const struct cfg_option *o, const struct cfg_option *parent)
{
	const char *rest = parent != NULL ? o->path + strlen(parent->path) + 1 : o->path;

	if (parent != NULL && (parent->shape == CFG_NAMED || parent->shape == CFG_ITEMS))
		rest += strlen("*.");
	return strchr(rest, '.') == NULL;
}

char *cfg_option_next_default(const struct cfg_option *option, const char **rest)
{
	const char *item = *rest, *end = NULL;

	if (item == NULL)
		return NULL;
	if (option->shape == CFG_VALUES)
		end = strstr(item, ", ");
	*rest = end != NULL ? end + 2 : NULL;
	return xasprintf("%.*s", end != NULL ? (int)(end - item) : (int)strlen(item), item);
}

const char *cfg_option_key(const struct cfg_option *option)
{
	const char *dot = strrchr(option->path, '.');

	return dot != NULL ? dot + 1 : option->path;
}

const struct cfg_option *cfg_option_next(const struct cfg_option *parent,
					 const struct cfg_option *last)
{
	const struct cfg_option *end = cfg_options + cfg_n_options, *o = cfg_options;

	if (last != NULL)
		o = last + 1;
	else if (parent != NULL)
		o = parent + 1;
	/* All that is under an option follows it in one run. */
	for (; o < end && (parent == NULL || is_under(o, parent)); o++) {
		if (is_child(o, parent))
			return o;
	}
	return NULL;
}

const struct cfg_option *cfg_option_child(const struct cfg_option *parent, const char *key)
{
	const struct cfg_option *o = NULL;

	while ((o = cfg_option_next(parent, o)) != NULL) {
		if (strcmp(cfg_option_key(o), key) == 0)
			return o;
	}
	return NULL;
}

const struct cfg_option *cfg_option_decider(const struct cfg_option *option)
{
	const struct cfg_option *o = option;
	size_t dir = (size_t)(cfg_option_key(option) - option->path);

	if (option->choice == NULL)
		return NULL;
	do
		o--;
	while (strncmp(o->path, option->path, dir) != 0 ||
	       strcmp(o->path + dir, option->choice) != 0);
	return o;
}

bool cfg_option_belongs(const struct cfg_option *option, const void *base)
{
	const struct cfg_option *decider = cfg_option_decider(option);

	return decider == NULL ||
	       (option->when & 1U << *(const unsigned *)((const char *)base + decider->offset));
}

char *cfg_option_belongs_to(const struct cfg_option *option)
{
	const struct cfg_option *decider = cfg_option_decider(option);
	char *text = NULL;

	for (unsigned i = 0; decider != NULL && decider->choices[i] != NULL; i++) {
		char *longer;

		if (!(option->when & 1U << i))
			continue;
		longer = xasprintf("%s%s\"%s\"", text != NULL ? text : "", text != NULL ? ", " : "",
				   decider->choices[i]);
		free(text);
		text = longer;
	}
	return text;
}

char *cfg_option_range(const struct cfg_option *option)
{
	char *low, *high, *range;

	if (option->min == option->max)
		return NULL;
	if (option->type == &cfg_type_duration) {
		low = cfg_format_duration(DUR_NS(option->min));
		high = cfg_format_duration(DUR_NS(option->max));
	} else if (option->type == &cfg_type_size) {
		low = cfg_format_size((uint64_t)option->min);
		high = cfg_format_size((uint64_t)option->max);
	} else if (option->type == &cfg_type_km) {
		low = cfg_format_km((double)option->min);
		high = cfg_format_km((double)option->max);
	} else {
		low = xasprintf("%lld", (long long)option->min);
		high = xasprintf("%lld", (long long)option->max);
	}
	range = xasprintf("%s to %s", low, high);
	free(low);
	free(high);
	return range;
}
