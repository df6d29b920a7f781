/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rise and fall: the pure machine that turns single successes and failures into up and down.
 * The control loop writes (health_record); any thread reads the atomic state.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

enum probe_cause {
	PROBE_PENDING, /* no result yet */
	PROBE_OK,
	PROBE_RESOLVE_FAILED,
	PROBE_REFUSED,
	PROBE_UNREACHABLE,
	PROBE_TIMED_OUT,
	PROBE_RESET, /* or closed before a status line */
	PROBE_TLS_FAILED,
	PROBE_CERTIFICATE,  /* not accepted: another name, expired, by an unknown issuer... */
	PROBE_BAD_RESPONSE, /* not HTTP */
	PROBE_WRONG_STATUS,
	PROBE_WRONG_CONTENT,
	PROBE_NOT_SERVING, /* it says so itself, by gRPC */
	PROBE_PREVENTED,   /* by our own shortage: says nothing, and is never recorded */
	PROBE_NO_ROUTE,    /* from this machine: says nothing, and makes that nothing is known */
};

const char *probe_cause_text(enum probe_cause cause);

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

const char *health_state_text(enum health_state state);

struct health {
	/* control loop */
	unsigned rise, fall;
	unsigned streak; /* results in a row that contradict the state */
	bool doubted;    /* the next result decides at once, as if there had been none */
	/* any thread reads */
	_Atomic int state;    /* enum health_state */
	_Atomic int cause;    /* enum probe_cause of the last result */
	_Atomic bool failing; /* up, but the last result was a failure: a short TTL is wise */
};

void health_init(struct health *h, unsigned rise, unsigned fall);
/* What another has found out about the same thing stays true; `rise` and `fall` are h's own. */
void health_take_over(struct health *h, const struct health *from);
/* What was true at another time is taken to be so until the next result, which decides. */
void health_recall(struct health *h, enum health_state state, enum probe_cause cause);
/* Nothing is known any more, for this reason. True when the state or the reason changed. */
bool health_forget(struct health *h, enum probe_cause cause);
/* The next result decides at once, whatever is known. */
void health_doubt(struct health *h);
/* The last results contradict what is known: it may be about to change. */
bool health_is_contradicted(const struct health *h);
/* The first result decides at once; then `fall` failures in a row make it down and `rise` successes
 * make it up. True when the state changed. */
bool health_record(struct health *h, enum probe_cause result);
static inline enum health_state health_get(const struct health *h)
{
	return (enum health_state)atomic_load_explicit(&h->state, memory_order_relaxed);
}
