/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * http: what every edge does to requests. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_http, access);
IS_ARRAY(cfg_http, limits);

static const char *const protocols[] = {"h2", "http/1.1", NULL};
static const char *const plains[] = {"redirect", "serve", NULL};
static const char *const underscores[] = {"drop", "pass", NULL};

/* What frameworks and servers take for the client's address (Client-IP is Rails', the others are
 * those of well-known load balancers and networks), for the target in place of the request's (IIS,
 * Symfony), or, as CGI does with Proxy, for an option of their own. */
#define TRUSTED_FIELDS                                                                             \
	"X-Real-IP, True-Client-IP, X-Client-IP, Client-IP, X-Cluster-Client-IP, "                 \
	"CF-Connecting-IP, Fastly-Client-IP, X-Original-URL, X-Rewrite-URL, Proxy"

static const struct cfg_option timeout_options[] = {
    TIMEOUT("handshake", AT(cfg_http, timeout.handshake), "10s",
	    "From accept to the end of the TLS handshake, PROXY header and waiting included; "
	    "without TLS to the first byte."),
    TIMEOUT("head", AT(cfg_http, timeout.head), "10s",
	    "From the first byte of a request to the end of its head."),
    TIMEOUT("body", AT(cfg_http, timeout.body), "30s", "Between two pieces of a request body."),
    TIMEOUT("write", AT(cfg_http, timeout.write), "30s",
	    "While a client takes nothing of its response."),
    TIMEOUT("keep_alive", AT(cfg_http, timeout.keep_alive), "60s",
	    "Between two requests on a connection."),
    TIMEOUT("tunnel", AT(cfg_http, timeout.tunnel), "1h",
	    "Without a byte in either direction of a tunnel (WebSocket and other upgrades)."),
    TIMEOUT("shutdown", AT(cfg_http, timeout.shutdown), "10s",
	    "For requests and tunnels to end when the program was told to stop; what is left is "
	    "cut off."),
    END,
};

static const struct cfg_option limit_options[] = {
    BYTES("head_bytes", AT(cfg_http, limit.head_bytes), "32KiB", KIB, MIB,
	  "Size of a request's head; a larger one is refused."),
    COUNT("fields", AT(cfg_http, limit.fields), "100", 1, 10000,
	  "Fields in a request's head; one with more is refused."),
    BYTES("target_bytes", AT(cfg_http, limit.target_bytes), "8KiB", 64, MIB,
	  "Length of a request's target; a longer one is refused."),
    COUNT("connections", AT(cfg_http, limit.connections), "15000", 1, 10000000,
	  "Connections of clients to an edge at a time; over it the one that has awaited a "
	  "whole request for longest gives way, or else the one that has been silent for longest; "
	  "when there is none of them, newcomers are closed. Each takes up to two and a half open "
	  "files: where fewer are allowed, fewer connections are."),
    COUNT("silent", AT(cfg_http, limit.silent), "4096", 1, 10000000,
	  "Connections at a time that have not yet said anything (no whole ClientHello, no PROXY "
	  "header, no first byte of a request); over it the oldest of them gives way."),
    COUNT("handshakes", AT(cfg_http, limit.handshakes), "1024", 1, 1000000,
	  "TLS handshakes in flight at a time, in the whole edge."),
    BYTES("buffered", AT(cfg_http, limit.buffered), "512MiB", MIB, TIB,
	  "What an edge holds, in all, for clients and origins that do not take it; over it the "
	  "connection that has taken nothing for longest is cut off."),
    BYTES("min_rate", AT(cfg_http, limit.min_rate), "100", 0, 1024 * MIB,
	  "Bytes a second at which a client must send the content that is awaited of it, and take "
	  "the response that waits for it. One that is behind by more than timeout.body, or "
	  "timeout.write, is cut off, however steadily it trickles; what it was faster before it "
	  "may not save up. Of content nothing is asked any more once the response has begun. 0: "
	  "any trickle will do."),
    BYTES("compression", AT(cfg_http, limit.compression), "128MiB", 0, TIB,
	  "What the encoders of responses hold, in all; the workers have equal shares of it. A "
	  "response for which none is left goes out as it is."),
    {.key = "tracked",
     .type = &cfg_type_uint,
     AT(cfg_http, limit.tracked),
     .fallback = "65536",
     .reload = CFG_RESTART,
     RANGE(1024, 16777216),
     .prose =
	 "Clients and keys that an edge remembers at a time for what they have had; each takes "
	 "24 bytes. When there are more, those are forgotten that would be first."},
    END,
};

