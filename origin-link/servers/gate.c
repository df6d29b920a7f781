/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The gates of origins. Control calls all but gate_pass(), which is for any loop. Owns nothing.
 */
#define LOG_MODULE LOG_ORIGIN
#include "origin-link/servers/gate.h"

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"

/* While others are on trial there is no telling how long it takes: the next look may know. */
#define TRIAL_WAIT DUR_S(1)

static void set(struct gate *g, const struct cfg_breaker *settings)
{
	const struct breaker *b = &g->breaker;

	atomic_store_explicit(&g->until, mono_add(b->since, settings->open).ns,
			      memory_order_relaxed);
	atomic_store_explicit(&g->places, (int)settings->trials, memory_order_relaxed);
	/* Release: who sees the state sees what goes with it. */
	atomic_store_explicit(&g->state, b->state, memory_order_release);
}

void gate_take_over(struct gate *g, const struct gate *from)
{
	g->breaker = from->breaker;
	atomic_store_explicit(&g->until, atomic_load(&from->until), memory_order_relaxed);
	atomic_store_explicit(&g->places, atomic_load(&from->places), memory_order_relaxed);
	atomic_store_explicit(&g->state, atomic_load(&from->state), memory_order_release);
}

void gate_look(struct gate *g, const struct cfg_origin *origin, const struct breaker_counts *news,
	       mono_time now)
{
	enum breaker_state old = g->breaker.state;

	if (!breaker_look(&g->breaker, &origin->breaker, news, now))
		return;
	set(g, &origin->breaker);
	if (g->breaker.state != old)
		log_info("origin %s: its breaker is %s", origin->name,
			 breaker_state_text(g->breaker.state));
}

bool gate_pass(struct gate *g, mono_time now, duration *wait)
{
	switch ((enum breaker_state)atomic_load_explicit(&g->state, memory_order_acquire)) {
	case BREAKER_CLOSED:
		return true;
	case BREAKER_OPEN:
		wait->ns = atomic_load_explicit(&g->until, memory_order_relaxed) - now.ns;
		wait->ns = MAX(wait->ns, 0); /* control is late */
		return false;
	case BREAKER_TRIAL:
		break;
	}
	*wait = TRIAL_WAIT;
	return atomic_load_explicit(&g->places, memory_order_relaxed) > 0 &&
	       atomic_fetch_sub_explicit(&g->places, 1, memory_order_relaxed) > 0;
}
