/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How fast those come that are limited: a bounded table of token buckets, shared by all workers
 * without a lock. Who is limited is a key: 64 bits of a keyed hash, of which two are never taken to
 * be equal. Time is a parameter. Any thread.
 *
 * A bucket is a theoretical arrival time (GCRA, ITU-T I.371): each that is let through moves it on
 * by the interval of the rate, and it may be ahead of the present by a burst. One that lies in the
 * past is a full bucket, which is what whoever is not in the table has: an entry ages by itself.
 * A key has eight places; when all are taken by such as are ahead, the one whose time comes first
 * is forgotten, and counted.
 *
 * Two threads that bring the same new key at the same moment may give it two places, and one that
 * loses its place meanwhile may be charged to its successor: a few more or less are let through
 * once, and all are aged as any other. Nothing else is guarded by an entry, so order is relaxed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"

struct edge_rates;

struct edge_rate {
	duration interval; /* from one to the next; > 0 */
	unsigned burst;    /* so many may come at once; > 0, burst * interval fits a duration */
};

struct edge_rate_state {
	bool allowed;
	unsigned left; /* so many more may come at once */
	duration wait; /* until one more than that may */
};

/* `n` entries, rounded up to a power of two; sixteen bytes each, and memory that is not used is not
 * touched. */
struct edge_rates *edge_rates_create(size_t n);
void edge_rates_destroy(struct edge_rates **rates);

/* One of `key` comes: it is let through and charged, or neither. */
struct edge_rate_state edge_rates_take(struct edge_rates *rates, uint64_t key,
				       const struct edge_rate *rate, mono_time now);

/* One that was let through, lately and by that rate, is not to be charged after all. */
void edge_rates_give_back(struct edge_rates *rates, uint64_t key, const struct edge_rate *rate);

size_t edge_rates_size(const struct edge_rates *rates);
/* Entries that are ahead of `now`; of a large table an estimate, by a part of it. */
size_t edge_rates_used(const struct edge_rates *rates, mono_time now);
/* How many had to be forgotten for others. */
uint64_t edge_rates_forgotten(const struct edge_rates *rates);
