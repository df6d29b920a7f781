/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A MaxMind database that has been checked: opening, reading its whole tree once, and looking up
 * one address for people. What the answers mean for steering is geo/map.c's business.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xxhash.h>

#include "config/diag.h"
#include "core/base/addr.h"

struct geo_db;
struct geo_place;

/* NULL when the file cannot be read or its metadata is broken; the reason is in `diag`, at `place`
 * and with the path. The file is read into memory, which it keeps until it is closed. Blocking. */
struct geo_db *geo_db_open(const char *path, struct cfg_place place, struct diag *diag);
void geo_db_close(struct geo_db **db);
const char *geo_db_type(const struct geo_db *db);
uint64_t geo_db_build_epoch(const struct geo_db *db);

/* Of the whole file. */
XXH128_hash_t geo_db_digest(const struct geo_db *db);

struct geo_location {
	bool known;
	double latitude, longitude; /* degrees, finite and on the globe */
};

/* What a walk makes of the tree, from its leaves upwards; a result is a number of the caller's. */
struct geo_fold {
	/* Once for each distinct record. False: stop, the caller has already said why. */
	bool (*leaf)(void *arg, const struct geo_location *location, uint32_t *result);
	/* Once for each node, from the results of its halves. */
	uint32_t (*join)(void *arg, uint32_t zero, uint32_t one);
	uint32_t empty; /* the result of networks without a record */
	void *arg;
};

struct geo_folded {
	uint32_t ipv4, ipv6; /* an IPv4 database has `empty` for IPv6 */
	size_t networks;     /* that have a record; aliases of IPv4 in IPv6 count once */
};

/* Visits every node and every record. Parts of the tree that are reached on several paths (IPv4
 * under ::ffff:0:0/96, 2002::/16 and others) are folded once and share a result. False when
 * anything is broken: the reason is in `diag`. */
bool geo_db_fold(const struct geo_db *db, const struct geo_fold *fold, struct geo_folded *folded,
		 struct cfg_place place, struct diag *diag);
/* After a fold that succeeded. Any thread. */
struct geo_place geo_db_place(const struct geo_db *db, const struct net_prefix *prefix);
