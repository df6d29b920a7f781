/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See rules.h.
 */
#include "config/load/rules.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

struct claim {
	struct cfg_place place;
	char text[];
};

bool cfg_claim(struct validator *v, struct cfg_claims *c, const char *text, const char *path,
	       struct cfg_place place)
{
	size_t len = strlen(text);
	const struct claim *first = cfg_hash_get(&c->first, text, len);
	struct claim *claim;

	if (first != NULL) {
		(c->softly ? diag_warn : diag_add)(
		    v->diag, place, "%s: \"%s\" is there twice; first at %s:%u:%u", path, text,
		    first->place.file, first->place.line, first->place.column);
		return false;
	}
	claim = xmalloc(sizeof(*claim) + len + 1);
	claim->place = place;
	memcpy(claim->text, text, len + 1);
	cfg_hash_put(&c->first, claim->text, len, claim);
	return true;
}

void cfg_claims_fini(struct cfg_claims *c)
{
	for (unsigned i = 0; i < c->first.size; i++)
		free((void *)c->first.slots[i].value);
	cfg_hash_fini(&c->first);
}

void cfg_validate_edge_list(struct validator *v, const struct cfg_edge *const *edges, unsigned n,
			    const struct cfg_entry *entry, struct cfg_place place, const char *path)
{
	const struct cfg_entry *item = NULL;
	unsigned self = ++v->last_seer;

	if (entry != NULL)
		item = entry->kind == CFG_ENTRY_LIST ? entry->first : entry;
	for (unsigned i = 0; i < n; i++) {
		unsigned *seen_by =
		    edges[i] != NULL ? &v->seen_by[edges[i] - v->fleet->edges] : NULL;

		if (seen_by != NULL && *seen_by == self)
			diag_add(v->diag, item != NULL ? item->place : place,
				 "%s: \"%s\" is there twice", path, edges[i]->name);
		if (seen_by != NULL)
			*seen_by = self;
		if (edges[i] != NULL && !cfg_edge_takes_clients(edges[i]))
			diag_add(v->diag, item != NULL ? item->place : place,
				 "%s: \"%s\" takes no clients: edges.%s.listen is empty", path,
				 edges[i]->name, edges[i]->name);
		item = item != NULL ? item->next : NULL;
	}
}

struct cfg_place cfg_place_of(const struct cfg_entry *map, const char *key,
			      struct cfg_place otherwise)
{
	const struct cfg_entry *n = cfg_entry_get(map, key);

	return n != NULL ? n->place : otherwise;
}

const struct cfg_entry *cfg_first_item(const struct cfg_entry *map, const char *key)
{
	const struct cfg_entry *n = cfg_entry_get(map, key);

	return n != NULL && n->kind == CFG_ENTRY_LIST ? n->first : n;
}

struct cfg_item_places cfg_places_of_items(const struct cfg_entry *map, const char *key,
					   struct cfg_place otherwise)
{
	return (struct cfg_item_places){.next = cfg_first_item(map, key), .otherwise = otherwise};
}

struct cfg_place cfg_next_place(struct cfg_item_places *p)
{
	const struct cfg_entry *n = p->next;

	if (n == NULL)
		return p->otherwise;
	p->next = n->next;
	return n->place;
}

struct cfg_place cfg_place_of_item(const struct cfg_entry *map, const char *key, unsigned i,
				   struct cfg_place otherwise)
{
	struct cfg_item_places places = cfg_places_of_items(map, key, otherwise);

	while (i-- > 0)
		cfg_next_place(&places);
	return cfg_next_place(&places);
}

const struct cfg_entry *cfg_first_thing(const struct validator *v, const char *section)
{
	const struct cfg_entry *n = cfg_entry_get(v->root, section);

	return n != NULL ? n->first : NULL;
}

void cfg_validate_check(struct validator *v, const char *path, const struct cfg_check *check,
			const struct cfg_entry *map, struct cfg_place place)
{
	if (check->interval.ns == 0 || check->timeout.ns <= check->interval.ns)
		return;
	place = cfg_place_of(map, "timeout", cfg_place_of(map, "interval", place));
	diag_add(v->diag, place, "%s: the timeout is longer than the interval", path);
}