static const char *const proxy_statuses[] = {"errors", "all", "off", NULL};
static const char *const failures[] = {"all", "sampled", NULL};
/* RFC 5424 section 6.2.1, by number; what the operating system's own are called is common use. */
static const char *const facilities[] = {
    "kern",   "user",     "mail",   "daemon", "auth",   "syslog", "lpr",   "news",   "uucp",
    "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock", "local0", "local1",
    "local2", "local3",   "local4", "local5", "local6", "local7", NULL};

static const struct cfg_option syslog_options[] = {
    {.key = "receiver",
     .type = &cfg_type_syslog,
     AT(cfg_http, access_log.syslog.receiver),
     .fallback = "/dev/log",
     .reload = CFG_RESTART,
     .prose = "Where lines go: the path of a Unix socket, or an address to which they go by UDP; "
	      "its port is 514 if it has none."},
    CHOICE("facility", AT(cfg_http, access_log.syslog.facility), "local0", facilities,
	   "Which facility lines have."),
    END,
};

static const struct cfg_option access_log_options[] = {
    {.key = "output",
     .type = &cfg_type_output,
     AT(cfg_http, access_log.output),
     .fallback = "-",
     .reload = CFG_RESTART,
     .prose = "Where a line for each request goes: a file, which may be a FIFO; \"-\" is standard "
	      "output, \"syslog\" a receiver of RFC 5424, \"journald\" systemd's journal, \"\" "
	      "nowhere."},
    {.key = "format",
     .type = &cfg_type_log_format,
     AT(cfg_http, access_log.format),
     .fallback = CFG_LOG_JSON,
     .prose = "How a line looks: \"json\", \"combined\" as Apache has it, or a text with "
	      "variables such as \"{client.ip} {method} {target} {status} {end}\"; its "
	      "variables are in perigee-edge(8)."},
    {.key = "sample",
     .type = &cfg_type_percent,
     AT(cfg_http, access_log.sample),
     .fallback = "100%",
     .prose = "How many of the requests get a line; which ones is decided by chance, and all that "
	      "have the same request id alike, on every edge."},
    CHOICE("failures", AT(cfg_http, access_log.failures), "all", failures,
	   "Requests without a response, with one of class 5xx, or with one that broke off: "
	   "\"all\" of them get a line whatever the sample is, or they are \"sampled\" as others "
	   "are."),
    SECTION("syslog", "What goes with output: syslog.", syslog_options),
    END,
};

static const struct cfg_option h2_options[] = {
    COUNT("streams", AT(cfg_http, h2.streams), "100", 1, 10000,
	  "Requests that a client may have under way on one connection; more are refused, and it "
	  "may send them again."),
    COUNT("resets", AT(cfg_http, h2.resets), "200", 10, 1000000,
	  "Requests that a client may cancel, or make the edge cancel by faults of its own, in a "
	  "burst on one connection; a tenth of it is forgiven every second. Over it the connection "
	  "is ended."),
    COUNT("frames", AT(cfg_http, h2.frames), "1000", 10, 1000000,
	  "Frames of each kind that does no work (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, such as "
	  "are empty, and the like) that a client may send in a burst on one connection, beside "
	  "those that go with content; a tenth of it is forgiven every second. Over it the "
	  "connection is ended."),
    END,
};

