/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All addresses of IPv4 and IPv6, cut into ranges with a number each; equal neighbours are one.
 * What a database says of networks, and what is made of that for each pool of edges, are such
 * ranges. Immutable once finished; any thread may look up.
 *
 * IPv6 addresses that carry an IPv4 address are that address: v4-mapped (RFC 4291 2.5.5.2) and
 * v4-compatible (2.5.5.1, where the databases themselves keep IPv4), NAT64 by the well-known prefix
 * (RFC 6052 2.1), 6to4 (RFC 3056) and Teredo (RFC 4380: the client's when the whole address is
 * given, else the server's).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"

struct geo_ranges;

/* Values are numbers below this. */
#define GEO_VALUE_MAX (UINT32_MAX - 1)

struct geo_found {
	uint32_t value;
	/* Length of the largest prefix around the address of which all addresses have this value,
	 * in the family of the address: the ECS scope of RFC 7871 section 7.2.1. It may be longer
	 * than the prefix that was looked up. */
	uint8_t scope;
};

/* Of the first address of the prefix. */
struct geo_found geo_ranges_find(const struct geo_ranges *r, const struct net_prefix *prefix);

/* The same ranges with to[value] in place of each value; `to` has `n`, which all values are below.
 */
struct geo_ranges *geo_ranges_map(const struct geo_ranges *r, const uint32_t *to, size_t n);
/* The ranges of both together, with the value that join() makes of the two; it is called once for
 * each piece. */
struct geo_ranges *geo_ranges_join(const struct geo_ranges *a, const struct geo_ranges *b,
				   uint32_t (*join)(void *arg, uint32_t a, uint32_t b), void *arg);
void geo_ranges_free(struct geo_ranges **r);

/* Memory, and ranges of both families. */
size_t geo_ranges_bytes(const struct geo_ranges *r);
size_t geo_ranges_count(const struct geo_ranges *r);

/* What an address that carries an IPv4 address is taken for, and how many bits stand before that;
 * of others the prefix itself, and 0. Of a prefix that ends before the IPv4 address it is
 * 0.0.0.0/0. */
struct net_prefix geo_unwrap(const struct net_prefix *prefix, unsigned *before);

/* An address as a number: of IPv4 the low 32 bits. */
typedef unsigned __int128 geo_bits;
geo_bits geo_bits_of(const struct net_prefix *prefix);

/* Ranges in the making. One thread. */
struct geo_builder;

struct geo_builder *geo_builder_create(void);
/* From `start` on to the end of the family the value is this; starts of a family ascend, and of two
 * equal ones the later counts. Each family begins with 0 until another value is added there. */
void geo_builder_add(struct geo_builder *b, int family, geo_bits start, uint32_t value);
/* Consumes *b. */
struct geo_ranges *geo_builder_finish(struct geo_builder **b);
void geo_builder_destroy(struct geo_builder **b);
