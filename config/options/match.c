/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * when: conditions of routes, rules and limits. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_match, fields);
IS_ARRAY(cfg_match, query);
IS_ARRAY(cfg_match, client_cert);

#define PART_ROWS(value_, regex_, absent_)                                                         \
	{.key = "value",                                                                           \
	 .type = &cfg_type_field_value,                                                            \
	 AT(cfg_match_part, value),                                                                \
	 .prose = value_},                                                                         \
	    {.key = "regex", .type = &cfg_type_regex, AT(cfg_match_part, regex), .prose = regex_}, \
	{                                                                                          \
		.key = "absent", .type = &cfg_type_bool, AT(cfg_match_part, absent),               \
		.fallback = "false", .prose = absent_                                              \
	}

static const struct cfg_option fields_options[] = {
    {.key = "name",
     .type = &cfg_type_any_field,
     AT(cfg_match_part, name),
     .required = true,
     .prose = "The field's name; with nothing else said it must be there."},
    PART_ROWS("What its value must be.",
	      "What must match somewhere in its value; of several lines, also in the value that "
	      "they are together.",
	      "That it must not be there."),
    END,
};

static const struct cfg_option query_options[] = {
    {.key = "name",
     .type = &cfg_type_parameter,
     AT(cfg_match_part, name),
     .required = true,
     .prose = "The parameter's name; with nothing else said it must be there."},
    PART_ROWS("What its value must be, after percent-encoding and \"+\" were decoded.",
	      "What must match somewhere in its decoded value.", "That it must not be there."),
    END,
};

static const struct cfg_option client_cert_options[] = {
    {.key = "name",
     .type = &cfg_type_client_cert,
     AT(cfg_match_part, name),
     .required = true,
     .prose =
	 "What of it: subject, issuer, serial, sans, fingerprint or verdict, as the variable "
	 "client_cert.NAME; with nothing else said it must be known, as all but the verdict is "
	 "of a valid certificate only."},
    PART_ROWS("What it must be; of sans, what one of them must be.",
	      "What must match somewhere in it; of sans, in one of them.",
	      "That it must not be known."),
    END,
};

#define MATCH_ROWS                                                                                 \
	{.key = "methods",                                                                         \
	 .shape = CFG_VALUES,                                                                      \
	 .type = &cfg_type_method,                                                                 \
	 AT(cfg_match, methods),                                                                   \
	 .prose = "One of these methods; GET stands for HEAD too."},                               \
	    {.key = "regex",                                                                       \
	     .type = &cfg_type_regex,                                                              \
	     AT(cfg_match, regex),                                                                 \
	     .prose = "A regular expression (PCRE2) that matches somewhere in the path, in its "   \
		      "normal form and without the query; \"^\" is its beginning, and \"$$\", as " \
		      "\"$\" is written "                                                          \
		      "in a configuration, its end."},                                             \
	    {.key = "fields",                                                                      \
	     .shape = CFG_ITEMS,                                                                   \
	     AT(cfg_match, fields),                                                                \
	     OF(cfg_match_part),                                                                   \
	     .prose = "Each of these about the request's fields.",                                 \
	     .children = fields_options},                                                          \
	    {.key = "query",                                                                       \
	     .shape = CFG_ITEMS,                                                                   \
	     AT(cfg_match, query),                                                                 \
	     OF(cfg_match_part),                                                                   \
	     .prose = "Each of these about the parameters of the query.",                          \
	     .children = query_options},                                                           \
	    {.key = "client_cert",                                                                 \
	     .shape = CFG_ITEMS,                                                                   \
	     AT(cfg_match, client_cert),                                                           \
	     OF(cfg_match_part),                                                                   \
	     .prose = "Each of these about the client's certificate, where the site asks for "     \
		      "one.",                                                                      \
	     .children = client_cert_options},                                                     \
	    {.key = "networks",                                                                    \
	     .shape = CFG_VALUES,                                                                  \
	     .type = &cfg_type_prefix,                                                             \
	     AT(cfg_match, networks),                                                              \
	     .prose = "A client in one of these networks."},                                       \
	    {.key = "countries",                                                                   \
	     .shape = CFG_VALUES,                                                                  \
	     .type = &cfg_type_country,                                                            \
	     AT(cfg_match, countries),                                                             \
	     .prose = "A client in one of these countries, by ISO 3166-1 code, as geo.database "   \
		      "says."},                                                                    \
	    {.key = "continents",                                                                  \
	     .shape = CFG_VALUES,                                                                  \
	     .type = &cfg_type_continent,                                                          \
	     AT(cfg_match, continents),                                                            \
	     .prose = "A client in one of these continents, AF, AN, AS, EU, NA, OC or SA, as "     \
		      "geo.database says."},                                                       \
	{                                                                                          \
		.key = "hosts", .shape = CFG_VALUES, .type = &cfg_type_host_pattern,               \
		AT(cfg_match, hosts),                                                              \
		.prose = "A request for one of these hosts; \"*.example.com\" stands for all "     \
			 "names under example.com."                                                \
	}

const struct cfg_option cfg_match_options[] = {
    MATCH_ROWS,
    END,
};

const struct cfg_option cfg_response_match_options[] = {
    MATCH_ROWS,
    {.key = "status",
     .shape = CFG_VALUES,
     .type = &cfg_type_status,
     AT(cfg_match, statuses),
     .prose = "A response with one of these statuses."},
    END,
};
