/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What finished ranges are made of; for geo/ranges.c and geo/builder.c.
 */
#pragma once

#include "geo/ranges.h"

/* The value of IPv6 ranges whose addresses carry an IPv4 address. */
#define GEO_WRAPPED UINT32_MAX

#define GEO_V4_INDEX ((size_t)1 << 16)

#define GEO_TOP 64u
#define GEO_TOPS(n) (((n) + GEO_TOP - 1) / GEO_TOP)

/* The lower half of an IPv6 address at which a range begins, where that is not zero: few are. */
struct geo_fine {
	uint32_t range;
	uint64_t low;
};

struct geo_ranges {
	/* IPv4: range i begins at start4[i]. When there are many, the first 16 bits of that are not
	 * kept: ranges index4[h] to index4[h + 1] begin at addresses h.x.x, the last of them at
	 * low4[i]. Either start4 is set, or index4 (GEO_V4_INDEX + 1 of them) and low4. */
	uint32_t *start4, *index4;
	uint16_t *low4;
	uint8_t *value4; /* `width` bytes each, the lowest first */
	/* IPv6: range i begins at high6[i], and its lower half is zero but for those in `fine`,
	 * which is sorted. */
	uint64_t *high6;
	uint64_t *top6; /* each GEO_TOP-th of high6: what a search begins with fits in a cache */
	uint8_t *value6;
	struct geo_fine *fine;
	uint32_t n4, n6, n_fine; /* n4 and n6 are 1 at least: the first range begins at zero */
	unsigned width;          /* of a value, in bytes: as few as do */
	uint32_t wrapped;        /* what stands for GEO_WRAPPED: all bits of the width are set */
};

/* Whether an IPv6 address carries an IPv4 address. */
bool geo_is_wrapped(geo_bits addr);
/* Whether a prefix is exactly one of those of such addresses. */
bool geo_begins_wrapped(geo_bits start, unsigned len);

/* A walk over the ranges of a family, from the first on. */
struct geo_cursor {
	const struct geo_ranges *r;
	int family;
	uint32_t i, n;
	uint32_t h;      /* of index4: where range i begins */
	uint32_t n_fine; /* of `fine` that belong to ranges before i */
	geo_bits start;
	uint32_t value; /* may be GEO_WRAPPED */
};

struct geo_cursor geo_cursor_begin(const struct geo_ranges *r, int family);
/* False at the end. */
bool geo_cursor_next(struct geo_cursor *c);
