/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Makes MaxMind databases for tests, right ones and broken ones: either byte by byte, or from
 * networks. One thread; aborts without memory.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"

/* Bytes in the making. All zero: none. */
struct mmdb_file {
	uint8_t *bytes;
	size_t n, cap;
};

void mmdb_put(struct mmdb_file *f, const void *bytes, size_t n);
#define MMDB_PUT(f, ...) mmdb_put(f, (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))
void mmdb_put_big_endian(struct mmdb_file *f, uint64_t v, unsigned n);
/* Shorter than 29 bytes. */
void mmdb_put_string(struct mmdb_file *f, const char *s);
/* The head of a map of fewer than 29 pairs. */
void mmdb_put_map(struct mmdb_file *f, unsigned pairs);
/* A pair of a map; type 5, 6 or 9 of the format. */
void mmdb_put_unsigned(struct mmdb_file *f, const char *key, unsigned type, uint64_t v);
/* A pair of a map. */
void mmdb_put_double(struct mmdb_file *f, const char *key, double v);
/* A node of 24-bit records. */
void mmdb_put_node(struct mmdb_file *f, uint32_t zero, uint32_t one);
/* What stands between tree and data. */
void mmdb_put_separator(struct mmdb_file *f);

struct mmdb_metadata {
	uint32_t nodes;
	uint16_t bits, version; /* 0: 24 and 4 */
	const void *languages;  /* a value; NULL: ["en"] */
	size_t languages_size;
	const void *description; /* a value; NULL: {} */
	size_t description_size;
	const char *type; /* NULL: Test-City */
};
void mmdb_put_metadata(struct mmdb_file *f, const struct mmdb_metadata *m);

/* What is said of a network: "" and 0 are left out, coordinates unless `located`. */
struct mmdb_facts {
	int located;
	double latitude, longitude;
	char country[3], continent[3];
	uint32_t asn;
};
/* The record as a value. */
void mmdb_put_facts(struct mmdb_file *f, const struct mmdb_facts *facts);

/* A database from networks; of those that overlap the later counts where it lies. */
struct mmdb_maker;

struct mmdb_maker *mmdb_maker_create(unsigned version);
void mmdb_maker_add(struct mmdb_maker *m, const struct net_prefix *network,
		    const struct mmdb_facts *facts);
/* Lets a prefix of IPv6 lead to the tree of IPv4, as writers do with 2002::/16 and others. After
 * all networks; overwrites what is there. */
void mmdb_maker_alias(struct mmdb_maker *m, const struct net_prefix *prefix);
/* Of records of 24, 28 or 32 bits. Consumes *m. */
struct mmdb_file mmdb_maker_finish(struct mmdb_maker **m, unsigned bits, const char *type);
