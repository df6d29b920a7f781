/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a master file (RFC 1035 section 5) to a zone: libzscanner reads the records, this file
 * places them and refuses what cannot be served. It goes on after an error, so that all of them are
 * seen at once. Run by a job; blocking.
 */
#include "dns/zone/zone.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libzscanner/scanner.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "dns/zone/build.h"
#include "dns/zone/rdata.h"
#include "dns/zone/sources.h"

/* Deep enough for people, and it ends files that include each other. */
#define INCLUDE_DEPTH 8

/* For records before any $TTL; the same as Knot DNS takes. */
#define DEFAULT_TTL 3600

struct loader {
	const char *name;    /* of the zone */
	const uint8_t *apex; /* its name */
	struct dns_build *build;
	struct dns_sources *sources;
	struct diag *diag;
	unsigned errors;
	bool full;
	size_t bytes_left;
};

#define REFUSE(loader, place, ...)                                                                 \
	do {                                                                                       \
		(loader)->errors++;                                                                \
		diag_add((loader)->diag, place, __VA_ARGS__);                                      \
	} while (0)

static const char *type_text(uint16_t type, char buf[static 16])
{
	if (knot_rrtype_to_string(type, buf, 16) < 0)
		strcpy(buf, "?");
	return buf;
}

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
	REFUSE(l, place, "zone %s. takes more memory than there is", l->name);
	l->full = true;
}

static void take_record(struct loader *l, unsigned file, zs_scanner_t *s)
{
	struct cfg_place place = {.file = l->sources->v[file].path, .line = s->line_counter};
	struct dns_record record = {.owner = s->r_owner,
				    .type = s->r_type,
				    .ttl = s->r_ttl,
				    .data = s->r_data,
				    .len = (uint16_t)s->r_data_length,
				    .file = file,
				    .line = place.line};
	const char *refusal = type_refusal(s->r_type);
	char owner[DNS_NAME_TEXT], type[16];

	if (refusal == NULL)
		refusal = dns_rdata_fault(s->r_type, s->r_data, s->r_data_length);
	if (refusal != NULL)
		REFUSE(l, place, "%s %s: %s", dns_name_format(s->r_owner, owner),
		       type_text(s->r_type, type), refusal);
	else if (knot_dname_in_bailiwick(s->r_owner, l->apex) < 0)
		REFUSE(l, place, "%s is not in zone %s.", dns_name_format(s->r_owner, owner),
		       l->name);
	else if (s->r_type == KNOT_RRTYPE_SOA && !knot_dname_is_case_equal(s->r_owner, l->apex))
		REFUSE(l, place, "SOA at %s: it belongs at the apex, %s.",
		       dns_name_format(s->r_owner, owner), l->name);
	else if (!dns_build_add(l->build, &record))
		no_room(l, place);
}

/* libzscanner maps the files that it opens, so it is given their text. False: it was refused.
 * `from` is where the file is named. */
static bool read_file(struct loader *l, unsigned index, struct cfg_place from, struct file *file)
{
	const char *path = l->sources->v[index].path;
	char *error = dns_sources_read(l->sources, index, DNS_ZONE_BYTES_MAX, file);

	if (error != NULL) {
		REFUSE(l, from, "zone file %s %s", path, error);
	} else if (file->len > l->bytes_left) {
		REFUSE(l, from, "zone file %s: the zone is larger than %zu MiB with all includes",
		       path, DNS_ZONE_BYTES_MAX >> 20);
		l->bytes_left = 0;
	} else {
		l->bytes_left -= file->len;
		return true;
	}
	free(error);
	file_wipe(file);
	return false;
}

/* NULL, or a scanner of that text, which is borrowed. It resolves the names of includes, which
 * start from `folder`. */
static zs_scanner_t *create_scanner(const char *folder, const struct file *file, const char *origin,
				    uint32_t ttl)
{
	zs_scanner_t *s = xmalloc(sizeof(*s));

	if (zs_init(s, origin, KNOT_CLASS_IN, ttl) != 0 ||
	    zs_set_input_string(s, file->data, file->len) != 0) {
		zs_deinit(s);
		free(s);
		return NULL;
	}
	free(s->path);
	s->path = xstrdup(folder);
	return s;
}

static void scan_file(struct loader *l, const char *path, const char *origin, uint32_t ttl,
		      struct cfg_place from, unsigned depth);

