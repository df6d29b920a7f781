/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * geo: where clients are. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_geo, overrides);
IS_ARRAY(cfg_override, edges);

static const struct cfg_option overrides_options[] = {
    {.key = "networks",
     .shape = CFG_VALUES,
     .type = &cfg_type_prefix,
     AT(cfg_override, networks),
     .prose = "Networks of the clients that it is for."},
    {.key = "asns",
     .shape = CFG_VALUES,
     .type = &cfg_type_uint,
     AT(cfg_override, asns),
     RANGE(1, UINT32_MAX),
     .prose = "Their autonomous systems."},
    {.key = "countries",
     .shape = CFG_VALUES,
     .type = &cfg_type_country,
     AT(cfg_override, countries),
     .prose = "Their countries, by ISO 3166-1 code."},
    {.key = "continents",
     .shape = CFG_VALUES,
     .type = &cfg_type_continent,
     AT(cfg_override, continents),
     .prose = "Their continents: AF, AN, AS, EU, NA, OC or SA."},
    {.key = "location",
     .type = &cfg_type_coords,
     AT(cfg_override, location),
     .prose = "Where they are taken to be; either this or edges."},
    {.key = "edges",
     .shape = CFG_VALUES,
     .type = &cfg_type_edge_ref,
     AT(cfg_override, edges),
     .prose = "The edges that come first for them, in this order, of those that the policy of a "
	      "name chooses from."},
    END,
};

const struct cfg_option cfg_geo_options[] = {
    {.key = "database",
     .shape = CFG_VALUES,
     .type = &cfg_type_path,
     AT(cfg_geo, databases),
     .prose = "MaxMind databases (.mmdb) of networks: their coordinates, countries, continents or "
	      "autonomous systems; without one that knows places every client is at an unknown "
	      "place."},
    {.key = "unknown",
     .type = &cfg_type_coords,
     AT(cfg_geo, unknown),
     .prose = "Where clients of unknown place are taken to be; without it they get the edges in "
	      "the order of this file."},
    {.key = "overrides",
     .shape = CFG_ITEMS,
     AT(cfg_geo, overrides),
     OF(cfg_override),
     .prose = "What is known better than by a database. The most specific one counts: the longest "
	      "network, then the autonomous system, the country, the continent; among equals the "
	      "first.",
     .children = overrides_options},
    END,
};
