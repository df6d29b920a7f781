/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A hash table of indices into an array that its user owns: what finds equal records, places and
 * facts while databases are read. It only grows. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEO_TABLE_NONE UINT32_MAX

struct geo_table_slot {
	uint32_t hash;
	uint32_t index; /* GEO_TABLE_NONE: free */
};

struct geo_table {
	struct geo_table_slot *slots; /* a power of two of them */
	size_t n_slots, used;
};

/* Zeroed is empty. */
void geo_table_fini(struct geo_table *t);
/* The index stored under `hash` for which `same(arg, index)` holds; otherwise stores `index` and
 * returns it. The hash needs no secret: keys come from files that the operator chose. */
uint32_t geo_table_find_or_add(struct geo_table *t, uint64_t hash,
			       bool (*same)(const void *arg, uint32_t index), const void *arg,
			       uint32_t index);
