/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * origins.NAME: where the content comes from. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_origin, servers);
IS_ARRAY(cfg_origin, page);
COMES_FIRST(cfg_origin, name);

static const char *const all_downs[] = {"try", "refuse", "fallback", "page", NULL};
static const char *const admins[] = {"active", "drained", NULL};
static const char *const protocols[] = {"auto", "http1", "h2", NULL};
static const char *const proxy_protocols[] = {"none", "v1", "v2", "v2-tls", NULL};

static const struct cfg_option tls_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_origin_tls, enabled),
     .fallback = "false",
     .prose = "Whether connections to its servers are by TLS."},
    {.key = "verify",
     .type = &cfg_type_bool,
     AT(cfg_origin_tls, verify),
     WHEN_ON("enabled"),
     .fallback = "true",
     .prose = "Whether a server must have a certificate that is valid for its name; without this "
	      "anybody on the way can pass for the server."},
    {.key = "ca",
     .type = &cfg_type_path,
     AT(cfg_origin_tls, ca),
     WHEN_ON("enabled"),
     .prose = "PEM file of the authorities that its servers' certificates may come from; without "
	      "it they are the system's, as they were when the edge started."},
    {.key = "name",
     .type = &cfg_type_host,
     AT(cfg_origin_tls, name),
     WHEN_ON("enabled"),
     .fallback = "",
     .prose = "The name that is asked for (SNI) and that the certificate must be valid for; \"\" "
	      "is the server's own name."},
    {.key = "certificate",
     .type = &cfg_type_path,
     AT(cfg_origin_tls, certificate),
     WHEN_ON("enabled"),
     .prose = "PEM file of the certificate that the edge shows to a server, followed by those of "
	      "its issuers."},
    {.key = "key",
     .type = &cfg_type_path,
     AT(cfg_origin_tls, key),
     WHEN_ON("enabled"),
     .prose = "PEM file of its private key."},
    END,
};

static const char *const families[] = {"any", "ipv4", "ipv6", NULL};

static const struct cfg_option resolve_options[] = {
    {.key = "ttl_min",
     .type = &cfg_type_duration,
     AT(cfg_resolve, ttl_min),
     .fallback = "1s",
     RANGE(SECOND, DAY),
     .prose = "A name is not looked up again sooner, whatever time to live it has."},
    {.key = "ttl_max",
     .type = &cfg_type_duration,
     AT(cfg_resolve, ttl_max),
     .fallback = "5m",
     RANGE(SECOND, DAY),
     .prose = "Nor later: a server that has moved is found after so long at the latest."},
    {.key = "keep",
     .type = &cfg_type_duration,
     AT(cfg_resolve, keep),
     .fallback = "3d",
     RANGE(0, 365 * DAY),
     .prose = "How long past their time to live the last addresses of a name are used while no "
	      "name server answers, or one says that there are none. After that requests get a "
	      "502 until one gives some again."},
    CHOICE("family", AT(cfg_resolve, family), "any", families,
	   "Which addresses of a name are asked for and used: all, or those of one family only. "
	   "An address that stands here as such is used in any case."),
    END,
};

static const struct cfg_option server_options[] = {
    {.key = "address",
     .type = &cfg_type_origin_server,
     AT(cfg_origin_server, address),
     .prose = "A name or an address, and a port (when there is none, 443 with TLS and 80 "
	      "without); or the socket of a program on this machine, as unix:/run/app.sock. A name "
	      "stands for all addresses that it has."},
    {.key = "srv",
     .type = &cfg_type_service,
     AT(cfg_origin_server, srv),
     .prose = "In the place of an address: a name such as _http._tcp.app.example.net, whose SRV "
	      "records say which servers there are, with their ports, priorities and weights. "
	      "With TLS they are verified as the domain in it, app.example.net, unless tls.name is "
	      "set."},
    COUNT("weight", AT(cfg_origin_server, weight), "1", 1, 1000,
	  "How much of the requests each address gets, beside the weights of others."),
    CHOICE("admin", AT(cfg_origin_server, admin), "active", admins,
	   "\"drained\": no request goes there from the next reload on, and what is under way "
	   "finishes; "
	   "it is checked as before."),
    COUNT("priority", AT(cfg_origin_server, priority), "0", 0, 100,
	  "Servers of the lowest number get all requests, as long as enough of them are up "
	  "(balance.spill)."),
    {.key = "location",
     .type = &cfg_type_coords,
     AT(cfg_origin_server, location),
     .prose = "Where it is. Of the servers of a priority an edge prefers those that are nearest to "
	      "its own location, as long as enough of them are up (balance.spill). One without a "
	      "location is taken to be farther away than all that have one."},
    {.key = "via",
     .type = &cfg_type_edge_ref,
     AT(cfg_origin_server, via),
     .prose = "The edge that requests go by to this one: see via of the origin."},
    END,
};

