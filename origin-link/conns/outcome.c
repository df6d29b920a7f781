/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Outcomes of attempts, counted. Counts have the layout of their sums, so that adding them up is
 * one loop; each is written by one loop with a plain load and store.
 */
#include "origin-link/conns/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define BOUND_FIRST DUR_US(250)

/* As many as the sums have, each at the same place. */
#define COUNTS (sizeof(struct outcome_sums) / sizeof(uint64_t))

struct outcome_counts {
	_Atomic uint64_t v[COUNTS];
};

#define PLACE(member) (offsetof(struct outcome_sums, member) / sizeof(uint64_t))

static void add(struct outcome_counts *counts, size_t place, uint64_t n)
{
	_Atomic uint64_t *v = &counts->v[place];

	atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

bool outcome_is_failure(const struct outcome *o)
{
	return o->ended && o->reason >= OUTCOME_REASON_FIRST && o->reason <= OUTCOME_REASON_LAST &&
	       o->reason != REASON_ORIGIN_QUEUE_FULL && o->reason != REASON_ORIGIN_QUEUE_TIMEOUT;
}

/* Histograms */

const char *outcome_time_text(enum outcome_time time)
{
	static const char *const texts[OUTCOME_TIMES] = {
	    [OUTCOME_TIME_QUEUE] = "queue", [OUTCOME_TIME_CONNECT] = "connect",
	    [OUTCOME_TIME_TLS] = "tls",     [OUTCOME_TIME_FIRST_BYTE] = "first_byte",
	    [OUTCOME_TIME_WHOLE] = "whole",
	};

	CHECK((unsigned)time < OUTCOME_TIMES);
	return texts[time];
}

duration outcome_bound(unsigned i)
{
	CHECK(i < OUTCOME_BUCKETS - 1);
	return DUR_NS(BOUND_FIRST.ns << i);
}

static unsigned bucket_of(duration time)
{
	uint64_t times = (uint64_t)((time.ns + BOUND_FIRST.ns - 1) / BOUND_FIRST.ns);
	unsigned i = times <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(times - 1);

	return MIN(i, OUTCOME_BUCKETS - 1);
}

static void add_time(struct outcome_counts *counts, enum outcome_time which, duration time)
{
	size_t place = PLACE(times) + which * sizeof(struct outcome_histogram) / sizeof(uint64_t);

	if (time.ns < 0)
		return;
	add(counts, place + bucket_of(time), 1);
	add(counts, place + OUTCOME_BUCKETS, (uint64_t)(time.ns / 1000));
}

uint64_t outcome_histogram_count(const struct outcome_histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < OUTCOME_BUCKETS; i++)
		n += h->n[i];
	return n;
}

duration outcome_quantile(const struct outcome_histogram *h, double share)
{
	double rank = share * (double)outcome_histogram_count(h), below = 0;
	int64_t from = 0, to;

	if (outcome_histogram_count(h) == 0)
		return DUR_NS(-1);
	for (unsigned i = 0; i < OUTCOME_BUCKETS - 1; i++) {
		double n = (double)h->n[i];

		to = outcome_bound(i).ns;
		if (n > 0 && below + n >= rank)
			return DUR_NS(from + (int64_t)((double)(to - from) * (rank - below) / n));
		below += n;
		from = to;
	}
	/* Longer than the last bound: how much is not known. */
	return DUR_NS(from);
}

/* Counts */

struct outcome_counts *outcome_counts_create(void)
{
	return xcalloc(1, sizeof(struct outcome_counts));
}

void outcome_counts_destroy(struct outcome_counts **countsp)
{
	free(TAKE(countsp));
}

void outcome_count_opened(struct outcome_counts *counts)
{
	add(counts, PLACE(opened), 1);
}

void outcome_count_held(struct outcome_counts *counts, bool reused)
{
	add(counts, reused ? PLACE(reused) : PLACE(fresh), 1);
}

/* What becomes of warm dials is nothing that a request was told: it is not among these. */
static void count_attempt(struct outcome_counts *counts, const struct outcome *o)
{
	add(counts, PLACE(attempts), 1);
	if (o->again)
		add(counts, PLACE(retries), 1);
	if (o->reason == REASON_NONE)
		add(counts, PLACE(abandoned), 1);
	else if (reason_is_own_shortage(o->reason))
		add(counts, PLACE(shortages), 1);
	else if (o->reason >= OUTCOME_REASON_FIRST && o->reason <= OUTCOME_REASON_LAST)
		add(counts, PLACE(failures) + o->reason - OUTCOME_REASON_FIRST, 1);
}

static void count_end(struct outcome_counts *counts, const struct outcome *o)
{
	if (o->warm && o->reason == REASON_DONE)
		add(counts, PLACE(warm), 1);
	if (!o->warm)
		count_attempt(counts, o);
	add_time(counts, OUTCOME_TIME_QUEUE, o->queue);
	add_time(counts, OUTCOME_TIME_CONNECT, o->connect);
	add_time(counts, OUTCOME_TIME_TLS, o->tls);
	add_time(counts, OUTCOME_TIME_WHOLE, o->whole);
}

void outcome_count(struct outcome_counts *counts, const struct outcome *o)
{
	if (o->ended) {
		count_end(counts, o);
		return;
	}
	add_time(counts, OUTCOME_TIME_FIRST_BYTE, o->first_byte);
	if (o->status >= 100 && o->status < 600)
		add(counts, PLACE(answers) + (size_t)o->status / 100, 1);
	if (o->status >= 502 && o->status <= 504)
		add(counts, PLACE(gateway_errors), 1);
}

void outcome_counts_sum(const struct outcome_counts *counts, struct outcome_sums *sums)
{
	uint64_t v[COUNTS];

	memcpy(v, sums, sizeof(v));
	for (size_t i = 0; i < COUNTS; i++)
		v[i] += atomic_load_explicit(&counts->v[i], memory_order_relaxed);
	memcpy(sums, v, sizeof(v));
}
