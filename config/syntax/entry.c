/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Operations on the tree that do not depend on YAML.
 */
#include "config/syntax/entry.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

struct cfg_entry *cfg_entry_get(const struct cfg_entry *map, const char *key)
{
	if (map == NULL || map->kind != CFG_ENTRY_MAP)
		return NULL;
	for (struct cfg_entry *n = map->first; n != NULL; n = n->next) {
		if (strcmp(n->key, key) == 0)
			return n;
	}
	return NULL;
}

void cfg_entry_append(struct cfg_entry *parent, struct cfg_entry *child)
{
	child->next = NULL;
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

void cfg_entry_remove(struct cfg_entry *parent, struct cfg_entry *child)
{
	struct cfg_entry **link = &parent->first, *before = NULL;

	while (*link != child) {
		before = *link;
		link = &(*link)->next;
	}
	*link = child->next;
	if (parent->last == child)
		parent->last = before;
	parent->n--;
}

struct numbered {
	struct cfg_entry *entry;
	unsigned position;
};

static int compare_numbered(const void *left, const void *right)
{
	const struct numbered *a = left, *b = right;
	int order = strcmp(a->entry->key, b->entry->key);

	if (order != 0)
		return order;
	return a->position < b->position ? -1 : 1;
}

void cfg_entry_drop_duplicates(struct cfg_entry *map, const char *path, struct diag *diag)
{
	struct numbered *sorted;
	unsigned n = 0;
	const struct cfg_entry *first = NULL;
	struct cfg_entry *entry, *next;

	if (map->n < 2)
		return;
	/* Sorted, because a file of a million keys must not cost a million squared. */
	sorted = xcalloc(map->n, sizeof(*sorted));
	for (entry = map->first; entry != NULL; entry = entry->next, n++)
		sorted[n] = (struct numbered){.entry = entry, .position = n};
	qsort(sorted, n, sizeof(*sorted), compare_numbered);
	for (unsigned i = 0; i < n; i++) {
		entry = sorted[i].entry;
		if (first == NULL || strcmp(first->key, entry->key) != 0) {
			first = entry;
			continue;
		}
		diag_add(diag, entry->key_place, "%s%s%s is defined twice; first at %s:%u:%u", path,
			 *path != '\0' ? "." : "", entry->key, first->key_place.file,
			 first->key_place.line, first->key_place.column);
		entry->key = NULL;
	}
	free(sorted);

	entry = map->first;
	map->first = map->last = NULL;
	map->n = 0;
	for (; entry != NULL; entry = next) {
		next = entry->next;
		if (entry->key != NULL)
			cfg_entry_append(map, entry);
	}
}
