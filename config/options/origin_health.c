/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * origins.NAME.health: how it is found out whether its servers serve. Constants only.
 */
#include "config/options/check_rows.h"

IS_ARRAY(cfg_check, fields);
COMES_FIRST(cfg_check_field, name);

static const char *const check_kinds[] = {"http", "https", "tcp", "h2", "tls", "grpc", NULL};

static const struct cfg_option field_options[] = {
    {.key = "*",
     .type = &cfg_type_field_value,
     AT(cfg_check_field, value),
     .prose = "The value of the field."},
    END,
};

static const struct cfg_option check_options[] = {
    CHECK_ROWS(
	"http",
	"What is asked, the way requests go (over verified TLS when tls is on): \"http\" is a "
	"response with the right status, by HTTP/1.1; \"https\" is the same when tls is on, and "
	"else one over TLS; \"h2\" is one by HTTP/2, with prior knowledge when tls is off; "
	"\"grpc\" is the answer \"SERVING\" of the gRPC health protocol (grpc.health.v1), "
	"likewise by HTTP/2; \"tcp\" is a connection, with its TLS handshake when tls is on; "
	"\"tls\" is a TLS handshake in any case.",
	"0 is the port of the server.",
	"Host field, and server name (SNI) where tls is off, which else is the one of "
	"requests; \"\" is the server's own name.",
	"/", "200-399", "no",
	"Whether the certificate must be valid for the host where tls is off, by \"https\" and "
	"\"tls\", and by authorities of the system; \"auto\" asks it of one that a public "
	"authority issued. With tls on, tls.verify says it.",
	KIND(HTTPS) | KIND(TLS), "1s", "3", KIND(GRPC)),
    {.key = "service",
     .type = &cfg_type_content,
     AT(cfg_check, service),
     .fallback = "",
     BY_KINDS(KIND(GRPC)),
     .prose = "The name of the gRPC service that is asked about; \"\" is the server as a "
	      "whole."},
    {.key = "fields",
     .shape = CFG_PAIRS,
     .type = &cfg_type_request_field_name,
     AT(cfg_check, fields),
     OF(cfg_check_field),
     BY_HTTP,
     .prose = "Further fields of the request, as in {X-Check: edge}; one that is named "
	      "User-Agent or Accept takes the place of the usual one.",
     .children = field_options},
    {.key = "content",
     .type = &cfg_type_content,
     AT(cfg_check, content),
     BY_HTTP,
     .prose = "A text that must be in the content of the response, within its first 64 KiB."},
    {.key = "content_regex",
     .type = &cfg_type_regex,
     AT(cfg_check, regex),
     BY_HTTP,
     .prose = "A regular expression (PCRE2) that must match somewhere in the content of "
	      "the response, of which the first 64 KiB are looked at."},
    END,
};

static const struct cfg_option outlier_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_outliers, enabled),
     .fallback = "false",
     .prose = "Whether servers are left out for a while that serve badly, by what requests find. "
	      "Off unless said: only who knows the application can tell whether slow or failing "
	      "requests are the fault of one server."},
    COUNT(
	"failures", AT(cfg_outliers, failures), "5", 0, 1000000,
	"So many attempts in a row that failed: without a connection, broken off, or too slow for "
	"the origin's timeouts; 0: never for that. What the client or this edge is to blame for "
	"does not count."),
    COUNT("gateway_errors", AT(cfg_outliers, gateway_errors), "5", 0, 1000000,
	  "So many failures and responses with 502, 503 or 504 in a row; 0: never for that."),
    {.key = "share",
     .type = &cfg_type_percent,
     AT(cfg_outliers, share),
     .fallback = "50%",
     .prose = "Failures and such responses as a share of all that ended in a window; 0%: never for "
	      "that."},
    COUNT(
	"latency", AT(cfg_outliers, latency), "0", 0, 1000,
	"When the mean time to the first byte of its responses, in a window, is more than so many "
	"times the median of the other servers, and more than 50 ms; 0: never for that."),
    COUNT("requests", AT(cfg_outliers, requests), "100", 1, 1000000,
	  "As many must a window have for share and latency to count."),
    TIMEOUT("window", AT(cfg_outliers, window), "10s", "How long a window is."),
    TIMEOUT(
	"ejection", AT(cfg_outliers, ejection), "10s",
	"How long it is left out the first time; each time after that by as much longer, and less "
	"again when it has been in use for as long. Who was left out for failures in a row is "
	"taken back earlier when a check finds it up."),
    TIMEOUT("ejection_max", AT(cfg_outliers, ejection_max), "5m", "Never longer than that."),
    {.key = "most",
     .type = &cfg_type_percent,
     AT(cfg_outliers, most),
     .fallback = "50%",
     .prose =
	 "How much of the origin's addresses that are up may be left out at a time: one always, "
	 "but never the last."},
    END,
};

const struct cfg_option cfg_origin_health_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_origin, health.enabled),
     .fallback = "true",
     .prose = "Whether servers are checked at all; if not they are taken to be up."},
    SECTION_AT("check", AT(cfg_origin, health.check), "How to find out whether it serves.",
	       check_options),
    {.key = "outliers",
     .shape = CFG_SECTION,
     AT(cfg_origin, health.outliers),
     .shorthand = "enabled",
     .prose = "Whether and how servers are found out that serve worse than the others.",
     .children = outlier_options},
    {.key = "panic",
     .type = &cfg_type_percent,
     AT(cfg_origin, health.panic),
     .fallback = "0%",
     .prose =
	 "When less than this share of the addresses of its servers is up, all are taken to be: "
	 "for origins so many of whose servers are needed that the rest would break down under "
	 "all requests. 0%: never, as those that are up mostly do better than those that are "
	 "not. all_down is without effect then, as none is ever taken to be down alone."},
    END,
};

const struct cfg_option cfg_origin_breaker_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_breaker, enabled),
     .fallback = "false",
     .prose = "Whether there is one. Off unless said: a request that might have been answered is "
	      "refused by it."},
    {.key = "share",
     .type = &cfg_type_percent,
     AT(cfg_breaker, share),
     .fallback = "50%",
     .prose =
	 "It opens when so many of the attempts at all servers, in a window, have failed or got "
	 "502, 503 or 504."},
    COUNT("requests", AT(cfg_breaker, requests), "20", 1, 1000000,
	  "As many must have ended in the window."),
    TIMEOUT("window", AT(cfg_breaker, window), "10s", "How long a window is."),
    TIMEOUT("open", AT(cfg_breaker, open), "5s", "How long nothing is sent then."),
    COUNT("trials", AT(cfg_breaker, trials), "3", 1, 1000,
	  "As many requests are let through after that: when as large a share of their attempts "
	  "fails "
	  "it opens again, else it closes."),
    END,
};
