/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looking up in ranges, and making ranges of other ranges; geo/builder.c packs them. Look-ups are
 * pure, any thread.
 */
#include "geo/ranges.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "geo/block.h"
#include "geo/ranges_internal.h"

static uint32_t value_at(const struct geo_ranges *r, const uint8_t *values, uint32_t i)
{
	const uint8_t *p = values + (size_t)i * r->width;
	uint32_t v = p[0];

	switch (r->width) {
	case 2:
		v |= (uint32_t)p[1] << 8;
		break;
	case 3:
		v |= (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
		break;
	case 4:
		v |= (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
		break;
	}
	return v == r->wrapped ? GEO_WRAPPED : v;
}

/* The number of the last range that begins at `x` or before, of which one does. Each step is a
 * conditional move: which half it is cannot be predicted. */
#define SEARCH(starts, n, x)                                                                       \
	({                                                                                         \
		const __typeof__(*(starts)) *base_ = (starts);                                     \
		uint32_t left_ = (n);                                                              \
		while (left_ > 1) {                                                                \
			uint32_t half_ = left_ / 2;                                                \
			base_ = base_[half_] <= (x) ? base_ + half_ : base_;                       \
			left_ -= half_;                                                            \
		}                                                                                  \
		(uint32_t)(base_ - (starts));                                                      \
	})

/* Asks for what will be read soon, at once instead of one after the other: of many ranges nothing
 * is in a cache. */
static void fetch(const void *from, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 64)
		__builtin_prefetch((const char *)from + at);
}

static uint32_t search4(const struct geo_ranges *r, uint32_t addr)
{
	uint32_t h = addr >> 16, first, n;

	if (r->start4 != NULL)
		return SEARCH(r->start4, r->n4, addr);
	first = r->index4[h];
	n = r->index4[h + 1] - first;
	if (n == 0)
		return first - 1;
	fetch(r->value4 + (size_t)first * r->width, MIN(n, 64) * r->width);
	if (r->low4[first] > (addr & 0xffff))
		return first - 1;
	return first + SEARCH(r->low4 + first, n, (addr & 0xffff));
}

static uint64_t low6(const struct geo_ranges *r, uint32_t i)
{
	uint32_t from = 0, left = r->n_fine;

	while (left > 1) {
		uint32_t half = left / 2;

		from += r->fine[from + half].range <= i ? half : 0;
		left -= half;
	}
	return left == 1 && r->fine[from].range == i ? r->fine[from].low : 0;
}

static geo_bits start6(const struct geo_ranges *r, uint32_t i)
{
	return (geo_bits)r->high6[i] << 64 | low6(r, i);
}

static uint32_t search6(const struct geo_ranges *r, geo_bits addr)
{
	uint64_t high = (uint64_t)(addr >> 64);
	uint32_t top = SEARCH(r->top6, GEO_TOPS(r->n6), high) * GEO_TOP;
	uint32_t n = MIN(r->n6 - top, GEO_TOP), from = 0, i;

	fetch(r->high6 + top, n * sizeof(*r->high6));
	fetch(r->value6 + (size_t)top * r->width, n * r->width);
	i = top + SEARCH(r->high6 + top, n, high);
	if (r->high6[i] != high || start6(r, i) <= addr)
		return i;
	/* Somewhere among those that begin inside this /64, or before them. */
	while (from < i) {
		uint32_t middle = from + (i - from) / 2;

		if (start6(r, middle + 1) <= addr)
			from = middle + 1;
		else
			i = middle;
	}
	return from;
}

/* How many of the first bits two different numbers share, plus one. */
static unsigned first_difference(geo_bits a, geo_bits b)
{
	uint64_t high = (uint64_t)((a ^ b) >> 64), low = (uint64_t)(a ^ b);

	return (high != 0 ? __builtin_clzll(high) : 64 + __builtin_clzll(low)) + 1;
}

/* A prefix lies in a range when the address before the range and the one after it are not in the
 * prefix: it is longer than what they have in common with an address in it. */
static unsigned scope_beside(uint32_t border, uint32_t addr)
{
	return __builtin_clz(border ^ addr) + 1;
}

/* Whether all addresses whose first 16 bits are from `h` on, `n` of them, are in range i, of which
 * one is. */
static bool has_all(const struct geo_ranges *r, uint32_t i, uint32_t h, uint32_t n)
{
	return r->index4[h + n] == i + 1 &&
	       (r->index4[h] > i || (r->index4[h + 1] > i && r->low4[i] == 0));
}

/* When the range has all that begins with these 16 bits. */
static unsigned wide_scope4(const struct geo_ranges *r, uint32_t i, uint32_t h)
{
	unsigned short_of = 0, scope = 16;

	while (short_of < scope) {
		unsigned middle = (short_of + scope) / 2;
		uint32_t size = 1u << (16 - middle);

		if (has_all(r, i, h & ~(size - 1), size))
			scope = middle;
		else
			short_of = middle + 1;
	}
	return scope;
}

static unsigned scope4(const struct geo_ranges *r, uint32_t i, uint32_t addr)
{
	uint32_t h = addr >> 16;
	unsigned scope = 0;

	if (r->start4 != NULL) {
		if (i > 0)
			scope = scope_beside(r->start4[i] - 1, addr);
		if (i + 1 < r->n4)
			scope = MAX(scope, scope_beside(r->start4[i + 1], addr));
		return scope;
	}
	if (has_all(r, i, h, 1))
		return wide_scope4(r, i, h);
	if (i >= r->index4[h] && r->low4[i] > 0)
		scope = scope_beside((h << 16 | r->low4[i]) - 1, addr);
	if (i + 1 < r->index4[h + 1])
		scope = MAX(scope, scope_beside(h << 16 | r->low4[i + 1], addr));
	return scope;
}

static struct geo_found find4(const struct geo_ranges *r, uint32_t addr)
{
	uint32_t i = search4(r, addr);

	return (struct geo_found){value_at(r, r->value4, i), (uint8_t)scope4(r, i, addr)};
}

/* The IPv4 address in an address of a wrapped range, and how many bits stand before it. */
static uint32_t inner_address(geo_bits addr, unsigned len, unsigned *before)
{
	uint32_t first = (uint32_t)(addr >> 96);

	if (first >> 16 == 0x2002)
		*before = 16;
	else if (first == 0x20010000 && len < 128)
		*before = 32; /* the server */
	else
		*before = 96;
	if (first == 0x20010000 && len == 128)
		return ~(uint32_t)addr; /* RFC 4380 section 4 */
	return (uint32_t)(addr >> (96 - *before));
}

struct net_prefix geo_unwrap(const struct net_prefix *prefix, unsigned *before)
{
	struct net_prefix inner = {.family = AF_INET};
	geo_bits addr = geo_bits_of(prefix);
	uint32_t v4;

	*before = 0;
	if (prefix->family == AF_INET || !geo_is_wrapped(addr))
		return *prefix;
	v4 = inner_address(addr, prefix->len, before);
	inner.len = prefix->len > *before ? (uint8_t)MIN(prefix->len - *before, 32) : 0;
	if (inner.len < 32) /* of Teredo also what follows the server */
		v4 &= inner.len == 0 ? 0 : ~(uint32_t)0 << (32 - inner.len);
	for (unsigned i = 0; i < 4; i++)
		inner.bytes[i] = (uint8_t)(v4 >> (24 - 8 * i));
	return inner;
}

static struct geo_found find6(const struct geo_ranges *r, geo_bits addr, unsigned len)
{
	uint32_t i = search6(r, addr);
	struct geo_found found = {.value = value_at(r, r->value6, i)};
	unsigned bits = 0, after = 0;

	if (found.value == GEO_WRAPPED) {
		uint32_t inner = inner_address(addr, len, &bits);

		found = find4(r, inner);
		found.scope += bits;
		return found;
	}
	if (i > 0)
		bits = first_difference(start6(r, i) - 1, addr);
	if (i + 1 < r->n6)
		after = first_difference(start6(r, i + 1), addr);
	found.scope = (uint8_t)MAX(bits, after);
	return found;
}

geo_bits geo_bits_of(const struct net_prefix *prefix)
{
	uint64_t high, low;
	uint32_t v4;

	if (prefix->family == AF_INET) {
		memcpy(&v4, prefix->bytes, sizeof(v4));
		return be32toh(v4);
	}
	memcpy(&high, prefix->bytes, sizeof(high));
	memcpy(&low, prefix->bytes + sizeof(high), sizeof(low));
	return (geo_bits)be64toh(high) << 64 | be64toh(low);
}

struct geo_found geo_ranges_find(const struct geo_ranges *r, const struct net_prefix *prefix)
{
	if (prefix->family == AF_INET)
		return find4(r, (uint32_t)geo_bits_of(prefix));
	return find6(r, geo_bits_of(prefix), prefix->len);
}

/* Where range c->i begins, and its value. */
static void load(struct geo_cursor *c)
{
	const struct geo_ranges *r = c->r;

	if (c->family == AF_INET6) {
		c->start = (geo_bits)r->high6[c->i] << 64;
		if (c->n_fine < r->n_fine && r->fine[c->n_fine].range == c->i)
			c->start |= r->fine[c->n_fine++].low;
		c->value = value_at(r, r->value6, c->i);
		return;
	}
	c->value = value_at(r, r->value4, c->i);
	if (r->start4 != NULL) {
		c->start = r->start4[c->i];
		return;
	}
	while (r->index4[c->h + 1] <= c->i)
		c->h++;
	c->start = c->h << 16 | r->low4[c->i];
}

struct geo_cursor geo_cursor_begin(const struct geo_ranges *r, int family)
{
	struct geo_cursor c = {.r = r, .family = family, .n = family == AF_INET ? r->n4 : r->n6};

	load(&c);
	return c;
}

bool geo_cursor_next(struct geo_cursor *c)
{
	if (++c->i == c->n)
		return false;
	load(c);
	return true;
}

static void map_family(struct geo_builder *b, const struct geo_ranges *r, int family,
		       const uint32_t *to, size_t n)
{
	struct geo_cursor c = geo_cursor_begin(r, family);

	do {
		if (c.value == GEO_WRAPPED) /* which the builder puts over everything again */
			continue;
		CHECK(c.value < n);
		geo_builder_add(b, family, c.start, to[c.value]);
	} while (geo_cursor_next(&c));
}

struct geo_ranges *geo_ranges_map(const struct geo_ranges *r, const uint32_t *to, size_t n)
{
	struct geo_builder *b = geo_builder_create();

	map_family(b, r, AF_INET, to, n);
	map_family(b, r, AF_INET6, to, n);
	return geo_builder_finish(&b);
}

struct join {
	struct geo_builder *builder;
	uint32_t (*join)(void *arg, uint32_t a, uint32_t b);
	void *arg;
};

static void join_family(const struct join *j, const struct geo_ranges *a,
			const struct geo_ranges *b, int family)
{
	struct geo_cursor ca = geo_cursor_begin(a, family), cb = geo_cursor_begin(b, family);
	bool more_a = true, more_b = true;
	geo_bits start = 0;

	for (;;) {
		struct geo_cursor next_a = ca, next_b = cb;

		if (ca.value != GEO_WRAPPED && cb.value != GEO_WRAPPED)
			geo_builder_add(j->builder, family, start,
					j->join(j->arg, ca.value, cb.value));
		more_a = more_a && geo_cursor_next(&next_a);
		more_b = more_b && geo_cursor_next(&next_b);
		if (!more_a && !more_b)
			return;
		if (more_a && (!more_b || next_a.start <= next_b.start))
			start = next_a.start;
		else
			start = next_b.start;
		if (more_a && next_a.start == start)
			ca = next_a;
		if (more_b && next_b.start == start)
			cb = next_b;
	}
}

struct geo_ranges *geo_ranges_join(const struct geo_ranges *a, const struct geo_ranges *b,
				   uint32_t (*join)(void *arg, uint32_t a, uint32_t b), void *arg)
{
	struct join j = {geo_builder_create(), join, arg};

	join_family(&j, a, b, AF_INET);
	join_family(&j, a, b, AF_INET6);
	return geo_builder_finish(&j.builder);
}

void geo_ranges_free(struct geo_ranges **rp)
{
	struct geo_ranges *r = TAKE(rp);

	if (r == NULL)
		return;
	if (r->start4 != NULL)
		geo_block_resize(r->start4, r->n4 * sizeof(*r->start4), 0);
	if (r->index4 != NULL) {
		geo_block_resize(r->index4, (GEO_V4_INDEX + 1) * sizeof(*r->index4), 0);
		geo_block_resize(r->low4, r->n4 * sizeof(*r->low4), 0);
	}
	geo_block_resize(r->value4, (size_t)r->n4 * r->width, 0);
	geo_block_resize(r->high6, r->n6 * sizeof(*r->high6), 0);
	geo_block_resize(r->top6, GEO_TOPS(r->n6) * sizeof(*r->top6), 0);
	geo_block_resize(r->value6, (size_t)r->n6 * r->width, 0);
	geo_block_resize(r->fine, r->n_fine * sizeof(*r->fine), 0);
	free(r);
}

size_t geo_ranges_bytes(const struct geo_ranges *r)
{
	size_t v4 = r->start4 != NULL
			? r->n4 * sizeof(*r->start4)
			: (GEO_V4_INDEX + 1) * sizeof(*r->index4) + r->n4 * sizeof(*r->low4);

	return sizeof(*r) + v4 + r->n6 * sizeof(*r->high6) + GEO_TOPS(r->n6) * sizeof(*r->top6) +
	       r->n_fine * sizeof(*r->fine) + ((size_t)r->n4 + r->n6) * r->width;
}

size_t geo_ranges_count(const struct geo_ranges *r)
{
	return (size_t)r->n4 + r->n6;
}
