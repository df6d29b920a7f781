/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one walk over a whole database, depth first. IPv4 lives in an IPv6 tree under 96 zero bits;
 * what a tree has where IPv6 addresses carry IPv4 addresses (writers put aliases of the IPv4 part
 * there) is checked, and else passed over, because those addresses are looked up as IPv4.
 *
 * A file cannot make it run long or deep: the depth is bounded by the length of an address, which a
 * node that contains itself exceeds, and the visits of nodes by a multiple of their number. One
 * thread.
 */
#include "geo/walk.h"

#include "core/base/check.h"
#include "geo/block.h"
#include "geo/data.h"
#include "geo/db_internal.h"
#include "geo/facts.h"
#include "geo/ranges_internal.h"

/* A part of the tree may be reached on several paths. A dozen are more aliases of the IPv4 part
 * than there are in IPv6; each makes ranges of its own. */
#define VISITS_PER_NODE 12
#define MIN_VISITS (1 << 16)

/* Of the root of IPv4 in an IPv6 tree. */
#define IPV4_DEPTH 96

/* The values of records by their offsets: a hash table with linear probing, at most half full, of
 * which a look-up is one miss of the cache, for there are millions. */
struct slot {
	uint32_t offset; /* plus one; 0: free */
	uint32_t value;
};

struct values {
	struct slot *slots;
	unsigned bits; /* of the number of slots */
	size_t used;
};

#define FIRST_BITS 8

/* Of a tree of IPv6: all of it but the parts below the prefixes where addresses carry IPv4
 * addresses; that part which is IPv4 itself; and the others, of which nothing is added. */
enum part { PART_IPV6, PART_IPV4, PART_ALIAS };

/* A half of a node: what it says, its prefix and the length of that. */
struct half {
	uint32_t says;
	unsigned depth;
	geo_bits start;
};

/* A half that is no node, and where it lies. */
struct network {
	struct half half;
	enum part part;
};

/* Networks that wait until what is needed for them is in the cache. */
#define QUEUE 16

struct state {
	const struct geo_db *db;
	struct geo_walk *walk;
	uint64_t *seen; /* a bit for each node that was visited */
	uint32_t n_nodes, n_seen;
	uint64_t visits;          /* that there may still be */
	unsigned bits;            /* of an address in the tree */
	enum part outer, part;    /* where the walk began, and where it is */
	unsigned part_depth;      /* of the prefix of `part`, when that is not `outer` */
	uint32_t path[128];       /* the nodes on the way, by depth */
	struct half pending[128]; /* upper halves, whose lower halves come first */
	unsigned n_pending;
	struct geo_data data;
	struct network queue[QUEUE];
	uint64_t n_queued;    /* ever */
	bool after_nothing;   /* the last network that came says nothing, */
	enum part nothing_in; /* in this part */
	struct values values;
	struct slot last; /* the record that was met last */
	struct cfg_place place;
	struct diag *diag;
};

static struct slot *slots_create(unsigned bits)
{
	return geo_block_resize(NULL, 0, sizeof(struct slot) << bits);
}

static void slots_free(struct slot *slots, unsigned bits)
{
	geo_block_resize(slots, sizeof(struct slot) << bits, 0);
}

/* Of an offset plus one. */
static size_t first_slot(const struct values *v, uint32_t offset)
{
	/* 2^64 by the golden ratio */
	return offset * UINT64_C(0x9e3779b97f4a7c15) >> (64 - v->bits);
}

/* The slot of an offset plus one, or the free one where it would be. */
static struct slot *find_slot(const struct values *v, uint32_t offset)
{
	size_t at = first_slot(v, offset);

	while (v->slots[at].offset != 0 && v->slots[at].offset != offset)
		at = (at + 1) & (((size_t)1 << v->bits) - 1);
	return &v->slots[at];
}

static void grow(struct values *v)
{
	struct values old = *v;

	v->bits = old.bits + 1;
	v->slots = slots_create(v->bits);
	for (size_t i = 0; i < (size_t)1 << old.bits; i++) {
		if (old.slots[i].offset != 0)
			*find_slot(v, old.slots[i].offset) = old.slots[i];
	}
	slots_free(old.slots, old.bits);
}

/* Whether the record is sound; then *slot has its value. */
static bool read_record(struct state *s, uint32_t offset, struct slot *slot)
{
	struct geo_facts facts;

	if (!geo_facts_read(&s->data, offset, &facts)) {
		geo_complain(s->db->path, s->place, s->diag,
			     "broken record at data offset %u: %s (offset %u)", offset,
			     s->data.error, s->data.error_at);
		return false;
	}
	*slot = (struct slot){offset + 1, s->walk->record(s->walk->arg, &facts)};
	return true;
}

static bool value_of(struct state *s, uint32_t offset, uint32_t *value)
{
	struct slot *slot;

	if (s->last.offset != offset + 1) {
		slot = find_slot(&s->values, offset + 1);
		if (slot->offset == 0) {
			if (!read_record(s, offset, slot))
				return false;
			s->values.used++;
		}
		s->last = *slot;
		if (2 * s->values.used > (size_t)1 << s->values.bits)
			grow(&s->values);
	}
	*value = s->last.value;
	return true;
}

