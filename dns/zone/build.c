/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See build.h. What is collected lies in pages of its own, which are given back whole when the zone
 * is there; a node is then one block: itself, its RRsets, their rdata, its name.
 */
#define LOG_MODULE LOG_ZONE
#include "dns/zone/build.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <libknot/consts.h>
#include <libknot/descriptor.h>
#include <libknot/rrtype/soa.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "dns/zone/index.h"
#include "dns/zone/order.h"
#include "dns/zone/rdata.h"
#include "dns/zone/sources.h"

/* What is collected of a zone of DNS_ZONE_BYTES_MAX of text is some 12 times that in the worst
 * case: records of a few octets each. */
#define BUILD_BYTES_MAX ((size_t)2 << 30)

/* A set is answered whole, in one message of DNS over TCP at most; there each record has a head of
 * at least 12 bytes (RFC 1035 section 4.1.3, its owner compressed). */
#define SET_BYTES_MAX 65535
#define RECORD_HEAD 12

/* Memory that is taken piece by piece and given back at once: to the system, as what is left of a
 * load would else lie between its nodes as long as they live. */
#define POOL_BLOCK ((size_t)1 << 20)

struct pool_block {
	struct pool_block *older;
};

struct pool {
	struct pool_block *blocks;
	size_t n_blocks, left; /* left: at the end of the latest */
};

struct record {
	struct record *next;
	uint32_t ttl, file, line;
	uint16_t type, len;
	uint8_t data[];
};

struct draft {
	struct record *first, *last;
	uint64_t hash;
	uint32_t steered;
	uint8_t size;
	uint8_t name[]; /* in lower case, then as written */
};

/* Finds most names that are not there without a look at any that is. */
struct slot {
	uint32_t tag;    /* of the name's hash */
	uint32_t number; /* 1 + index of its draft; 0: none */
};

struct dns_build {
	struct dns_zone *zone; /* it becomes this; no nodes yet */
	const struct dns_zone *base;
	struct pool pool;
	struct draft **drafts; /* in the order in which they were met */
	uint32_t n_drafts, room;
	struct slot *slots; /* by name, open addressing, at most half full */
	uint32_t slot_mask;
	struct draft *latest; /* records of one name mostly follow each other */
	struct diag *diag;
	struct cfg_place place;
};

/* Aligned to 8 bytes; `size` is at most some records'. NULL: no room. */
static void *pool_alloc(struct pool *pool, size_t size)
{
	size_t rounded = (size + 7) & ~(size_t)7;

	CHECK(rounded <= POOL_BLOCK - sizeof(struct pool_block));
	if (rounded > pool->left) {
		struct pool_block *block;

		if (pool->n_blocks == BUILD_BYTES_MAX / POOL_BLOCK)
			return NULL;
		block = mmap(NULL, POOL_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		if (block == MAP_FAILED)
			return NULL;
		block->older = pool->blocks;
		pool->blocks = block;
		pool->n_blocks++;
		pool->left = POOL_BLOCK - sizeof(*block);
	}
	pool->left -= rounded;
	return (char *)pool->blocks + POOL_BLOCK - pool->left - rounded;
}

static void pool_fini(struct pool *pool)
{
	struct pool_block *older;

	for (struct pool_block *block = pool->blocks; block != NULL; block = older) {
		older = block->older;
		munmap(block, POOL_BLOCK);
	}
	*pool = (struct pool){0};
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
	build->slot_mask = 63;
	build->slots = xcalloc(build->slot_mask + 1, sizeof(*build->slots));
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
	pool_fini(&build->pool);
	free(build->drafts);
	free(build->slots);
	free(build);
}

static void grow_slots(struct dns_build *build)
{
	uint32_t old_mask = build->slot_mask;
	struct slot *old = build->slots;

	build->slot_mask = old_mask * 2 + 1;
	build->slots = xcalloc((size_t)build->slot_mask + 1, sizeof(*build->slots));
	for (size_t i = 0; i <= old_mask; i++) {
		uint32_t at = old[i].tag & build->slot_mask;

		if (old[i].number == 0)
			continue;
		while (build->slots[at].number != 0)
			at = (at + 1) & build->slot_mask;
		build->slots[at] = old[i];
	}
	free(old);
}

/* The slot of the name, or the empty one where it would go. */
static struct slot *find_slot(const struct dns_build *build, uint64_t hash, const uint8_t *name,
			      unsigned size)
{
	uint32_t tag = (uint32_t)hash, at = tag & build->slot_mask;

	for (; build->slots[at].number != 0; at = (at + 1) & build->slot_mask) {
		const struct draft *d;

		if (build->slots[at].tag != tag)
			continue;
		d = build->drafts[build->slots[at].number - 1];
		if (d->hash == hash && d->size == size && memcmp(d->name, name, size) == 0)
			break;
	}
	return &build->slots[at];
}

static struct draft *find_draft(const struct dns_build *build, uint64_t hash, const uint8_t *name,
				unsigned size)
{
	uint32_t number = find_slot(build, hash, name, size)->number;

	return number == 0 ? NULL : build->drafts[number - 1];
}

static bool append(struct dns_build *build, struct draft *draft, const struct dns_record *record)
{
	struct record *r = pool_alloc(&build->pool, sizeof(*r) + record->len);

	if (r == NULL)
		return false;
	*r = (struct record){.ttl = record->ttl,
			     .file = record->file,
			     .line = record->line,
			     .type = record->type,
			     .len = record->len};
	memcpy(r->data, record->data, record->len);
	if (draft->first == NULL)
		draft->first = r;
	else
		draft->last->next = r;
	draft->last = r;
	return true;
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

			if (!append(build, draft, &record))
				return false;
			rdata = knot_rdataset_next((knot_rdata_t *)rdata);
		}
	}
	return true;
}

