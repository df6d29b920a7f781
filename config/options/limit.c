/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * access, of http, sites and routes, and http.per_client. Constants only.
 */
#include "config/options/rows.h"

/* More at a time are not counted; see edge/limit/tally.h. */
#define AT_A_TIME_MAX 60000

static const struct cfg_option clients_options[] = {
    {.key = "networks",
     .shape = CFG_VALUES,
     .type = &cfg_type_prefix,
     AT(cfg_clients, networks),
     .prose = "Their networks; 0.0.0.0/0 and ::/0 are all there are."},
    {.key = "asns",
     .shape = CFG_VALUES,
     .type = &cfg_type_uint,
     AT(cfg_clients, asns),
     RANGE(1, UINT32_MAX),
     .prose = "Their autonomous systems, which a geo.database tells."},
    {.key = "countries",
     .shape = CFG_VALUES,
     .type = &cfg_type_country,
     AT(cfg_clients, countries),
     .prose = "Their countries, by ISO 3166-1 code, which a geo.database tells."},
    {.key = "continents",
     .shape = CFG_VALUES,
     .type = &cfg_type_continent,
     AT(cfg_clients, continents),
     .prose = "Their continents: AF, AN, AS, EU, NA, OC or SA, which a geo.database tells."},
    END,
};

const struct cfg_option cfg_access_options[] = {
    SECTION_AT("allow", AT(cfg_access, allow),
	       "Clients that are let through: those that are in any of these lists.",
	       clients_options),
    SECTION_AT("deny", AT(cfg_access, deny),
	       "Clients that get 403: those that are in any of these lists.", clients_options),
    END,
};

const struct cfg_option cfg_per_client_options[] = {
    COUNT(
	"connections", AT(cfg_per_client, connections), "0", 0, AT_A_TIME_MAX,
	"Connections at a time; over it newcomers are closed before anything is read of them. 0 is "
	"no limit, here and below."),
    COUNT("requests", AT(cfg_per_client, requests), "0", 0, AT_A_TIME_MAX,
	  "Requests at a time, over all its connections; over it the answer is 429."),
    RATE("connection_rate", AT(cfg_per_client, connection_rate), "0",
	 "New connections in a time; over it newcomers are closed."),
    RATE("request_rate", AT(cfg_per_client, request_rate), "0",
	 "Requests in a time; over it the answer is 429."),
    END,
};
