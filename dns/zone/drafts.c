/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/zone/drafts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/check.h"
#include "dns/zone/order.h"

/* What is collected of a zone of DNS_ZONE_BYTES_MAX of text is some 12 times that in the worst
 * case: names and records of a few octets each. */
#define BYTES_MAX ((size_t)2 << 30)

/* Mapped, not from malloc(): what is left of a load would else lie between the nodes that were made
 * meanwhile, as long as those live. */
#define BLOCK_SIZE ((size_t)1 << 20)

struct draft_block {
	struct draft_block *older;
	uint64_t data[];
};

/* Tells of most names that they are not there without a look at any that is. */
struct draft_slot {
	uint32_t tag;    /* of the name's hash */
	uint32_t number; /* 1 + index of its draft; 0: none */
};

void drafts_fini(struct drafts *drafts)
{
	struct draft_block *older;

	for (struct draft_block *block = drafts->blocks; block != NULL; block = older) {
		older = block->older;
		munmap(block, BLOCK_SIZE);
	}
	free(drafts->v);
	free(drafts->slots);
	*drafts = (struct drafts){0};
}

void *drafts_alloc(struct drafts *drafts, size_t size)
{
	size_t rounded = (size + 7) & ~(size_t)7;

	CHECK(rounded <= BLOCK_SIZE - sizeof(struct draft_block));
	if (rounded > drafts->left) {
		struct draft_block *block;

		if (drafts->n_blocks == BYTES_MAX / BLOCK_SIZE)
			return NULL;
		block = mmap(NULL, BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		if (block == MAP_FAILED)
			return NULL;
		block->older = drafts->blocks;
		drafts->blocks = block;
		drafts->n_blocks++;
		drafts->left = BLOCK_SIZE - sizeof(*block);
	}
	drafts->left -= rounded;
	return (char *)drafts->blocks + BLOCK_SIZE - drafts->left - rounded;
}

/* The slot of the name, or the empty one where it would go. */
static struct draft_slot *find_slot(const struct drafts *drafts, uint64_t hash, const uint8_t *name,
				    unsigned size)
{
	uint32_t tag = (uint32_t)hash, at = tag & drafts->slot_mask;

	for (; drafts->slots[at].number != 0; at = (at + 1) & drafts->slot_mask) {
		const struct draft *d;

		if (drafts->slots[at].tag != tag)
			continue;
		d = drafts->v[drafts->slots[at].number - 1];
		if (d->hash == hash && d->size == size && memcmp(d->name, name, size) == 0)
			break;
	}
	return &drafts->slots[at];
}

struct draft *drafts_find(const struct drafts *drafts, const struct dns_name *name, unsigned labels)
{
	uint32_t number = drafts->n == 0
			      ? 0
			      : find_slot(drafts, name->hash[labels], dns_name_suffix(name, labels),
					  dns_name_suffix_size(name, labels))
				    ->number;

	return number == 0 ? NULL : drafts->v[number - 1];
}

static bool grow_slots(struct drafts *drafts)
{
	uint32_t mask = drafts->slots == NULL ? 63 : drafts->slot_mask * 2 + 1;
	struct draft_slot *slots = calloc((size_t)mask + 1, sizeof(*slots));

	if (slots == NULL)
		return false;
	for (size_t i = 0; drafts->slots != NULL && i <= drafts->slot_mask; i++) {
		uint32_t at = drafts->slots[i].tag & mask;

		if (drafts->slots[i].number == 0)
			continue;
		while (slots[at].number != 0)
			at = (at + 1) & mask;
		slots[at] = drafts->slots[i];
	}
	free(drafts->slots);
	drafts->slots = slots;
	drafts->slot_mask = mask;
	return true;
}

/* Room for one more. */
static bool grow(struct drafts *drafts)
{
	if (drafts->n == drafts->room) {
		uint32_t room = MAX(64, drafts->room * 2);
		struct draft **v = reallocarray(drafts->v, room, sizeof(struct draft *));

		if (v == NULL)
			return false;
		drafts->v = v;
		drafts->room = room;
	}
	return (drafts->slots != NULL && drafts->n < drafts->slot_mask / 2) || grow_slots(drafts);
}

struct draft *drafts_add(struct drafts *drafts, const struct dns_name *name, unsigned labels,
			 const uint8_t *written)
{
	unsigned size = dns_name_suffix_size(name, labels), start = name->start[labels];
	struct draft *draft = drafts_alloc(drafts, sizeof(*draft) + 2 * size);

	if (draft == NULL || !grow(drafts))
		return NULL;
	*draft = (struct draft){.hash = name->hash[labels], .size = (uint8_t)size};
	memcpy(draft->name, name->wire + start, size);
	memcpy(draft->name + size, written + start, size);
	drafts->v[drafts->n++] = draft;
	*find_slot(drafts, draft->hash, draft->name, size) =
	    (struct draft_slot){(uint32_t)draft->hash, drafts->n};
	return draft;
}

bool drafts_append(struct drafts *drafts, struct draft *draft, const struct dns_record *record)
{
	struct draft_record *r = drafts_alloc(drafts, sizeof(*r) + record->len);

	if (r == NULL)
		return false;
	*r = (struct draft_record){.ttl = record->ttl,
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

void draft_remove(struct draft *draft, uint16_t type)
{
	struct draft_record **r = &draft->first;

	draft->last = NULL;
	while (*r != NULL) {
		if ((*r)->type == type) {
			*r = (*r)->next;
		} else {
			draft->last = *r;
			r = &(*r)->next;
		}
	}
}

bool drafts_sort(struct drafts *drafts, unsigned apex_labels)
{
	struct dns_ordered *names = reallocarray(NULL, (size_t)drafts->n + 1, sizeof(*names));

	if (names == NULL)
		return false;
	for (uint32_t i = 0; i < drafts->n; i++)
		names[i].name = drafts->v[i]->name;
	dns_order(names, drafts->n, apex_labels);
	for (uint32_t i = 0; i < drafts->n; i++)
		drafts->v[i] = CONTAINER_OF(names[i].name, struct draft, name);
	free(names);
	return true;
}
