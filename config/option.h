/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An option of the configuration, which is a row of a table: tables name those of what stands under
 * an option, and all of them together (config/options/) are the whole truth about the
 * configuration. They fill the typed structs, and print the dump, the JSON Schema and the options
 * of perigee.yaml(5). Immutable; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cfg_type;

enum cfg_shape {
	CFG_VALUE,
	CFG_VALUES,  /* a list of values; a single one may stand for it */
	CFG_SECTION, /* a map of options */
	CFG_NAMED,   /* a map of things that the operator names, each a map of options */
	CFG_PAIRS,   /* a map of values whose keys are values too */
	CFG_ITEMS,   /* a list of maps of options; a single map may stand for it */
};

enum cfg_reload {
	CFG_RELOAD,  /* takes effect on reload */
	CFG_RESTART, /* takes effect when the program starts */
};

struct cfg_option {
	const char *key; /* NULL: the end of the table; "*": of any key */
	enum cfg_shape shape;
	/* CFG_NAMED, CFG_PAIRS: of the keys; CFG_SECTION, CFG_ITEMS: NULL. */
	const struct cfg_type *type;
	/* What stands under it: the options of its map, or of each of its maps; CFG_PAIRS: its
	 * value, one row. NULL: a value. */
	const struct cfg_option *children;
	/* In the struct of the thing around it (cfg_fleet, cfg_edge, cfg_route, ...). Lists, named
	 * things and pairs: of a struct cfg_array. Sections: of the struct of its children. */
	size_t offset;
	/* As an operator would write it; NULL: none, or see `required`. The items of a list are
	 * divided by ", ". */
	const char *fallback;
	bool required; /* lists: at least one */
	enum cfg_reload reload;
	int64_t min, max;           /* duration: ns; size: bytes; number: itself; km: itself */
	const char *const *choices; /* cfg_type_choice: NULL-terminated, in order of the enum */
	/* Section: the boolean in it that may be written in its stead. Items: the value that may
	 * stand for an item. */
	const char *shorthand;
	/* A variant: the choice or boolean before it in its table that decides whether this one may
	 * be written, and with which of its values, by 1 << number. NULL: always. */
	const char *choice;
	unsigned when;
	/* Of the struct that knows where it was written, and of its struct cfg_place in it; 0:
	 * none. */
	size_t size, place;
	const char *prose; /* one sentence */
};

/* What every list of struct cfg_fleet and below begins with: see IS_ARRAY of
 * config/options/rows.h. */
struct cfg_array {
	void *v;
	unsigned n;
};

/* NULL when `table` has none of that key. */
const struct cfg_option *cfg_option_find(const struct cfg_option *table, const char *key);
/* Every option of `table` and under it, those that it stands under first. `path` is
 * "edges.*.check.port", where "*" is any name, or any item of a list. */
void cfg_option_each(const struct cfg_option *table,
		     void (*visit)(void *arg, const char *path, const struct cfg_option *option),
		     void *arg);
/* The items of a default, one by one; *rest is its `fallback` first. malloc'd; NULL at the end. */
char *cfg_option_next_default(const struct cfg_option *option, const char **rest);
/* The option whose value decides about `option`; NULL: none. */
const struct cfg_option *cfg_option_decider(const struct cfg_option *option);
/* Whether `option` may be written in the thing at `base`, by what was chosen there. */
bool cfg_option_belongs(const struct cfg_option *option, const void *base);
/* The text of a decider's value; NULL past the last one. */
const char *cfg_option_choice(const struct cfg_option *decider, unsigned value);
/* What it belongs to: "policy continent, failover or static". malloc'd; NULL: always. */
char *cfg_option_belongs_to(const struct cfg_option *option);
