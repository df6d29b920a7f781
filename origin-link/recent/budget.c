/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See budget.h.
 */
#include "origin-link/recent/budget.h"

#define NS_PER_SECOND INT64_C(1000000000)

static uint32_t second_of(mono_time now)
{
	return (uint32_t)(now.ns / NS_PER_SECOND);
}

static uint32_t get(const _Atomic uint32_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void set(_Atomic uint32_t *n, uint32_t value)
{
	atomic_store_explicit(n, value, memory_order_relaxed);
}

/* The place of this second. Who reads it meanwhile may see the counts of one that passed long ago
 * for a new one, or none: a few too many or too few, once. */
static unsigned begin_second(struct budget_counts *counts, mono_time now)
{
	uint32_t second = second_of(now);
	unsigned i = second % BUDGET_RING;

	if (get(&counts->ring[i].second) != second) {
		set(&counts->ring[i].requests, 0);
		set(&counts->ring[i].retries, 0);
		set(&counts->ring[i].second, second);
	}
	return i;
}

void budget_count_request(struct budget_counts *counts, mono_time now)
{
	unsigned i = begin_second(counts, now);

	set(&counts->ring[i].requests, get(&counts->ring[i].requests) + 1);
}

void budget_count_retry(struct budget_counts *counts, mono_time now)
{
	unsigned i = begin_second(counts, now);

	set(&counts->ring[i].retries, get(&counts->ring[i].retries) + 1);
}

void budget_sum(const struct budget_counts *counts, mono_time now, struct budget_sums *sums)
{
	uint32_t second = second_of(now);

	for (unsigned i = 0; i < BUDGET_RING; i++) {
		/* Loops do not agree about the time to the millisecond: one may be a second ahead.
		 */
		if (second + 1 - get(&counts->ring[i].second) > BUDGET_SECONDS)
			continue;
		sums->requests += get(&counts->ring[i].requests);
		sums->retries += get(&counts->ring[i].retries);
	}
}

bool budget_allows(const struct budget_terms *terms, const struct budget_sums *sums)
{
	double allowed =
	    (double)sums->requests * terms->share / 100 + (double)terms->min * BUDGET_SECONDS;

	return (double)sums->retries + 1 <= allowed;
}
