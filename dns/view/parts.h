/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The parts that one loaded configuration is made of: the fleet, its zones, where clients are, who
 * is sent where, and the table of the edges' verdicts. Loaded by a job, immutable but for
 * the verdicts, counted: every view (dns/view/view.h) that was published for it holds a
 * reference, and so does the load of the next one, which takes over what is the same.
 */
#pragma once

#include <stdatomic.h>

struct cfg_fleet;
struct diag;
struct dns_zones;
struct fleet_verdicts;
struct geo_places;
struct steering;

struct dns_parts {
	_Atomic unsigned refs;
	struct cfg_fleet *fleet;
	struct dns_zones *zones;
	const struct geo_places *places;
	struct steering *steering;
	struct fleet_verdicts *verdicts;
};

/* NULL with every error in `diag`, and *fleet is left to the caller; else *fleet is consumed. Zones
 * and places of `before` (or NULL) that are the same are shared with it. Blocking. */
struct dns_parts *dns_parts_load(struct cfg_fleet **fleet, const struct dns_parts *before,
				 struct diag *diag);
struct dns_parts *dns_parts_ref(struct dns_parts *parts);
/* Any thread. The last one frees, which takes long when there is much of it. */
void dns_parts_unref(struct dns_parts **parts);
