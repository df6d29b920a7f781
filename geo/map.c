/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Compiles a database into the steering map, and looks up in it. geo/fold.c brings the records,
 * geo/ranking.c makes rankings of them; here nodes whose halves are the same leaf become that leaf,
 * which is what makes a leaf's depth the largest network with one answer.
 *
 * Compilation is blocking and belongs to one thread; the finished map is immutable.
 */
#include "geo/map.h"

#include <stdlib.h>

#include "config/limits.h"
#include "core/base/check.h"
#include "geo/db.h"
#include "geo/ranking.h"

/* A reference to a subtree: the index of a node, or a leaf with the number of a ranking. "Known" is
 * part of the answer, so neighbours that differ in it alone stay apart. */
#define LEAF (UINT32_C(1) << 31)
#define KNOWN (UINT32_C(1) << 30)
#define RANKING (KNOWN - 1)

#define FIRST_BITS 16
#define FIRST (1 << FIRST_BITS)

struct node {
	uint32_t child[2];
};

struct geo_map {
	struct geo_db *db; /* NULL: none */
	struct node *nodes;
	uint32_t n_nodes;
	uint32_t ipv4, ipv6; /* roots */
	/* Where the first bits of an IPv4 address lead, and after how many of them: most of the
	 * cache misses of a look-up are in these levels. */
	struct {
		uint32_t at[FIRST];
		uint8_t depth[FIRST];
	} first;
	uint16_t *rankings; /* n_edges ids each */
	size_t n_rankings;
	unsigned n_edges;
	size_t networks;
};

struct build {
	struct geo_map *map;
	struct geo_ranker *ranker;
	uint32_t max_nodes;
	uint32_t unknown; /* the leaf of clients whose place is not known */
	size_t located;   /* records with coordinates */
	const struct cfg_geo *geo;
	struct diag *diag;
};

static bool too_large(const struct build *b)
{
	diag_add(b->diag, b->geo->place,
		 "geo database %s: too many places for %u edges: their rankings exceed 1 GiB",
		 b->geo->databases.v[0], b->map->n_edges);
	return false;
}

static bool build_leaf(void *arg, const struct geo_location *location, uint32_t *result)
{
	struct build *b = arg;
	uint32_t ranking;

	if (!location->known) {
		*result = b->unknown;
		return true;
	}
	ranking = geo_ranker_at(b->ranker, location->latitude, location->longitude);
	if (ranking == GEO_RANKING_NONE)
		return too_large(b);
	CHECK(ranking <= RANKING);
	b->located++;
	*result = LEAF | KNOWN | ranking;
	return true;
}

static uint32_t build_join(void *arg, uint32_t zero, uint32_t one)
{
	struct build *b = arg;
	struct geo_map *map = b->map;

	if (zero == one && (zero & LEAF))
		return zero;
	/* Fewer than the nodes of the file, which has at most 4 GiB. */
	CHECK(map->n_nodes < LEAF - 1);
	if (map->n_nodes == b->max_nodes) {
		b->max_nodes = b->max_nodes ? 2 * b->max_nodes : 1024;
		map->nodes = xreallocarray(map->nodes, b->max_nodes, sizeof(*map->nodes));
	}
	map->nodes[map->n_nodes] = (struct node){{zero, one}};
	return map->n_nodes++;
}

static bool build_tree(struct build *b)
{
	struct geo_map *map = b->map;
	struct geo_fold fold = {build_leaf, build_join, b->unknown, b};
	struct geo_folded folded;
	const char *path = b->geo->databases.v[0], *type;

	map->db = geo_db_open(path, b->geo->place, b->diag);
	if (map->db == NULL || !geo_db_fold(map->db, &fold, &folded, b->geo->place, b->diag))
		return false;
	type = geo_db_type(map->db);
	if (b->located == 0) {
		diag_add(b->diag, b->geo->place,
			 "geo database %s: no record of this %.64s database has coordinates; "
			 "steering by distance needs a City database",
			 path, type);
		return false;
	}
	map->ipv4 = folded.ipv4;
	map->ipv6 = folded.ipv6;
	map->networks = folded.networks;
	if (map->n_nodes > 0)
		map->nodes = xreallocarray(map->nodes, map->n_nodes, sizeof(*map->nodes));
	return true;
}

