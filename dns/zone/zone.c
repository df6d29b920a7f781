/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looking up in a zone: the walk from the apex down to a name. Empty non-terminals are stored, so
 * that the first missing name on the way down is the end of the walk and the one above it the
 * closest encloser (RFC 4592 section 3.3.1).
 */
#include "dns/zone/zone.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "dns/zone/build.h"
#include "dns/zone/index.h"
#include "dns/zone/rdata.h"
#include "dns/zone/sources.h"

const struct dns_rrset *dns_node_rrset(const struct dns_node *node, uint16_t type)
{
	for (unsigned i = 0; i < node->n_rrsets; i++) {
		if (node->rrsets[i].rr.type == type)
			return &node->rrsets[i];
	}
	return NULL;
}

struct cfg_place dns_zone_place(const struct dns_zone *zone, const struct dns_rrset *set)
{
	return (struct cfg_place){.file = zone->sources->v[set->file].path, .line = set->line};
}

const char *dns_zone_file(const struct dns_zone *zone)
{
	return zone->sources->v[0].path;
}

const struct dns_node *dns_zone_find(const struct dns_zone *zone, const struct dns_name *name,
				     unsigned labels)
{
	const uint8_t *suffix = dns_name_suffix(name, labels);
	unsigned size = dns_name_suffix_size(name, labels);
	uint64_t hash = name->hash[labels];
	const struct dns_node *node;

	for (size_t i = hash & zone->table_mask; (node = zone->table[i]) != NULL;
	     i = (i + 1) & zone->table_mask) {
		if (node->hash == hash && node->size == size &&
		    memcmp(node->name, suffix, size) == 0)
			return node;
	}
	return NULL;
}

const struct dns_node *dns_zone_wildcard(const struct dns_zone *zone, const struct dns_name *name,
					 unsigned labels)
{
	const uint8_t *suffix = dns_name_suffix(name, labels);
	unsigned size = dns_name_suffix_size(name, labels);
	uint64_t hash = dns_name_wildcard_hash(name->hash[labels]);
	const struct dns_node *node;

	if (!zone->has_wildcards)
		return NULL;
	for (size_t i = hash & zone->table_mask; (node = zone->table[i]) != NULL;
	     i = (i + 1) & zone->table_mask) {
		if (node->hash == hash && node->size == size + 2 &&
		    knot_dname_is_wildcard(node->name) && memcmp(node->name + 2, suffix, size) == 0)
			return node;
	}
	return NULL;
}

struct dns_lookup dns_zone_lookup(const struct dns_zone *zone, const struct dns_name *name)
{
	const struct dns_node *node = zone->apex;
	unsigned labels = zone->apex_labels;

	while (labels < name->n_labels) {
		if (node->dname)
			return (struct dns_lookup){DNS_MATCH_DNAME, node, labels};
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
	node = dns_zone_wildcard(zone, name, labels);
	return (struct dns_lookup){node != NULL ? DNS_MATCH_WILDCARD : DNS_MATCH_NONE, node,
				   labels};
}

struct dns_zone *dns_zone_ref(struct dns_zone *zone)
{
	atomic_fetch_add_explicit(&zone->refs, 1, memory_order_relaxed);
	return zone;
}

void dns_zone_unref(struct dns_zone **zonep)
{
	struct dns_zone *zone = TAKE(zonep);

	if (zone == NULL || atomic_fetch_sub(&zone->refs, 1) > 1)
		return;
	for (size_t i = 0; i < zone->n_nodes; i++)
		dns_node_unref(zone->nodes[i]);
	for (unsigned i = 0; i < zone->n_steered; i++)
		free(zone->steered[i]);
	free(zone->steered);
	dns_sources_unref(&zone->sources);
	free(zone->nodes);
	free(zone->table);
	free(zone->apex_name);
	free(zone->name);
	free(zone);
}

/* False: there is something wrong with it, and said so. */
static bool apply(struct dns_build *build, const struct dns_zone *zone,
		  const struct dns_change *change, struct cfg_place place, struct diag *diag)
{
	const knot_rdata_t *rdata = change->rrs.rdata;
	char owner[DNS_NAME_TEXT], type[DNS_TYPE_TEXT];
	const char *refusal = NULL;
	bool ok;

	if (!dns_name_is_under(change->owner, zone->apex_name)) {
		diag_add(diag, place, "%s is not in zone %s.",
			 dns_name_format(change->owner, owner), zone->name);
		return false;
	}
	ok = dns_build_remove(build, change->owner, change->type);
	for (unsigned i = 0; i < change->rrs.count && ok; i++) {
		struct dns_record record = {.owner = change->owner,
					    .type = change->type,
					    .ttl = change->ttl,
					    .data = rdata->data,
					    .len = rdata->len};

		refusal = dns_record_refusal(&record, zone->apex_name);
		ok = refusal == NULL && dns_build_add(build, &record);
		rdata = knot_rdataset_next((knot_rdata_t *)rdata);
	}
	if (!ok)
		diag_add(diag, place, "%s %s: %s", dns_name_format(change->owner, owner),
			 dns_type_format(change->type, type),
			 refusal != NULL ? refusal : "there is no memory for it");
	return ok;
}

struct dns_zone *dns_zone_with(const struct dns_zone *zone, const struct dns_change *changes,
			       unsigned n, struct cfg_place place, struct diag *diag)
{
	struct dns_build *build = dns_build_create_from(zone);

	for (unsigned i = 0; i < n; i++) {
		if (!apply(build, zone, &changes[i], place, diag)) {
			dns_build_destroy(&build);
			return NULL;
		}
	}
	return dns_build_finish(&build, place, diag);
}
