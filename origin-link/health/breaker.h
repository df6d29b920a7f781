/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The breaker of an origin: when too large a share of requests fails, none are sent for a while;
 * then a few are, and what becomes of these decides. Pure: counts and time are given.
 *
 *   CLOSED ── a window with too many failures ──> OPEN ── its time is over ──> TRIAL
 *   TRIAL ── of as many as are tried too large a share fails ──> OPEN;  less ──> CLOSED
 *   TRIAL ── no word of them for as long as it was open ──> TRIAL, with as many again
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/origin.h"
#include "core/base/clock.h"

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_TRIAL };

const char *breaker_state_text(enum breaker_state state);

/* Of attempts that have ended since the last look. */
struct breaker_counts {
	uint64_t good;
	uint64_t bad; /* failures, and responses with 502, 503 or 504 */
};

/* All zero: closed, and nothing was seen yet. */
struct breaker {
	enum breaker_state state;
	mono_time since;            /* it is in that state, or its window began; 0: it has not */
	struct breaker_counts seen; /* since then */
};

/* About once a second. True: the state has begun anew, maybe the same one (TRIAL). */
bool breaker_look(struct breaker *b, const struct cfg_breaker *settings,
		  const struct breaker_counts *news, mono_time now);