/* Follows the bits of the prefix from a depth on until a leaf, or until `end`; returns where it
 * stopped. */
static unsigned descend(const struct geo_map *map, const struct net_prefix *prefix, uint32_t *at,
			unsigned depth, unsigned end)
{
	for (; !(*at & LEAF) && depth < end; depth++)
		*at = map->nodes[*at].child[prefix->bytes[depth / 8] >> (7 - depth % 8) & 1];
	return depth;
}

static bool build_map(struct build *b)
{
	struct geo_map *map = b->map;
	const struct cfg_coords *unknown = &b->geo->unknown;
	uint32_t ranking = unknown->set
			       ? geo_ranker_at(b->ranker, unknown->latitude, unknown->longitude)
			       : geo_ranker_file_order(b->ranker);

	CHECK(ranking == 0);
	b->unknown = map->ipv4 = map->ipv6 = LEAF | ranking;
	if (b->geo->databases.n > 0 && !build_tree(b))
		return false;
	for (unsigned i = 0; i < FIRST; i++) {
		struct net_prefix p = {.bytes = {(uint8_t)(i >> 8), (uint8_t)i}};

		map->first.at[i] = map->ipv4;
		map->first.depth[i] = (uint8_t)descend(map, &p, &map->first.at[i], 0, FIRST_BITS);
	}
	map->rankings = geo_ranker_take(b->ranker, &map->n_rankings);
	return true;
}

struct geo_map *geo_map_compile(const struct cfg_fleet *fleet, struct diag *diag)
{
	struct geo_map *map;
	struct build b = {.geo = &fleet->geo, .diag = diag};

	if (fleet->n_edges > CFG_EDGES_MAX) {
		diag_add(diag, fleet->geo.place, "too many edges to rank: %u, at most %u",
			 fleet->n_edges, CFG_EDGES_MAX);
		return NULL;
	}
	b.map = map = xcalloc(1, sizeof(*map));
	map->n_edges = fleet->n_edges;
	b.ranker = geo_ranker_create(fleet->edges, fleet->n_edges);
	if (!build_map(&b))
		geo_map_destroy(&map);
	geo_ranker_destroy(&b.ranker);
	return map;
}

void geo_map_destroy(struct geo_map **mapp)
{
	struct geo_map *map = TAKE(mapp);

	if (map == NULL)
		return;
	geo_db_close(&map->db);
	free(map->nodes);
	free(map->rankings);
	free(map);
}

struct geo_ranking geo_map_lookup(const struct geo_map *map, const struct net_prefix *prefix)
{
	uint32_t at = map->ipv6;
	unsigned depth = 0, first;

	if (prefix->family == AF_INET) {
		first = (unsigned)prefix->bytes[0] << 8 | prefix->bytes[1];
		at = map->first.at[first];
		depth = map->first.depth[first];
	}
	/* The walk of the database bounded the depth by the length of an address. */
	depth = descend(map, prefix, &at, depth, 128);
	return (struct geo_ranking){
	    .edges = map->rankings + (size_t)(at & RANKING) * map->n_edges,
	    .n = map->n_edges,
	    .scope = (uint8_t)depth,
	    .known = at & KNOWN,
	};
}

struct geo_place geo_map_place(const struct geo_map *map, const struct net_prefix *prefix)
{
	if (map->db == NULL)
		return (struct geo_place){0};
	return geo_db_place(map->db, prefix);
}

struct geo_map_stats geo_map_stats(const struct geo_map *map)
{
	return (struct geo_map_stats){
	    .nodes = map->n_nodes,
	    .rankings = map->n_rankings,
	    .bytes = sizeof(*map) + map->n_nodes * sizeof(*map->nodes) +
		     map->n_rankings * map->n_edges * sizeof(*map->rankings),
	    .networks = map->networks,
	    .database_type = map->db ? geo_db_type(map->db) : "",
	    .build_epoch = map->db ? geo_db_build_epoch(map->db) : 0,
	};
}
