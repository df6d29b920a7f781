/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Builds the rankings of geo/ranking.h while a map is compiled. The trigonometry of an edge is done
 * once, that of a place once for all records with the same coordinates. One thread.
 */
#include "geo/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "geo/distance.h"
#include "geo/table.h"

/* A City database has some 100,000 places: with 5,000 edges this is full. */
#define MAX_BYTES ((size_t)1 << 30)

struct place {
	double latitude, longitude;
	uint32_t ranking;
};

struct entry {
	double km;
	uint16_t id;
};

struct geo_ranker {
	const struct cfg_edge *edges;
	unsigned n_edges;
	struct geo_vector *vectors; /* by edge */
	struct entry *order;        /* the ranking in the making */
	uint16_t *rankings;
	uint32_t n_rankings, max_rankings;
	struct place *places;
	uint32_t n_places, max_places;
	struct geo_table by_place, by_order;
};

struct geo_ranker *geo_ranker_create(const struct cfg_edge *edges, unsigned n_edges)
{
	struct geo_ranker *r = xcalloc(1, sizeof(*r));

	CHECK(n_edges <= UINT16_MAX);
	r->edges = edges;
	r->n_edges = n_edges;
	r->vectors = xcalloc(n_edges + 1, sizeof(*r->vectors));
	r->order = xcalloc(n_edges + 1, sizeof(*r->order));
	for (unsigned i = 0; i < n_edges; i++)
		r->vectors[i] =
		    geo_vector_of(edges[i].location.latitude, edges[i].location.longitude);
	return r;
}

void geo_ranker_destroy(struct geo_ranker **rp)
{
	struct geo_ranker *r = TAKE(rp);

	if (r == NULL)
		return;
	geo_table_fini(&r->by_place);
	geo_table_fini(&r->by_order);
	free(r->vectors);
	free(r->order);
	free(r->rankings);
	free(r->places);
	free(r);
}

static int compare_entries(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;

	if (a->km != b->km)
		return a->km < b->km ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static uint16_t *ranking_at(const struct geo_ranker *r, uint32_t number)
{
	return r->rankings + (size_t)number * r->n_edges;
}

static bool same_order(const void *arg, uint32_t index)
{
	const struct geo_ranker *r = arg;

	return memcmp(ranking_at(r, index), ranking_at(r, r->n_rankings),
		      r->n_edges * sizeof(*r->rankings)) == 0;
}

/* The number of what r->order says. */
static uint32_t add_ranking(struct geo_ranker *r)
{
	size_t size = r->n_edges * sizeof(*r->rankings);
	uint16_t *candidate;
	uint32_t number;

	if ((r->n_rankings + 1) * size > MAX_BYTES)
		return GEO_RANKING_NONE;
	if (r->n_rankings == r->max_rankings) {
		r->max_rankings = r->max_rankings ? 2 * r->max_rankings : 16;
		r->rankings = xreallocarray(r->rankings, r->max_rankings, MAX(size, 1));
	}
	candidate = ranking_at(r, r->n_rankings);
	for (unsigned i = 0; i < r->n_edges; i++)
		candidate[i] = r->order[i].id;
	number = geo_table_find_or_add(&r->by_order, XXH3_64bits(candidate, size), same_order, r,
				       r->n_rankings);
	r->n_rankings += number == r->n_rankings;
	return number;
}

static bool same_place(const void *arg, uint32_t index)
{
	const struct geo_ranker *r = arg;
	const struct place *a = &r->places[index], *b = &r->places[r->n_places];

	return a->latitude == b->latitude && a->longitude == b->longitude;
}

uint32_t geo_ranker_at(struct geo_ranker *r, double latitude, double longitude)
{
	double key[] = {latitude, longitude};
	struct geo_vector here;
	uint32_t index;

	if (r->n_places == r->max_places) {
		r->max_places = r->max_places ? 2 * r->max_places : 256;
		r->places = xreallocarray(r->places, r->max_places, sizeof(*r->places));
	}
	r->places[r->n_places] = (struct place){key[0], key[1], 0};
	index = geo_table_find_or_add(&r->by_place, XXH3_64bits(key, sizeof(key)), same_place, r,
				      r->n_places);
	if (index < r->n_places)
		return r->places[index].ranking;
	here = geo_vector_of(latitude, longitude);
	for (unsigned i = 0; i < r->n_edges; i++) {
		r->order[i].id = (uint16_t)i;
		r->order[i].km = r->edges[i].location.set
				     ? geo_vector_km(&here, &r->vectors[i]) + r->edges[i].bias_km
				     : (double)INFINITY;
	}
	qsort(r->order, r->n_edges, sizeof(*r->order), compare_entries);
	r->places[index].ranking = add_ranking(r);
	r->n_places++;
	return r->places[index].ranking;
}

uint32_t geo_ranker_file_order(struct geo_ranker *r)
{
	for (unsigned i = 0; i < r->n_edges; i++)
		r->order[i] = (struct entry){0, (uint16_t)i};
	return add_ranking(r);
}

uint16_t *geo_ranker_take(struct geo_ranker *r, size_t *n_rankings)
{
	size_t size = MAX(r->n_edges * sizeof(*r->rankings), 1);
	uint16_t *rankings = xreallocarray(r->rankings, MAX(r->n_rankings, 1), size);

	*n_rankings = r->n_rankings;
	r->rankings = NULL;
	r->n_rankings = r->max_rankings = 0;
	return rankings;
}