const struct cfg_option cfg_http_options[] = {
    SECTION("timeout", "How long an edge waits for clients.", timeout_options),
    SECTION("limit", "How much an edge takes from clients.", limit_options),
    SECTION_AT(
	"per_client", AT(cfg_http, per_client),
	"How much each client may have of an edge: an IPv4 address, or an IPv6 network of 64 "
	"bits. It is the one that a PROXY header names, or, of requests, the one that "
	"http.trusted_proxies name; their connections are not limited, but all requests in "
	"which such a proxy names nobody count as its own, together.",
	cfg_per_client_options),
    ACCESS(AT(cfg_http, access),
	   "Whom the edges let in: of these items the first counts that a client is in; who is in "
	   "none is let in, and who is denied by network is closed before anything is read."),
    LIMITS(
	AT(cfg_http, limits),
	"How many requests in a time the edge takes, in all or by a key. All of its workers "
	"count into the same limits; other edges have their own. A request must be within all of "
	"http.limits, those of its site, and those of its route."),
    {.key = "protocols",
     .shape = CFG_VALUES,
     .type = &cfg_type_choice,
     AT(cfg_http, protocols),
     .fallback = "h2, http/1.1",
     .required = true,
     .choices = protocols,
     .prose = "What clients may speak over TLS, in order of preference; one that does not say what "
	      "it speaks (by ALPN) is taken to speak HTTP/1.1."},
    SECTION("h2", "What one HTTP/2 connection of a client may do.", h2_options),
    CHOICE("plain", AT(cfg_http, plain), "redirect", plains,
	   "What listeners without TLS do with a request: \"redirect\" sends the client to https "
	   "(a challenge under /.well-known/acme-challenge/ goes to its route all the same), "
	   "\"serve\" serves it."),
    CHOICE(
	"proxy_status", AT(cfg_http, proxy_status), "errors", proxy_statuses,
	"Which responses say in Proxy-Status (RFC 9209) what the edge made of them: \"errors\" "
	"are its own of classes 4xx and 5xx, with their cause; \"all\" are those of origins too; "
	"or \"off\"."),
    {.key = "server_timing",
     .type = &cfg_type_bool,
     AT(cfg_http, server_timing),
     .fallback = "no",
     .prose = "Whether responses say in Server-Timing how long the edge took for them: everybody "
	      "who asks can read it."},
    SECTION("access_log", "The log of requests.", access_log_options),
    {.key = "proxy_protocol",
     .shape = CFG_VALUES,
     .type = &cfg_type_prefix,
     AT(cfg_http, proxy_protocol),
     .prose = "Load balancers whose connections begin with a PROXY protocol header, version 1 or "
	      "2, which then says who the client is; connections from there without one are "
	      "closed."},
    {.key = "trusted_proxies",
     .shape = CFG_VALUES,
     .type = &cfg_type_prefix,
     AT(cfg_http, trusted_proxies),
     .prose =
	 "Clients whose X-Forwarded- and Forwarded fields, and those of http.trusted_fields, "
	 "are kept, and believed: of whom such a request is, for access, limits, conditions and "
	 "variables, the last address says that is in X-Forwarded-For, or else in Forwarded, "
	 "and not of these. When they say nobody, it is the proxy: all such requests of it count "
	 "as one client's, for http.per_client too."},
    {.key = "trusted_fields",
     .shape = CFG_VALUES,
     .type = &cfg_type_field_name,
     AT(cfg_http, trusted_fields),
     .fallback = TRUSTED_FIELDS,
     .prose = "Fields, beside Forwarded and all X-Forwarded-, by which origins let themselves be "
	      "told who the client is or what it asks for: they are removed unless they come from "
	      "http.trusted_proxies; [] is none."},
    CHOICE("underscores", AT(cfg_http, underscores), "drop", underscores,
	   "Fields with \"_\" in their names, which CGI and its kind take for \"-\": \"drop\" "
	   "removes them, \"pass\" sends on those that would not frame the message."),
    {.key = "request_id",
     .shape = CFG_SECTION,
     AT(cfg_http, request_id),
     .shorthand = "enabled",
     .prose = "An id by which a request is found in the logs of all who had to do with it; a UUID "
	      "of version 7 where none is kept.",
     .children = cfg_request_id_options},
    SECTION_AT("trace", AT(cfg_http, trace),
	       "W3C Trace Context: traceparent and tracestate go to the origin as they came, since "
	       "the edge records no spans; but they may begin here.",
	       cfg_trace_options),
    {.key = "alt_svc",
     .type = &cfg_type_field_value,
     AT(cfg_http, alt_svc),
     .fallback = "",
     .prose =
	 "Value of Alt-Svc in responses over TLS, in place of what an origin says; \"\": none is "
	 "added."},
    END,
};
