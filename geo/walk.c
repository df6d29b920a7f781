/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one walk over a whole database, depth first. IPv4 lives in an IPv6 tree under 96 zero bits;
 * what a tree has where IPv6 addresses carry IPv4 addresses (writers put aliases of the IPv4 part
 * there) is checked, and else passed over, because those addresses are looked up as IPv4.
 *
 * A file cannot make it run long or deep: the depth is bounded by the length of an address, the
 * visits of nodes by a multiple of their number, and a node that is met inside itself is refused.
 * One thread.
 */
#include "geo/walk.h"

#include <stdlib.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "geo/block.h"
#include "geo/data.h"
#include "geo/db_internal.h"
#include "geo/facts.h"
#include "geo/ranges_internal.h"
#include "geo/table.h"

/* A part of the tree may be reached on several paths. A dozen are more aliases of the IPv4 part
 * than there are in IPv6; each makes ranges of its own. */
#define VISITS_PER_NODE 12
#define MIN_VISITS (1 << 20)

/* Of the root of IPv4 in an IPv6 tree. */
#define IPV4_DEPTH 96

struct record {
	uint32_t offset, value;
};

struct state {
	const struct geo_db *db;
	struct geo_walk *walk;
	uint64_t *seen, *open; /* a bit for each node: visited; on the way to where the walk is */
	uint32_t n_nodes, n_seen;
	uint64_t visits; /* that there may still be */
	unsigned depth;  /* bits of an address in the tree */
	bool in_ipv4;    /* below the root of IPv4 */
	bool quiet;      /* nothing is added */
	struct geo_data data;
	struct geo_table by_offset;
	struct geo_array records; /* struct record */
	struct cfg_place place;
	struct diag *diag;
};

static bool get_bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static void flip_bit(uint64_t *bits, uint32_t i)
{
	bits[i / 64] ^= (uint64_t)1 << (i % 64);
}

static bool same_offset(const void *arg, uint32_t index)
{
	const struct record *records = ((const struct geo_array *)arg)->v;

	return records[index].offset == records[((const struct geo_array *)arg)->n].offset;
}

static bool read_record(struct state *s, uint32_t offset, uint32_t *value)
{
	struct record *record = geo_array_next(&s->records, sizeof(*record));
	struct geo_facts facts;
	uint32_t index;

	record->offset = offset;
	index = geo_table_find_or_add(&s->by_offset, XXH3_64bits(&offset, sizeof(offset)),
				      same_offset, &s->records, (uint32_t)s->records.n);
	if (index < s->records.n) {
		*value = ((struct record *)s->records.v)[index].value;
		return true;
	}
	if (!geo_facts_read(&s->data, offset, &facts)) {
		geo_complain(s->db->path, s->place, s->diag,
			     "broken record at data offset %u: %s (offset %u)", offset,
			     s->data.error, s->data.error_at);
		return false;
	}
	*value = record->value = s->walk->record(s->walk->arg, &facts);
	s->records.n++;
	return true;
}

static bool walk_node(struct state *s, uint32_t node, unsigned depth, geo_bits start);

/* What a half of a node says: nothing, another node, or a record of the data section. */
static bool walk_half(struct state *s, uint32_t half, unsigned depth, geo_bits start)
{
	uint32_t value = 0, past = half - s->n_nodes;

	if (half < s->n_nodes)
		return walk_node(s, half, depth, start);
	if (past > 0 && (past < GEO_SEPARATOR || past - GEO_SEPARATOR >= s->db->data_size)) {
		geo_complain(s->db->path, s->place, s->diag,
			     "broken tree: a record of value %u leads out of the data section",
			     half);
		return false;
	}
	if (past > 0 && !read_record(s, past - GEO_SEPARATOR, &value))
		return false;
	if (s->quiet)
		return true;
	s->walk->networks += past > 0;
	geo_builder_add(s->walk->to, s->in_ipv4 ? AF_INET : AF_INET6, start, value);
	if (start == 0 && depth < IPV4_DEPTH && !s->in_ipv4) /* a network around all of IPv4 */
		geo_builder_add(s->walk->to, AF_INET, 0, value);
	return true;
}

/* The same, where the half may be what IPv6 has for IPv4. */
static bool walk_half6(struct state *s, uint32_t half, unsigned depth, geo_bits start)
{
	bool good;

	if (s->in_ipv4 || s->quiet || (depth != 16 && depth != 32 && depth != IPV4_DEPTH))
		return walk_half(s, half, depth, start);
	s->in_ipv4 = start == 0 && depth == IPV4_DEPTH;
	s->quiet = !s->in_ipv4 && geo_begins_wrapped(start, depth);
	good = walk_half(s, half, depth, start);
	s->in_ipv4 = s->quiet = false;
	return good;
}

