/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Prepares the table: which servers are used at all, the tiers that they stand in, how much each
 * tier takes, and the order of turns or the ring of each. Control does so when the state of a
 * server has changed; it takes some hundred microseconds for a thousand servers, and two
 * milliseconds with a ring.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "origin-link/servers/balance_internal.h"

/* What is farther away by less than that, or by an eighth, counts as equally far: three
 * milliseconds of a round trip are less than servers in one room differ by. */
#define NEAR_KM 300.0
#define NEAR_SHARE 8.0

#define WHOLE (UINT64_C(1) << 32)

/* A server and where it stands in the order of those that were given. */
struct placed {
	struct balance_server s;
	unsigned index;
	double score; /* for a subset: the least are in it */
};

static int compare(double a, double b)
{
	return (a > b) - (a < b);
}

static double far(const struct placed *p)
{
	return p->s.km < 0 ? INFINITY : p->s.km;
}

static int by_what(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;

	if (a->s.what != b->s.what)
		return (uintptr_t)a->s.what < (uintptr_t)b->s.what ? -1 : 1;
	if (a->s.priority != b->s.priority)
		return a->s.priority < b->s.priority ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

static int by_tier(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;

	if (a->s.priority != b->s.priority)
		return a->s.priority < b->s.priority ? -1 : 1;
	if (far(a) != far(b))
		return compare(far(a), far(b));
	return (a->index > b->index) - (a->index < b->index);
}

static int by_index(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;

	return (a->index > b->index) - (a->index < b->index);
}

static int by_score(const void *left, const void *right)
{
	const struct placed *a = left, *b = right;

	return a->score != b->score ? compare(a->score, b->score) : by_index(left, right);
}

static int by_id(const void *left, const void *right)
{
	const struct balance_place *a = left, *b = right;

	return (a->id > b->id) - (a->id < b->id);
}

/* Two names may have the same address, which would be tried twice. */
static unsigned merge(struct placed *v, unsigned n)
{
	unsigned kept = 0;

	qsort(v, n, sizeof(*v), by_what);
	for (unsigned i = 0; i < n; i++) {
		if (kept > 0 && v[kept - 1].s.what == v[i].s.what) {
			v[kept - 1].s.weight += v[i].s.weight;
			v[kept - 1].s.state = MIN(v[kept - 1].s.state, v[i].s.state);
		} else {
			v[kept++] = v[i];
		}
	}
	return kept;
}

static enum balance_state best_state(const struct placed *v, unsigned n)
{
	enum balance_state best = BALANCE_DOWN;

	for (unsigned i = 0; i < n; i++)
		best = MIN(best, v[i].s.state);
	return n > 0 ? best : BALANCE_UP;
}

static bool are_as_near(const struct placed *first, const struct placed *other)
{
	double reach = far(first) + MAX(NEAR_KM, far(first) / NEAR_SHARE);

	return first->s.priority == other->s.priority && far(other) <= reach;
}

/* Those of a tier that are used come first; how many. */
static unsigned select_used(struct placed *v, unsigned n, enum balance_state state)
{
	unsigned used = 0;

	for (unsigned i = 0; i < n; i++) {
		struct placed p = v[i];

		if (p.s.state != state)
			continue;
		v[i] = v[used];
		v[used++] = p;
	}
	return used;
}

/* Rendezvous hashing (Thaler and Ravishankar, 1998; with weights): each edge ranks the servers in
 * an order of its own, which no other server's coming or going changes, so that connections that
 * are open are seldom given up. */
static unsigned select_subset(const struct balance_settings *s, struct placed *v, unsigned n)
{
	if (s->subset == 0 || n <= s->subset)
		return n;
	for (unsigned i = 0; i < n; i++) {
		uint64_t hash = balance_mix(v[i].s.id ^ balance_mix(s->self));

		v[i].score =
		    -log(((double)(hash >> 11) + 0.5) / 9007199254740992.0) / v[i].s.weight;
	}
	qsort(v, n, sizeof(*v), by_score);
	return s->subset;
}

static uint64_t sum_weights(const struct placed *v, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += v[i].s.weight;
	return sum;
}

static void make_points(const struct balance_table *t, struct balance_tier *tier, double density)
{
	unsigned *weights = xcalloc(tier->n, sizeof(*weights));
	uint64_t *ids = xcalloc(tier->n, sizeof(*ids));

	for (unsigned i = 0; i < tier->n; i++) {
		weights[i] = t->entries[tier->first + i].weight;
		ids[i] = t->entries[tier->first + i].id;
	}
	tier->schedule = balance_schedule(weights, tier->n);
	if (t->settings.method == CFG_BALANCE_HASH)
		tier->ring = balance_ring(ids, weights, tier->n, density);
	free(ids);
	free(weights);
}

static double density_of(const struct placed *v, unsigned n)
{
	unsigned *weights = xcalloc(n, sizeof(*weights));
	double density;

	for (unsigned i = 0; i < n; i++)
		weights[i] = v[i].s.weight;
	density = balance_ring_density(weights, n);
	free(weights);
	return density;
}

/* From those of one tier. Its `until` is what it can take, for now. */
static void add_tier(struct balance_table *t, struct placed *v, unsigned n)
{
	struct balance_tier *tier = &t->tiers[t->n_tiers];
	uint64_t all = sum_weights(v, n), used_weight;
	double density = density_of(v, n);
	unsigned used = select_used(v, n, t->state);

	if (used == 0)
		return;
	used_weight = sum_weights(v, used);
	used = select_subset(&t->settings, v, used);
	qsort(v, used, sizeof(*v), by_index);
	*tier = (struct balance_tier){
	    .first = t->n,
	    .n = used,
	    .weight = sum_weights(v, used),
	    .until = (uint64_t)MIN((double)used_weight / (double)all / t->settings.spill * WHOLE,
				   (double)WHOLE),
	};
	for (unsigned i = 0; i < used; i++)
		t->entries[t->n++] =
		    (struct balance_entry){v[i].s.what, v[i].s.id, v[i].s.weight, v[i].s.up_since};
	make_points(t, tier, density);
	t->n_tiers++;
}

/* Each takes what it can of what those before it do not. When all together cannot take everything,
 * they take it in proportion. */
static void share_out(struct balance_table *t)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < t->n_tiers; i++)
		sum += t->tiers[i].until;
	for (unsigned i = 0; i < t->n_tiers; i++) {
		struct balance_tier *tier = &t->tiers[i];
		uint64_t before = i > 0 ? t->tiers[i - 1].until : 0;
		double takes = (double)tier->until;

		if (sum < WHOLE)
			takes = takes / (double)sum * WHOLE;
		tier->until = MIN(before + (uint64_t)takes, WHOLE);
	}
	if (t->n_tiers > 0 && sum < WHOLE)
		t->tiers[t->n_tiers - 1].until = WHOLE; /* what rounding has left */
}

