/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How long the first byte of an origin's responses has taken of late, as one loop has seen it: a
 * histogram that forgets, for the time after which a second attempt is worth while. Pure.
 */
#pragma once

#include <stdint.h>

#include "core/base/clock.h"

/* Eight for each doubling: a value is known to 9%; from 64 us to 67 s. */
#define LATENCY_BUCKETS 160
/* When so many are known all count half, so that the last few thousand requests decide. */
#define LATENCY_FULL 2048
/* With fewer nothing is said: the last twentieth of them would be five. */
#define LATENCY_ENOUGH 100

struct latency {
	unsigned n;
	uint16_t counts[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, duration d);
/* What `percent` of them took at most; < 0: too few are known. */
duration latency_quantile(const struct latency *l, double percent);
