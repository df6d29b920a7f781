/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Nodes in the making: names and what was written for them, found by name, each record one after
 * the other as it came. Their memory is given back to the system at once. Private to dns/zone/.
 * One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/zone/build.h"
#include "dns/zone/name.h"

struct draft_record {
	struct draft_record *next;
	uint32_t ttl, file, line;
	uint16_t type, len;
	uint8_t data[];
};

struct draft {
	struct draft_record *first, *last;
	uint64_t hash;
	uint32_t steered; /* as in struct dns_node */
	uint8_t size;
	uint8_t name[]; /* in lower case, then as written */
};

struct drafts {
	struct draft **v; /* in the order in which they came */
	uint32_t n, room;
	struct draft_slot *slots; /* by name, open addressing, at most half full */
	uint32_t slot_mask;
	struct draft_block *blocks; /* newest first */
	size_t n_blocks, left;      /* left: at the end of the newest */
};

void drafts_fini(struct drafts *drafts);
/* The name's last `labels` labels; NULL: there is none. */
struct draft *drafts_find(const struct drafts *drafts, const struct dns_name *name,
			  unsigned labels);
/* For a name that has none. `written`: the name as it was written. NULL: there is no room. */
struct draft *drafts_add(struct drafts *drafts, const struct dns_name *name, unsigned labels,
			 const uint8_t *written);
/* A copy of the record is the draft's last. False: there is no room. */
bool drafts_append(struct drafts *drafts, struct draft *draft, const struct dns_record *record);
void draft_remove(struct draft *draft, uint16_t type);
/* A piece of memory that lives as long as the drafts, aligned to 8 bytes, of 128 KiB at most. NULL:
 * there is no room. */
void *drafts_alloc(struct drafts *drafts, size_t size);
/* Puts `v` into canonical order; no draft is found or added any more. False: there is no room. */
bool drafts_sort(struct drafts *drafts, unsigned apex_labels);
