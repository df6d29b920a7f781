/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * access and limits, of http, sites and routes, and http.per_client. Constants only.
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
    {.key = "ja4",
     .shape = CFG_VALUES,
     .type = &cfg_type_ja4,
     AT(cfg_clients, ja4),
     .prose = "JA4 fingerprints of what they say first over TLS; those of http.access are refused "
	      "before the handshake costs anything."},
    END,
};

const struct cfg_option cfg_access_options[] = {
    SECTION_AT("allow", AT(cfg_access, allow),
	       "Clients that are let through: those that are in any of these lists.",
	       clients_options),
    SECTION_AT("deny", AT(cfg_access, deny),
	       "Clients that get 403: those that are in any of these lists, and those whose IPv6 "
	       "address carries an IPv4 address of these networks (6to4, Teredo, NAT64).",
	       clients_options),
    END,
};

static const char *const tells[] = {"refused", "always", "never", NULL};

const struct cfg_option cfg_limit_options[] = {
    {.key = "name",
     .type = &cfg_type_name,
     AT(cfg_limit, name),
     .required = true,
     .prose = "What it is called, also to clients. Limits of http that are called alike are one "
	      "limit, and so are those of a site and its routes; they must have the same rate, "
	      "burst and key."},
    {.key = "rate",
     .type = &cfg_type_rate,
     AT(cfg_limit, rate),
     .required = true,
     .prose = "How many requests may come in a time, spread over it."},
    COUNT("burst", AT(cfg_limit, burst), "0", 0, 1000000,
	  "How many may come at once after a time without any; 0: as many as the rate counts."),
    {.key = "key",
     .type = &cfg_type_template,
     AT(cfg_limit, key),
     .fallback = "",
     .prose = "What requests are told apart by: each value has a limit of its own; those for which "
	      "it is empty have none. \"{client.network}\" is the client's address, or its IPv6 "
	      "network of 64 bits. A parameter of the query is decoded: how it is spelled makes no "
	      "difference. Without a key all have one limit."},
    SECTION_AT("when", AT(cfg_limit, when),
	       "Which requests it is for; all that is said here must hold, and those count too of "
	       "which it cannot be told.",
	       cfg_match_options),
    COUNT("status", AT(cfg_limit, status), "429", 400, 599, "The status of a refusal."),
    CHOICE("tell", AT(cfg_limit, tell), "refused", tells,
	   "Which responses say by RateLimit and RateLimit-Policy fields how much is left: those "
	   "that are \"refused\", \"always\" all, or \"never\" any."),
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
    RATE(
	"handshake_rate", AT(cfg_per_client, handshake_rate), "0",
	"TLS handshakes in a time, resumed ones too, and those of strangers where other edges come "
	"in (relay.listen of edges); over it they are refused before they cost anything."),
    RATE("request_rate", AT(cfg_per_client, request_rate), "0",
	 "Requests in a time; over it the answer is 429."),
    END,
};
