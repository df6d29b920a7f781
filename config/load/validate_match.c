/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of conditions, and of texts with variables: each condition says one thing, and can hold at
 * all; no variable is always empty.
 */
#include <stdlib.h>
#include <string.h>

#include "config/load/rules.h"
#include "config/types/template.h"
#include "core/base/check.h"
#include "core/http/regex.h"

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
	validate_parts(v, path, "client_cert", match->client_cert, match->n_client_cert);
	validate_places(v, path, match, map, place);
}

/* Texts */

unsigned cfg_captures_by(const char *expression, unsigned otherwise)
{
	struct regex *regex;
	unsigned n = REGEX_CAPTURES_MAX;
	char *why;

	if (!expression)
		return otherwise;
	regex = regex_compile(expression, &why);
	if (regex)
		n = regex_captures_of(regex);
	else
		free(why);
	regex_destroy(&regex);
	return n;
}

unsigned cfg_captures_of(const struct cfg_match *when, const struct cfg_entry *map,
			 unsigned otherwise)
{
	/* It was written wrong, which was complained about. */
	if (!when->regex && cfg_entry_get(cfg_entry_get(map, "when"), "regex"))
		return REGEX_CAPTURES_MAX;
	return cfg_captures_by(when->regex, otherwise);
}

/* Only a database knows where a client is, and only an expression captures. */
void cfg_validate_text(struct validator *v, const char *what, const char *text, unsigned captures,
		       struct cfg_place place)
{
	struct cfg_template_part part;

	while (text && cfg_template_next(&text, &part)) {
		if (!part.is_variable)
			continue;
		if (v->fleet->geo.databases.n == 0 && cfg_variable_is_of_place(part.variable))
			diag_add(v->diag, place,
				 "%s: {%s} is never known: geo.database is missing, which would "
				 "tell it",
				 what, cfg_variable_name(part.variable));
		if (part.variable != CFG_VAR_MATCH || part.number < captures)
			continue;
		if (captures == 0)
			diag_add(v->diag, place,
				 "%s: {match.%u} is always empty: when.regex is missing, which "
				 "would find it",
				 what, part.number);
		else
			diag_add(v->diag, place,
				 "%s: {match.%u} is always empty: the regular expression has no "
				 "more than {match.%u}",
				 what, part.number, captures - 1);
	}
}
