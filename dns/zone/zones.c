/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/zone/zones.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/progress.h"

static int compare_apex_hash(const void *a, const void *b)
{
	uint64_t x = ((const struct dns_zones_entry *)a)->zone->apex_hash;
	uint64_t y = ((const struct dns_zones_entry *)b)->zone->apex_hash;

	return (x > y) - (x < y);
}

const struct dns_zones_entry *dns_zones_named(const struct dns_zones *zones, const char *name)
{
	knot_dname_storage_t apex;
	struct dns_name parts;
	const struct dns_zones_entry *found;

	if (knot_dname_from_str(apex, name, sizeof(apex)) == NULL)
		return NULL;
	knot_dname_to_lower(apex);
	dns_name_init(&parts, apex);
	found = dns_zones_find(zones, &parts, parts.n_labels);
	return found != NULL && found->zone->apex_labels == parts.n_labels ? found : NULL;
}

struct dns_zones *dns_zones_load(const struct cfg_fleet *fleet, const struct dns_zones *before,
				 struct diag *diag)
{
	struct dns_zones *zones = xcalloc(1, sizeof(*zones));
	bool ok = true;

	zones->v = xcalloc(fleet->n_zones + 1, sizeof(*zones->v));
	for (unsigned i = 0; i < fleet->n_zones; i++) {
		const struct cfg_zone *config = &fleet->zones[i];
		const struct dns_zones_entry *old =
		    before == NULL ? NULL : dns_zones_named(before, config->name);
		struct dns_zone *zone;

		progress_say("zones %u of %u", i + 1, fleet->n_zones);
		zone = dns_zone_load(config, old == NULL ? NULL : old->zone, diag);
		if (zone == NULL) {
			ok = false;
			continue;
		}
		zones->v[zones->n++] = (struct dns_zones_entry){
		    .zone = zone, .id = i, .first_steered = zones->n_steered};
		zones->n_steered += zone->n_steered;
		zones->max_labels = MAX(zones->max_labels, zone->apex_labels);
	}
	qsort(zones->v, zones->n, sizeof(*zones->v), compare_apex_hash);
	if (!ok)
		dns_zones_destroy(&zones);
	return zones;
}

void dns_zones_destroy(struct dns_zones **zonesp)
{
	struct dns_zones *zones = TAKE(zonesp);

	if (zones == NULL)
		return;
	for (unsigned i = 0; i < zones->n; i++)
		dns_zone_unref(&zones->v[i].zone);
	free(zones->v);
	free(zones);
}

/* Index of the first zone whose hash is not below `hash`. */
static unsigned first_of_hash(const struct dns_zones *zones, uint64_t hash)
{
	unsigned low = 0, high = zones->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (zones->v[middle].zone->apex_hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The zone whose apex is the suffix of that many labels, or NULL. */
static const struct dns_zones_entry *zone_at(const struct dns_zones *zones,
					     const struct dns_name *name, unsigned labels)
{
	uint64_t hash = name->hash[labels];

	for (unsigned i = first_of_hash(zones, hash);
	     i < zones->n && zones->v[i].zone->apex_hash == hash; i++) {
		const struct dns_node *apex = zones->v[i].zone->apex;

		if (apex->size == dns_name_suffix_size(name, labels) &&
		    memcmp(apex->name, dns_name_suffix(name, labels), apex->size) == 0)
			return &zones->v[i];
	}
	return NULL;
}

const struct dns_zones_entry *dns_zones_find(const struct dns_zones *zones,
					     const struct dns_name *name, unsigned max_labels)
{
	unsigned labels = MIN(name->n_labels, zones->max_labels);
	const struct dns_zones_entry *found;

	labels = MIN(labels, max_labels);
	while ((found = zone_at(zones, name, labels)) == NULL && labels > 0)
		labels--;
	return found;
}
