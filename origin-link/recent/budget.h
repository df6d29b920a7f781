/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many further attempts an origin may be asked for: a share of the requests of the last
 * seconds, so that a server in trouble is not asked several times as much as before, and a minimum,
 * so that an origin with few requests has some. For all workers together: each loop counts for
 * itself, second by second, and whoever wants to know sums up. The machine is pure; the time is a
 * parameter.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"

/* Seconds that count, the current one among them. Long enough that a burst does not starve the
 * next second, short enough that what was quiet an hour ago does not pay for a storm. */
#define BUDGET_SECONDS 10
/* More than that, so that the one that is being written is not among those read. A power of two. */
#define BUDGET_RING 16

/* One loop's, written by it alone. */
struct budget_counts {
	struct {
		_Atomic uint32_t second, requests, retries;
	} ring[BUDGET_RING];
};

struct budget_terms {
	double share; /* percent */
	unsigned min; /* a second */
};

struct budget_sums {
	uint64_t requests, retries;
};

/* The counting loop. */
void budget_count_request(struct budget_counts *counts, mono_time now);
void budget_count_retry(struct budget_counts *counts, mono_time now);
/* Adds what it has counted in the last seconds. Any loop, a moment behind: so a few more than
 * allowed may pass when several loops ask at once, at most one for each. */
void budget_sum(const struct budget_counts *counts, mono_time now, struct budget_sums *sums);
/* Whether one more is allowed. */
bool budget_allows(const struct budget_terms *terms, const struct budget_sums *sums);
