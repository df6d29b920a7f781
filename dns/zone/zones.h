/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The zones of a fleet, found by name. Built by a job, immutable, read by any thread; belongs to a
 * view, and refers to zones that other views may refer to as well.
 */
#pragma once

#include "dns/zone/zone.h"

struct cfg_fleet;

struct dns_zones_entry {
	struct dns_zone *zone;
	unsigned id; /* of its configuration: index in cfg_fleet.zones */
	/* The first of zone->steered, in the list of all zones' steered owners one after the other,
	 * in the order of cfg_fleet.zones: node->steered - 1 is counted from there. */
	unsigned first_steered;
};

struct dns_zones {
	struct dns_zones_entry *v; /* in order of apex_hash */
	unsigned n;
	unsigned n_steered;
	unsigned max_labels; /* of any apex */
};

/* All zones of the fleet, or NULL with everything that is wrong with any of them in `diag`. Those
 * of `before` (or NULL) that are the same are taken from there, see dns_zone_load(). Blocking. */
struct dns_zones *dns_zones_load(const struct cfg_fleet *fleet, const struct dns_zones *before,
				 struct diag *diag);
void dns_zones_destroy(struct dns_zones **zones);
/* The longest apex of at most `max_labels` labels that the name is at or under, or NULL. */
const struct dns_zones_entry *dns_zones_find(const struct dns_zones *zones,
					     const struct dns_name *name, unsigned max_labels);
/* By the name of a zone's configuration, or NULL. */
const struct dns_zones_entry *dns_zones_named(const struct dns_zones *zones, const char *name);
