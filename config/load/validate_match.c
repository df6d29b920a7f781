/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of conditions: each says one thing, and can hold at all.
 */
#include <stdlib.h>
#include <string.h>

#include "config/load/rules.h"
#include "core/base/check.h"

static void validate_parts(struct validator *v, const char *path, const char *key,
			   const struct cfg_match_part *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct cfg_match_part *p = &parts[i];

		if ((p->value != NULL) + (p->regex != NULL) + p->absent > 1)
			diag_add(v->diag, p->place,
				 "%s.%s[%u]: one of value, regex, absent was expected, not several",
				 path, key, i);
	}
}

/* Only a database knows more of a client than its network. */
static void validate_places(struct validator *v, const char *path, const struct cfg_match *match,
			    const struct cfg_entry *map, struct cfg_place place)
{
	const struct {
		const char *key;
		unsigned n;
	} lists[] = {{"countries", match->countries.n}, {"continents", match->continents.n}};

	for (size_t i = 0; i < ARRAY_SIZE(lists) && v->fleet->geo.databases.n == 0; i++) {
		if (lists[i].n > 0)
			diag_add(v->diag, cfg_place_of(map, lists[i].key, place),
				 "%s.%s never matches: geo.database is missing, which would tell "
				 "them",
				 path, lists[i].key);
	}
}

void cfg_validate_match(struct validator *v, const char *path, const struct cfg_match *match,
			const struct cfg_entry *map, struct cfg_place place)
{
	validate_parts(v, path, "fields", match->fields, match->n_fields);
	validate_parts(v, path, "query", match->query, match->n_query);
	validate_places(v, path, match, map, place);
}
