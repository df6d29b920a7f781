/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Making fronts, and choosing by them. The policies themselves are in choose.c: here the nearest
 * few are found by an index instead of a walk over all, and what the network of a client decides
 * (weights) is left to the moment of the choice.
 */
#include "dns/steer/front.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "geo/nearest.h"
#include "geo/ranges.h"
#include "geo/table.h"

/* Of the index, for each edge in it; about. */
#define INDEX_BYTES 64

static bool by_distance(const struct steer_pool *pool)
{
	return pool->policy == CFG_POLICY_NEAREST || pool->policy == CFG_POLICY_CONTINENT;
}

/* What a choice is made from. */
struct chooser {
	const struct steer_front *front;
	const struct steer_pool *pool;
	const struct steer_edge *edges;
	const struct steer_spot *spot;
};

static uint16_t id_of(const struct steer_pool *pool, uint16_t member)
{
	return pool->members[member];
}

/* Answers */

static bool is_first(const struct steer_override *override, uint16_t edge)
{
	return override != NULL && steer_override_rank(override, edge) != STEER_GROUP_POLICY;
}

/* The usable edges of the spot's override. */
static void select_first(const struct chooser *c, struct steer_selection *selection)
{
	if (c->spot->override == NULL || !c->pool->overridden)
		return;
	for (unsigned i = 0; i < c->front->n_usable; i++) {
		uint16_t id = id_of(c->pool, c->front->usable[i]);
		struct steer_key key = {.edge = id,
					.group = steer_override_rank(c->spot->override, id)};

		if (key.group != STEER_GROUP_POLICY)
			steer_select(selection, &key);
	}
}

static bool may_be_near(const void *arg, uint32_t i)
{
	const struct chooser *c = arg;
	uint16_t id = id_of(c->pool, c->front->usable[i]);

	return (c->pool->policy != CFG_POLICY_CONTINENT ||
		c->edges[id].continent == c->spot->continent) &&
	       !is_first(c->spot->override, id);
}

/* The nearest of those that are judged by distance, for a spot that is located. */
static void select_near(const struct chooser *c, struct steer_selection *selection)
{
	bool all = c->pool->policy == CFG_POLICY_NEAREST && c->spot->override == NULL;
	uint32_t found[STEER_ANSWERS_MAX + 1], n;
	double km[STEER_ANSWERS_MAX + 1];

	n = geo_nearest_find(c->front->nearest, c->spot->latitude, c->spot->longitude,
			     selection->max, all ? NULL : may_be_near, c, found, km);
	for (uint32_t i = 0; i < n; i++) {
		uint16_t id = id_of(c->pool, c->front->usable[found[i]]);
		struct steer_key key = {
		    .group = STEER_GROUP_POLICY, .value = km[i], .tie = id, .edge = id};

		steer_select(selection, &key);
	}
}

/* By a walk over all that are usable. */
static void select_all(const struct chooser *c, const struct steer_network *network,
		       struct steer_selection *selection)
{
	struct geo_vector here = geo_vector_of(c->spot->latitude, c->spot->longitude);

	for (unsigned i = 0; i < c->front->n_usable; i++) {
		struct steer_key key;

		steer_key_of(c->pool, c->front->usable[i], c->edges, c->spot, &here, network,
			     selection->limit, &key);

		steer_select(selection, &key);
	}
}

/* Without what depends on the client's network. */
static struct steer_answer answer_at(const struct chooser *c)
{
	bool near = by_distance(c->pool) && c->spot->located &&
		    (c->pool->policy == CFG_POLICY_NEAREST || c->spot->continent != 0);
	struct steer_selection selection;
	struct steer_answer answer;
	struct steer_pick pick;

	steer_selection_init(&selection, c->pool);
	if (c->pool->policy == CFG_POLICY_WEIGHTED) {
		select_first(c, &selection);
	} else if (near) {
		select_first(c, &selection);
		select_near(c, &selection);
		near = selection.offered[0] > 0 || selection.n == selection.max;
	}
	if (c->pool->policy != CFG_POLICY_WEIGHTED && !near) {
		steer_selection_init(&selection, c->pool);
		select_all(c, NULL, &selection);
	}
	steer_selection_end(&selection, &pick);
	answer = (struct steer_answer){.n = pick.n, .margin_km = pick.margin_km};
	memcpy(answer.edges, pick.edges, sizeof(answer.edges));
	return answer;
}

