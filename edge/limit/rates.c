/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table: sets of eight entries, which are two cache lines. A key's set is in its low bits.
 */
#include "edge/limit/rates.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/check.h"

#define RATES_MAGIC 0x52617465u
#define WAYS 8
/* Of these it is counted how many are in use: a megabyte. The largest table is 256 of it, which the
 * thread that tells would be busy with for a tenth of a second. */
#define SETS_COUNTED 8192

struct entry {
	_Atomic uint64_t key; /* 0: never used */
	_Atomic int64_t at;   /* theoretical arrival time, ns of the monotonic clock */
};

struct set {
	struct entry ways[WAYS];
};

struct edge_rates {
	unsigned magic;
	size_t n_sets; /* a power of two */
	struct set *sets;
	_Atomic uint64_t forgotten;
};

struct edge_rates *edge_rates_create(size_t n)
{
	struct edge_rates *r = xcalloc(1, sizeof(*r));

	r->magic = RATES_MAGIC;
	r->n_sets = 1;
	while (r->n_sets * WAYS < n)
		r->n_sets *= 2;
	r->sets = xcalloc(r->n_sets, sizeof(r->sets[0]));
	return r;
}

void edge_rates_destroy(struct edge_rates **ratesp)
{
	struct edge_rates *r = TAKE(ratesp);

	if (r == NULL)
		return;
	MAGIC_CHECK(r, RATES_MAGIC);
	r->magic = MAGIC_DEAD;
	free(r->sets);
	free(r);
}

static uint64_t key_of(const struct entry *e)
{
	return atomic_load_explicit(&e->key, memory_order_relaxed);
}

static int64_t at_of(const struct entry *e)
{
	return atomic_load_explicit(&e->at, memory_order_relaxed);
}

/* The entry of `key`; else the one whose time comes first, and what it was found with. */
static struct entry *look(struct set *set, uint64_t key, uint64_t *held, int64_t *at)
{
	struct entry *first = &set->ways[0];

	*held = key_of(first);
	*at = at_of(first);
	for (unsigned i = 1; i < WAYS && *held != key; i++) {
		struct entry *e = &set->ways[i];
		uint64_t other = key_of(e);
		int64_t its = at_of(e);

		if (other != key && its >= *at)
			continue;
		first = e;
		*held = other;
		*at = its;
	}
	return first;
}

/* The entry of `key`, which takes the place of another when there is none. */
static struct entry *claim(struct edge_rates *r, uint64_t key, mono_time now)
{
	struct set *set = &r->sets[key & (r->n_sets - 1)];
	struct entry *e;
	uint64_t held;
	int64_t at;

	for (;;) {
		e = look(set, key, &held, &at);
		if (held == key)
			return e;
		/* Who fails looks again: another thread has taken this place. */
		if (atomic_compare_exchange_strong_explicit(
			&e->key, &held, key, memory_order_relaxed, memory_order_relaxed))
			break;
	}
	/* A time in the past is a full bucket already. */
	if (at > now.ns) {
		atomic_store_explicit(&e->at, now.ns, memory_order_relaxed);
		atomic_fetch_add_explicit(&r->forgotten, 1, memory_order_relaxed);
	}
	return e;
}

/* By the time of a bucket at `now`; the time is moved on by who is let through, and back when it is
 * further ahead than it may be. */
static struct edge_rate_state judge(const struct edge_rate *rate, int64_t *at, mono_time now)
{
	int64_t interval = rate->interval.ns, full = interval * rate->burst;
	int64_t ahead = MAX(*at - now.ns, 0);
	struct edge_rate_state state = {.allowed = ahead <= full - interval};

	if (state.allowed) {
		ahead += interval;
		*at = now.ns + ahead;
	} else if (ahead > full) {
		/* Its rate was another one before a reload. */
		ahead = full;
		*at = now.ns + full;
	}
	state.left = (unsigned)((full - ahead) / interval);
	/* The next one may come when the bucket is ahead by one interval less than it may be. */
	if (state.left < rate->burst)
		state.wait = DUR_NS(ahead - (full - interval * (state.left + 1)));
	return state;
}

struct edge_rate_state edge_rates_take(struct edge_rates *r, uint64_t key,
				       const struct edge_rate *rate, mono_time now)
{
	struct edge_rate_state state;
	struct entry *e;
	int64_t before, at;

	CHECK(rate->interval.ns > 0 && rate->burst > 0);
	if (key == 0)
		key = 1; /* 0 is nobody's */
	e = claim(r, key, now);
	before = at_of(e);
	for (;;) {
		at = before;
		state = judge(rate, &at, now);
		if (at == before ||
		    atomic_compare_exchange_weak_explicit(&e->at, &before, at, memory_order_relaxed,
							  memory_order_relaxed))
			return state;
	}
}

void edge_rates_give_back(struct edge_rates *r, uint64_t key, const struct edge_rate *rate)
{
	struct entry *e;
	uint64_t held;
	int64_t at;

	if (key == 0)
		key = 1;
	e = look(&r->sets[key & (r->n_sets - 1)], key, &held, &at);
	/* One that was forgotten meanwhile is charged nothing. */
	if (held == key)
		atomic_fetch_sub_explicit(&e->at, rate->interval.ns, memory_order_relaxed);
}

size_t edge_rates_size(const struct edge_rates *r)
{
	return r->n_sets * WAYS;
}

size_t edge_rates_used(const struct edge_rates *r, mono_time now)
{
	size_t sets = MIN(r->n_sets, (size_t)SETS_COUNTED), n = 0;

	for (size_t s = 0; s < sets; s++) {
		for (unsigned i = 0; i < WAYS; i++)
			n += at_of(&r->sets[s].ways[i]) > now.ns;
	}
	return n * (r->n_sets / sets);
}

uint64_t edge_rates_forgotten(const struct edge_rates *r)
{
	return atomic_load_explicit(&r->forgotten, memory_order_relaxed);
}