/* A draft of the name's last `labels` labels; `written` is the same name in the case that counts
 * when nobody has written it before. NULL: no room. */
static struct draft *add_draft(struct dns_build *build, const struct dns_name *name,
			       unsigned labels, const uint8_t *written)
{
	unsigned size = dns_name_suffix_size(name, labels), start = name->start[labels];
	const struct dns_node *old =
	    build->base == NULL ? NULL : dns_zone_find(build->base, name, labels);
	struct draft *draft = pool_alloc(&build->pool, sizeof(*draft) + 2 * size);

	if (draft == NULL)
		return NULL;
	*draft = (struct draft){.hash = name->hash[labels], .size = (uint8_t)size};
	memcpy(draft->name, name->wire + start, size);
	memcpy(draft->name + size, old != NULL ? old->owner : written + start, size);
	if (old != NULL && !take_over(build, draft, old))
		return NULL;
	if (build->n_drafts == build->room) {
		build->room = MAX(64, build->room * 2);
		build->drafts = xreallocarray(build->drafts, build->room, sizeof(*build->drafts));
	}
	if (build->n_drafts >= build->slot_mask / 2)
		grow_slots(build);
	build->drafts[build->n_drafts++] = draft;
	*find_slot(build, draft->hash, draft->name, size) =
	    (struct slot){(uint32_t)draft->hash, build->n_drafts};
	return draft;
}

/* The draft of a name, made with the empty non-terminals above it when it is not there yet. NULL:
 * no room. */
static struct draft *draft_of(struct dns_build *build, const uint8_t *owner)
{
	struct draft *draft = build->latest;
	knot_dname_storage_t lower;
	struct dns_name name;
	unsigned labels;

	if (draft != NULL && knot_dname_is_case_equal(draft->name, owner))
		return draft;
	knot_dname_copy_lower(lower, owner);
	dns_name_init(&name, lower);
	labels = name.n_labels;
	draft = find_draft(build, name.hash[labels], lower, name.size);
	if (draft == NULL)
		draft = add_draft(build, &name, labels, owner);
	build->latest = draft;
	/* All that is above a name that is there is there. */
	for (bool there = draft == NULL; !there && labels-- > build->zone->apex_labels;) {
		const uint8_t *suffix = dns_name_suffix(&name, labels);
		unsigned size = dns_name_suffix_size(&name, labels);

		there = find_draft(build, name.hash[labels], suffix, size) != NULL ||
			(build->base != NULL && dns_zone_find(build->base, &name, labels) != NULL);
		if (!there && add_draft(build, &name, labels, owner) == NULL)
			return NULL;
	}
	return draft;
}

bool dns_build_add(struct dns_build *build, const struct dns_record *record)
{
	struct draft *draft = draft_of(build, record->owner);

	if (draft == NULL)
		return false;
	if (draft->first == NULL) /* until now nobody had written this name as an owner */
		memcpy(draft->name + draft->size, record->owner, draft->size);
	return append(build, draft, record);
}

