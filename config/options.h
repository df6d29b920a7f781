/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The option table: the whole truth about the configuration. It fills the typed structs, and prints
 * the dump, the JSON Schema and perigee.yaml(5). Immutable; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/types.h"

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
	/* "edges.*.check.port"; "*" is any name, or any item of a list. */
	const char *path;
	enum cfg_shape shape;
	const struct cfg_type
	    *type; /* CFG_NAMED, CFG_PAIRS: of the key; CFG_SECTION, CFG_ITEMS: NULL */
	/* In the struct of the thing around it (cfg_fleet, cfg_edge, cfg_route, ...). Lists and
	 * named things: of a struct cfg_array. */
	size_t offset;
	/* As an operator would write it; NULL: none, or see `required`. The items of a list are
	 * divided by ", ". */
	const char *fallback;
	bool required; /* lists: at least one */
	enum cfg_reload reload;
	int64_t min, max;           /* duration: ns; size: bytes; number: itself; km: itself */
	const char *const *choices; /* cfg_type_choice: NULL-terminated, in order of the enum */
	const char *shorthand; /* section: the boolean in it that may be written in its stead */
	/* The option beside it, before it, whose choice decides whether this one may be written;
	 * NULL: always. For those of its choices that are set in `when`, by 1 << number. */
	const char *choice;
	unsigned when;
	/* Of the struct that knows where it was written, and of its struct cfg_place in it; 0:
	 * none. */
	size_t size, place;
	const char *prose; /* one sentence */
};

/* What every list of struct cfg_fleet and below begins with: see the static asserts. */
struct cfg_array {
	void *v;
	unsigned n;
};

extern const struct cfg_option cfg_options[];
extern const unsigned cfg_n_options;

/* The options right under `parent` (NULL: at the top), one by one: NULL first, then the last one;
 * NULL at the end. */
const struct cfg_option *cfg_option_next(const struct cfg_option *parent,
					 const struct cfg_option *last);
const struct cfg_option *cfg_option_child(const struct cfg_option *parent, const char *key);
/* The items of a default, one by one; *rest is its `fallback` first. malloc'd; NULL at the end. */
char *cfg_option_next_default(const struct cfg_option *option, const char **rest);
/* The option whose choice decides about `option`; NULL: none. */
const struct cfg_option *cfg_option_decider(const struct cfg_option *option);
/* Whether `option` may be written in the thing at `base`, by what was chosen there. */
bool cfg_option_belongs(const struct cfg_option *option, const void *base);
/* The choices that it belongs to, "failover, static", malloc'd; NULL when to all. */
char *cfg_option_belongs_to(const struct cfg_option *option);
/* The last part of its path. */
const char *cfg_option_key(const struct cfg_option *option);
/* The text of its range, "1s to 1h", malloc'd; NULL when it has none. */
char *cfg_option_range(const struct cfg_option *option);
