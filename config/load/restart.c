/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which options of class "restart" differ between two fleets, by the option table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "config/options/options.h"
#include "config/types/types.h"
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

/* Writes the path of the first option of class restart that differs, outside of lists of
 * things, after what `path` has. */
static bool differs(const struct cfg_option *table, const char *a, const char *b, char *path,
		    size_t size)
{
	size_t len = strlen(path);

	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		snprintf(path + len, size - len, ".%s", o->key);
		if (o->shape == CFG_SECTION &&
		    differs(o->children, a + o->offset, b + o->offset, path, size))
			return true;
		if (o->reload == CFG_RESTART && !same_option(o, a, b))
			return true;
	}
	path[len] = '\0';
	return false;
}

static bool node_differs(const char *section, const struct cfg_option *table, const char *node,
			 const void *old_node, const void *new_node, char *path, size_t size)
{
	if (old_node == NULL)
		return false;
	snprintf(path, size, "%s.%s", section, node);
	if (new_node == NULL || differs(table, old_node, new_node, path, size))
		return true;
	*path = '\0';
	return false;
}

/* The same of what all edges do. */
static bool shared_differs(const struct cfg_fleet *old_fleet, const struct cfg_fleet *new_fleet,
			   char *path, size_t size)
{
	static const struct {
		const char *key;
		const struct cfg_option *table;
		size_t offset;
	} sections[] = {
	    {"http", cfg_http_options, offsetof(struct cfg_fleet, http)},
	    {"tls", cfg_tls_options, offsetof(struct cfg_fleet, tls)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		size_t offset = sections[i].offset;

		snprintf(path, size, "%s", sections[i].key);
		if (differs(sections[i].table, (const char *)old_fleet + offset,
			    (const char *)new_fleet + offset, path, size))
			return true;
	}
	*path = '\0';
	return false;
}

static bool user_differs(const struct cfg_fleet *old_fleet, const struct cfg_fleet *new_fleet,
			 char *path, size_t size)
{
	if (strcmp(old_fleet->user, new_fleet->user) == 0)
		return false;
	snprintf(path, size, "user");
	return true;
}

bool cfg_keys_need_restart(const struct cfg_fleet *old_fleet, const struct cfg_fleet *new_fleet,
			   char *path, size_t size)
{
	if (user_differs(old_fleet, new_fleet, path, size))
		return true;
	snprintf(path, size, "tls.keys");
	if (differs(cfg_option_find(cfg_tls_options, "keys")->children,
		    (const char *)&old_fleet->tls, (const char *)&new_fleet->tls, path, size))
		return true;
	*path = '\0';
	return false;
}

bool cfg_needs_restart(const struct cfg_fleet *old_fleet, const struct cfg_fleet *new_fleet,
		       const char *node, char *path, size_t size)
{
	const struct cfg_edge *old_edge = cfg_find_edge(old_fleet, node);

	if (user_differs(old_fleet, new_fleet, path, size))
		return true;
	if (node_differs("edges", cfg_edge_options, node, old_edge, cfg_find_edge(new_fleet, node),
			 path, size) ||
	    node_differs("nameservers", cfg_nameserver_options, node,
			 cfg_find_nameserver(old_fleet, node), cfg_find_nameserver(new_fleet, node),
			 path, size))
		return true;
	if (old_edge == NULL)
		return false;
	return shared_differs(old_fleet, new_fleet, path, size);
}