static void include_file(struct loader *l, zs_scanner_t *s, struct cfg_place place, unsigned depth)
{
	/* The scanner's buffers are used again. */
	char *path = xstrdup(s->include_filename), *origin = xstrdup((const char *)s->buffer);

	if (depth == INCLUDE_DEPTH)
		REFUSE(l, place, "includes are nested too deep");
	else if (l->sources->n == DNS_ZONE_FILES_MAX)
		REFUSE(l, place, "more than %d files are included", DNS_ZONE_FILES_MAX);
	else
		scan_file(l, path, origin, s->default_ttl, place, depth + 1);
	free(origin);
	free(path);
}

static void scan(struct loader *l, zs_scanner_t *s, unsigned file, unsigned depth)
{
	struct cfg_place place = {.file = l->sources->v[file].path};

	while (!l->full && zs_parse_record(s) == 0 && s->state != ZS_STATE_EOF &&
	       s->state != ZS_STATE_STOP) {
		place.line = s->line_counter;
		if (s->state == ZS_STATE_DATA) {
			take_record(l, file, s);
		} else if (s->state == ZS_STATE_INCLUDE) {
			include_file(l, s, place, depth);
			s->error.fatal = false;
		} else if (s->state == ZS_STATE_ERROR) {
			REFUSE(l, place, "%s", zs_strerror(s->error.code));
			if (s->error.fatal)
				break;
		}
	}
}

static void scan_file(struct loader *l, const char *path, const char *origin, uint32_t ttl,
		      struct cfg_place from, unsigned depth)
{
	unsigned index = dns_sources_add(l->sources, path);
	struct file file;
	zs_scanner_t *s;

	if (!read_file(l, index, from, &file))
		return;
	s = create_scanner(l->sources->v[index].folder, &file, origin, ttl);
	if (s != NULL) {
		scan(l, s, index, depth);
		zs_deinit(s);
		free(s);
	} else {
		REFUSE(l, from, "zone %s cannot be read by libzscanner", origin);
	}
	file_wipe(&file);
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
			REFUSE(l, config->steered[i].place, "%s is not a domain name", text);
		else if (!dns_build_steer(l->build, owner))
			no_room(l, config->steered[i].place);
		free(text);
	}
}

static void check_steered(struct loader *l, const struct dns_zone *zone,
			  const struct cfg_steered *config, const char *text)
{
	knot_dname_storage_t owner;
	struct dns_lookup found;
	struct dns_name name;
	char type[16];

	CHECK(knot_dname_from_str(owner, text, sizeof(owner)) != NULL);
	knot_dname_to_lower(owner);
	dns_name_init(&name, owner);
	found = dns_zone_lookup(zone, &name);
	if (found.match == DNS_MATCH_DELEGATION)
		REFUSE(l, config->place, "%s is delegated by zone file %s", text,
		       dns_zone_file(zone));
	for (unsigned i = 0; i < ARRAY_SIZE(steered_forbids) && found.match == DNS_MATCH_NODE;
	     i++) {
		const struct dns_rrset *set = dns_node_rrset(found.node, steered_forbids[i]);

		if (set != NULL)
			REFUSE(l, dns_zone_place(zone, set), "%s at %s, which is steered (%s:%u)",
			       type_text(steered_forbids[i], type), text, config->place.file,
			       config->place.line);
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
	struct loader l = {.name = config->name,
			   .apex = apex,
			   .sources = dns_sources_create(),
			   .diag = diag,
			   .bytes_left = DNS_ZONE_BYTES_MAX};
	char *origin = xasprintf("%s.", config->name);
	struct dns_zone *zone = NULL;

	l.build = dns_build_create(config->name, apex, l.sources);
	scan_file(&l, config->file, origin, DEFAULT_TTL, config->place, 0);
	free(origin);
	steer_names(&l, config);
	if (!l.full && l.sources->v[0].folder != NULL) {
		struct cfg_place top = {.file = l.sources->v[0].path};

		zone = dns_build_finish(&l.build, top, diag);
	}
	for (unsigned i = 0; zone != NULL && i < config->n_steered; i++) {
		char *text = steered_text(config, &config->steered[i]);

		check_steered(&l, zone, &config->steered[i], text);
		free(text);
	}
	dns_build_destroy(&l.build);
	dns_sources_unref(&l.sources);
	if (l.errors > 0)
		dns_zone_unref(&zone);
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
