/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table: sets of eight words, which are a cache line. A key's set is in its low bits.
 */
#include "edge/limit/tally.h"

#include <stdlib.h>

#include "core/base/check.h"

#define TALLY_MAGIC 0x54616c6cu
#define WAYS 8
/* As in rates.c. */
#define SETS_COUNTED 8192

/* A word: 32 bits of the key, 16 of connections, 16 of requests; 0: nobody's. */
#define ONE_REQUEST UINT64_C(1)
#define ONE_CONNECTION (UINT64_C(1) << 16)
#define TAG_SHIFT 32

struct set {
	edge_place_of_client ways[WAYS];
};

struct edge_tally {
	unsigned magic;
	size_t n_sets; /* a power of two */
	struct set *sets;
	_Atomic uint64_t missed;
};

static unsigned requests_of(uint64_t word)
{
	return word & EDGE_TALLY_MAX;
}

static unsigned connections_of(uint64_t word)
{
	return word >> 16 & EDGE_TALLY_MAX;
}

static uint64_t word_of(const edge_place_of_client *place)
{
	return atomic_load_explicit(place, memory_order_relaxed);
}

static bool replace(edge_place_of_client *place, uint64_t *before, uint64_t after)
{
	return atomic_compare_exchange_weak_explicit(place, before, after, memory_order_relaxed,
						     memory_order_relaxed);
}

struct edge_tally *edge_tally_create(size_t n)
{
	struct edge_tally *t = xcalloc(1, sizeof(*t));

	t->magic = TALLY_MAGIC;
	t->n_sets = 1;
	while (t->n_sets * WAYS < n)
		t->n_sets *= 2;
	t->sets = xcalloc(t->n_sets, sizeof(t->sets[0]));
	return t;
}

/* Places that are taken, of the first `n` sets. */
static size_t count_used(const struct edge_tally *t, size_t n_sets)
{
	size_t n = 0;

	for (size_t s = 0; s < n_sets; s++) {
		for (unsigned i = 0; i < WAYS; i++)
			n += word_of(&t->sets[s].ways[i]) != 0;
	}
	return n;
}

void edge_tally_destroy(struct edge_tally **tallyp)
{
	struct edge_tally *t = TAKE(tallyp);

	if (t == NULL)
		return;
	MAGIC_CHECK(t, TALLY_MAGIC);
	CHECK(count_used(t, t->n_sets) == 0);
	t->magic = MAGIC_DEAD;
	free(t->sets);
	free(t);
}

/* Connections */

/* The place of a client; else an empty one; NULL: there is neither. */
static edge_place_of_client *look(struct set *set, uint64_t tag, uint64_t *word)
{
	edge_place_of_client *empty = NULL;

	for (unsigned i = 0; i < WAYS; i++) {
		*word = word_of(&set->ways[i]);
		if (*word != 0 && *word >> TAG_SHIFT == tag)
			return &set->ways[i];
		if (*word == 0 && empty == NULL)
			empty = &set->ways[i];
	}
	*word = 0;
	return empty;
}

static enum edge_tally_verdict miss(struct edge_tally *t)
{
	atomic_fetch_add_explicit(&t->missed, 1, memory_order_relaxed);
	return EDGE_TALLY_NONE;
}

enum edge_tally_verdict edge_tally_open(struct edge_tally *t, uint64_t key, unsigned max,
					edge_place_of_client **out)
{
	struct set *set = &t->sets[key & (t->n_sets - 1)];
	uint64_t tag = key >> TAG_SHIFT, word;
	edge_place_of_client *place;

	*out = NULL;
	do {
		place = look(set, tag, &word);
		if (place == NULL)
			return miss(t);
		if (max > 0 && connections_of(word) >= max)
			return EDGE_TALLY_OVER;
		if (connections_of(word) == EDGE_TALLY_MAX)
			return miss(t);
		/* Who fails looks again: the place may be another client's by now. */
	} while (!replace(place, &word, (tag << TAG_SHIFT | (uint32_t)word) + ONE_CONNECTION));
	*out = place;
	return EDGE_TALLY_COUNTED;
}

void edge_tally_close(edge_place_of_client **placep)
{
	edge_place_of_client *place = TAKE(placep);
	uint64_t word;

	if (place == NULL)
		return;
	word = word_of(place);
	do
		CHECK(connections_of(word) > 0 &&
		      (connections_of(word) > 1 || requests_of(word) == 0));
	while (!replace(place, &word, connections_of(word) > 1 ? word - ONE_CONNECTION : 0));
}

/* Requests */

bool edge_tally_begin(edge_place_of_client *place, unsigned max)
{
	uint64_t word = word_of(place);

	if (max == 0)
		max = EDGE_TALLY_MAX;
	do {
		if (requests_of(word) >= max)
			return false;
	} while (!replace(place, &word, word + ONE_REQUEST));
	return true;
}

void edge_tally_end(edge_place_of_client *place)
{
	CHECK(requests_of(atomic_fetch_sub_explicit(place, ONE_REQUEST, memory_order_relaxed)) > 0);
}

/* The table */

size_t edge_tally_used(const struct edge_tally *t)
{
	size_t sets = MIN(t->n_sets, (size_t)SETS_COUNTED);

	return count_used(t, sets) * (t->n_sets / sets);
}

uint64_t edge_tally_missed(const struct edge_tally *t)
{
	return atomic_load_explicit(&t->missed, memory_order_relaxed);
}
