/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * sites.NAME.routes: what happens to which requests. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_route, access);
IS_ARRAY(cfg_route, limits);
IS_ARRAY(cfg_route, response_fields);

static const char *const field_actions[] = {"set", "add", "remove", NULL};

static const struct cfg_option response_fields_options[] = {
    {.key = "name",
     .type = &cfg_type_field_name,
     AT(cfg_field_rule, name),
     .required = true,
     .prose = "The field's name; fields of framing and of the connection are the edge's own."},
    CHOICE("action", AT(cfg_field_rule, action), "set", field_actions,
	   "What is done: \"set\" puts one field in the place of all of that name, \"add\" adds "
	   "one, \"remove\" removes all of that name."),
    {.key = "value",
     .type = &cfg_type_response_value,
     AT(cfg_field_rule, value),
     .fallback = "",
     WHEN("action", 1U << CFG_FIELD_SET | 1U << CFG_FIELD_ADD),
     .prose = "Its value, which may be empty."},
    END,
};

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
    LIMITS(AT(cfg_route, limits), "How many requests in a time come this way; as http.limits."),
    {.key = "response_fields",
     .shape = CFG_ITEMS,
     AT(cfg_route, response_fields),
     OF(cfg_field_rule),
     .prose = "What is changed in the fields of responses from this route, in this order, before "
	      "they go to the client.",
     .children = response_fields_options},
    END,
};
