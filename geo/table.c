/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The hash table of geo/table.h: open addressing, linear probing, at most two thirds full. The
 * hash is kept beside the index, so growing never asks the user again. One thread.
 */
#include "geo/table.h"

#include "core/base/check.h"
#include "geo/block.h"

#define MIN_SLOTS 64

static void grow(struct geo_table *t)
{
	struct geo_table_slot *old = t->slots;
	size_t n_old = t->n_slots;

	t->n_slots = n_old ? 2 * n_old : MIN_SLOTS;
	t->slots = geo_block_resize(NULL, 0, t->n_slots * sizeof(*t->slots));
	for (size_t i = 0; i < t->n_slots; i++)
		t->slots[i].index = GEO_TABLE_NONE;
	for (size_t i = 0; i < n_old; i++) {
		size_t at = old[i].hash;

		if (old[i].index == GEO_TABLE_NONE)
			continue;
		while (t->slots[at & (t->n_slots - 1)].index != GEO_TABLE_NONE)
			at++;
		t->slots[at & (t->n_slots - 1)] = old[i];
	}
	geo_block_resize(old, n_old * sizeof(*old), 0);
}

void geo_table_fini(struct geo_table *t)
{
	geo_block_resize(t->slots, t->n_slots * sizeof(*t->slots), 0);
	*t = (struct geo_table){0};
}

uint32_t geo_table_find_or_add(struct geo_table *t, uint64_t hash,
			       bool (*same)(const void *arg, uint32_t index), const void *arg,
			       uint32_t index)
{
	uint32_t short_hash = (uint32_t)(hash >> 32);
	struct geo_table_slot *slot;

	CHECK(index != GEO_TABLE_NONE);
	if (3 * (t->used + 1) > 2 * t->n_slots)
		grow(t);
	for (size_t at = short_hash;; at++) {
		slot = &t->slots[at & (t->n_slots - 1)];
		if (slot->index == GEO_TABLE_NONE)
			break;
		if (slot->hash == short_hash && same(arg, slot->index))
			return slot->index;
	}
	*slot = (struct geo_table_slot){short_hash, index};
	t->used++;
	return index;
}
