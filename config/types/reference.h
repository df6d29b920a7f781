/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names that refer to an edge, an origin or a site, found among many thousands. One thread.
 */
#pragma once

#include "config/hash.h"

/* Things by name; each has its name first (see config/options/fleet.c). */
struct cfg_name_index {
	struct cfg_hash by_name;
	unsigned n;
};

/* While a fleet is filled. All zero: nothing was looked for yet. */
struct cfg_references {
	struct cfg_name_index edges, origins, sites;
};

void cfg_references_fini(struct cfg_references *references);
