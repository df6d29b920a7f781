/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See rules.h.
 */
#include "config/load/rules.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

void cfg_claim(struct cfg_claims *c, char *text, const char *path, struct cfg_place place)
{
	if (c->n == c->room) {
		c->room = MAX(16, c->room * 2);
		c->v = xreallocarray(c->v, c->room, sizeof(*c->v));
	}
	c->v[c->n] =
	    (struct cfg_claim){.text = text, .path = path, .place = place, .position = c->n};
	c->n++;
}

static int compare_claims(const void *left, const void *right)
{
	const struct cfg_claim *a = left, *b = right;
	int order = strcmp(a->text, b->text);

	return order != 0 ? order : a->position < b->position ? -1 : 1;
}

static void settle(struct validator *v, struct cfg_claims *c,
		   void (*complain)(struct diag *, struct cfg_place, const char *, ...))
{
	unsigned first = 0;

	if (c->n > 0)
		qsort(c->v, c->n, sizeof(*c->v), compare_claims);
	for (unsigned i = 1; i < c->n; i++) {
		const struct cfg_place *at = &c->v[first].place;

		if (strcmp(c->v[first].text, c->v[i].text) != 0)
			first = i;
		else
			complain(v->diag, c->v[i].place,
				 "%s: \"%s\" is there twice; first at %s:%u:%u", c->v[i].path,
				 c->v[i].text, at->file, at->line, at->column);
	}
	for (unsigned i = 0; i < c->n; i++)
		free(c->v[i].text);
	free(c->v);
	*c = (struct cfg_claims){0};
}

void cfg_settle_claims(struct validator *v, struct cfg_claims *c)
{
	settle(v, c, diag_add);
}

void cfg_settle_claims_softly(struct validator *v, struct cfg_claims *c)
{
	settle(v, c, diag_warn);
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
