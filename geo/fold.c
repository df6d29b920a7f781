/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The one walk over a whole database: from the leaves upwards, each node and each record once. A
 * file cannot make it run long or deep: the depth is bounded by the length of an address, a node
 * that was folded is remembered, and a node that is met inside itself is refused. One thread.
 */
#include <math.h>
#include <stdlib.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "geo/data.h"
#include "geo/db.h"
#include "geo/db_internal.h"
#include "geo/table.h"

/* Heights of nodes: 1 to 128, and: */
#define UNSEEN 0
#define OPEN 255

struct record {
	uint32_t offset, result;
};

struct walk {
	const struct geo_db *db;
	const struct geo_fold *fold;
	uint32_t *results; /* by node */
	uint8_t *heights;  /* by node: bits of address that it and what is under it consume */
	struct geo_data data;
	struct geo_table by_offset;
	struct record *records;
	uint32_t n_records, max_records;
	size_t networks;
	uint32_t n_folded; /* nodes */
	struct cfg_place place;
	struct diag *diag;
};

struct subtree {
	uint32_t result;
	unsigned height;
};

static bool read_coordinate(struct walk *w, uint32_t offset, const struct geo_value *location,
			    const char *name, double limit, double *number)
{
	struct geo_value v;

	if (!geo_data_find(&w->data, location, name, &v))
		return false;
	if (!geo_data_real(&w->data, &v, number) || !(fabs(*number) <= limit)) {
		w->data.error = "a coordinate is not a number of degrees";
		w->data.error_at = offset;
		return false;
	}
	return true;
}

/* A record without coordinates is sound, its place is just not known. */
static bool read_location(struct walk *w, uint32_t offset, struct geo_location *l)
{
	struct geo_value root, location;

	*l = (struct geo_location){0};
	if (!geo_data_check(&w->data, offset) || !geo_data_read(&w->data, offset, &root))
		return false;
	if (root.type == GEO_MAP && geo_data_find(&w->data, &root, "location", &location) &&
	    location.type == GEO_MAP)
		l->known = read_coordinate(w, offset, &location, "latitude", 90, &l->latitude) &&
			   read_coordinate(w, offset, &location, "longitude", 180, &l->longitude);
	return w->data.error == NULL;
}

static bool same_offset(const void *arg, uint32_t index)
{
	const struct walk *w = arg;

	return w->records[index].offset == w->records[w->n_records].offset;
}

static bool fold_data(struct walk *w, uint32_t offset, uint32_t *result)
{
	struct geo_location location;
	uint32_t index;

	if (w->n_records == w->max_records) {
		w->max_records = w->max_records ? 2 * w->max_records : 256;
		w->records = xreallocarray(w->records, w->max_records, sizeof(*w->records));
	}
	w->networks++;
	w->records[w->n_records].offset = offset;
	index = geo_table_find_or_add(&w->by_offset, XXH3_64bits(&offset, sizeof(offset)),
				      same_offset, w, w->n_records);
	if (index == w->n_records) {
		if (!read_location(w, offset, &location)) {
			geo_complain(w->db->path, w->place, w->diag,
				     "broken record at data offset %u: %s (offset %u)", offset,
				     w->data.error, w->data.error_at);
			return false;
		}
		if (!w->fold->leaf(w->fold->arg, &location, &w->records[index].result))
			return false;
		w->n_records++;
	}
	*result = w->records[index].result;
	return true;
}

static bool fold_node(struct walk *w, uint32_t node, unsigned depth, struct subtree *out);

/* What a half of a node says: nothing, another node, or a record of the data section. */
static bool fold_record(struct walk *w, uint32_t record, unsigned depth, struct subtree *out)
{
	uint32_t nodes = w->db->mmdb.metadata.node_count;

	*out = (struct subtree){w->fold->empty, 0};
	if (record < nodes)
		return fold_node(w, record, depth, out);
	if (record == nodes)
		return true;
	if (record - nodes < GEO_SEPARATOR || record - nodes - GEO_SEPARATOR >= w->db->data_size) {
		geo_complain(w->db->path, w->place, w->diag,
			     "broken tree: a record of value %u leads out of the data section",
			     record);
		return false;
	}
	return fold_data(w, record - nodes - GEO_SEPARATOR, &out->result);
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

static bool fold_node(struct walk *w, uint32_t node, unsigned depth, struct subtree *out)
{
	const char *wrong = NULL;
	struct subtree zero, one;
	uint32_t half[2];

	if (w->heights[node] == OPEN)
		wrong = "contains itself";
	else if (depth + MAX(w->heights[node], 1) > w->db->mmdb.depth)
		wrong = "is deeper than an address is long";
	if (wrong != NULL) {
		geo_complain(w->db->path, w->place, w->diag, "broken tree: node %u %s", node,
			     wrong);
		return false;
	}
	if (w->heights[node] == UNSEEN) {
		w->heights[node] = OPEN;
		read_node(&w->db->mmdb, node, half);
		if (!fold_record(w, half[0], depth + 1, &zero) ||
		    !fold_record(w, half[1], depth + 1, &one))
			return false;
		w->results[node] = w->fold->join(w->fold->arg, zero.result, one.result);
		w->heights[node] = (uint8_t)(MAX(zero.height, one.height) + 1);
		w->n_folded++;
	}
	*out = (struct subtree){w->results[node], w->heights[node]};
	return true;
}

/* IPv4 lives in an IPv6 tree under 96 zero bits, or above that in the leaf that covers them. */
static bool fold_roots(struct walk *w, struct geo_folded *folded)
{
	const MMDB_s *mmdb = &w->db->mmdb;
	struct subtree all, ipv4;
	uint32_t record = 0, half[2];
	unsigned depth;

	if (!fold_node(w, 0, 0, &all))
		return false;
	/* Writers leave none out: the count is wrong, or a part of the tree was cut off. */
	if (w->n_folded != mmdb->metadata.node_count) {
		geo_complain(w->db->path, w->place, w->diag,
			     "broken tree: %u of its %u nodes cannot be reached",
			     mmdb->metadata.node_count - w->n_folded, mmdb->metadata.node_count);
		return false;
	}
	folded->networks = w->networks;
	folded->ipv4 = folded->ipv6 = all.result;
	if (mmdb->metadata.ip_version == 4) {
		folded->ipv6 = w->fold->empty;
		return true;
	}
	for (depth = 0; depth < 96 && record < mmdb->metadata.node_count; depth++) {
		read_node(mmdb, record, half);
		record = half[0];
	}
	if (!fold_record(w, record, depth, &ipv4))
		return false;
	folded->ipv4 = ipv4.result;
	return true;
}

bool geo_db_fold(const struct geo_db *db, const struct geo_fold *fold, struct geo_folded *folded,
		 struct cfg_place place, struct diag *diag)
{
	size_t nodes = db->mmdb.metadata.node_count;
	struct walk w = {
	    .db = db,
	    .fold = fold,
	    .results = xcalloc(nodes, sizeof(*w.results)),
	    .heights = xcalloc(nodes, sizeof(*w.heights)),
	    .place = place,
	    .diag = diag,
	};
	bool good;

	geo_data_init(&w.data, db->mmdb.data_section, db->data_size);
	good = fold_roots(&w, folded);
	geo_data_fini(&w.data);
	geo_table_fini(&w.by_offset);
	free(w.records);
	free(w.heights);
	free(w.results);
	return good;
}
