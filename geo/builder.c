/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Makes ranges from values in the order of addresses: merges equal neighbours, puts the marks of
 * addresses that carry IPv4 addresses over what is said of IPv6, and packs the result. One thread.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "geo/block.h"
#include "geo/ranges_internal.h"

/* Below this many ranges of IPv4 their index would take more memory than it saves. */
#define INDEX_FROM ((uint32_t)1 << 15)

/* What is called wrapped, as the addresses where it begins and ends by turns. */
static const struct {
	uint64_t high, low;
} borders[] = {
    {0, 0}, /* ::/96 */
    {0, (uint64_t)1 << 32},
    {0, (uint64_t)0xffff << 32}, /* ::ffff:0:0/96 */
    {0, (uint64_t)1 << 48},
    {(uint64_t)0x0064ff9b << 32, 0}, /* 64:ff9b::/96 */
    {(uint64_t)0x0064ff9b << 32, (uint64_t)1 << 32},
    {(uint64_t)0x20010000 << 32, 0}, /* 2001::/32 */
    {(uint64_t)0x20010001 << 32, 0},
    {(uint64_t)0x2002 << 48, 0}, /* 2002::/16 */
    {(uint64_t)0x2003 << 48, 0},
};

struct geo_builder {
	uint32_t *index4; /* up to `h` of the last range */
	uint32_t h;
	struct geo_array low4, value4; /* uint16_t, uint32_t */
	struct geo_array high6, value6, fine;
	unsigned border;   /* the next of `borders` */
	geo_bits next;     /* where that is; behind the last one never */
	uint32_t covered;  /* the last value that was added to IPv6 */
	uint32_t greatest; /* of all values */
};

/* Of a place where GEO_WRAPPED begins or ends. */
static geo_bits border_at(unsigned i)
{
	return (geo_bits)borders[i].high << 64 | borders[i].low;
}

bool geo_is_wrapped(geo_bits addr)
{
	bool wrapped = false;

	for (unsigned i = 0; i < ARRAY_SIZE(borders) && border_at(i) <= addr; i++)
		wrapped = i % 2 == 0;
	return wrapped;
}

bool geo_begins_wrapped(geo_bits start, unsigned len)
{
	for (unsigned i = 0; len > 0 && i < ARRAY_SIZE(borders); i += 2) {
		if (border_at(i) == start)
			return border_at(i + 1) - start == (geo_bits)1 << (128 - len);
	}
	return false;
}

struct geo_builder *geo_builder_create(void)
{
	struct geo_builder *b = xcalloc(1, sizeof(*b));

	b->index4 = geo_block_resize(NULL, 0, (GEO_V4_INDEX + 1) * sizeof(*b->index4));
	geo_builder_add(b, AF_INET, 0, 0);
	geo_builder_add(b, AF_INET6, 0, 0);
	return b;
}

#define AT(array, type, i) (((type *)(array).v)[i])

static void add4(struct geo_builder *b, uint32_t start, uint32_t value)
{
	uint32_t h = start >> 16, n = (uint32_t)b->low4.n;
	uint16_t low = (uint16_t)start;

	if (n > 0 && AT(b->value4, uint32_t, n - 1) == value)
		return;
	CHECK(h >= b->h);
	if (n > b->index4[b->h] && h == b->h && AT(b->low4, uint16_t, n - 1) == low)
		b->low4.n = b->value4.n = --n;
	if (n > 0 && AT(b->value4, uint32_t, n - 1) == value)
		return;
	CHECK(n == b->index4[b->h] || h > b->h || AT(b->low4, uint16_t, n - 1) < low);
	while (b->h < h)
		b->index4[++b->h] = n;
	*(uint16_t *)geo_array_next(&b->low4, sizeof(uint16_t)) = low;
	*(uint32_t *)geo_array_next(&b->value4, sizeof(uint32_t)) = value;
	b->low4.n = b->value4.n = n + 1;
}

static bool is_fine(const struct geo_builder *b, uint32_t range)
{
	return b->fine.n > 0 && AT(b->fine, struct geo_fine, b->fine.n - 1).range == range;
}

static geo_bits last6(const struct geo_builder *b, uint32_t n)
{
	uint64_t low = is_fine(b, n - 1) ? AT(b->fine, struct geo_fine, b->fine.n - 1).low : 0;

	return (geo_bits)AT(b->high6, uint64_t, n - 1) << 64 | low;
}

static void put6(struct geo_builder *b, geo_bits start, uint32_t value)
{
	uint32_t n = (uint32_t)b->high6.n;

	if (n > 0 && last6(b, n) == start) {
		n--;
		b->fine.n -= is_fine(b, n);
		b->high6.n = b->value6.n = n;
	}
	if (n > 0 && AT(b->value6, uint32_t, n - 1) == value)
		return;
	CHECK(n == 0 || last6(b, n) < start);
	*(uint64_t *)geo_array_next(&b->high6, sizeof(uint64_t)) = (uint64_t)(start >> 64);
	*(uint32_t *)geo_array_next(&b->value6, sizeof(uint32_t)) = value;
	b->high6.n = b->value6.n = n + 1;
	if ((uint64_t)start == 0)
		return;
	*(struct geo_fine *)geo_array_next(&b->fine, sizeof(struct geo_fine)) =
	    (struct geo_fine){n, (uint64_t)start};
	b->fine.n++;
}

static void cross_border(struct geo_builder *b)
{
	put6(b, b->next, b->border % 2 == 0 ? GEO_WRAPPED : b->covered);
	b->border++;
	b->next = b->border < ARRAY_SIZE(borders) ? border_at(b->border) : ~(geo_bits)0;
}

