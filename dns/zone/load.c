/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a master file to a zone: what dns/zone/master.c reads is judged record by record, collected
 * (dns/zone/build.h), and tied to the steered names of the configuration. It goes on after an
 * error, so that all of them are seen at once. Run by a job; blocking.
 */
#include "dns/zone/zone.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "dns/zone/build.h"
#include "dns/zone/master.h"
#include "dns/zone/rdata.h"
#include "dns/zone/sources.h"

struct loader {
	const char *name;    /* of the zone */
	const uint8_t *apex; /* its name */
	struct dns_build *build;
	struct dns_sources *sources;
	struct diag *diag;
};

/* Why a type cannot be served, or NULL. */
static const char *type_refusal(uint16_t type)
{
	switch (type) {
	case KNOT_RRTYPE_RRSIG:
	case KNOT_RRTYPE_NSEC:
	case KNOT_RRTYPE_NSEC3:
	case KNOT_RRTYPE_NSEC3PARAM:
		return "signed zones are not supported yet";
	case 0:
	case KNOT_RRTYPE_OPT:
		return "this type cannot be in a zone";
	default:
		/* RFC 6895 section 3.1: queries and meta-types. */
		return type >= 128 && type <= 255 ? "this type cannot be in a zone" : NULL;
	}
}

static void no_room(struct loader *l, struct cfg_place place)
{
	diag_add(l->diag, place, "zone %s. is too large: there is no memory for all of its records",
		 l->name);
}

/* What is wrong with the record alone, or NULL. */
static const char *record_refusal(const struct loader *l, const zs_scanner_t *s)
{
	const char *refusal = type_refusal(s->r_type);

	if (refusal != NULL)
		return refusal;
	if (s->r_type == KNOT_RRTYPE_SOA && !knot_dname_is_case_equal(s->r_owner, l->apex))
		return "it belongs at the apex of the zone";
	return dns_rdata_fault(s->r_type, s->r_data, s->r_data_length);
}

static bool take_record(void *arg, const zs_scanner_t *s, uint32_t ttl, unsigned file,
			unsigned line)
{
	struct loader *l = arg;
	struct cfg_place place = {.file = l->sources->v[file].path, .line = line};
	struct dns_record record = {.owner = s->r_owner,
				    .type = s->r_type,
				    .ttl = ttl,
				    .data = s->r_data,
				    .len = (uint16_t)s->r_data_length,
				    .file = file,
				    .line = line};
	const char *refusal = record_refusal(l, s);
	char owner[DNS_NAME_TEXT], type[DNS_TYPE_TEXT];

	if (knot_dname_in_bailiwick(s->r_owner, l->apex) < 0) {
		diag_add(l->diag, place, "%s is not in zone %s.",
			 dns_name_format(s->r_owner, owner), l->name);
	} else if (refusal != NULL) {
		diag_add(l->diag, place, "%s %s: %s", dns_name_format(s->r_owner, owner),
			 dns_type_format(s->r_type, type), refusal);
	} else if (!dns_build_add(l->build, &record)) {
		no_room(l, place);
		return false;
	}
	return true;
}

/* What a steered name cannot have beside it: its addresses are chosen, and it has its own name. */
static const uint16_t steered_forbids[] = {KNOT_RRTYPE_A, KNOT_RRTYPE_AAAA, KNOT_RRTYPE_CNAME};

/* malloc'd. */
static char *steered_text(const struct cfg_zone *config, const struct cfg_steered *steered)
{
	if (strcmp(steered->owner, "@") == 0)
		return xasprintf("%s.", config->name);
	return xasprintf("%s.%s.", steered->owner, config->name);
}

static void steer_names(struct loader *l, const struct cfg_zone *config)
{
	for (unsigned i = 0; i < config->n_steered; i++) {
		char *text = steered_text(config, &config->steered[i]);
		knot_dname_storage_t owner;

		if (knot_dname_from_str(owner, text, sizeof(owner)) == NULL)
			diag_add(l->diag, config->steered[i].place, "%s is not a domain name",
				 text);
		else if (!dns_build_steer(l->build, owner))
			no_room(l, config->steered[i].place);
		free(text);
	}
}

