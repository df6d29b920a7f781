/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many signatures are made: so many in so many seconds at most, which may come at once, and no
 * more than that rate for ever. Any thread; time is a parameter.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"

struct signer_rate {
	/* Immutable. */
	int64_t interval_ns; /* 0: no limit */
	int64_t burst_ns;
	pthread_mutex_t lock;
	int64_t next_ns; /* under the lock: one more may be made from then on, less the burst */
};

/* 0 signatures: no limit. */
void signer_rate_init(struct signer_rate *rate, uint32_t signatures, uint32_t seconds);
void signer_rate_fini(struct signer_rate *rate);
/* Whether one may be made now; it is counted then. */
bool signer_rate_take(struct signer_rate *rate, mono_time now);
