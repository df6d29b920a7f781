/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME: hosts that are served together, with their routes. Constants only.
 */
#include "config/options/rows.h"

COMES_FIRST(cfg_site, name);
IS_ARRAY(cfg_site, certificates);
IS_ARRAY(cfg_site, routes);
IS_ARRAY(cfg_site, edges);
IS_ARRAY(cfg_route, response_fields);

static const char *const field_actions[] = {"set", "add", "remove", NULL};

static const struct cfg_option certificates_options[] = {
    {.key = "certificate",
     .type = &cfg_type_path,
     AT(cfg_certificate, certificate),
     .required = true,
     .prose = "PEM file of the certificate, followed by those of its issuers."},
    {.key = "key",
     .type = &cfg_type_path,
     AT(cfg_certificate, key),
     .required = true,
     .prose = "PEM file of its private key."},
    END,
};

static const struct cfg_option routes_response_fields_options[] = {
    {.key = "name",
     .type = &cfg_type_field_name,
     AT(cfg_field_rule, name),
     .required = true,
     .prose = "The field's name; fields of framing and of the connection are the edge's own."},
    CHOICE("action", AT(cfg_field_rule, action), "set", field_actions,
	   "What is done: \"set\" puts one field in the place of all of that name, \"add\" adds "
	   "one, \"remove\" removes all of that name."),
    {.key = "value",
     .type = &cfg_type_field_value,
     AT(cfg_field_rule, value),
     .fallback = "",
     WHEN("action", 1U << CFG_FIELD_SET | 1U << CFG_FIELD_ADD),
     .prose = "Its value, which may be empty."},
    END,
};

static const struct cfg_option routes_options[] = {
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
    {.key = "response_fields",
     .shape = CFG_ITEMS,
     AT(cfg_route, response_fields),
     OF(cfg_field_rule),
     .prose = "What is changed in the fields of responses from this route, in this order, before "
	      "they go to the client.",
     .children = routes_response_fields_options},
    END,
};

const struct cfg_option cfg_site_options[] = {
    {.key = "hosts",
     .shape = CFG_VALUES,
     .type = &cfg_type_host_pattern,
     AT(cfg_site, hosts),
     .required = true,
     .prose = "Its host names; \"*.example.com\" stands for all names under example.com."},
    {.key = "certificates",
     .shape = CFG_ITEMS,
     AT(cfg_site, certificates),
     .required = true,
     OF(cfg_certificate),
     .prose = "Its certificates with their keys; for instance one ECDSA and one RSA.",
     .children = certificates_options},
    {.key = "routes",
     .shape = CFG_ITEMS,
     AT(cfg_site, routes),
     .required = true,
     OF(cfg_route),
     .prose = "Which origin answers for which paths; the longest path that matches wins.",
     .children = routes_options},
    {.key = "edges",
     .shape = CFG_VALUES,
     .type = &cfg_type_edge_ref,
     AT(cfg_site, edges),
     .prose = "The edges that serve it; all of them when there are none here."},
    END,
};
