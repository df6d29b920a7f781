/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of what stands in for an origin without a server that is up: fallbacks that end, pages that
 * have a content.
 */
#include <stdlib.h>
#include <string.h>

#include "config/load/rules.h"
#include "config/load/validate.h"
#include "config/route.h"
#include "core/base/check.h"

/* Whether following fallbacks from it leads back to it; circles that it is not part of are told of
 * those that are. */
static bool is_in_a_circle(const struct cfg_fleet *fleet, const struct cfg_origin *o)
{
	const struct cfg_origin *next = o->fallback;

	for (unsigned i = 0; i < fleet->n_origins && next != NULL; i++, next = next->fallback) {
		if (next == o)
			return true;
	}
	return false;
}

static void validate_page(struct validator *v, const struct cfg_origin *o)
{
	const struct cfg_respond *page = o->page;

	if (o->n_page != 1) {
		diag_add(v->diag, o->place,
			 "origins.%s: all_down: page wants one page, and there %s", o->name,
			 o->n_page == 0 ? "is none" : "are several");
		return;
	}
	if ((page->text != NULL) == (page->file != NULL))
		diag_add(v->diag, page->place,
			 "origins.%s.page: either text or file was expected, not %s", o->name,
			 page->text != NULL ? "both" : "none of them");
	if (page->status == 204 || page->status == 205 ||
	    (page->status >= 300 && page->status <= 399))
		diag_add(v->diag, page->place,
			 "origins.%s.page: status %u is none that a page can have", o->name,
			 page->status);
}

static void find(struct cfg_fleet *fleet, struct cfg_origin *o, const struct cfg_entry *map,
		 struct diag *diag)
{
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		if (strcmp(fleet->origins[i].name, o->fallback_name) == 0)
			o->fallback = &fleet->origins[i];
	}
	if (o->fallback == NULL)
		diag_add(diag, cfg_place_of(map, "fallback", o->place),
			 "origins.%s.fallback: there is no origin \"%s\"", o->name,
			 o->fallback_name);
}

void cfg_find_fallbacks(struct cfg_fleet *fleet, const struct cfg_entry *root, struct diag *diag)
{
	const struct cfg_entry *map = cfg_entry_get(root, "origins");

	map = map != NULL ? map->first : NULL;
	for (unsigned i = 0; i < fleet->n_origins; i++, map = map->next) {
		struct cfg_origin *o = &fleet->origins[i];

		if (o->all_down == CFG_ALL_DOWN_FALLBACK && o->fallback_name != NULL)
			find(fleet, o, map, diag);
	}
}

void cfg_validate_fallback(struct validator *v, const struct cfg_origin *o,
			   const struct cfg_entry *map)
{
	if (o->all_down == CFG_ALL_DOWN_PAGE)
		validate_page(v, o);
	if (o->all_down == CFG_ALL_DOWN_FALLBACK && cfg_entry_get(map, "fallback") == NULL)
		diag_add(v->diag, o->place, "origins.%s: all_down: fallback wants a fallback",
			 o->name);
	if (is_in_a_circle(v->fleet, o))
		diag_add(v->diag, cfg_place_of(map, "fallback", o->place),
			 "origins.%s.fallback: it leads back to %s: a request would go in circles",
			 o->name, o->name);
}
