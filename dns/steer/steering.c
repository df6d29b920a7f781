/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steering from a configuration, see steering.h.
 */
#include "dns/steer/steering.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"

static void init_edge(struct steer_edge *edge, const struct cfg_edge *config)
{
	*edge = (struct steer_edge){
	    .config = config,
	    .at = geo_vector_of(config->location.latitude, config->location.longitude),
	    .bias_km = config->bias_km,
	    .name_hash = XXH3_64bits(config->name, strlen(config->name)),
	    .continent = steer_continent(config->continent),
	    .located = config->location.set,
	    .active = config->admin == CFG_ADMIN_ACTIVE,
	};
	dns_offer_init(&edge->offer, config);
}

/* By edge id, malloc'd: which ones an override names. */
static bool *overridden_edges(const struct cfg_fleet *fleet)
{
	bool *overridden = xcalloc(fleet->n_edges + 1, sizeof(*overridden));

	for (unsigned i = 0; i < fleet->geo.n_overrides; i++) {
		const struct cfg_override *o = &fleet->geo.overrides[i];

		for (unsigned k = 0; k < o->n_edges; k++)
			overridden[o->edges[k]->id] = true;
	}
	return overridden;
}

static bool add_steered(struct steering *s, struct steer_interner *interner,
			const struct cfg_steered *config, struct diag *diag)
{
	uint32_t pool = steer_intern(interner, config);

	if (pool == STEER_POOL_NONE) {
		diag_add(diag, config->place,
			 "too large: the lists of edges of steered names take too much memory");
		return false;
	}
	s->steered[s->n_steered++] = (struct dns_steered){
	    .config = config,
	    .pool = pool,
	    .ttl = (uint32_t)(config->ttl.ns / DUR_S(1).ns),
	};
	return true;
}

static bool add_zones(struct steering *s, const struct cfg_fleet *fleet, struct diag *diag)
{
	bool *overridden = overridden_edges(fleet);
	struct steer_interner *interner =
	    steer_interner_create(&s->pools, s->edges, s->n_edges, overridden);
	unsigned total = 0;
	bool ok = true;

	for (unsigned i = 0; i < fleet->n_zones; i++)
		total += fleet->zones[i].n_steered;
	s->steered = xcalloc(total + 1, sizeof(*s->steered));
	for (unsigned i = 0; i < fleet->n_zones && ok; i++) {
		for (unsigned k = 0; k < fleet->zones[i].n_steered && ok; k++)
			ok = add_steered(s, interner, &fleet->zones[i].steered[k], diag);
	}
	steer_interner_destroy(&interner);
	free(overridden);
	return ok;
}

struct steering *steering_create(const struct cfg_fleet *fleet, const struct geo_places *places,
				 struct diag *diag)
{
	struct steering *s = xcalloc(1, sizeof(*s));

	s->n_edges = fleet->n_edges;
	s->edges = xcalloc(fleet->n_edges + 1, sizeof(*s->edges));
	for (unsigned i = 0; i < fleet->n_edges; i++)
		init_edge(&s->edges[i], &fleet->edges[i]);
	steer_spots_init(&s->spots, &fleet->geo, places);
	if (!add_zones(s, fleet, diag))
		steering_destroy(&s);
	return s;
}

void steering_destroy(struct steering **sp)
{
	struct steering *s = TAKE(sp);

	if (s == NULL)
		return;
	for (unsigned i = 0; i < s->n_edges; i++)
		dns_offer_fini(&s->edges[i].offer);
	free(s->edges);
	steer_pools_fini(&s->pools);
	free(s->steered);
	steer_spots_fini(&s->spots);
	free(s);
}
