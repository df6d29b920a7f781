/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The walk over a whole database, in the order of addresses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/diag.h"

struct geo_builder;
struct geo_db;
struct geo_facts;

struct geo_walk {
	/* Once for each distinct record: the value of its networks. */
	uint32_t (*record)(void *arg, const struct geo_facts *facts);
	void *arg;
	struct geo_builder *to; /* where the networks go; those without a record have 0 */
	size_t networks;        /* that have a record; set by the walk */
};

/* Visits every node and every record. An IPv4 database leaves IPv6 as it is. False when anything is
 * broken: the reason is in `diag`, at `place` and with the path. */
bool geo_db_walk(const struct geo_db *db, struct geo_walk *walk, struct cfg_place place,
		 struct diag *diag);