static void check_steered(struct loader *l, const struct dns_zone *zone, unsigned index,
			  const struct cfg_steered *config)
{
	char text[DNS_NAME_TEXT], type[DNS_TYPE_TEXT];
	knot_dname_storage_t owner;
	struct dns_lookup found;
	struct dns_name name;

	knot_dname_copy_lower(owner, zone->steered[index]);
	dns_name_init(&name, owner);
	dns_name_format(owner, text);
	found = dns_zone_lookup(zone, &name);
	if (found.match == DNS_MATCH_DELEGATION)
		diag_add(l->diag, config->place, "%s is delegated by zone file %s", text,
			 dns_zone_file(zone));
	else if (found.match == DNS_MATCH_DNAME)
		diag_add(l->diag, config->place, "%s is under a DNAME in zone file %s", text,
			 dns_zone_file(zone));
	for (unsigned i = 0; i < ARRAY_SIZE(steered_forbids) && found.match == DNS_MATCH_NODE;
	     i++) {
		const struct dns_rrset *set = dns_node_rrset(found.node, steered_forbids[i]);

		if (set != NULL)
			diag_add(l->diag, dns_zone_place(zone, set),
				 "%s at %s, which is steered (%s:%u)",
				 dns_type_format(steered_forbids[i], type), text,
				 config->place.file, config->place.line);
	}
}

static bool is_same(const struct dns_zone *before, const struct cfg_zone *config)
{
	if (strcmp(before->name, config->name) != 0 ||
	    strcmp(dns_zone_file(before), config->file) != 0 ||
	    before->n_steered != config->n_steered)
		return false;
	for (unsigned i = 0; i < config->n_steered; i++) {
		char *text = steered_text(config, &config->steered[i]);
		knot_dname_storage_t owner;
		bool same = knot_dname_from_str(owner, text, sizeof(owner)) != NULL &&
			    knot_dname_is_equal(owner, before->steered[i]);

		free(text);
		if (!same)
			return false;
	}
	return dns_sources_are_unchanged(before->sources);
}

static struct dns_zone *load(const struct cfg_zone *config, const uint8_t *apex, struct diag *diag)
{
	struct dns_sources *sources = dns_sources_create();
	struct loader l = {.name = config->name,
			   .apex = apex,
			   .build = dns_build_create(config->name, apex, sources),
			   .sources = sources,
			   .diag = diag};
	struct dns_master master = {
	    .sources = sources, .diag = diag, .take = take_record, .arg = &l};
	char *origin = xasprintf("%s.", config->name);
	unsigned before = diag_count(diag);
	struct dns_zone *zone = NULL;

	dns_master_read(&master, config->file, origin, config->place);
	steer_names(&l, config);
	if (sources->v[0].folder != NULL && !master.over) {
		struct cfg_place top = {.file = sources->v[0].path};

		zone = dns_build_finish(&l.build, top, diag);
	}
	for (unsigned i = 0; zone != NULL && i < config->n_steered; i++)
		check_steered(&l, zone, i, &config->steered[i]);
	if (diag_count(diag) > before)
		dns_zone_unref(&zone);
	dns_build_destroy(&l.build);
	dns_sources_unref(&sources);
	free(origin);
	return zone;
}

struct dns_zone *dns_zone_load(const struct cfg_zone *config, struct dns_zone *before,
			       struct diag *diag)
{
	knot_dname_storage_t apex;

	if (before != NULL && is_same(before, config))
		return dns_zone_ref(before);
	if (knot_dname_from_str(apex, config->name, sizeof(apex)) == NULL) {
		diag_add(diag, config->place, "%s is not a domain name", config->name);
		return NULL;
	}
	knot_dname_to_lower(apex);
	return load(config, apex, diag);
}
