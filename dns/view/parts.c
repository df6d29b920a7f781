/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/view/parts.h"

#include <stdlib.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "dns/steer/steering.h"
#include "dns/zone/zones.h"
#include "fleet/verdicts.h"
#include "geo/places.h"

struct dns_parts *dns_parts_load(struct cfg_fleet **fleet, const struct dns_parts *before,
				 struct diag *diag)
{
	struct dns_parts *parts = xcalloc(1, sizeof(*parts));

	atomic_init(&parts->refs, 1);
	/* All of it is tried, so that every error is seen at once. */
	parts->zones = dns_zones_load(*fleet, before == NULL ? NULL : before->zones, diag);
	parts->places =
	    geo_places_load(&(*fleet)->geo, before == NULL ? NULL : before->places, diag);
	parts->steering = steering_create(*fleet, parts->places, diag);
	parts->verdicts = fleet_verdicts_load(*fleet, diag);
	if (parts->zones == NULL || parts->places == NULL || parts->steering == NULL ||
	    parts->verdicts == NULL) {
		dns_parts_unref(&parts);
		return NULL;
	}
	/* Only now: when it fails, the caller keeps it. */
	parts->fleet = TAKE(fleet);
	return parts;
}

struct dns_parts *dns_parts_ref(struct dns_parts *parts)
{
	atomic_fetch_add_explicit(&parts->refs, 1, memory_order_relaxed);
	return parts;
}

void dns_parts_unref(struct dns_parts **partsp)
{
	struct dns_parts *parts = TAKE(partsp);

	if (parts == NULL || atomic_fetch_sub_explicit(&parts->refs, 1, memory_order_acq_rel) > 1)
		return;
	fleet_verdicts_unref(&parts->verdicts);
	steering_destroy(&parts->steering);
	if (parts->places != NULL)
		geo_places_unref(&parts->places);
	dns_zones_destroy(&parts->zones);
	cfg_fleet_destroy(&parts->fleet);
	free(parts);
}
