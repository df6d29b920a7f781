/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See build.h. Records become drafts (dns/zone/drafts.h), and drafts become nodes: one block of
 * memory each, with its RRsets, their rdata, and its name.
 */
#define LOG_MODULE LOG_ZONE
#include "dns/zone/build.h"

#include <stdlib.h>
#include <string.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/rrtype/soa.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "dns/zone/drafts.h"
#include "dns/zone/index.h"
#include "dns/zone/rdata.h"
#include "dns/zone/sources.h"

/* A set is answered whole: in one message of DNS over TCP at most, beside the header, the question
 * and what an OPT with its options may have. */
#define MESSAGE_MAX 65535
#define MESSAGE_HEAD (12 + 4 + 64)
/* Of a record, its owner compressed; what libknot keeps of its data has the length of it too. */
#define RECORD_HEAD 12

struct dns_build {
	struct dns_zone *zone; /* it becomes this; no nodes yet */
	const struct dns_zone *base;
	struct drafts drafts;
	struct draft *latest;      /* records of one name mostly follow each other */
	struct cfg_place *steered; /* where zone->steered are configured; NULL: not known */
	struct diag *diag;
	struct cfg_place place;
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

const char *dns_record_refusal(const struct dns_record *record, const uint8_t *apex_name)
{
	const char *refusal = type_refusal(record->type);

	if (refusal != NULL)
		return refusal;
	if (record->type == KNOT_RRTYPE_SOA && !knot_dname_is_case_equal(record->owner, apex_name))
		return "it belongs at the apex of the zone";
	return dns_rdata_fault(record->type, record->data, record->len);
}

static struct dns_build *create(const char *name, const uint8_t *apex_name,
				struct dns_sources *sources)
{
	struct dns_build *build = xcalloc(1, sizeof(*build));
	struct dns_zone *zone = xcalloc(1, sizeof(*zone));
	struct dns_name apex;

	zone->refs = 1;
	zone->name = xstrdup(name);
	zone->apex_name = xmalloc(knot_dname_size(apex_name));
	memcpy(zone->apex_name, apex_name, knot_dname_size(apex_name));
	dns_name_init(&apex, zone->apex_name);
	zone->apex_labels = apex.n_labels;
	zone->apex_hash = apex.hash[apex.n_labels];
	zone->sources = dns_sources_ref(sources);
	build->zone = zone;
	return build;
}

struct dns_build *dns_build_create(const char *name, const uint8_t *apex_name,
				   struct dns_sources *sources)
{
	return create(name, apex_name, sources);
}

struct dns_build *dns_build_create_from(const struct dns_zone *base)
{
	struct dns_build *build = create(base->name, base->apex_name, base->sources);

	build->base = base;
	build->zone->n_records = base->n_records;
	build->zone->n_steered = base->n_steered;
	build->zone->steered = xcalloc(base->n_steered + 1, sizeof(*build->zone->steered));
	for (unsigned i = 0; i < base->n_steered; i++)
		build->zone->steered[i] = knot_dname_copy(base->steered[i], NULL);
	return build;
}

void dns_build_destroy(struct dns_build **buildp)
{
	struct dns_build *build = TAKE(buildp);

	if (build == NULL)
		return;
	dns_zone_unref(&build->zone);
	drafts_fini(&build->drafts);
	free(build->steered);
	free(build);
}

/* The draft begins with all that the base's node of its name has. */
static bool take_over(struct dns_build *build, struct draft *draft, const struct dns_node *node)
{
	draft->steered = node->steered;
	for (unsigned i = 0; i < node->n_rrsets; i++) {
		const struct dns_rrset *set = &node->rrsets[i];
		const knot_rdata_t *rdata = set->rr.rrs.rdata;

		build->zone->n_records -= set->rr.rrs.count;
		for (unsigned k = 0; k < set->rr.rrs.count; k++) {
			struct dns_record record = {.type = set->rr.type,
						    .ttl = set->rr.ttl,
						    .data = rdata->data,
						    .len = rdata->len,
						    .file = set->file,
						    .line = set->line};

			if (!drafts_append(&build->drafts, draft, &record))
				return false;
			rdata = knot_rdataset_next((knot_rdata_t *)rdata);
		}
	}
	return true;
}

/* NULL: no room. */
static struct draft *add_draft(struct dns_build *build, const struct dns_name *name,
			       unsigned labels, const uint8_t *written)
{
	const struct dns_node *old =
	    build->base == NULL ? NULL : dns_zone_find(build->base, name, labels);
	struct draft *draft = drafts_add(&build->drafts, name, labels, written);

	if (draft == NULL || old == NULL)
		return draft;
	memcpy(draft->name + draft->size, old->owner, draft->size);
	return take_over(build, draft, old) ? draft : NULL;
}

/* The draft of a name, made with the empty non-terminals above it when it is not there yet. NULL:
 * no room. */
static struct draft *draft_of(struct dns_build *build, const uint8_t *owner)
{
	struct draft *draft = build->latest;
	knot_dname_storage_t lower;
	struct dns_name name;

