/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is changed in requests and responses: of http, sites and routes. Constants only.
 */
#include "config/options/rows.h"

static const char *const field_actions[] = {"set", "add", "append", "remove", NULL};
static const char *const request_id_froms[] = {"trusted", "nobody", NULL};
static const char *const trace_starts[] = {"never", "missing", "untrusted", NULL};

const char *const cfg_securities[] = {"none", "basic", "strict", NULL};
const char *const cfg_route_securities[] = {"site", "none", "basic", "strict", NULL};

#define FIELD_RULE_ROWS(name_type_, name_, value_type_, when_, conditions_)                        \
	{.key = "name",                                                                            \
	 .type = &(name_type_),                                                                    \
	 AT(cfg_field_rule, name),                                                                 \
	 .required = true,                                                                         \
	 .prose = name_},                                                                          \
	    CHOICE("action", AT(cfg_field_rule, action), "set", field_actions,                     \
		   "What is done: \"set\" puts one field in the place of all of that name, "       \
		   "\"add\" adds one, \"append\" adds a member to the list that they are, "        \
		   "\"remove\" removes all of that name."),                                        \
	    {.key = "value",                                                                       \
	     .type = &(value_type_),                                                               \
	     AT(cfg_field_rule, value),                                                            \
	     .fallback = "",                                                                       \
	     WHEN("action", 1U << CFG_FIELD_SET | 1U << CFG_FIELD_ADD | 1U << CFG_FIELD_APPEND),   \
	     .prose = "Its value, which may be empty; when it has variables and none of them is "  \
		      "known, nothing is added, and \"set\" removes."},                            \
	    SECTION_AT("when", AT(cfg_field_rule, when), when_, conditions_)

const struct cfg_option cfg_request_fields_options[] = {
    FIELD_RULE_ROWS(
	cfg_type_request_field_name,
	"The field's name, and all that origins may take for it: \"X.User\" is \"X-User\" too. "
	"Fields of framing and of the connection are the edge's own, Host is changed by rewrite, "
	"and by Via and CDN-Loop circles are found.",
	cfg_type_request_value, "Requests it is done to; all of what is said here must hold.",
	cfg_match_options),
    END,
};

const struct cfg_option cfg_response_fields_options[] = {
    FIELD_RULE_ROWS(cfg_type_field_name,
		    "The field's name; fields of framing and of the connection are the edge's own.",
		    cfg_type_response_value,
		    "Responses it is done to; all of what is said here must hold.",
		    cfg_response_match_options),
    END,
};

const struct cfg_option cfg_rewrite_options[] = {
    {.key = "strip_prefix",
     .type = &cfg_type_route_path,
     AT(cfg_rewrite, strip_prefix),
     .prose = "The beginning of the path that the origin does not see: with \"/api\", /api/x "
	      "becomes /x. Other paths stay as they are."},
    {.key = "path",
     .type = &cfg_type_rewrite_path,
     AT(cfg_rewrite, path),
     .prose = "The path that is asked for instead; with a \"?\" in it also the query, which "
	      "otherwise stays."},
    {.key = "regex",
     .type = &cfg_type_regex,
     AT(cfg_rewrite, regex),
     .prose = "What of the path, in its normal form, is replaced by \"to\": the first match. Where "
	      "nothing matches the path stays as it is."},
    {.key = "to",
     .type = &cfg_type_rewrite_text,
     AT(cfg_rewrite, to),
     .prose = "What comes in the place of the match, whose groups are {match.1} to {match.9}; "
	      "with a \"?\" in the result also the query, which otherwise stays."},
    {.key = "host",
     .type = &cfg_type_rewrite_host,
     AT(cfg_rewrite, host),
     .prose = "The host that is asked for instead, with its port if it is to have one; "
	      "X-Forwarded-Host says which one the client has asked for."},
    END,
};

const struct cfg_option cfg_cors_options[] = {
    {.key = "origins",
     .shape = CFG_VALUES,
     .type = &cfg_type_cors_origin,
     AT(cfg_cors, origins),
     .prose = "Origins whose pages may read responses: \"https://app.example.com\", "
	      "\"https://*.example.com\" for all hosts under it, \"*\" for all. With none here it "
	      "is left to the origin server; else what that says of it is replaced."},
    {.key = "methods",
     .shape = CFG_VALUES,
     .type = &cfg_type_method,
     AT(cfg_cors, methods),
     .fallback = "GET, HEAD, POST",
     .prose = "Methods that they may use, beside GET, HEAD and POST."},
    {.key = "fields",
     .shape = CFG_VALUES,
     .type = &cfg_type_any_field,
     AT(cfg_cors, fields),
     .prose = "Fields that they may send, beside those that all pages may; \"*\" is all."},
    {.key = "expose",
     .shape = CFG_VALUES,
     .type = &cfg_type_any_field,
     AT(cfg_cors, expose),
     .prose = "Fields of responses that they may read, beside those that all pages may."},
    {.key = "credentials",
     .type = &cfg_type_bool,
     AT(cfg_cors, credentials),
     .fallback = "false",
     .prose =
	 "Whether they may do it in the user's name, with cookies; then nothing may be \"*\"."},
    {.key = "max_age",
     .type = &cfg_type_duration,
     AT(cfg_cors, max_age),
     .fallback = "10m",
     RANGE(0, DAY),
     .prose = "How long browsers may remember what they were told when they asked first."},
    END,
};

const struct cfg_option cfg_hsts_options[] = {
    {.key = "max_age",
     .type = &cfg_type_duration,
     AT(cfg_hsts, max_age),
     .fallback = "0s",
     RANGE(0, 3650 * DAY),
     .prose = "How long browsers are to use nothing but TLS for the hosts of this site; 0s: "
	      "nothing is said of it."},
    {.key = "subdomains",
     .type = &cfg_type_bool,
     AT(cfg_hsts, subdomains),
     .fallback = "false",
     .prose = "For all hosts under them too."},
    {.key = "preload",
     .type = &cfg_type_bool,
     AT(cfg_hsts, preload),
     .fallback = "false",
     .prose = "That browsers may have them in their built-in list, which takes at least a year "
	      "and all hosts under them."},
    END,
};

const struct cfg_option cfg_request_id_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_request_id, enabled),
     .fallback = "false",
     .prose = "Whether each request has an id, which goes to the origin."},
    {.key = "field",
     .type = &cfg_type_request_field_name,
     AT(cfg_request_id, field),
     .fallback = "X-Request-Id",
     WHEN_ON("enabled"),
     .prose = "The field that it stands in."},
    {.key = "from",
     .type = &cfg_type_choice,
     AT(cfg_request_id, from),
     .fallback = "trusted",
     .choices = request_id_froms,
     WHEN_ON("enabled"),
     .prose = "Whose id is kept: \"trusted\" is that of http.trusted_proxies; \"nobody\": each "
	      "request gets a new one."},
    {.key = "response",
     .type = &cfg_type_bool,
     AT(cfg_request_id, response),
     .fallback = "false",
     WHEN_ON("enabled"),
     .prose = "Whether the client is told, in the same field."},
    END,
};

const struct cfg_option cfg_trace_options[] = {
    CHOICE("start", AT(cfg_trace, start), "never", trace_starts,
	   "Where a traceparent begins here: \"missing\" is where there is none, \"untrusted\" "
	   "also where one comes from somebody else than http.trusted_proxies. All others go to "
	   "the origin as they came."),
    {.key = "sampled",
     .type = &cfg_type_bool,
     AT(cfg_trace, sampled),
     .fallback = "true",
     .prose = "Whether those that begin here ask to be recorded."},
    END,
};
