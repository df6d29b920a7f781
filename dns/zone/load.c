/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From a master file (RFC 1035 section 5) to a zone: libzscanner reads the records, this file
 * places them and refuses what cannot be served. It goes on after an error, so that all of them are
 * seen at once. Run by a job; blocking.
 */
#define LOG_MODULE LOG_ZONE
#include "dns/zone/zone.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/rrtype/soa.h>
#include <libzscanner/scanner.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/base/log.h"

/* Deep enough for people, and it ends files that include each other. */
#define INCLUDE_DEPTH 8

/* For records before any $TTL; the same as Knot DNS takes. */
#define DEFAULT_TTL 3600

/* Bounds of what a zone can cost, with all that it includes: some zone of a million names has 50
 * MiB, and more files than a person keeps apart. */
#define ZONE_BYTES_MAX ((size_t)128 << 20)
#define ZONE_FILES_MAX 1000

/* A set is answered whole, in one message of DNS over TCP at most; there each record has a head of
 * at least 12 bytes (RFC 1035 section 4.1.3, its owner compressed). libknot keeps sets in order by
 * search from the start, so a longer one would also take its length squared. */
#define SET_BYTES_MAX 65535
#define RECORD_HEAD 12

struct loader {
	struct dns_zone *zone;
	struct diag *diag;
	unsigned errors;
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
	case KNOT_RRTYPE_DNAME:
		return "DNAME is not supported yet";
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

static struct dns_rrset *rrset_for(struct dns_node *node, uint16_t type, uint32_t ttl,
				   struct cfg_place place)
{
	for (unsigned i = 0; i < node->n_rrsets; i++) {
		if (node->rrsets[i].rr.type == type)
			return &node->rrsets[i];
	}
	node->rrsets = xreallocarray(node->rrsets, node->n_rrsets + 1, sizeof(*node->rrsets));
	struct dns_rrset *set = &node->rrsets[node->n_rrsets++];

