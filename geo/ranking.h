/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rankings: for each place that occurs, all edges of the fleet, nearest first. Places with the same
 * order of edges share one ranking, and its number is what the leaves of the map hold. One thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/fleet.h"

struct geo_ranker;

/* At most 65535 edges, which outlive the ranker. */
struct geo_ranker *geo_ranker_create(const struct cfg_edge *edges, unsigned n_edges);
void geo_ranker_destroy(struct geo_ranker **ranker);

#define GEO_RANKING_NONE UINT32_MAX
/* The number of the ranking by distance plus bias; of two that are equally far the one that stands
 * first in the file comes first, and edges without a location come last. GEO_RANKING_NONE when the
 * rankings would take more than 1 GiB. */
uint32_t geo_ranker_at(struct geo_ranker *ranker, double latitude, double longitude);
uint32_t geo_ranker_file_order(struct geo_ranker *ranker);
/* Moves the rankings out: n_edges ids for each, one after the other; to be freed by the caller. */
uint16_t *geo_ranker_take(struct geo_ranker *ranker, size_t *n_rankings);