	if (draft != NULL && knot_dname_is_case_equal(draft->name, owner))
		return draft;
	knot_dname_copy_lower(lower, owner);
	dns_name_init(&name, lower);
	draft = drafts_find(&build->drafts, &name, name.n_labels);
	build->latest = draft;
	if (draft != NULL)
		return draft;
	draft = add_draft(build, &name, name.n_labels, owner);
	/* All that is above a name that is there is there. */
	for (unsigned labels = name.n_labels;
	     draft != NULL && labels-- > build->zone->apex_labels;) {
		if (drafts_find(&build->drafts, &name, labels) != NULL ||
		    (build->base != NULL && dns_zone_find(build->base, &name, labels) != NULL))
			break;
		if (add_draft(build, &name, labels, owner) == NULL)
			return NULL;
	}
	build->latest = draft;
	return draft;
}

bool dns_build_add(struct dns_build *build, const struct dns_record *record)
{
	struct draft *draft = draft_of(build, record->owner);

	if (draft == NULL)
		return false;
	if (draft->first == NULL) /* until now nobody had written this name as an owner */
		memcpy(draft->name + draft->size, record->owner, draft->size);
	return drafts_append(&build->drafts, draft, record);
}

bool dns_build_remove(struct dns_build *build, const uint8_t *owner, uint16_t type)
{
	struct draft *draft = draft_of(build, owner);

	if (draft == NULL)
		return false;
	draft_remove(draft, type);
	return true;
}

bool dns_build_steer(struct dns_build *build, const uint8_t *owner, struct cfg_place place)
{
	struct draft *draft = draft_of(build, owner);
	struct dns_zone *zone = build->zone;

	if (draft == NULL)
		return false;
	zone->steered = xreallocarray(zone->steered, zone->n_steered + 1, sizeof(*zone->steered));
	zone->steered[zone->n_steered] = knot_dname_copy(owner, NULL);
	CHECK(zone->steered[zone->n_steered] != NULL);
	build->steered =
	    xreallocarray(build->steered, zone->n_steered + 1, sizeof(*build->steered));
	build->steered[zone->n_steered] = place;
	draft->steered = ++zone->n_steered;
	return true;
}

/* A record on its way into an RRset. */
struct item {
	const struct draft_record *record;
	unsigned number; /* in the order of the text */
	const uint8_t *canonical;
};

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = (x->record->type > y->record->type) - (x->record->type < y->record->type);