static bool is_named(const struct steer_answer *answer, uint16_t edge)
{
	for (unsigned i = 0; i < answer->n; i++) {
		if (answer->edges[i] == edge)
			return true;
	}
	return false;
}

/* In a weighted pool, after the edges of an override: by the network. */
static void weigh(const struct chooser *c, const struct steer_answer *answer,
		  const struct steer_network *network, struct steer_pick *pick)
{
	static const struct steer_spot anywhere;
	struct steer_pick rest;
	struct steer_selection selection;

	steer_selection_init(&selection, c->pool);
	for (unsigned i = 0; i < c->front->n_usable; i++) {
		uint16_t member = c->front->usable[i];
		struct steer_key key;

		if (is_named(answer, id_of(c->pool, member)))
			continue;
		steer_key_of(c->pool, member, c->edges, &anywhere, NULL, network, selection.limit,
			     &key);
		steer_select(&selection, &key);
	}
	steer_selection_end(&selection, &rest);
	for (unsigned i = 0; i < rest.n && pick->n < c->pool->answers; i++)
		pick->edges[pick->n++] = rest.edges[i];
	pick->rivals = rest.rivals;
}

static void complete(const struct chooser *c, const struct steer_answer *answer,
		     const struct steer_network *network, struct steer_pick *pick)
{
	memcpy(pick->edges, answer->edges, sizeof(pick->edges));
	pick->n = answer->n;
	pick->tier = c->front->tier;
	pick->candidates = c->front->n_usable;
	pick->rivals = 0;
	pick->margin_km = answer->margin_km;
	if (c->pool->policy == CFG_POLICY_WEIGHTED && answer->n < c->pool->answers)
		weigh(c, answer, network, pick);
}

void steer_front_pick(const struct steer_front *front, const struct steer_pool *pool,
		      const struct steer_edge *edges, uint32_t answer,
		      const struct steer_network *network, struct steer_pick *pick)
{
	struct chooser c = {front, pool, edges, NULL};

	complete(&c, &front->answers[answer], network, pick);
}

void steer_front_pick_at(const struct steer_front *front, const struct steer_pool *pool,
			 const struct steer_edge *edges, const struct steer_spot *spot,
			 const struct steer_network *network, struct steer_pick *pick)
{
	struct chooser c = {front, pool, edges, spot};
	struct steer_answer answer = answer_at(&c);

	complete(&c, &answer, network, pick);
}

/* Making */

static bool is_by_places(const struct steer_pool *pool, unsigned n_usable)
{
	return n_usable > 1 && (by_distance(pool) || pool->overridden);
}

size_t steer_front_bytes(const struct steer_pool *pool, unsigned n_usable)
{
	size_t bytes = sizeof(struct steer_front) + (n_usable + 1) * sizeof(uint16_t);

	if (!is_by_places(pool, n_usable))
		return bytes + sizeof(struct steer_answer);
	return bytes + (by_distance(pool) ? (size_t)n_usable * INDEX_BYTES : 0);
}

static void index_usable(struct steer_front *front, const struct steer_pool *pool,
			 const struct steer_edge *edges)
{
	struct geo_point *points = xcalloc(front->n_usable, sizeof(*points));

	for (unsigned i = 0; i < front->n_usable; i++) {
		const struct cfg_edge *config = edges[id_of(pool, front->usable[i])].config;

		points[i] = (struct geo_point){
		    .located = config->location.set,
		    .latitude = config->location.latitude,
		    .longitude = config->location.longitude,
		    .bias_km = config->bias_km,
		};
	}
	front->nearest = geo_nearest_create(points, front->n_usable);
	free(points);
}

static struct steer_front *new_front(enum steer_tier tier, const uint16_t *usable, unsigned n)
{
	struct steer_front *front = xcalloc(1, sizeof(*front));

