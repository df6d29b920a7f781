/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What an operator wrote, as a tree: scalars, lists and maps, each with its place. Built by
 * cfg_yaml_parse(), put together from several files by cfg_tree_load(), read by cfg_fill() and
 * cfg_validate(). All of it lives in the memory of the fleet. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "config/diag.h"

enum cfg_entry_kind { CFG_ENTRY_SCALAR, CFG_ENTRY_LIST, CFG_ENTRY_MAP };

struct cfg_entry {
	enum cfg_entry_kind kind;
	bool null;     /* scalar: nothing, "~" or "null" was written, without quotes */
	bool broken;   /* was complained about already: to be left alone */
	bool repeated; /* list or map: others have the same items, by an alias */
	unsigned n;    /* children */
	struct cfg_place place;
	const char *text; /* scalar: with environment variables put in; else "" */
	const char *key;  /* NULL when not in a map */
	struct cfg_place key_place;
	struct cfg_entry *first, *last; /* children */
	struct cfg_entry *next;         /* sibling */
};

/* NULL when `map` is not a map or has no such key. */
struct cfg_entry *cfg_entry_get(const struct cfg_entry *map, const char *key);
void cfg_entry_append(struct cfg_entry *parent, struct cfg_entry *child);
void cfg_entry_remove(struct cfg_entry *parent, struct cfg_entry *child);
/* Complains about each key that a map has twice, naming both places, and drops the later one.
 * `path` is the map's own, "" at the top. */
void cfg_entry_drop_duplicates(struct cfg_entry *map, const char *path, struct diag *diag);