/* A half that is no node: a record of the data section, or nothing. */
static bool add_network(struct state *s, const struct network *net)
{
	uint32_t value = 0, past = net->half.says - s->n_nodes;

	if (past > 0 && (past < GEO_SEPARATOR || past - GEO_SEPARATOR >= s->db->data_size)) {
		geo_complain(s->db->path, s->place, s->diag,
			     "broken tree: a record of value %u leads out of the data section",
			     net->half.says);
		return false;
	}
	if (past > 0 && !value_of(s, past - GEO_SEPARATOR, &value))
		return false;
	if (net->part == PART_ALIAS)
		return true;
	s->walk->networks += past > 0;
	geo_builder_add(s->walk->to, net->part == PART_IPV4 ? AF_INET : AF_INET6, net->half.start,
			value);
	if (net->part == PART_IPV6 && net->half.start == 0 && net->half.depth <= IPV4_DEPTH)
		geo_builder_add(s->walk->to, AF_INET, 0, value); /* it is around all of IPv4 */
	return true;
}

/* Whether a network says nothing, as the one before it does: they are one. Half of the nodes of
 * IPv6 lead to nothing but the next node. */
static bool goes_on_with_nothing(struct state *s, const struct half *half)
{
	bool nothing = half->says == s->n_nodes;
	bool goes_on = nothing && s->after_nothing && s->nothing_in == s->part;

	s->after_nothing = nothing;
	s->nothing_in = s->part;
	return goes_on;
}

/* Adds the network that came QUEUE networks ago, and asks for the slot that this one will need. */
static bool queue_network(struct state *s, const struct half *half)
{
	struct network *net;
	bool good;

	if (goes_on_with_nothing(s, half))
		return true;
	net = &s->queue[s->n_queued++ % QUEUE];
	good = s->n_queued <= QUEUE || add_network(s, net);

	*net = (struct network){*half, s->part};
	__builtin_prefetch(
	    &s->values.slots[first_slot(&s->values, half->says - s->n_nodes - GEO_SEPARATOR + 1)]);
	return good;
}

static bool empty_queue(struct state *s)
{
	uint64_t end = s->n_queued, i = end > QUEUE ? end - QUEUE : 0;

	for (; i < end; i++) {
		if (!add_network(s, &s->queue[i % QUEUE]))
			return false;
	}
	return true;
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

static bool is_on_the_way(const struct state *s, uint32_t node, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++) {
		if (s->path[i] == node)
			return true;
	}
	return false;
}

static bool refuse_node(const struct state *s, uint32_t node, unsigned depth)
{
	const char *wrong = "is deeper than an address is long";

	if (is_on_the_way(s, node, depth))
		wrong = "contains itself";
	else if (depth < s->bits)
		wrong = "is one of too many that are reached on several paths";
	geo_complain(s->db->path, s->place, s->diag, "broken tree: node %u %s", node, wrong);
	return false;
}

/* Marks a node as visited; whether it already was. */
static bool see(struct state *s, uint32_t node)
{
	uint64_t bit = (uint64_t)1 << (node % 64), *word = &s->seen[node / 64];
	bool before = *word & bit;

	*word |= bit;
	s->n_seen += !before;
	return before;
}

/* Where a node is the root of a part of its own. */
static void enter_part(struct state *s, const struct half *half)
{
	if (s->part != PART_IPV6 || half->depth % 16 != 0 ||
	    !geo_begins_wrapped(half->start, half->depth))
		return;
	s->part = half->start == 0 ? PART_IPV4 : PART_ALIAS;
	s->part_depth = half->depth;
}

static void leave_part(struct state *s, const struct half *half)
{
	if (s->part != s->outer && half->depth <= s->part_depth)
		s->part = s->outer;
}

/* All that is below a half, but for the upper halves on the way that have to wait. */
static bool walk_down(struct state *s, struct half half)
{
	geo_bits middle = (geo_bits)1 << (s->bits - 1) >> half.depth;
	uint32_t both[2];

	for (; half.says < s->n_nodes; middle >>= 1) {
		enter_part(s, &half);
		if (half.depth >= s->bits || s->visits == 0)
			return refuse_node(s, half.says, half.depth);
		s->visits--;
		if (see(s, half.says) && s->part == PART_ALIAS)
			return true;
		s->path[half.depth++] = half.says;
		read_node(&s->db->mmdb, half.says, both);
		half.says = both[0];
		if (both[0] < s->n_nodes) {
			s->pending[s->n_pending++] =
			    (struct half){both[1], half.depth, half.start | middle};
			continue;
		}
		if (!queue_network(s, &half))
			return false;
		half.says = both[1];
		half.start |= middle;
	}
	return queue_network(s, &half);
}

static bool walk_tree(struct state *s)
{
	struct half half = {0};

	if (!walk_down(s, half))
		return false;
	while (s->n_pending > 0) {
		half = s->pending[--s->n_pending];
		leave_part(s, &half);
		if (!walk_down(s, half))
			return false;
	}
	if (!empty_queue(s))
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
	enum part outer = db->mmdb.metadata.ip_version == 4 ? PART_IPV4 : PART_IPV6;
	struct state s = {
	    .db = db,
	    .walk = walk,
	    .seen = geo_block_resize(NULL, 0, bytes),
	    .values = {slots_create(FIRST_BITS), FIRST_BITS, 0},
	    .n_nodes = nodes,
	    .visits = MIN_VISITS + (uint64_t)nodes * VISITS_PER_NODE,
	    .bits = outer == PART_IPV4 ? 32 : 128,
	    .outer = outer,
	    .part = outer,
	    .place = place,
	    .diag = diag,
	};
	bool good;

	walk->networks = 0;
	geo_data_init(&s.data, db->mmdb.data_section, db->data_size);
	good = walk_tree(&s);
	geo_data_fini(&s.data);
	slots_free(s.values.slots, s.values.bits);
	geo_block_resize(s.seen, bytes, 0);
	return good;
}
