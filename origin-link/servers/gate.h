/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether requests are let through to an origin: its breaker, as control has set it from what
 * requests have found. A request reads one atomic; only in a trial it takes a place of few. One for
 * each origin of a configuration; what is known goes on over a reload.
 */
#pragma once

#include <stdatomic.h>

#include "origin-link/health/breaker.h"

struct cfg_origin;

struct gate {
	/* control loop */
	struct breaker breaker;
	/* any loop; control sets them */
	_Atomic int state;     /* enum breaker_state */
	_Atomic int64_t until; /* mono_time; OPEN */
	_Atomic int places;    /* TRIAL */
};

/* Of the origin in an older configuration. */
void gate_take_over(struct gate *g, const struct gate *from);
/* `news`: what has become of attempts at all its servers since the last look, about a second ago.
 */
void gate_look(struct gate *g, const struct cfg_origin *origin, const struct breaker_counts *news,
	       mono_time now);
/* Any loop. False: not now; *wait: for so long. */
bool gate_pass(struct gate *g, mono_time now, duration *wait);
