/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an operator wrote, as a tree: scalars, lists and maps, each with its place. Built by
 * cfg_yaml_parse(), put together from several files by cfg_tree_load(), read by the option table.
 * All of it lives in one arena. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/diag.h"
#include "core/base/arena.h"

enum cfg_node_kind { CFG_NODE_SCALAR, CFG_NODE_LIST, CFG_NODE_MAP };

struct cfg_node {
	enum cfg_node_kind kind;
	bool null;   /* scalar: nothing, "~" or "null" was written, without quotes */
	bool broken; /* was complained about already: to be left alone */
	unsigned n;  /* children */
	struct cfg_place place;
	const char *text; /* scalar: with environment variables put in; never NULL */
	const char *key;  /* NULL when not in a map */
	struct cfg_place key_place;
	struct cfg_node *first, *last; /* children */
	struct cfg_node *next;         /* sibling */
};

/* NULL when `map` is not a map or has no such key. */
struct cfg_node *cfg_node_get(const struct cfg_node *map, const char *key);
void cfg_node_append(struct cfg_node *parent, struct cfg_node *child);
void cfg_node_remove(struct cfg_node *parent, struct cfg_node *child);
/* Complains about each key that a map has twice, naming both places, and drops the later one.
 * `path` is the map's own, "" at the top. */
void cfg_node_drop_duplicates(struct cfg_node *map, const char *path, struct diag *diag);

/* Zeroed. The tree is bounded (see cfg_yaml.h), so running out is memory gone: aborts. */
void *cfg_need(struct arena *mem, size_t size);
char *cfg_need_copy(struct arena *mem, const char *text);
