/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Weighted rendezvous hashing: each origin draws a number by the key, and the lowest one is taken.
 * It is drawn from an exponential distribution whose rate is the weight, so that each origin has
 * the lowest one as often as its weight has it (Schindelhauer and Schomaker, "Weighted distributed
 * hash tables", 2005), and what one draws does not depend on the others.
 */
#include "edge/route/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "config/fleet.h"
#include "core/base/check.h"

struct part {
	const struct cfg_origin *origin;
	double weight;
	uint64_t seed; /* of its draws */
};

struct edge_split {
	unsigned n;
	struct part parts[];
};

struct edge_split *edge_split_create(const struct cfg_route *cfg, const char *site)
{
	struct edge_split *split;
	uint64_t of_site;

	if (cfg->n_split == 0)
		return NULL;
	of_site = XXH3_64bits(site, strlen(site));
	split = xcalloc(1, sizeof(*split) + cfg->n_split * sizeof(split->parts[0]));
	for (unsigned i = 0; i < cfg->n_split; i++) {
		const struct cfg_split *said = &cfg->split[i];

		if (said->weight == 0)
			continue;
		split->parts[split->n++] = (struct part){
		    .origin = said->origin,
		    .weight = said->weight,
		    .seed = XXH3_64bits_withSeed(said->origin->name, strlen(said->origin->name),
						 of_site),
		};
	}
	CHECK(split->n > 0);
	return split;
}

void edge_split_destroy(struct edge_split **splitp)
{
	struct edge_split *split = TAKE(splitp);

	free(split);
}

const struct cfg_origin *edge_split_choose(const struct edge_split *split, struct span key)
{
	const struct cfg_origin *chosen = split->parts[0].origin;
	double lowest = INFINITY;

	for (unsigned i = 0; i < split->n; i++) {
		const struct part *part = &split->parts[i];
		uint64_t hash = XXH3_64bits_withSeed(key.p, key.n, part->seed);
		/* Between 0 and 1, but neither of them. */
		double uniform = ((double)(hash >> 11) + 0.5) * 0x1p-53;
		double drawn = -log(uniform) / part->weight;

		if (drawn < lowest) {
			lowest = drawn;
			chosen = part->origin;
		}
	}
	return chosen;
}
