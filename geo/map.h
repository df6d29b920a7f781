/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The steering map: a MaxMind database compiled into a flat binary tree whose leaves name a ranking
 * of edges, nearest first. Immutable after geo_map_compile(); any thread may look up.
 *
 * Equal neighbours are merged, so the depth at which a look-up ends is the largest network for
 * which the answer (the ranking, and whether the place is known) is the same: the ECS scope of
 * RFC 7871 section 7.2.1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/addr.h"
#include "geo/distance.h"

struct geo_map;

struct geo_ranking {
	const uint16_t *edges; /* ids (cfg_edge.id), nearest first; all edges of the fleet */
	unsigned n;
	uint8_t scope; /* prefix length, in the family of the address that was looked up */
	bool known;    /* the client's place was in the database */
};

/* NULL when the database cannot be opened, is broken anywhere (every node and record is visited),
 * or has no coordinates at all (Country and ASN databases); errors are in `diag`. Without a
 * configured database: a map of one leaf. An IPv4 database knows no IPv6 client. Blocking. */
struct geo_map *geo_map_compile(const struct cfg_fleet *fleet, struct diag *diag);
void geo_map_destroy(struct geo_map **map);

/* `prefix` is the client's address or its ECS source prefix. The scope may be longer than
 * prefix->len when the answer depends on more bits than were given. */
struct geo_ranking geo_map_lookup(const struct geo_map *map, const struct net_prefix *prefix);

/* For people: what the database says of an address; what becomes of the file later changes nothing.
 * City names are in English. Any thread. */
struct geo_place {
	bool known;
	double latitude, longitude;
	char city[64], country[8], continent[8];
};
struct geo_place geo_map_place(const struct geo_map *map, const struct net_prefix *prefix);

struct geo_map_stats {
	size_t nodes, rankings, bytes, networks;
	const char *database_type; /* "" without a database */
	uint64_t build_epoch;      /* seconds since 1970 */
};
struct geo_map_stats geo_map_stats(const struct geo_map *map);
