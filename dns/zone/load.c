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
#include "dns/zone/name.h"
#include "dns/zone/rdata.h"
#include "dns/zone/sources.h"

struct loader {
	const char *name;    /* of the zone */
	const uint8_t *apex; /* its name */
	struct dns_build *build;
	struct dns_sources *sources;
	struct diag *diag;
};

static void no_room(struct loader *l, struct cfg_place place)
{
	diag_add(l->diag, place, "zone %s. is too large: there is no memory for all of its records",
		 l->name);
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
	char owner[DNS_NAME_TEXT], type[DNS_TYPE_TEXT];
	const char *refusal;

	if (!dns_name_is_under(s->r_owner, l->apex)) {
		diag_add(l->diag, place, "%s is not in zone %s.",
			 dns_name_format(s->r_owner, owner), l->name);
		return true;
	}
	refusal = dns_record_refusal(&record, l->apex);
	if (refusal != NULL) {
		diag_add(l->diag, place, "%s %s: %s", dns_name_format(s->r_owner, owner),
			 dns_type_format(s->r_type, type), refusal);
		return true;
	}
	if (dns_build_add(l->build, &record))
		return true;
	no_room(l, place);
	return false;
}

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
		else if (!dns_build_steer(l->build, owner, config->steered[i].place))
			no_room(l, config->steered[i].place);
		free(text);
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