static const struct cfg_option page_options[] = {
    {.key = "status",
     .type = &cfg_type_uint,
     AT(cfg_respond, status),
     .fallback = "503",
     RANGE(200, 599),
     .prose = "Its status."},
    CONTENT_ROWS(cfg_respond),
    END,
};

const struct cfg_option cfg_origin_options[] = {
    {.key = "servers",
     .shape = CFG_ITEMS,
     AT(cfg_origin, servers),
     .required = true,
     OF(cfg_origin_server),
     .shorthand = "address",
     .prose = "Its servers: the address of each, or a map with what else is said of it.",
     .children = server_options},
    SECTION_AT("balance", AT(cfg_origin, balance), "Which of its servers a request goes to.",
	       cfg_balance_options),
    {.key = "via",
     .type = &cfg_type_edge_ref,
     AT(cfg_origin, via),
     .prose = "An edge near its servers, a relay, that other edges send its requests through, as "
	      "long as it can reach them; else they go straight on. See edges.*.relay, and "
	      "\"Relays\" in perigee-edge(8)."},
    {.key = "tls",
     .shape = CFG_SECTION,
     AT(cfg_origin, tls),
     .shorthand = "enabled",
     .prose = "Whether and how connections to its servers are by TLS.",
     .children = tls_options},
    CHOICE(
	"protocol", AT(cfg_origin, protocol), "auto", protocols,
	"The version of HTTP that requests go to its servers by. \"auto\" is HTTP/2 where a "
	"server takes it (by ALPN, so only over TLS), else HTTP/1.1; \"h2\" is HTTP/2 in any "
	"case, without TLS by prior knowledge (h2c), which gRPC servers mostly want. By HTTP/2 "
	"the requests of a worker share one connection, or a few. For WebSockets a connection "
	"of HTTP/1.1 is used where a server does not take them by HTTP/2. Checks are of the kind "
	"that they are said to be of, whatever this says."),
    CHOICE(
	"proxy_protocol", AT(cfg_origin, proxy_protocol), "none", proxy_protocols,
	"The PROXY protocol header that connections to its servers begin with, to tell who the "
	"client is; such connections are not shared between clients. \"v2-tls\" is version 2 and "
	"tells of a client's TLS, too: the protocol and the name that it asked for, the version, "
	"the cipher suite, and whether it gave a certificate, of a valid one the common name."),
    {.key = "health",
     .shape = CFG_SECTION,
     .shorthand = "enabled",
     .prose = "Whether and how its servers are checked.",
     .children = cfg_origin_health_options},
    CHOICE(
	"all_down", AT(cfg_origin, all_down), "try", all_downs,
	"When no server is up: \"try\" them all the same; \"refuse\" the request with 503 and "
	"Retry-After; ask the \"fallback\"; or answer by the \"page\". The last three also while "
	"the breaker is open, and the last two when the names of the servers have no address."),
    {.key = "fallback",
     .type = &cfg_type_name,
     AT(cfg_origin, fallback_name),
     WHEN("all_down", 1U << CFG_ALL_DOWN_FALLBACK),
     .prose = "The origin that is asked instead, by its own servers, times and limits. It may have "
	      "a fallback in turn, but not in a circle."},
    {.key = "page",
     .shape = CFG_ITEMS,
     AT(cfg_origin, page),
     OF(cfg_respond),
     WHEN("all_down", 1U << CFG_ALL_DOWN_PAGE),
     .prose = "What is answered instead; with Retry-After.",
     .children = page_options},
    {.key = "breaker",
     .shape = CFG_SECTION,
     AT(cfg_origin, breaker),
     .shorthand = "enabled",
     .prose = "When nothing is sent to it for a while, because too much of it fails: requests are "
	      "answered with 503 and Retry-After, or as all_down says.",
     .children = cfg_origin_breaker_options},
    SECTION_AT("resolve", AT(cfg_origin, resolve), "How names of its servers are looked up.",
	       resolve_options),
    SECTION_AT("connection", AT(cfg_origin, connection),
	       "What TCP connections to its servers have, those of checks too.",
	       cfg_origin_connection_options),
    SECTION("timeout", "How long an edge waits for its servers.", cfg_origin_timeout_options),
    SECTION("limit", "How much an edge asks of its servers, and takes from them.",
	    cfg_origin_limit_options),
    SECTION("pool", "Connections to its servers that are kept for the next request.",
	    cfg_origin_pool_options),
    {.key = "retries",
     .shape = CFG_SECTION,
     AT(cfg_origin, retries),
     .shorthand = "attempts",
     .prose = "When a request is sent again: never one that may have been acted upon and is not "
	      "idempotent, as POST is.",
     .children = cfg_origin_retries_options},
    END,
};