static void make_tiers(struct balance_table *t, struct placed *v, unsigned n)
{
	unsigned first = 0;

	qsort(v, n, sizeof(*v), by_tier);
	for (unsigned i = 1; i <= n; i++) {
		if (i < n && are_as_near(&v[first], &v[i]))
			continue;
		add_tier(t, &v[first], i - first);
		first = i;
	}
	share_out(t);
}

static void make_places(struct balance_table *t)
{
	if (!t->settings.finds_servers)
		return;
	t->places = xcalloc(MAX(t->n, 1), sizeof(*t->places));
	for (unsigned i = 0; i < t->n; i++)
		t->places[i] = (struct balance_place){t->entries[i].id, i};
	qsort(t->places, t->n, sizeof(*t->places), by_id);
}

struct balance_table *balance_table_create(const struct balance_settings *settings,
					   const struct balance_server *servers, unsigned n,
					   unsigned n_loops)
{
	struct balance_table *t = xcalloc(1, sizeof(*t));
	struct placed *v = xcalloc(MAX(n, 1), sizeof(*v));

	for (unsigned i = 0; i < n; i++)
		v[i] = (struct placed){.s = servers[i], .index = i};
	n = merge(v, n);
	t->settings = *settings;
	t->state = best_state(v, n);
	t->entries = xcalloc(MAX(n, 1), sizeof(*t->entries));
	t->tiers = xcalloc(MAX(n, 1), sizeof(*t->tiers));
	make_tiers(t, v, n);
	make_places(t);
	free(v);
	t->n_loops = n_loops;
	t->sights = xcalloc(n_loops, sizeof(struct balance_sight *));
	for (unsigned i = 0; settings->method == CFG_BALANCE_HASH && i < n_loops; i++)
		t->sights[i] = xcalloc(MAX(t->n_tiers, 1), sizeof(**t->sights));
	return t;
}

void balance_table_destroy(struct balance_table **tablep)
{
	struct balance_table *t = TAKE(tablep);

	if (!t)
		return;
	for (unsigned i = 0; i < t->n_tiers; i++) {
		balance_points_fini(&t->tiers[i].schedule);
		balance_points_fini(&t->tiers[i].ring);
	}
	for (unsigned i = 0; i < t->n_loops; i++)
		free(t->sights[i]);
	free(t->sights);
	free(t->places);
	free(t->tiers);
	free(t->entries);
	free(t);
}

unsigned balance_table_size(const struct balance_table *t)
{
	return t->n;
}

void *balance_table_what(const struct balance_table *t, unsigned i)
{
	CHECK(i < t->n);
	return t->entries[i].what;
}

enum balance_state balance_table_state(const struct balance_table *t)
{
	return t->state;
}
