/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rise and fall: the pure machine that turns single successes and failures into up and down. The
 * control loop calls health_init() and what changes it; health_get() is for any thread. It owns
 * nothing and knows no time: how often results come is the caller's business.
 */
#include "origin-link/health/health.h"

#include "core/base/check.h"

const char *probe_cause_text(enum probe_cause cause)
{
	switch (cause) {
	case PROBE_PENDING:
		return "pending";
	case PROBE_OK:
		return "ok";
	case PROBE_RESOLVE_FAILED:
		return "resolve-failed";
	case PROBE_REFUSED:
		return "refused";
	case PROBE_UNREACHABLE:
		return "unreachable";
	case PROBE_TIMED_OUT:
		return "timed-out";
	case PROBE_RESET:
		return "reset";
	case PROBE_TLS_FAILED:
		return "tls-failed";
	case PROBE_CERTIFICATE:
		return "bad-certificate";
	case PROBE_BAD_RESPONSE:
		return "bad-response";
	case PROBE_WRONG_STATUS:
		return "wrong-status";
	case PROBE_WRONG_CONTENT:
		return "wrong-content";
	case PROBE_NOT_SERVING:
		return "not-serving";
	case PROBE_PREVENTED:
		return "prevented";
	case PROBE_NO_ROUTE:
		return "no-route";
	}
	return "?";
}

const char *health_state_text(enum health_state state)
{
	switch (state) {
	case HEALTH_UNKNOWN:
		return "unknown";
	case HEALTH_UP:
		return "up";
	case HEALTH_DOWN:
		return "down";
	}
	return "?";
}

void health_init(struct health *h, unsigned rise, unsigned fall)
{
	h->rise = rise;
	h->fall = fall;
	h->streak = 0;
	h->doubted = false;
	atomic_init(&h->state, HEALTH_UNKNOWN);
	atomic_init(&h->cause, PROBE_PENDING);
	atomic_init(&h->failing, false);
}

void health_take_over(struct health *h, const struct health *from)
{
	h->streak = 0;
	atomic_store_explicit(&h->cause, atomic_load(&from->cause), memory_order_relaxed);
	atomic_store_explicit(&h->failing, atomic_load(&from->failing), memory_order_relaxed);
	atomic_store_explicit(&h->state, atomic_load(&from->state), memory_order_relaxed);
}

void health_recall(struct health *h, enum health_state state, enum probe_cause cause)
{
	h->streak = 0;
	h->doubted = true;
	atomic_store_explicit(&h->cause, cause, memory_order_relaxed);
	atomic_store_explicit(&h->failing, state == HEALTH_UP && cause != PROBE_OK,
			      memory_order_relaxed);
	atomic_store_explicit(&h->state, state, memory_order_relaxed);
}

bool health_forget(struct health *h, enum probe_cause cause)
{
	bool changed = health_get(h) != HEALTH_UNKNOWN || atomic_load(&h->cause) != (int)cause;

	h->streak = 0;
	h->doubted = false;
	atomic_store_explicit(&h->cause, cause, memory_order_relaxed);
	atomic_store_explicit(&h->failing, false, memory_order_relaxed);
	atomic_store_explicit(&h->state, HEALTH_UNKNOWN, memory_order_relaxed);
	return changed;
}

void health_doubt(struct health *h)
{
	h->doubted = true;
}

bool health_is_contradicted(const struct health *h)
{
	return h->streak > 0;
}

bool health_record(struct health *h, enum probe_cause result)
{
	CHECK(result != PROBE_PENDING && result < PROBE_PREVENTED);

	enum health_state old = health_get(h);
	enum health_state said = result == PROBE_OK ? HEALTH_UP : HEALTH_DOWN;
	enum health_state now = old;

	if (old == said) {
		h->streak = 0;
	} else {
		unsigned needed = said == HEALTH_UP ? h->rise : h->fall;

		h->streak++;
		if (old == HEALTH_UNKNOWN || h->doubted || h->streak >= needed) {
			h->streak = 0;
			now = said;
		}
	}
	h->doubted = false;
	/* Three stores, no lock: a reader that sees the new cause with the old state is only a
	 * moment behind, and each value by itself is true. */
	atomic_store_explicit(&h->cause, result, memory_order_relaxed);
	atomic_store_explicit(&h->failing, now == HEALTH_UP && result != PROBE_OK,
			      memory_order_relaxed);
	atomic_store_explicit(&h->state, now, memory_order_relaxed);
	return now != old;
}
