/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which requests go to the same server of an origin, by its `balance`: the texts that hashes are
 * made of, compiled. Part of the view; used by exchanges on any worker.
 */
#pragma once

#include "origin-link/olink.h"

struct arena;
struct cfg_fleet;
struct cfg_origin;
struct edge_affinities;
struct edge_facts;

/* `fleet` must outlive them. */
struct edge_affinities *edge_affinities_create(const struct cfg_fleet *fleet);
void edge_affinities_destroy(struct edge_affinities **affinities);

/* Of a request that goes to `origin`. */
struct olink_affinity edge_affinity_of(const struct edge_affinities *affinities,
				       const struct cfg_origin *origin,
				       const struct edge_facts *facts, struct arena *arena);
