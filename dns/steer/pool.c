/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Interning of pools. A pool is put together in memory that is used again for the next one, and
 * copied only when there is none like it yet: thousands of sites may name the same hundreds of
 * edges. One thread.
 */
#include "dns/steer/pool.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/limits.h"
#include "core/base/check.h"
#include "geo/table.h"

/* Lists of members and what belongs to them: 10,000 lists of 6,700 edges. A configuration that asks
 * for more has another list for each name of a fleet that is far larger than any. */
#define POOLS_BYTES_MAX ((size_t)256 << 20)

struct steer_interner {
	struct steer_pools *pools;
	const struct steer_edge *edges;
	unsigned n_edges;
	const bool *overridden;
	/* The pool in the making. */
	uint16_t *members, *values;
	uint16_t *value_of; /* by edge id; valid for its members */
	struct steer_pool candidate;
	struct geo_table table;
	unsigned max_pools;
};

struct steer_interner *steer_interner_create(struct steer_pools *pools,
					     const struct steer_edge *edges, unsigned n_edges,
					     const bool *overridden)
{
	struct steer_interner *in = xcalloc(1, sizeof(*in));

	_Static_assert(CFG_EDGES_MAX <= UINT16_MAX, "ids of edges have 16 bits");
	CHECK(n_edges <= CFG_EDGES_MAX);
	in->pools = pools;
	in->edges = edges;
	in->n_edges = n_edges;
	in->overridden = overridden;
	in->members = xcalloc(n_edges + 1, sizeof(*in->members));
	in->values = xcalloc(n_edges + 1, sizeof(*in->values));
	in->value_of = xcalloc(n_edges + 1, sizeof(*in->value_of));
	return in;
}

void steer_interner_destroy(struct steer_interner **inp)
{
	struct steer_interner *in = TAKE(inp);

	if (in == NULL)
		return;
	free(in->members);
	free(in->values);
	free(in->value_of);
	geo_table_fini(&in->table);
	free(in);
}

