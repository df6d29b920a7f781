/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table that requests are balanced by, as balance_table.c prepares it and balance.c reads it.
 * Nobody else includes this.
 */
#pragma once

#include "origin-link/servers/balance.h"
#include "origin-link/servers/balance_points.h"

/* A server that requests may go to. */
struct balance_entry {
	void *what;
	uint64_t id;
	unsigned weight;
	mono_time up_since; /* 0: its slow start is over */
};

/* Those of the same priority that are about as far away. */
struct balance_tier {
	unsigned first, n; /* of the table's entries; n > 0 */
	uint64_t weight;   /* of all of them */
	uint64_t
	    until; /* of 2^32 requests those go here that are not below the `until` before it */
	struct balance_points schedule; /* empty: in their order */
	struct balance_points ring;     /* only with CFG_BALANCE_HASH */
};

/* What a loop has last seen of a tier. */
struct balance_sight {
	mono_time at; /* 0: never */
	uint64_t in_flight;
};

/* Where an id is found. */
struct balance_place {
	uint64_t id;
	unsigned entry;
};

struct balance_table {
	struct balance_settings settings;
	enum balance_state state; /* of those that are used */
	unsigned n, n_tiers;
	struct balance_entry *entries; /* by tier, then as they were given */
	struct balance_tier *tiers;
	struct balance_place *places;  /* by id; NULL: nobody looks for them */
	struct balance_sight **sights; /* of each loop, which alone looks at them: one a tier */
	unsigned n_loops;
};
