/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of retries, of origins and of routes.
 */
#include "config/load/rules.h"

/* As many as a request copies. */
#define STATUSES_MAX 8
/* Half of all would be sent twice. */
#define PERCENTILE_MIN 50

void cfg_validate_retries(struct validator *v, const char *path, const struct cfg_retries *r,
			  const struct cfg_entry *map, struct cfg_place place)
{
	struct cfg_item_places places = cfg_places_of_items(map, "statuses", place);

	for (unsigned i = 0; i < r->n_statuses; i++) {
		struct cfg_place at = cfg_next_place(&places);

		if (i == STATUSES_MAX)
			diag_add(v->diag, at, "%s.statuses: there may be %u only", path,
				 STATUSES_MAX);
		/* What could not be read was complained about. */
		if (r->statuses[i].low != 0 && r->statuses[i].low < 400)
			diag_add(v->diag, at, "%s.statuses: %u is no error", path,
				 r->statuses[i].low);
	}
	if (r->attempts == 0 && r->n_statuses > 0)
		diag_add(v->diag, place, "%s: statuses have no effect without attempts", path);
	if (r->hedge.enabled && r->hedge.percentile < PERCENTILE_MIN && r->hedge.after.ns == 0)
		diag_add(v->diag, place, "%s.hedge: at least %u%% was expected as percentile", path,
			 PERCENTILE_MIN);
}