/* What MMDB_read_node() does, in a tenth of its time: it also prepares look-ups in the records.
 * Specification, "Node Layout". */
static void read_node(const MMDB_s *mmdb, uint32_t node, uint32_t half[2])
{
	const uint8_t *p = mmdb->file_content + (size_t)node * mmdb->full_record_byte_size;

	switch (mmdb->full_record_byte_size) {
	case 6:
		half[0] = (uint32_t)p[0] << 16 | p[1] << 8 | p[2];
		half[1] = (uint32_t)p[3] << 16 | p[4] << 8 | p[5];
		break;
	case 7: /* the middle byte has the highest four bits of both */
		half[0] = (uint32_t)(p[3] >> 4) << 24 | p[0] << 16 | p[1] << 8 | p[2];
		half[1] = (uint32_t)(p[3] & 15) << 24 | p[4] << 16 | p[5] << 8 | p[6];
		break;
	case 8:
		half[0] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
		half[1] = (uint32_t)p[4] << 24 | p[5] << 16 | p[6] << 8 | p[7];
		break;
	default:
		CHECK(!"a record size that geo/db.c lets through");
	}
}

/* NULL when the node may be entered. */
static const char *refuse_node(const struct state *s, uint32_t node, unsigned depth)
{
	if (get_bit(s->open, node))
		return "contains itself";
	if (depth >= s->depth)
		return "is deeper than an address is long";
	if (s->visits == 0)
		return "is one of too many that are reached on several paths";
	return NULL;
}

static bool walk_halves(struct state *s, uint32_t node, unsigned depth, geo_bits start)
{
	geo_bits middle = start | (geo_bits)1 << (s->depth - 1 - depth);
	uint32_t half[2];

	read_node(&s->db->mmdb, node, half);
	return walk_half6(s, half[0], depth + 1, start) &&
	       walk_half6(s, half[1], depth + 1, middle);
}

static bool walk_node(struct state *s, uint32_t node, unsigned depth, geo_bits start)
{
	const char *wrong = refuse_node(s, node, depth);
	bool good;

	if (wrong != NULL) {
		geo_complain(s->db->path, s->place, s->diag, "broken tree: node %u %s", node,
			     wrong);
		return false;
	}
	s->visits--;
	if (!get_bit(s->seen, node)) {
		flip_bit(s->seen, node);
		s->n_seen++;
	} else if (s->quiet) {
		return true;
	}
	flip_bit(s->open, node);
	good = walk_halves(s, node, depth, start);
	flip_bit(s->open, node);
	return good;
}

static bool walk_tree(struct state *s)
{
	if (!walk_node(s, 0, 0, 0))
		return false;
	/* Writers leave none out: the count is wrong, or a part of the tree was cut off. */
	if (s->n_seen == s->n_nodes)
		return true;
	geo_complain(s->db->path, s->place, s->diag,
		     "broken tree: %u of its %u nodes cannot be reached", s->n_nodes - s->n_seen,
		     s->n_nodes);
	return false;
}

bool geo_db_walk(const struct geo_db *db, struct geo_walk *walk, struct cfg_place place,
		 struct diag *diag)
{
	uint32_t nodes = db->mmdb.metadata.node_count;
	size_t bytes = ((size_t)nodes + 63) / 64 * sizeof(uint64_t);
	struct state s = {
	    .db = db,
	    .walk = walk,
	    .seen = geo_block_resize(NULL, 0, bytes),
	    .open = geo_block_resize(NULL, 0, bytes),
	    .n_nodes = nodes,
	    .visits = MIN_VISITS + (uint64_t)nodes * VISITS_PER_NODE,
	    .depth = db->mmdb.metadata.ip_version == 4 ? 32 : 128,
	    .in_ipv4 = db->mmdb.metadata.ip_version == 4,
	    .place = place,
	    .diag = diag,
	};
	bool good;

	walk->networks = 0;
	geo_data_init(&s.data, db->mmdb.data_section, db->data_size);
	good = walk_tree(&s);
	geo_data_fini(&s.data);
	geo_table_fini(&s.by_offset);
	geo_array_free(&s.records, sizeof(struct record));
	geo_block_resize(s.seen, bytes, 0);
	geo_block_resize(s.open, bytes, 0);
	return good;
}