	knot_rrset_init(&set->rr, node->owner, type, KNOT_CLASS_IN, ttl);
	set->place = place;
	return set;
}

static void place_record(struct loader *l, struct cfg_place place, knot_rrset_t *rr)
{
	struct dns_zone *zone = l->zone;
	struct dns_name name;
	char owner[DNS_NAME_TEXT], type[16];

	dns_name_init(&name, rr->owner);
	struct dns_rrset *set = rrset_for(dns_zone_add_node(zone, &name), rr->type, rr->ttl, place);

	if (set->rr.ttl != rr->ttl) {
		/* RFC 2181 section 5.2. */
		LOG_LIMITED(LOG_LEVEL_WARN,
			    "%s:%u: %s %s has records of different TTL; the lowest is used for all",
			    place.file, place.line, dns_name_format(rr->owner, owner),
			    type_text(rr->type, type));
		set->rr.ttl = MIN(set->rr.ttl, rr->ttl);
	}
	unsigned before = set->rr.rrs.count;

	if (set->rr.rrs.size + (before + 1) * RECORD_HEAD > SET_BYTES_MAX)
		REFUSE(l, place, "%s %s: more records of one name and type than fit into a message",
		       dns_name_format(rr->owner, owner), type_text(rr->type, type));
	else if (knot_rdataset_add(&set->rr.rrs, rr->rrs.rdata, NULL) != KNOT_EOK)
		REFUSE(l, place, "too many records of one name and type");
	else if (before == 1 && set->rr.rrs.count == 2 &&
		 (rr->type == KNOT_RRTYPE_SOA || rr->type == KNOT_RRTYPE_CNAME))
		REFUSE(l, place, "second %s of %s; the first is at %s:%u",
		       type_text(rr->type, type), dns_name_format(rr->owner, owner),
		       set->place.file, set->place.line);
	zone->n_records += set->rr.rrs.count - before;
}

static void take_record(struct loader *l, struct cfg_place place, zs_scanner_t *s)
{
	struct dns_zone *zone = l->zone;
	const char *refusal = type_refusal(s->r_type);
	char owner[DNS_NAME_TEXT], apex[DNS_NAME_TEXT], type[16];

	knot_dname_to_lower(s->r_owner);
	dns_name_format(s->r_owner, owner);
	if (refusal != NULL) {
		REFUSE(l, place, "%s %s: %s", owner, type_text(s->r_type, type), refusal);
	} else if (knot_dname_in_bailiwick(s->r_owner, zone->apex_name) < 0) {
		REFUSE(l, place, "%s is not in zone %s", owner,
		       dns_name_format(zone->apex_name, apex));
	} else if (s->r_type == KNOT_RRTYPE_SOA &&
		   !knot_dname_is_equal(s->r_owner, zone->apex_name)) {
		REFUSE(l, place, "SOA at %s: it belongs at the apex, %s", owner,
		       dns_name_format(zone->apex_name, apex));
	} else {
		knot_rrset_t rr;

		knot_rrset_init(&rr, s->r_owner, s->r_type, KNOT_CLASS_IN, s->r_ttl);
		CHECK(knot_rrset_add_rdata(&rr, s->r_data, s->r_data_length, NULL) == KNOT_EOK);
		/* Names in rdata too become lower case: they are looked up and compressed. */
		if (knot_rrset_rr_to_canonical(&rr) != KNOT_EOK)
			REFUSE(l, place, "%s %s: invalid data", owner, type_text(s->r_type, type));
		else
			place_record(l, place, &rr);
		knot_rdataset_clear(&rr.rrs, NULL);
	}
}

static const char *keep_file_name(struct dns_zone *zone, const char *path)
{
	zone->files = xreallocarray(zone->files, zone->n_files + 1, sizeof(*zone->files));
	zone->files[zone->n_files] = xstrdup(path);
	return zone->files[zone->n_files++];
}

/* libzscanner maps the files that it opens, so it is given their text. False: it was refused.
 * `from` is where the file is named. */
static bool read_file(struct loader *l, const char *path, struct cfg_place from, struct file *file)
{
	char *error = file_read(file, path, ZONE_BYTES_MAX);

	if (error != NULL) {
		REFUSE(l, from, "zone file %s %s", path, error);
	} else if (file->len > l->bytes_left) {
		REFUSE(l, from, "zone file %s: the zone is larger than %zu MiB with all includes",
		       path, ZONE_BYTES_MAX >> 20);
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
 * start from the folder that the file is really in. */
static zs_scanner_t *create_scanner(const char *path, const struct file *file, const char *origin,
				    uint32_t ttl)
{
	zs_scanner_t *s = xmalloc(sizeof(*s));
	char *real;

	if (zs_init(s, origin, KNOT_CLASS_IN, ttl) != 0 ||
	    zs_set_input_string(s, file->data, file->len) != 0) {
		zs_deinit(s);
		free(s);
		return NULL;
	}
	real = realpath(path, NULL);
	free(s->path);
	s->path = xstrdup(real != NULL ? dirname(real) : ".");
	free(real);
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
	else if (l->zone->n_files == ZONE_FILES_MAX)
		REFUSE(l, place, "more than %d files are included", ZONE_FILES_MAX);
	else
		scan_file(l, path, origin, s->default_ttl, place, depth + 1);
	free(origin);
	free(path);
}

static void scan(struct loader *l, zs_scanner_t *s, struct cfg_place place, unsigned depth)
{
	while (zs_parse_record(s) == 0 && s->state != ZS_STATE_EOF && s->state != ZS_STATE_STOP) {
		place.line = s->line_counter;
		if (s->state == ZS_STATE_DATA) {
			take_record(l, place, s);
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
	struct cfg_place place = {.file = keep_file_name(l->zone, path)};
	struct file file;
	zs_scanner_t *s;

	if (!read_file(l, path, from, &file))
		return;
	s = create_scanner(path, &file, origin, ttl);
	if (s != NULL) {
		scan(l, s, place, depth);
		zs_deinit(s);
		free(s);
	} else {
		REFUSE(l, from, "zone %s cannot be read by libzscanner", origin);
	}
	file_wipe(&file);
}

static void check_node(struct loader *l, struct dns_node *node)
{
	const struct dns_rrset *cname = dns_node_rrset(node, KNOT_RRTYPE_CNAME);
	const struct dns_rrset *ns = dns_node_rrset(node, KNOT_RRTYPE_NS);
	char owner[DNS_NAME_TEXT], type[16];

	if (cname != NULL && node->n_rrsets > 1) {
		const struct dns_rrset *other = &node->rrsets[cname == &node->rrsets[0] ? 1 : 0];

		REFUSE(l, cname->place, "CNAME at %s, which has other records (%s at %s:%u)",
		       dns_name_format(node->owner, owner), type_text(other->rr.type, type),
		       other->place.file, other->place.line);
	}
	node->delegation = ns != NULL && node != l->zone->apex;
	if (node->delegation && knot_dname_is_wildcard(node->owner))
		REFUSE(l, ns->place, "NS at %s: a wildcard cannot be delegated",
		       dns_name_format(node->owner, owner));
}

static void check_zone(struct loader *l)
{
	struct dns_zone *zone = l->zone;
	struct cfg_place top = {.file = zone->files[0]};
	const struct dns_rrset *soa = dns_node_rrset(zone->apex, KNOT_RRTYPE_SOA);

	for (size_t i = 0; i <= zone->table_mask; i++) {
		if (zone->table[i] != NULL)
			check_node(l, zone->table[i]);
	}
	if (soa == NULL) {
		REFUSE(l, top, "no SOA at the apex, %s.", zone->config->name);
	} else {
		zone->serial = knot_soa_serial(soa->rr.rrs.rdata);
		zone->soa_negative = soa->rr;
		zone->soa_negative.ttl = MIN(soa->rr.ttl, knot_soa_minimum(soa->rr.rrs.rdata));
	}
	if (dns_node_rrset(zone->apex, KNOT_RRTYPE_NS) == NULL)
		REFUSE(l, top, "no NS at the apex, %s.", zone->config->name);
}

struct dns_zone *dns_zone_load(const struct cfg_zone *config, struct diag *diag)
{
	struct dns_zone *zone = xcalloc(1, sizeof(*zone));
	struct loader l = {.zone = zone, .diag = diag, .bytes_left = ZONE_BYTES_MAX};
	struct dns_name apex;
	char *origin;

	zone->config = config;
	zone->apex_name = knot_dname_from_str_alloc(config->name);
	if (zone->apex_name == NULL) {
		diag_add(diag, config->place, "%s is not a domain name", config->name);
		free(zone);
		return NULL;
	}
	knot_dname_to_lower(zone->apex_name);
	dns_name_init(&apex, zone->apex_name);
	zone->apex_labels = apex.n_labels;
	zone->apex_hash = apex.hash[apex.n_labels];
	dns_zone_add_node(zone, &apex);

	origin = xasprintf("%s.", config->name);
	scan_file(&l, config->file, origin, DEFAULT_TTL, config->place, 0);
	free(origin);
	if (zone->n_records > 0 || l.errors == 0)
		check_zone(&l);
	if (l.errors > 0)
		dns_zone_destroy(&zone);
	return zone;
}