/* Puts the borders up to an address. */
static void cross_borders(struct geo_builder *b, geo_bits end)
{
	while (b->border < ARRAY_SIZE(borders) && b->next <= end)
		cross_border(b);
}

static void add6(struct geo_builder *b, geo_bits start, uint32_t value)
{
	if (value == b->covered && start < b->next)
		return;
	cross_borders(b, start);
	b->covered = value;
	if (b->border % 2 == 0)
		put6(b, start, value);
}

void geo_builder_add(struct geo_builder *b, int family, geo_bits start, uint32_t value)
{
	CHECK(value <= GEO_VALUE_MAX);
	/* So far below what a number of a range can be that nobody need look again. */
	CHECK(b->low4.n < UINT32_MAX / 2 && b->high6.n < UINT32_MAX / 2);
	b->greatest = MAX(b->greatest, value);
	if (family == AF_INET)
		add4(b, (uint32_t)start, value);
	else
		add6(b, start, value);
}

/* When all of IPv4 has one value, what is wrapped has it too, and may be one range with its
 * neighbours. */
static void unwrap(struct geo_builder *b)
{
	uint32_t all = AT(b->value4, uint32_t, 0), to = 0, fine = 0, fine_to = 0, value;

	for (uint32_t i = 0; i < b->high6.n; i++) {
		bool has_fine = fine < b->fine.n && AT(b->fine, struct geo_fine, fine).range == i;

		value = AT(b->value6, uint32_t, i);
		if (value == GEO_WRAPPED)
			value = all;
		if (to == 0 || AT(b->value6, uint32_t, to - 1) != value) {
			AT(b->value6, uint32_t, to) = value;
			AT(b->high6, uint64_t, to) = AT(b->high6, uint64_t, i);
			if (has_fine)
				AT(b->fine, struct geo_fine, fine_to++) =
				    (struct geo_fine){to, AT(b->fine, struct geo_fine, fine).low};
			to++;
		}
		fine += has_fine;
	}
	b->high6.n = b->value6.n = to;
	b->fine.n = fine_to;
}

/* Values of `width` bytes each, in the same memory. */
static uint8_t *narrow(struct geo_array *values, unsigned width)
{
	uint8_t *packed = values->v;

	for (size_t i = 0; i < values->n; i++) {
		uint32_t value = AT(*values, uint32_t, i);

		for (unsigned k = 0; k < width; k++)
			packed[i * width + k] = (uint8_t)(value >> (8 * k));
	}
	packed = geo_block_resize(values->v, values->room * sizeof(uint32_t), values->n * width);
	*values = (struct geo_array){0};
	return packed;
}

/* The whole starts of few ranges. */
static uint32_t *starts4(const struct geo_builder *b)
{
	uint32_t *start = geo_block_resize(NULL, 0, b->low4.n * sizeof(*start));

	for (uint32_t h = 0; h < GEO_V4_INDEX; h++) {
		for (uint32_t i = b->index4[h]; i < b->index4[h + 1]; i++)
			start[i] = h << 16 | AT(b->low4, uint16_t, i);
	}
	return start;
}

static void pack4(struct geo_builder *b, struct geo_ranges *r)
{
	while (b->h < GEO_V4_INDEX)
		b->index4[++b->h] = r->n4;
	if (r->n4 < INDEX_FROM) {
		r->start4 = starts4(b);
	} else {
		geo_array_trim(&b->low4, sizeof(uint16_t));
		r->low4 = b->low4.v;
		b->low4 = (struct geo_array){0};
		r->index4 = TAKE(&b->index4);
	}
	r->value4 = narrow(&b->value4, r->width);
}

static void pack6(struct geo_builder *b, struct geo_ranges *r)
{
	geo_array_trim(&b->high6, sizeof(uint64_t));
	geo_array_trim(&b->fine, sizeof(struct geo_fine));
	r->high6 = b->high6.v;
	r->fine = b->fine.v;
	b->high6 = b->fine = (struct geo_array){0};
	r->value6 = narrow(&b->value6, r->width);
	r->top6 = geo_block_resize(NULL, 0, GEO_TOPS(r->n6) * sizeof(*r->top6));
	for (uint32_t i = 0; i < GEO_TOPS(r->n6); i++)
		r->top6[i] = r->high6[i * GEO_TOP];
}

struct geo_ranges *geo_builder_finish(struct geo_builder **bp)
{
	struct geo_builder *b = TAKE(bp);
	struct geo_ranges *r = xcalloc(1, sizeof(*r));

	cross_borders(b, ~(geo_bits)0);
	if (b->low4.n == 1)
		unwrap(b);
	r->n4 = (uint32_t)b->low4.n;
	r->n6 = (uint32_t)b->high6.n;
	r->n_fine = (uint32_t)b->fine.n;
	for (r->width = 1; b->greatest >= UINT32_MAX >> (32 - 8 * r->width);)
		r->width++;
	r->wrapped = UINT32_MAX >> (32 - 8 * r->width);
	pack4(b, r);
	pack6(b, r);
	geo_builder_destroy(&b);
	return r;
}

void geo_builder_destroy(struct geo_builder **bp)
{
	struct geo_builder *b = TAKE(bp);

	if (b == NULL)
		return;
	if (b->index4 != NULL)
		geo_block_resize(b->index4, (GEO_V4_INDEX + 1) * sizeof(*b->index4), 0);
	geo_array_free(&b->low4, sizeof(uint16_t));
	geo_array_free(&b->value4, sizeof(uint32_t));
	geo_array_free(&b->high6, sizeof(uint64_t));
	geo_array_free(&b->value6, sizeof(uint32_t));
	geo_array_free(&b->fine, sizeof(struct geo_fine));
	free(b);
}