bool dns_build_remove(struct dns_build *build, const uint8_t *owner, uint16_t type)
{
	struct draft *draft = draft_of(build, owner);

	if (draft == NULL)
		return false;
	draft->last = NULL;
	for (struct record **r = &draft->first; *r != NULL;) {
		if ((*r)->type == type) {
			*r = (*r)->next;
		} else {
			draft->last = *r;
			r = &(*r)->next;
		}
	}
	return true;
}

bool dns_build_steer(struct dns_build *build, const uint8_t *owner)
{
	struct draft *draft = draft_of(build, owner);
	struct dns_zone *zone = build->zone;

	if (draft == NULL)
		return false;
	zone->steered = xreallocarray(zone->steered, zone->n_steered + 1, sizeof(*zone->steered));
	zone->steered[zone->n_steered] = knot_dname_copy(owner, NULL);
	CHECK(zone->steered[zone->n_steered] != NULL);
	draft->steered = ++zone->n_steered;
	return true;
}

/* A record on its way into an RRset. */
struct item {
	const struct record *record;
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

static bool canonical_of(struct dns_build *build, const struct record *r, struct item *item)
{
	uint8_t *copy;

	item->canonical = r->data;
	if (!knot_rrtype_should_be_lowercased(r->type))
		return true;
	copy = pool_alloc(&build->pool, r->len);
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
	for (const struct record *r = draft->first; r != NULL; r = r->next) {
		if (items->n == items->room) {
			items->room = MAX(16, items->room * 2);
			items->v = xreallocarray(items->v, items->room, sizeof(*items->v));
		}
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

static struct cfg_place place_of(const struct dns_build *build, const struct record *r)
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
	if (set->rr.rrs.size + n * RECORD_HEAD > SET_BYTES_MAX)
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
		const struct record *r = items[count].record;

		first = earlier(first, &items[count]);
		set->rr.ttl = MIN(set->rr.ttl, r->ttl);
		knot_rdata_init((knot_rdata_t *)*rdata, r->len, r->data);
		*rdata += knot_rdata_size(r->len);
	}
	set->rr.rrs.size = (uint32_t)(*rdata - (uint8_t *)set->rr.rrs.rdata);
	set->rr.rrs.count = (uint16_t)count;
	set->file = first->record->file;
	set->line = first->record->line;
	if (count > 1 || set->rr.rrs.size + RECORD_HEAD > SET_BYTES_MAX)
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

static void sort_drafts(struct dns_build *build)
{
	struct dns_ordered *v = xreallocarray(NULL, build->n_drafts + 1, sizeof(*v));

	for (uint32_t i = 0; i < build->n_drafts; i++)
		v[i].name = build->drafts[i]->name;
	dns_order(v, build->n_drafts, build->zone->apex_labels);
	for (uint32_t i = 0; i < build->n_drafts; i++)
		build->drafts[i] = CONTAINER_OF(v[i].name, struct draft, name);
	free(v);
}

/* The nodes of all drafts, in canonical order. False: no room. No draft is found any more. */
static bool make_nodes(struct dns_build *build, const struct dns_node **nodes)
{
	struct items items = {0};
	uint32_t n = 0;

	sort_drafts(build);
	while (n < build->n_drafts &&
	       (nodes[n] = make_node(build, build->drafts[n], &items)) != NULL)
		n++;
	free(items.v);
	if (n == build->n_drafts)
		return true;
	while (n > 0)
		dns_node_unref(nodes[--n]);
	return false;
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
	const struct dns_node **nodes = xcalloc((size_t)build->n_drafts + 1, sizeof(*nodes));
	unsigned before = diag_count(diag);
	struct dns_zone *zone = NULL;

	build->diag = diag;
	build->place = place;
	if (draft_of(build, build->zone->apex_name) == NULL || !make_nodes(build, nodes)) {
		diag_add(build->diag, place,
			 "zone %s. is too large: there is no memory for all of its records",
			 build->zone->name);
	} else {
		dns_index_fill(build->zone, build->base, nodes, build->n_drafts);
		check_zone(build);
		check_dnames(build);
		if (diag_count(diag) == before)
			zone = TAKE(&build->zone);
	}
	free(nodes);
	dns_build_destroy(buildp);
	return zone;
}
