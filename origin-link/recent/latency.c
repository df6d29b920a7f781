/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See latency.h.
 */
#include "origin-link/recent/latency.h"

#include "core/base/check.h"

/* The first bucket is all that is below 64 us, in units of 8 us, so that each doubling has eight
 * steps: 8 to 15 units, 16 to 31 by twos, and so on. */
#define UNIT_NS 8000
#define STEPS 8

static unsigned bucket_of(duration d)
{
	uint64_t units = d.ns > 0 ? (uint64_t)d.ns / UNIT_NS : 0;
	unsigned doublings;

	if (units < STEPS)
		return 0;
	doublings = 60 - (unsigned)__builtin_clzll(units); /* over STEPS */
	return MIN(doublings * STEPS + (unsigned)(units >> doublings) - STEPS + 1,
		   LATENCY_BUCKETS - 1);
}

/* All in it took less. */
static duration bound_of(unsigned bucket)
{
	unsigned doublings, step;

	if (bucket == 0)
		return DUR_NS(STEPS * UNIT_NS);
	doublings = (bucket - 1) / STEPS;
	step = (bucket - 1) % STEPS;
	return DUR_NS(((int64_t)(STEPS + step + 1) << doublings) * UNIT_NS);
}

void latency_add(struct latency *l, duration d)
{
	if (l->n >= LATENCY_FULL) {
		l->n = 0;
		for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
			l->counts[i] /= 2;
			l->n += l->counts[i];
		}
	}
	l->counts[bucket_of(d)]++;
	l->n++;
}

duration latency_quantile(const struct latency *l, double percent)
{
	double enough = percent / 100 * l->n;
	unsigned n = 0;

	if (l->n < LATENCY_ENOUGH)
		return DUR_NS(-1);
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		n += l->counts[i];
		if ((double)n >= enough)
			return bound_of(i);
	}
	return bound_of(LATENCY_BUCKETS - 1);
}
