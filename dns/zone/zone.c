/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The zone store: nodes in a hash table, and the walk from the apex down to a name. Empty
 * non-terminals are stored, so that the first missing name on the way down is the end of the walk
 * and the one above it the closest encloser (RFC 4592 section 3.3.1).
 */
#include "dns/zone/zone.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/progress.h"

static bool node_is(const struct dns_node *node, uint64_t hash, const uint8_t *name, unsigned size)
{
	return node->hash == hash && node->owner_size == size &&
	       memcmp(node->owner, name, size) == 0;
}

/* The slot that holds the name, or the empty one where it would go. */
static struct dns_node **find_slot(const struct dns_zone *zone, uint64_t hash, const uint8_t *name,
				   unsigned size)
{
	size_t i = hash & zone->table_mask;

	while (zone->table[i] != NULL && !node_is(zone->table[i], hash, name, size))
		i = (i + 1) & zone->table_mask;
	return &zone->table[i];
}

static void grow_table(struct dns_zone *zone)
{
	struct dns_node **old = zone->table;
	size_t old_size = old == NULL ? 0 : zone->table_mask + 1;
	size_t size = old == NULL ? 64 : old_size * 2;

	zone->table = xcalloc(size, sizeof(*zone->table));
	zone->table_mask = size - 1;
	for (size_t i = 0; i < old_size; i++) {
		struct dns_node *node = old[i];

		if (node != NULL)
			*find_slot(zone, node->hash, node->owner, node->owner_size) = node;
	}
	free(old);
}

struct dns_node *dns_zone_add_node(struct dns_zone *zone, const struct dns_name *name)
{
	struct dns_node *parent = NULL, *node = NULL;

	for (unsigned labels = zone->apex_labels; labels <= name->n_labels; labels++) {
		const uint8_t *suffix = dns_name_suffix(name, labels);
		unsigned size = dns_name_suffix_size(name, labels);

		if (zone->table == NULL || zone->n_nodes * 2 >= zone->table_mask)
			grow_table(zone);
		struct dns_node **slot = find_slot(zone, name->hash[labels], suffix, size);

		if (*slot == NULL) {
			node = xcalloc(1, sizeof(*node));
			node->owner = xmalloc(size);
			memcpy(node->owner, suffix, size);
			node->owner_size = size;
			node->hash = name->hash[labels];
			*slot = node;
			zone->n_nodes++;
		}
		node = *slot;
		if (parent == NULL)
			zone->apex = node;
		else if (knot_dname_is_wildcard(node->owner))
			parent->wildcard = node;
		parent = node;
	}
	return node;
}

const struct dns_rrset *dns_node_rrset(const struct dns_node *node, uint16_t type)
{
	for (unsigned i = 0; i < node->n_rrsets; i++) {
		if (node->rrsets[i].rr.type == type)
			return &node->rrsets[i];
	}
	return NULL;
}

const struct dns_node *dns_zone_find(const struct dns_zone *zone, const struct dns_name *name,
				     unsigned labels)
{
	return *find_slot(zone, name->hash[labels], dns_name_suffix(name, labels),
			  dns_name_suffix_size(name, labels));
}

struct dns_lookup dns_zone_lookup(const struct dns_zone *zone, const struct dns_name *name)
{
	const struct dns_node *node = zone->apex;
	unsigned labels = zone->apex_labels;

	while (labels < name->n_labels) {
		const struct dns_node *next = dns_zone_find(zone, name, labels + 1);

		if (next == NULL)
			break;
		node = next;
		labels++;
		if (node->delegation)
			return (struct dns_lookup){DNS_MATCH_DELEGATION, node, labels};
	}
	if (labels == name->n_labels)
		return (struct dns_lookup){DNS_MATCH_NODE, node, labels};
	if (node->wildcard != NULL)
		return (struct dns_lookup){DNS_MATCH_WILDCARD, node->wildcard, labels};
	return (struct dns_lookup){DNS_MATCH_NONE, NULL, labels};
}

void dns_zone_destroy(struct dns_zone **zonep)
{
	struct dns_zone *zone = TAKE(zonep);

	if (zone == NULL)
		return;
	for (size_t i = 0; zone->table != NULL && i <= zone->table_mask; i++) {
		struct dns_node *node = zone->table[i];

		if (node == NULL)
			continue;
		for (unsigned k = 0; k < node->n_rrsets; k++)
			knot_rdataset_clear(&node->rrsets[k].rr.rrs, NULL);
		free(node->rrsets);
		free(node->owner);
		free(node);
	}
	for (unsigned i = 0; i < zone->n_files; i++)
		free(zone->files[i]);
	free(zone->files);
	free(zone->table);
	free(zone->apex_name);
	free(zone);
}

static int compare_apex_hash(const void *a, const void *b)
{
	const struct dns_zone *x = *(struct dns_zone *const *)a, *y = *(struct dns_zone *const *)b;

	return (x->apex_hash > y->apex_hash) - (x->apex_hash < y->apex_hash);
}

struct dns_zones *dns_zones_load(const struct cfg_fleet *fleet, struct diag *diag)
{
	struct dns_zones *zones = xcalloc(1, sizeof(*zones));
	bool ok = true;

	zones->v = xcalloc(fleet->n_zones + 1, sizeof(*zones->v));
	for (unsigned i = 0; i < fleet->n_zones; i++) {
		struct dns_zone *zone;

		progress_say("zones %u of %u", i + 1, fleet->n_zones);
		zone = dns_zone_load(&fleet->zones[i], diag);
		if (zone == NULL) {
			ok = false;
			continue;
		}
		zones->v[zones->n++] = zone;
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
		dns_zone_destroy(&zones->v[i]);
	free(zones->v);
	free(zones);
}

/* Index of the first zone whose hash is not below `hash`. */
static unsigned first_of_hash(const struct dns_zones *zones, uint64_t hash)
{
	unsigned low = 0, high = zones->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (zones->v[middle]->apex_hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct dns_zone *dns_zones_find(const struct dns_zones *zones, const struct dns_name *name,
				      unsigned max_labels)
{
	unsigned labels = MIN(name->n_labels, MIN(max_labels, zones->max_labels));

	for (;; labels--) {
		uint64_t hash = name->hash[labels];

		for (unsigned i = first_of_hash(zones, hash);
		     i < zones->n && zones->v[i]->apex_hash == hash; i++) {
			if (knot_dname_is_equal(dns_name_suffix(name, labels),
						zones->v[i]->apex_name))
				return zones->v[i];
		}
		if (labels == 0)
			return NULL;
	}
}