	if (order == 0)
		order = memcmp(x->canonical, y->canonical, MIN(x->record->len, y->record->len));
	if (order == 0)
		order = (x->record->len > y->record->len) - (x->record->len < y->record->len);
	return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

static bool is_again(const struct item *x, const struct item *y)
{
	return x->record->type == y->record->type && x->record->len == y->record->len &&
	       memcmp(x->canonical, y->canonical, x->record->len) == 0;
}

/* The records of a name, those of a type together and in canonical order, each once. */
struct items {
	struct item *v;
	unsigned n, room;
	unsigned n_types;
	size_t bytes; /* of their rdata as libknot keeps it */
};

static bool grow_items(struct items *items)
{
	unsigned room = MAX(16, items->room * 2);
	struct item *v = reallocarray(items->v, room, sizeof(*v));

	if (v == NULL)
		return false;
	items->v = v;
	items->room = room;
	return true;
}

static bool canonical_of(struct dns_build *build, const struct draft_record *r, struct item *item)
{
	uint8_t *copy;

	item->canonical = r->data;
	if (!knot_rrtype_should_be_lowercased(r->type))
		return true;
	copy = drafts_alloc(&build->drafts, r->len);
	if (copy == NULL)
		return false;
	memcpy(copy, r->data, r->len);
	dns_rdata_to_canonical(r->type, copy, r->len);
	item->canonical = copy;
	return true;
}

static bool sort_records(struct dns_build *build, const struct draft *draft, struct items *items)
{
	unsigned n = 0;

	items->n = items->n_types = 0;
	items->bytes = 0;
	for (const struct draft_record *r = draft->first; r != NULL; r = r->next) {
		if (items->n == items->room && !grow_items(items))
			return false;
		struct item *item = &items->v[items->n];

		*item = (struct item){.record = r, .number = items->n++};
		if (draft->first->next == NULL)
			item->canonical = r->data;
		else if (!canonical_of(build, r, item))
			return false;
	}
	if (items->n > 1)
		qsort(items->v, items->n, sizeof(*items->v), compare_items);
	for (unsigned i = 0; i < items->n; i++) {
		if (n > 0 && is_again(&items->v[n - 1], &items->v[i]))
			continue;
		items->n_types +=
		    n == 0 || items->v[n - 1].record->type != items->v[i].record->type;
		items->bytes += knot_rdata_size(items->v[i].record->len);
		items->v[n++] = items->v[i];
	}
	items->n = n;
	return true;
}

static struct cfg_place place_of(const struct dns_build *build, const struct draft_record *r)
{
	if (r->line == 0)
		return build->place;
	return (struct cfg_place){.file = build->zone->sources->v[r->file].path, .line = r->line};
}

static struct cfg_place place_of_set(const struct dns_build *build, const struct dns_rrset *set)
{
	return set->line == 0 ? build->place : dns_zone_place(build->zone, set);
}

static bool is_single(uint16_t type)
{
	return type == KNOT_RRTYPE_SOA || type == KNOT_RRTYPE_CNAME || type == KNOT_RRTYPE_DNAME;
}

static const struct item *earlier(const struct item *a, const struct item *b)
{
	return a->number < b->number ? a : b;
}

/* libknot does not compress an owner in mixed case. */
static bool fits_message(const struct dns_node *node, const struct dns_rrset *set, unsigned n)
{
	size_t head = RECORD_HEAD + (node->owner == node->name ? 0 : node->size);

	return MESSAGE_HEAD + node->size + set->rr.rrs.size + n * head <= MESSAGE_MAX;
}

static void check_set(struct dns_build *build, const struct dns_node *node,
		      const struct dns_rrset *set, const struct item *items, unsigned n)
{
	char owner[DNS_NAME_TEXT], type[DNS_TYPE_TEXT];
	const struct item *first = &items[0], *other = NULL;
	const char *what = dns_type_format(set->rr.type, type);

	dns_name_format(node->owner, owner);
	for (unsigned i = 1; i < n; i++)
		first = earlier(first, &items[i]);
	for (unsigned i = 0; i < n; i++) {
		if (items[i].record->ttl != first->record->ttl)
			other = other == NULL ? &items[i] : earlier(other, &items[i]);
	}
	if (other != NULL) { /* RFC 2181 section 5.2 */
		struct cfg_place at = place_of(build, other->record);

		LOG_LIMITED(LOG_LEVEL_WARN,
			    "%s:%u: %s %s has records of different TTL; the lowest is used for all",
			    at.file, at.line, owner, what);
	}
	if (is_single(set->rr.type) && n > 1) {
		struct cfg_place at = place_of(build, first->record);

		other = NULL;
		for (unsigned i = 0; i < n; i++) {
			if (&items[i] != first)
				other = other == NULL ? &items[i] : earlier(other, &items[i]);
		}
		diag_add(build->diag, place_of(build, other->record),
			 "second %s of %s; the first is at %s:%u", what, owner, at.file, at.line);
	}
	if (!fits_message(node, set, n))
		diag_add(build->diag, place_of(build, first->record),
			 "%s %s: more records of one name and type than fit into a message", owner,
			 what);
}

/* RRset number `index` of the node from the items that begin here; its rdata goes to `rdata`.
 * Returns how many items it took. */
static unsigned make_set(struct dns_build *build, struct dns_node *node, unsigned index,
			 const struct item *items, unsigned n, uint8_t **rdata)
{
	struct dns_rrset *set = &node->rrsets[index];
	const struct item *first = items;
	uint16_t type = items->record->type;
	unsigned count = 0;

	knot_rrset_init(&set->rr, (knot_dname_t *)node->owner, type, KNOT_CLASS_IN,
			items->record->ttl);
	knot_rdataset_init(&set->rrsigs);
	set->rr.rrs.rdata = (knot_rdata_t *)*rdata;
	for (; count < n && items[count].record->type == type; count++) {
		const struct draft_record *r = items[count].record;

		first = earlier(first, &items[count]);
		set->rr.ttl = MIN(set->rr.ttl, r->ttl);
		knot_rdata_init((knot_rdata_t *)*rdata, r->len, r->data);
		*rdata += knot_rdata_size(r->len);
	}
	set->rr.rrs.size = (uint32_t)(*rdata - (uint8_t *)set->rr.rrs.rdata);
	set->rr.rrs.count = (uint16_t)count;
	set->file = first->record->file;
	set->line = first->record->line;
	if (count > 1 || !fits_message(node, set, count))
		check_set(build, node, set, items, count);
	return count;
}

static void check_node(struct dns_build *build, const struct dns_node *node)
{
	const struct dns_rrset *cname = dns_node_rrset(node, KNOT_RRTYPE_CNAME);
	const struct dns_rrset *dname = dns_node_rrset(node, KNOT_RRTYPE_DNAME);
	char owner[DNS_NAME_TEXT], type[DNS_TYPE_TEXT];

	dns_name_format(node->owner, owner);
	if (cname != NULL && node->n_rrsets > 1) {
		const struct dns_rrset *other = &node->rrsets[cname == &node->rrsets[0] ? 1 : 0];
		struct cfg_place at = place_of_set(build, other);

		diag_add(build->diag, place_of_set(build, cname),
			 "CNAME at %s, which has other records (%s at %s:%u)", owner,
			 dns_type_format(other->rr.type, type), at.file, at.line);
	}
	if (dname != NULL && node->delegation) /* RFC 6672 section 2.3 */
		diag_add(build->diag, place_of_set(build, dname),
			 "DNAME at %s, which is delegated: it belongs into the zone there", owner);
	if (node->delegation && knot_dname_is_wildcard(node->name))
		diag_add(build->diag, place_of_set(build, dns_node_rrset(node, KNOT_RRTYPE_NS)),
			 "NS at %s: a wildcard cannot be delegated", owner);
}

/* NULL: no room. */
static struct dns_node *make_node(struct dns_build *build, const struct draft *draft,
				  struct items *items)
{
	const uint8_t *written = draft->name + draft->size;
	bool as_is = memcmp(draft->name, written, draft->size) == 0;
	struct dns_node *node;
	uint8_t *to;

