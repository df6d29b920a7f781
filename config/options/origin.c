/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * origins.NAME: where the content comes from. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_origin, servers);
COMES_FIRST(cfg_origin, name);

static const char *const all_downs[] = {"try", "refuse", NULL};
static const char *const proxy_protocols[] = {"none", "v1", "v2", NULL};

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

static const struct cfg_option check_options[] = {
    CHECK_ROWS("http",
	       "What is asked: \"http\" is a response with the right status, asked for the way "
	       "requests go (over verified TLS when tls is on); \"https\" is the same when tls is "
	       "on, and else one over TLS whose certificate is not verified; \"tcp\" is a "
	       "connection.",
	       "0 is the port of the server.",
	       "Host field, and server name (SNI) where tls is off, which else is the one of "
	       "requests; \"\" is the server's own name.",
	       "/", "200-399", "3"),
    END,
};

static const struct cfg_option health_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_origin, health.enabled),
     .fallback = "true",
     .prose = "Whether servers are checked at all; if not they are taken to be up."},
    SECTION_AT("check", AT(cfg_origin, health.check), "How to find out whether it serves.",
	       check_options),
    END,
};

static const struct cfg_option timeout_options[] = {
    TIMEOUT("connect", AT(cfg_origin, timeout.connect), "3s",
	    "From a server's name to a connection, for all that are tried for a request together. "
	    "A server that then acknowledges nothing for as long has vanished."),
    TIMEOUT("response", AT(cfg_origin, timeout.response), "30s",
	    "From a request that was sent to the head of its response."),
    TIMEOUT("idle", AT(cfg_origin, timeout.idle), "30s",
	    "Between two pieces of a response's body; also how long a server may take nothing of a "
	    "request."),
    TIMEOUT("queue", AT(cfg_origin, timeout.queue), "5s",
	    "For a request to get a connection while as many as allowed are in use."),
    END,
};

static const struct cfg_option limit_options[] = {
    COUNT("connections", AT(cfg_origin, limit.connections), "1000", 1, 1000000,
	  "Connections of an edge to each address of a server at a time, idle ones too."),
    COUNT("queue", AT(cfg_origin, limit.queue), "1000", 0, 1000000,
	  "Requests that wait for a connection at a time, for each address of a server; over it "
	  "they are answered with 503."),
    BYTES("head_bytes", AT(cfg_origin, limit.head_bytes), "64KiB", KIB, MIB,
	  "Size of a response's head; a larger one is refused."),
    COUNT("fields", AT(cfg_origin, limit.fields), "200", 1, 10000,
	  "Fields in a response's head; one with more is refused."),
    END,
};

static const struct cfg_option pool_options[] = {
    COUNT("max_idle", AT(cfg_origin, pool.max_idle), "256", 0, 100000,
	  "Idle connections kept for each address of a server."),
    TIMEOUT("idle_timeout", AT(cfg_origin, pool.idle_timeout), "55s",
	    "How long an idle connection is kept; keep it below the server's own timeout."),
    COUNT("warm", AT(cfg_origin, pool.warm), "0", 0, 100000,
	  "Connections opened ahead of requests and kept ready for each address of a server."),
    END,
};

const struct cfg_option cfg_origin_options[] = {
    {.key = "servers",
     .shape = CFG_VALUES,
     .type = &cfg_type_server,
     AT(cfg_origin, servers),
     .required = true,
     OF(cfg_server),
     .prose = "Its servers, which are equals: a name or an address, and a port (when there is "
	      "none, 443 with TLS and 80 without)."},
    {.key = "tls",
     .shape = CFG_SECTION,
     AT(cfg_origin, tls),
     .shorthand = "enabled",
     .prose = "Whether and how connections to its servers are by TLS.",
     .children = tls_options},
    CHOICE("proxy_protocol", AT(cfg_origin, proxy_protocol), "none", proxy_protocols,
	   "The PROXY protocol header that connections to its servers begin with, to tell who the "
	   "client is; such connections are not shared between clients."),
    {.key = "health",
     .shape = CFG_SECTION,
     .shorthand = "enabled",
     .prose = "Whether and how its servers are checked.",
     .children = health_options},
    CHOICE("all_down", AT(cfg_origin, all_down), "try", all_downs,
	   "When all servers are down: try them all the same, or refuse the request with 503."),
    SECTION("timeout", "How long an edge waits for its servers.", timeout_options),
    SECTION("limit", "How much an edge asks of its servers, and takes from them.", limit_options),
    SECTION("pool", "Connections to its servers that are kept for the next request.", pool_options),
    END,
};