	atomic_init(&front->refs, 1);
	front->tier = tier;
	front->usable = xcalloc(n + 1, sizeof(*front->usable));
	memcpy(front->usable, usable, n * sizeof(*front->usable));
	front->n_usable = n;
	front->bytes = sizeof(*front) + (n + 1) * sizeof(*front->usable);
	return front;
}

struct steer_front *steer_front_create(const struct steer_pool *pool,
				       const struct steer_edge *edges, enum steer_tier tier,
				       const uint16_t *usable, unsigned n_usable)
{
	static const struct steer_spot anywhere;
	struct steer_front *front = new_front(tier, usable, n_usable);
	struct chooser c = {front, pool, edges, &anywhere};

	front->bytes = steer_front_bytes(pool, n_usable);
	if (is_by_places(pool, n_usable))
		front->kind = STEER_FRONT_PLACES;
	if (front->kind == STEER_FRONT_PLACES && by_distance(pool))
		index_usable(front, pool, edges);
	if (front->kind == STEER_FRONT_ONE) {
		front->answers = xcalloc(1, sizeof(*front->answers));
		front->n_answers = 1;
		front->answers[0] = answer_at(&c);
	}
	return front;
}

/* Answers that are the same for several spots are one. */
struct answers {
	struct steer_answer *v;
	uint32_t n, room;
	struct geo_table table;
};

/* The candidate stands behind the last one. */
static bool same_answer(const void *arg, uint32_t index)
{
	const struct answers *a = arg;
	const struct steer_answer *x = &a->v[index], *y = &a->v[a->n];

	return x->n == y->n && memcmp(x->edges, y->edges, x->n * sizeof(*x->edges)) == 0;
}

static uint32_t intern_answer(struct answers *a, const struct steer_answer *answer)
{
	uint32_t index;

	if (a->n == a->room) {
		a->room = a->room > 0 ? 2 * a->room : 16;
		a->v = xreallocarray(a->v, a->room, sizeof(*a->v));
	}
	a->v[a->n] = *answer;
	index = geo_table_find_or_add(
	    &a->table, XXH3_64bits(answer->edges, answer->n * sizeof(*answer->edges)), same_answer,
	    a, a->n);
	a->n += index == a->n;
	a->v[index].margin_km = MIN(a->v[index].margin_km, answer->margin_km);
	return index;
}

struct steer_front *steer_front_spread(const struct steer_front *front,
				       const struct steer_pool *pool,
				       const struct steer_edge *edges,
				       const struct steer_spots *spots,
				       const struct geo_ranges *places)
{
	struct steer_front *spread = new_front(front->tier, front->usable, front->n_usable);
	uint32_t *of_spot = xcalloc(spots->n + 1, sizeof(*of_spot));
	struct answers answers = {0};

	CHECK(front->kind == STEER_FRONT_PLACES);
	for (uint32_t i = 0; i < spots->n; i++) {
		struct chooser c = {front, pool, edges, &spots->v[i]};
		struct steer_answer answer = answer_at(&c);

		of_spot[i] = intern_answer(&answers, &answer);
	}
	geo_table_fini(&answers.table);
	spread->answers = answers.v;
	spread->n_answers = answers.n;
	spread->bytes += answers.room * sizeof(*answers.v);
	if (answers.n > 1) {
		uint32_t *of_place = xcalloc(spots->n_places + 1, sizeof(*of_place));

		for (uint32_t i = 0; i < spots->n_places; i++)
			of_place[i] = of_spot[spots->of_place[i]];
		spread->kind = STEER_FRONT_RANGES;
		spread->ranges = geo_ranges_map(places, of_place, spots->n_places);
		spread->bytes += geo_ranges_bytes(spread->ranges);
		free(of_place);
	}
	free(of_spot);
	return spread;
}

struct steer_front *steer_front_ref(struct steer_front *front)
{
	atomic_fetch_add_explicit(&front->refs, 1, memory_order_relaxed);
	return front;
}

void steer_front_unref(struct steer_front **frontp)
{
	struct steer_front *front = TAKE(frontp);

	if (front == NULL || atomic_fetch_sub_explicit(&front->refs, 1, memory_order_acq_rel) > 1)
		return;
	geo_nearest_destroy(&front->nearest);
	geo_ranges_free(&front->ranges);
	free(front->usable);
	free(front->answers);
	free(front);
}
