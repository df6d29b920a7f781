/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the rules about several values share: where things were written, and texts that may be there
 * once. Used by validate_*.c only. One thread.
 */
#pragma once

#include "config/fleet.h"
#include "config/hash.h"
#include "config/syntax/entry.h"

struct validator {
	const struct cfg_fleet *fleet;
	const struct cfg_entry *root; /* for places only */
	struct diag *diag;
	struct cfg_hash hosts; /* struct cfg_site by each of its hosts */
	/* By edge: whom it was seen for last, by a number that each has of its own. */
	unsigned *seen_by;
	unsigned last_seer;
};

/* By section. */
void cfg_validate_edges(struct validator *v);
void cfg_validate_nameservers(struct validator *v);
void cfg_validate_origins(struct validator *v);
void cfg_validate_sites(struct validator *v);
/* `entry` is the site's. */
void cfg_validate_routes(struct validator *v, const struct cfg_site *site,
			 const struct cfg_entry *entry);
void cfg_validate_zones(struct validator *v);
void cfg_validate_geo(struct validator *v);
void cfg_validate_changes(struct validator *v);
void cfg_validate_limits(struct validator *v);
void cfg_validate_tls(struct validator *v);
void cfg_validate_check(struct validator *v, const char *path, const struct cfg_check *check,
			const struct cfg_entry *map, struct cfg_place place);
/* What stands in for the origin. */
void cfg_validate_fallback(struct validator *v, const struct cfg_origin *o,
			   const struct cfg_entry *map);

/* Conditions, of the map `map` if they were written. */
void cfg_validate_match(struct validator *v, const char *path, const struct cfg_match *match,
			const struct cfg_entry *map, struct cfg_place place);

/* How many of {match.N} there are by that expression; `otherwise` when it is NULL. */
unsigned cfg_captures_by(const char *expression, unsigned otherwise);
/* The same of the conditions of the map `map`. */
unsigned cfg_captures_of(const struct cfg_match *when, const struct cfg_entry *map,
			 unsigned otherwise);
/* A text with variables, which may be NULL, where there are so many of {match.N}. */
void cfg_validate_text(struct validator *v, const char *what, const char *text, unsigned captures,
		       struct cfg_place place);

/* Texts that may be there once. All zero: none yet. */
struct cfg_claims {
	struct cfg_hash first; /* where each stands first, by the text */
	bool softly;           /* one that is there again is a warning */
};

/* False, with a complaint, when `text` is there already; `path` is what its place is called. What
 * it costs is little when it is there again: aliases can repeat a list very often. */
bool cfg_claim(struct validator *v, struct cfg_claims *c, const char *text, const char *path,
	       struct cfg_place place);
void cfg_claims_fini(struct cfg_claims *c);

/* `path` is what they are called, `map` where they were written. */
void cfg_validate_retries(struct validator *v, const char *path, const struct cfg_retries *r,
			  const struct cfg_entry *map, struct cfg_place place);

/* Complains about each edge that is in a list twice; `entry` is the list, `path` its name. */
void cfg_validate_edge_list(struct validator *v, const struct cfg_edge *const *edges, unsigned n,
			    const struct cfg_entry *entry, struct cfg_place place,
			    const char *path);

/* Where `key` of a thing was written, or else where the thing was. */
struct cfg_place cfg_place_of(const struct cfg_entry *map, const char *key,
			      struct cfg_place otherwise);
/* The first item of the list under `key`; a single value is a list of itself. */
const struct cfg_entry *cfg_first_item(const struct cfg_entry *map, const char *key);
/* Place of item `i` of the list under `key`. */
struct cfg_place cfg_place_of_item(const struct cfg_entry *map, const char *key, unsigned i,
				   struct cfg_place otherwise);

/* Places of the items of a list, one after the other. */
struct cfg_item_places {
	const struct cfg_entry *next;
	struct cfg_place otherwise;
};

struct cfg_item_places cfg_places_of_items(const struct cfg_entry *map, const char *key,
					   struct cfg_place otherwise);
struct cfg_place cfg_next_place(struct cfg_item_places *p);
/* The i-th thing of a section was filled from its i-th child. */
const struct cfg_entry *cfg_first_thing(const struct validator *v, const char *section);