static int compare_ids(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

/* Into in->members, ascending and each once; returns how many. */
static unsigned collect_members(struct steer_interner *in, const struct cfg_edge *const *list,
				unsigned n)
{
	bool sorted = true;
	unsigned kept = 0;

	CHECK(n <= in->n_edges);
	for (unsigned i = 0; i < n; i++) {
		in->members[i] = (uint16_t)list[i]->id;
		sorted = sorted && (i == 0 || in->members[i - 1] < in->members[i]);
	}
	if (sorted)
		return n;
	qsort(in->members, n, sizeof(*in->members), compare_ids);
	for (unsigned i = 0; i < n; i++) {
		if (kept == 0 || in->members[i] != in->members[kept - 1])
			in->members[kept++] = in->members[i];
	}
	return kept;
}

static void collect_ranks(struct steer_interner *in, const struct cfg_steered *steered, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		in->value_of[in->members[i]] = STEER_RANK_NONE;
	/* Backwards, so that of an edge that stands there twice the first place counts. */
	for (unsigned i = steered->n_order; i > 0; i--)
		in->value_of[steered->order[i - 1]->id] = (uint16_t)(i - 1);
}

static void collect_weights(struct steer_interner *in, const struct cfg_steered *steered,
			    unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		in->value_of[in->members[i]] = (uint16_t)in->edges[in->members[i]].config->weight;
	for (unsigned i = 0; i < steered->n_weights; i++)
		in->value_of[steered->weights[i].edge->id] = (uint16_t)steered->weights[i].weight;
}

/* What the name asks for, in in->members and in->values. */
static struct steer_pool candidate(struct steer_interner *in, const struct cfg_steered *steered)
{
	struct steer_pool pool = {
	    .policy = steered->policy,
	    .none_up = steered->none_up,
	    .answers = MIN(steered->answers, STEER_ANSWERS_MAX),
	    .members = in->members,
	};
	const struct cfg_site *site = steered->site;

	switch (steered->policy) {
	case CFG_POLICY_FAILOVER:
	case CFG_POLICY_STATIC:
		pool.n = collect_members(in, steered->order, steered->n_order);
		collect_ranks(in, steered, pool.n);
		break;
	case CFG_POLICY_CONTINENT:
		pool.n = collect_members(in, site->edges, site->n_edges);
		collect_ranks(in, steered, pool.n);
		break;
	case CFG_POLICY_WEIGHTED:
		pool.n = collect_members(in, site->edges, site->n_edges);
		collect_weights(in, steered, pool.n);
		break;
	case CFG_POLICY_NEAREST:
		pool.n = collect_members(in, site->edges, site->n_edges);
		return pool;
	}
	pool.values = in->values;
	for (unsigned i = 0; i < pool.n; i++)
		pool.values[i] = in->value_of[pool.members[i]];
	return pool;
}

static uint64_t hash_of(const struct steer_pool *pool)
{
	uint64_t seed = (uint64_t)pool->policy << 16 | (uint64_t)pool->none_up << 8 | pool->answers;
	uint64_t hash = XXH3_64bits_withSeed(pool->members, pool->n * sizeof(*pool->members), seed);

	if (pool->values == NULL)
		return hash;
	return XXH3_64bits_withSeed(pool->values, pool->n * sizeof(*pool->values), hash);
}

static bool same_pool(const void *arg, uint32_t index)
{
	const struct steer_interner *in = arg;
	const struct steer_pool *a = &in->pools->v[index], *b = &in->candidate;

	return a->policy == b->policy && a->none_up == b->none_up && a->answers == b->answers &&
	       a->n == b->n && memcmp(a->members, b->members, a->n * sizeof(*a->members)) == 0 &&
	       (a->values == NULL || memcmp(a->values, b->values, a->n * sizeof(*a->values)) == 0);
}

static uint16_t *copy_ids(const uint16_t *ids, unsigned n)
{
	uint16_t *copy = xreallocarray(NULL, n + 1, sizeof(*copy));

	memcpy(copy, ids, n * sizeof(*copy));
	return copy;
}

/* False: no room. */
static bool add(struct steer_interner *in, const struct steer_pool *pool)
{
	struct steer_pools *pools = in->pools;
	size_t bytes = (pool->n + 1) * sizeof(uint16_t) * (pool->values != NULL ? 2 : 1);
	struct steer_pool *new;

	if (pools->bytes + bytes > POOLS_BYTES_MAX)
		return false;
	pools->bytes += bytes;
	if (pools->n == in->max_pools) {
		in->max_pools = in->max_pools > 0 ? 2 * in->max_pools : 16;
		pools->v = xreallocarray(pools->v, in->max_pools, sizeof(*pools->v));
	}
	new = &pools->v[pools->n++];
	*new = *pool;
	new->members = copy_ids(pool->members, pool->n);
	if (pool->values != NULL)
		new->values = copy_ids(pool->values, pool->n);
	for (unsigned i = 0; i < pool->n; i++) {
		const struct steer_edge *edge = &in->edges[pool->members[i]];

		for (unsigned f = 0; f < STEER_FAMILIES; f++)
			new->of_family[f] += edge->offer.addresses[f].rrs.count > 0;
		new->overridden = new->overridden || in->overridden[pool->members[i]];
	}
	if (pool->policy == CFG_POLICY_STATIC)
		new->overridden = false;
	return true;
}

uint32_t steer_intern(struct steer_interner *in, const struct cfg_steered *steered)
{
	uint32_t index;

	in->candidate = candidate(in, steered);
	index =
	    geo_table_find_or_add(&in->table, hash_of(&in->candidate), same_pool, in, in->pools->n);
	if (index == in->pools->n && !add(in, &in->candidate))
		return STEER_POOL_NONE;
	return index;
}

void steer_pools_fini(struct steer_pools *pools)
{
	for (unsigned i = 0; i < pools->n; i++) {
		free(pools->v[i].members);
		free(pools->v[i].values);
	}
	free(pools->v);
	*pools = (struct steer_pools){0};
}
