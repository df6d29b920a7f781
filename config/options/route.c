/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME.routes: what happens to which requests. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_route, access);
IS_ARRAY(cfg_route, request_fields);
IS_ARRAY(cfg_route, response_fields);

const struct cfg_option cfg_route_options[] = {
    {.key = "path",
     .type = &cfg_type_route_path,
     AT(cfg_route, path),
     .fallback = "/",
     .prose = "\"/api\" matches /api and all that is under it, but not /apix; how other spellings "
	      "of a path are taken is in perigee-edge(8)."},
    {.key = "origin",
     .type = &cfg_type_origin_ref,
     AT(cfg_route, origin),
     .required = true,
     .prose = "The origin that answers."},
    ACCESS(AT(cfg_route, access),
	   "Who may come here, of those whom http.access and that of the site let in; as there."),
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
    SECTION_AT("cors", AT(cfg_route, cors),
	       "Which pages of other origins may read the responses of this route.",
	       cfg_cors_options),
    CHOICE("security", AT(cfg_route, security), "site", cfg_route_securities,
	   "Fields of security, as with the site; \"site\": what that has."),
    END,
};
