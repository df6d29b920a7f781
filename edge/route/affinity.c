/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See affinity.h. A text that is empty, or for which there is no room, makes no key: such requests
 * would all go to one server otherwise.
 */
#include "edge/route/affinity.h"

#include <stdlib.h>

#include <xxhash.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/facts/template.h"

/* Of one origin. */
struct affinity {
	struct edge_template *by; /* NULL: it does not hash */
};

struct edge_affinities {
	unsigned n;
	struct affinity v[]; /* by the origin's id */
};

struct edge_affinities *edge_affinities_create(const struct cfg_fleet *fleet)
{
	struct edge_affinities *a =
	    xcalloc(1, sizeof(*a) + fleet->n_origins * sizeof(struct affinity));

	a->n = fleet->n_origins;
	for (unsigned i = 0; i < a->n; i++) {
		const struct cfg_balance *balance = &fleet->origins[i].balance;

		if (balance->method == CFG_BALANCE_HASH)
			a->v[i].by = edge_template_create(balance->hash.by, EDGE_TEXT_KEY);
	}
	return a;
}

void edge_affinities_destroy(struct edge_affinities **affinitiesp)
{
	struct edge_affinities *a = TAKE(affinitiesp);

	if (!a)
		return;
	for (unsigned i = 0; i < a->n; i++)
		edge_template_destroy(&a->v[i].by);
	free(a);
}

struct olink_affinity edge_affinity_of(const struct edge_affinities *affinities,
				       const struct cfg_origin *origin,
				       const struct edge_facts *facts, struct arena *arena)
{
	const struct affinity *a = &affinities->v[origin->id];
	struct olink_affinity affinity = {0};
	struct span key;

	if (a->by && edge_template_expand(a->by, facts, arena, &key) && key.n > 0) {
		affinity.has_key = true;
		affinity.key = XXH3_64bits(key.p, key.n);
	}
	return affinity;
}
