/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME.routes: on which terms requests are served. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_auth, basic);
IS_ARRAY(cfg_auth, forward);
IS_ARRAY(cfg_terms, mirrors);

static const struct cfg_option basic_options[] = {
    {.key = "file",
     .type = &cfg_type_path,
     AT(cfg_auth_basic, file),
     .required = true,
     .prose = "Names and hashes of passwords, as htpasswd of Apache writes them: bcrypt (htpasswd "
	      "-B), SHA-256 (-2), SHA-512 (-5), or yescrypt of mkpasswd; read when the "
	      "configuration is."},
    {.key = "realm",
     .type = &cfg_type_field_value,
     AT(cfg_auth_basic, realm),
     .fallback = "restricted",
     .prose = "What the client is told that the password is for."},
    {.key = "forward",
     .type = &cfg_type_bool,
     AT(cfg_auth_basic, forward),
     .fallback = "false",
     .prose = "Whether the origin sees name and password too: the field Authorization."},
    END,
};

static const struct cfg_option forward_options[] = {
    {.key = "origin",
     .type = &cfg_type_origin_ref,
     AT(cfg_auth_forward, origin),
     .required = true,
     .prose = "The origin that is asked."},
    {.key = "path",
     .type = &cfg_type_url_path,
     AT(cfg_auth_forward, path),
     .fallback = "/",
     .prose = "What it is asked for, by GET; X-Forwarded-Method, -Proto, -Host and -Uri say what "
	      "the client has asked for."},
    {.key = "request_fields",
     .shape = CFG_VALUES,
     .type = &cfg_type_field_name,
     AT(cfg_auth_forward, request_fields),
     .fallback = "Authorization, Cookie",
     .prose = "Fields of the client's request that it sees."},
    {.key = "response_fields",
     .shape = CFG_VALUES,
     .type = &cfg_type_field_name,
     AT(cfg_auth_forward, response_fields),
     .prose = "Fields of its answer that the route's origin sees; the client's own of these names "
	      "are removed."},
    END,
};

const struct cfg_option cfg_auth_options[] = {
    {.key = "basic",
     .shape = CFG_ITEMS,
     AT(cfg_route, terms.auth.basic),
     OF(cfg_auth_basic),
     .prose = "By name and password (RFC 7617).",
     .children = basic_options},
    {.key = "forward",
     .shape = CFG_ITEMS,
     AT(cfg_route, terms.auth.forward),
     OF(cfg_auth_forward),
     .prose = "By another origin, which is asked first: with a status of 2xx the request goes on, "
	      "any other answer goes to the client; when it gives none, the request fails.",
     .children = forward_options},
    END,
};

const struct cfg_option cfg_route_timeout_options[] = {
    {.key = "response",
     .type = &cfg_type_duration,
     AT(cfg_route, terms.timeout.response),
     .fallback = "0s",
     RANGE(0, DAY),
     .prose = "From a request that is sent to the head of its response; 0s: as the origin's."},
    {.key = "idle",
     .type = &cfg_type_duration,
     AT(cfg_route, terms.timeout.idle),
     .fallback = "0s",
     RANGE(0, DAY),
     .prose = "Between two pieces of content, either way; 0s: as the origin's."},
    {.key = "total",
     .type = &cfg_type_duration,
     AT(cfg_route, terms.timeout.total),
     .fallback = "0s",
     RANGE(0, DAY),
     .prose = "From the head of a request to the end of its response; 0s: any time. Tunnels are "
	      "not meant."},
    END,
};

const struct cfg_option cfg_route_limit_options[] = {
    BYTES("body", AT(cfg_route, terms.limit.body), "0", 0, TIB,
	  "Content of a request; one with more is refused with 413. 0: any."),
    END,
};

const struct cfg_option cfg_mirror_options[] = {
    {.key = "origin",
     .type = &cfg_type_origin_ref,
     AT(cfg_mirror, origin),
     .required = true,
     .prose = "The origin that gets the copies."},
    {.key = "share",
     .type = &cfg_type_percent,
     AT(cfg_mirror, share),
     .fallback = "100%",
     .prose = "How many of the requests are copied."},
    BYTES("body", AT(cfg_mirror, body), "64KiB", 0, MIB,
	  "Content that goes with a copy; requests with more are not copied."),
    END,
};
