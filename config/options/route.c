/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME.routes: what happens to which requests. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_route, access);
IS_ARRAY(cfg_route, split);
IS_ARRAY(cfg_route, redirect);
IS_ARRAY(cfg_route, respond);
IS_ARRAY(cfg_route, errors);
IS_ARRAY(cfg_route, limits);
IS_ARRAY(cfg_route, request_fields);
IS_ARRAY(cfg_route, response_fields);

const struct cfg_option cfg_route_options[] = {
    {.key = "path",
     .type = &cfg_type_route_path,
     AT(cfg_route, path),
     .fallback = "/",
     .prose = "\"/api\" matches /api and all that is under it, but not /apix; how other spellings "
	      "of a path are taken is in perigee-edge(8)."},
    {.key = "exact",
     .type = &cfg_type_bool,
     AT(cfg_route, exact),
     .fallback = "false",
     .prose = "Whether it is for the path itself only, not for what is under it."},
    {.key = "name",
     .type = &cfg_type_content,
     AT(cfg_route, name),
     .fallback = "",
     .prose = "What the route is called, in the access log and by {route}; its path by default."},
    SECTION_AT("when", AT(cfg_route, when),
	       "What must hold of a request beside its path, all of it; else the next route is "
	       "tried.",
	       cfg_match_options),
    {.key = "origin",
     .type = &cfg_type_origin_ref,
     AT(cfg_route, origin),
     .prose = "The origin that answers. Each route has one of origin, split, redirect and "
	      "respond."},
    ACCESS(AT(cfg_route, access),
	   "Who may come here, of those whom http.access and that of the site let in; as there."),
    LIMITS(AT(cfg_route, limits), "How many requests in a time come this way; as http.limits."),
    {.key = "split",
     .shape = CFG_PAIRS,
     .type = &cfg_type_origin_ref,
     AT(cfg_route, split),
     OF(cfg_split),
     .prose = "Origins that share the requests by weight, as in {app: 95, canary: 5}. When one "
	      "weight changes no more clients change their origin than must.",
     .children = cfg_split_options},
    {.key = "split_by",
     .type = &cfg_type_template,
     AT(cfg_route, split_by),
     .fallback = "{client.ip}",
     .prose = "What is equal of the requests that go to the same origin of a split; for instance "
	      "{cookie.session}."},
    {.key = "redirect",
     .shape = CFG_ITEMS,
     AT(cfg_route, redirect),
     OF(cfg_redirect),
     .prose = "Where clients are sent instead.",
     .children = cfg_redirect_options},
    {.key = "respond",
     .shape = CFG_ITEMS,
     AT(cfg_route, respond),
     OF(cfg_respond),
     .prose =
	 "What the edge answers itself: a maintenance page, for instance. With status 200 it is "
	 "for GET and HEAD, else for all methods.",
     .children = cfg_respond_options},
    {.key = "errors",
     .shape = CFG_ITEMS,
     AT(cfg_route, errors),
     OF(cfg_error_page),
     .prose = "Error pages; before those of the site, and the first that is for a status counts.",
     .children = cfg_errors_options},
    SECTION_AT("rewrite", AT(cfg_route, rewrite),
	       "What the origin is asked for in place of what the client has asked for; one of "
	       "strip_prefix, path, and regex with to.",
	       cfg_rewrite_options),
    {.key = "request_fields",
     .shape = CFG_ITEMS,
     AT(cfg_route, request_fields),
     OF(cfg_field_rule),
     .prose = "What is changed in the fields of requests of this route, in this order, after all "
	      "else that the edge changes in them.",
     .children = cfg_request_fields_options},
    {.key = "response_fields",
     .shape = CFG_ITEMS,
     AT(cfg_route, response_fields),
     OF(cfg_field_rule),
     .prose = "What is changed in the fields of responses from this route, in this order, before "
	      "they go to the client.",
     .children = cfg_response_fields_options},
    {.key = "compression",
     .shape = CFG_SECTION,
     AT(cfg_route, compression),
     OF(cfg_compression),
     .prose =
	 "Which responses from this route the edge compresses; the site's when it is not here.",
     .children = cfg_compression_options,
     .shorthand = "enabled"},
    SECTION_AT("cors", AT(cfg_route, cors),
	       "Which pages of other origins may read the responses of this route. Browsers ask "
	       "first by OPTIONS (a preflight), without the fields that they ask for: a route with "
	       "when.methods that does not name it, such as [PUT], or with such a field in "
	       "when.fields, never sees those for its own requests.",
	       cfg_cors_options),
    CHOICE("security", AT(cfg_route, security), "site", cfg_route_securities,
	   "Fields of security, as with the site; \"site\": what that has."),
    SECTION("auth", "Who is let in.", cfg_auth_options),
    SECTION("timeout", "How long a request may take.", cfg_route_timeout_options),
    SECTION("limit", "How much a client may send.", cfg_route_limit_options),
    {.key = "retries",
     .shape = CFG_ITEMS,
     AT(cfg_route, terms.retries),
     OF(cfg_retries),
     .shorthand = "attempts",
     .prose = "When a request of this route is sent again, in place of what its origin says of "
	      "that.",
     .children = cfg_route_retries_options},
    {.key = "mirror",
     .shape = CFG_ITEMS,
     AT(cfg_route, terms.mirrors),
     OF(cfg_mirror),
     .prose = "Other origins that get copies of requests. What they answer is not looked at, and "
	      "how fast they are does not matter.",
     .children = cfg_mirror_options},
    {.key = "early_data",
     .type = &cfg_type_bool,
     AT(cfg_route, terms.early_data),
     .fallback = "false",
     .prose = "Whether a request that comes as early data (0-RTT) goes on before the handshake is "
	      "done, which saves a round trip, with \"Early-Data: 1\". Only GET, HEAD and OPTIONS "
	      "do, where no other origin is asked too (auth.forward, mirror). Say it where the "
	      "origin answers 425 (RFC 8470) to what must not be done twice: the edge takes early "
	      "data once, but a client whose connection broke may send it to another edge."},
    {.key = "early_hints",
     .type = &cfg_type_bool,
     AT(cfg_route, terms.early_hints),
     .fallback = "false",
     .prose = "Whether a browser is told at once, by a 103 (RFC 8297), what the last response to "
	      "the same request has named in Link fields for it to load. It is learned from public "
	      "responses to requests without a cookie only."},
    END,
};
