/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which options of class "restart" differ between two fleets, by the option table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "config/options.h"
#include "core/base/check.h"

static bool same_text(const struct cfg_option *o, const void *a, const void *b)
{
	char *text_a = o->type->format(o, a), *text_b = o->type->format(o, b);
	bool same =
	    text_a == NULL || text_b == NULL ? text_a == text_b : strcmp(text_a, text_b) == 0;

	free(text_a);
	free(text_b);
	return same;
}

static bool same_option(const struct cfg_option *o, const void *base_a, const void *base_b)
{
	const char *a = (const char *)base_a + o->offset, *b = (const char *)base_b + o->offset;
	const struct cfg_array *list_a = (const void *)a, *list_b = (const void *)b;

	if (o->shape == CFG_VALUE)
		return same_text(o, a, b);
	if (list_a->n != list_b->n)
		return false;
	for (unsigned i = 0; i < list_a->n; i++) {
		size_t at = i * o->type->size;

		if (!same_text(o, (const char *)list_a->v + at, (const char *)list_b->v + at))
			return false;
	}
	return true;
}

/* The first option of class restart that differs, among those whose path begins with `under`. */
static const struct cfg_option *first_difference(const char *under, const void *a, const void *b)
{
	for (const struct cfg_option *o = cfg_options; o < cfg_options + cfg_n_options; o++) {
		if (o->reload == CFG_RESTART && strncmp(o->path, under, strlen(under)) == 0 &&
		    !same_option(o, a, b))
			return o;
	}
	return NULL;
}

/* A node of one kind: `under` is "edges.*." or "nameservers.*.". */
static bool node_differs(const char *under, const char *node, const void *old_node,
			 const void *new_node, char *path, size_t size)
{
	int section_len = (int)strcspn(under, ".");
	const struct cfg_option *o;

	if (old_node == NULL)
		return false;
	if (new_node == NULL) {
		snprintf(path, size, "%.*s.%s", section_len, under, node);
		return true;
	}
	o = first_difference(under, old_node, new_node);
	if (o != NULL)
		snprintf(path, size, "%.*s.%s.%s", section_len, under, node,
			 o->path + strlen(under));
	return o != NULL;
}

bool cfg_needs_restart(const struct cfg_fleet *old_fleet, const struct cfg_fleet *new_fleet,
		       const char *node, char *path, size_t size)
{
	const struct cfg_edge *old_edge = cfg_find_edge(old_fleet, node);
	const struct cfg_option *o;

	if (node_differs("edges.*.", node, old_edge, cfg_find_edge(new_fleet, node), path, size) ||
	    node_differs("nameservers.*.", node, cfg_find_nameserver(old_fleet, node),
			 cfg_find_nameserver(new_fleet, node), path, size))
		return true;
	if (old_edge == NULL)
		return false;
	o = first_difference("http.", old_fleet, new_fleet);
	if (o != NULL)
		snprintf(path, size, "%s", o->path);
	return o != NULL;
}