	if (!sort_records(build, draft, items))
		return NULL;
	size_t fixed = sizeof(*node) + items->n_types * sizeof(node->rrsets[0]);

	node = malloc(fixed + items->bytes + draft->size * (as_is ? 1 : 2));
	if (node == NULL)
		return NULL;
	*node = (struct dns_node){
	    .refs = 1, .steered = draft->steered, .hash = draft->hash, .size = draft->size};
	to = (uint8_t *)node + fixed + items->bytes;
	memcpy(to, written, draft->size);
	node->owner = to;
	if (!as_is)
		memcpy(to + draft->size, draft->name, draft->size);
	node->name = as_is ? to : to + draft->size;
	to = (uint8_t *)node + fixed;
	for (unsigned at = 0; at < items->n; node->n_rrsets++)
		at += make_set(build, node, node->n_rrsets, &items->v[at], items->n - at, &to);
	node->delegation = dns_node_rrset(node, KNOT_RRTYPE_NS) != NULL &&
			   knot_dname_size(build->zone->apex_name) != node->size;
	node->dname = dns_node_rrset(node, KNOT_RRTYPE_DNAME) != NULL;
	build->zone->n_records += items->n;
	if (node->n_rrsets > 1 || node->delegation)
		check_node(build, node);
	return node;
}

/* The nodes of all drafts, in canonical order. False: no room. */
static bool make_nodes(struct dns_build *build, const struct dns_node **nodes)
{
	struct drafts *drafts = &build->drafts;
	struct items items = {0};
	uint32_t n = 0;

	while (n < drafts->n && (nodes[n] = make_node(build, drafts->v[n], &items)) != NULL)
		n++;
	free(items.v);
	if (n == drafts->n)
		return true;
	while (n > 0)
		dns_node_unref(nodes[--n]);
	return false;
}

static bool fill(struct dns_build *build)
{
	struct drafts *drafts = &build->drafts;
	const struct dns_node **nodes;
	bool ok;

	if (draft_of(build, build->zone->apex_name) == NULL ||
	    !drafts_sort(drafts, build->zone->apex_labels))
		return false;
	nodes = reallocarray(NULL, drafts->n, sizeof(struct dns_node *));
	ok = nodes != NULL && make_nodes(build, nodes) &&
	     dns_index_fill(build->zone, build->base, nodes, drafts->n);
	free(nodes);
	return ok;
}

/* RFC 6672 section 2.3: there are no names below a DNAME. Canonical order has them right behind it.
 */
static void check_dnames(struct dns_build *build)
{
	const struct dns_zone *zone = build->zone;
	char owner[DNS_NAME_TEXT], below[DNS_NAME_TEXT];
	const struct dns_node *dname = NULL;

	for (size_t i = 0; i < zone->n_nodes && zone->has_dnames; i++) {
		const struct dns_node *node = zone->nodes[i];

		if (dname != NULL && knot_dname_in_bailiwick(node->name, dname->name) > 0) {
			if (node->n_rrsets > 0)
				diag_add(build->diag, place_of_set(build, &node->rrsets[0]),
					 "%s is below %s, which has a DNAME",
					 dns_name_format(node->owner, below),
					 dns_name_format(dname->owner, owner));
		} else {
			dname = node->dname ? node : NULL;
		}
	}
}

/* A steered name answers for itself, and its addresses are chosen. */
static void check_steered(struct dns_build *build, unsigned index)
{
	static const uint16_t forbidden[] = {KNOT_RRTYPE_A, KNOT_RRTYPE_AAAA, KNOT_RRTYPE_CNAME};
	struct cfg_place place = build->steered == NULL ? build->place : build->steered[index];
	char text[DNS_NAME_TEXT], type[DNS_TYPE_TEXT];
	knot_dname_storage_t owner;
	struct dns_lookup found;
	struct dns_name name;

	knot_dname_copy_lower(owner, build->zone->steered[index]);
	dns_name_init(&name, owner);
	dns_name_format(owner, text);
	found = dns_zone_lookup(build->zone, &name);
	if (found.match == DNS_MATCH_DELEGATION)
		diag_add(build->diag, place, "%s is delegated by zone file %s", text,
			 dns_zone_file(build->zone));
	else if (found.match == DNS_MATCH_DNAME)
		diag_add(build->diag, place, "%s is below a DNAME of zone file %s", text,
			 dns_zone_file(build->zone));
	for (unsigned i = 0; i < ARRAY_SIZE(forbidden) && found.match == DNS_MATCH_NODE; i++) {
		const struct dns_rrset *set = dns_node_rrset(found.node, forbidden[i]);

		if (set != NULL)
			diag_add(build->diag, place_of_set(build, set),
				 "%s at %s, which is steered (%s:%u)",
				 dns_type_format(forbidden[i], type), text, place.file, place.line);
	}
}

static void check_zone(struct dns_build *build)
{
	struct dns_zone *zone = build->zone;
	const struct dns_rrset *soa = dns_node_rrset(zone->apex, KNOT_RRTYPE_SOA);
	struct cfg_place top = build->place;

	if (soa == NULL) {
		diag_add(build->diag, top, "no SOA at the apex, %s.", zone->name);
	} else {
		zone->serial = knot_soa_serial(soa->rr.rrs.rdata);
		zone->soa_negative = soa->rr;
		zone->soa_negative.ttl = MIN(soa->rr.ttl, knot_soa_minimum(soa->rr.rrs.rdata));
	}
	if (dns_node_rrset(zone->apex, KNOT_RRTYPE_NS) == NULL)
		diag_add(build->diag, top, "no NS at the apex, %s.", zone->name);
}

struct dns_zone *dns_build_finish(struct dns_build **buildp, struct cfg_place place,
				  struct diag *diag)
{
	struct dns_build *build = *buildp;
	unsigned before = diag_count(diag);
	struct dns_zone *zone = NULL;

	build->diag = diag;
	build->place = place;
	if (!fill(build)) {
		diag_add(diag, place,
			 "zone %s. is too large: there is no memory for all of its records",
			 build->zone->name);
	} else {
		check_zone(build);
		check_dnames(build);
		for (unsigned i = 0; i < build->zone->n_steered; i++)
			check_steered(build, i);
		if (diag_count(diag) == before)
			zone = TAKE(&build->zone);
	}
	dns_build_destroy(buildp);
	return zone;
}
