/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Operations on the tree that do not depend on YAML.
 */
#include "config/node.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

struct cfg_node *cfg_node_get(const struct cfg_node *map, const char *key)
{
	if (map == NULL || map->kind != CFG_NODE_MAP)
		return NULL;
	for (struct cfg_node *n = map->first; n != NULL; n = n->next) {
		if (strcmp(n->key, key) == 0)
			return n;
	}
	return NULL;
}

void cfg_node_append(struct cfg_node *parent, struct cfg_node *child)
{
	child->next = NULL;
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

void cfg_node_remove(struct cfg_node *parent, struct cfg_node *child)
{
	struct cfg_node **link = &parent->first, *before = NULL;

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
	struct cfg_node *node;
	unsigned position;
};

static int compare_numbered(const void *left, const void *right)
{
	const struct numbered *a = left, *b = right;
	int order = strcmp(a->node->key, b->node->key);

	if (order != 0)
		return order;
	return a->position < b->position ? -1 : 1;
}

void cfg_node_drop_duplicates(struct cfg_node *map, const char *path, struct diag *diag)
{
	struct numbered *sorted;
	unsigned n = 0;
	const struct cfg_node *first = NULL;
	struct cfg_node *node, *next;

	if (map->n < 2)
		return;
	/* Sorted, because a file of a million keys must not cost a million squared. */
	sorted = xcalloc(map->n, sizeof(*sorted));
	for (node = map->first; node != NULL; node = node->next, n++)
		sorted[n] = (struct numbered){.node = node, .position = n};
	qsort(sorted, n, sizeof(*sorted), compare_numbered);
	for (unsigned i = 0; i < n; i++) {
		node = sorted[i].node;
		if (first == NULL || strcmp(first->key, node->key) != 0) {
			first = node;
			continue;
		}
		diag_add(diag, node->key_place, "%s%s%s is defined twice; first at %s:%u:%u", path,
			 *path != '\0' ? "." : "", node->key, first->key_place.file,
			 first->key_place.line, first->key_place.column);
		node->key = NULL;
	}
	free(sorted);

	node = map->first;
	map->first = map->last = NULL;
	map->n = 0;
	for (; node != NULL; node = next) {
		next = node->next;
		if (node->key != NULL)
			cfg_node_append(map, node);
	}
}

void *cfg_need(struct arena *mem, size_t size)
{
	void *p = arena_alloc(mem, size);

	CHECK(p != NULL);
	return memset(p, 0, size);
}

char *cfg_need_copy(struct arena *mem, const char *text)
{
	char *copy = arena_copy(mem, text, strlen(text));

	CHECK(copy != NULL);
	return copy;
}
