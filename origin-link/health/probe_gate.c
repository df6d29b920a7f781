/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The gate of probes: a queue, and a rate that the loop's work brings to a stop. It owns a timer;
 * the passes are the probes'.
 */
#include "origin-link/health/probe_gate.h"

#include <stdlib.h>

#include <event2/event.h>

#include "core/base/check.h"
#include "core/loop/loop.h"

#define GATE_MAGIC 0x47617465u

/* 10,000 probes begin in two seconds, so that a start, which waits for three, has their first
 * verdicts. As many as may begin at once take a millisecond or two; it is what the rate gives in
 * the 4 ms that the loop's timers are late (core/loop/deadline.c). */
#define STARTS_PER_MS 5
#define STARTS_AT_ONCE 20
/* Steps of handshakes that wait for the loop: of 0.3 ms or so, 10 ms of work. Without this bound
 * the rate would be more than a processor can do. */
#define WORK_MAX 32
#define PUMP_INTERVAL DUR_MS(1)

struct probe_gate {
	unsigned magic;
	struct loop *loop;
	TAILQ_HEAD(, probe_pass) waiting;
	unsigned starts;  /* that may be made now */
	mono_time filled; /* when that was reckoned */
	struct event *pump;
};

static void refill(struct probe_gate *gate)
{
	mono_time now = clock_mono();
	int64_t more = mono_since(now, gate->filled).ns * STARTS_PER_MS / DUR_MS(1).ns;

	if (more == 0)
		return;
	gate->starts = (unsigned)MIN(gate->starts + more, STARTS_AT_ONCE);
	gate->filled = now;
}

static bool is_open(const struct probe_gate *gate)
{
	return gate->starts > 0 && !loop_background_waits(gate->loop, WORK_MAX);
}

static void pump_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = dur_to_timeval(PUMP_INTERVAL);
	struct probe_gate *gate = arg;
	struct probe_pass *pass;

	MAGIC_CHECK(gate, GATE_MAGIC);
	refill(gate);
	while (is_open(gate) && (pass = TAILQ_FIRST(&gate->waiting)) != NULL) {
		probe_gate_cancel(gate, pass);
		gate->starts--;
		pass->go(pass);
	}
	if (!TAILQ_EMPTY(&gate->waiting))
		event_add(gate->pump, &again);
}

struct probe_gate *probe_gate_create(struct loop *loop)
{
	struct probe_gate *gate = xcalloc(1, sizeof(*gate));

	gate->magic = GATE_MAGIC;
	gate->loop = loop;
	TAILQ_INIT(&gate->waiting);
	gate->starts = STARTS_AT_ONCE;
	gate->filled = clock_mono();
	gate->pump = evtimer_new(loop_base(loop), pump_cb, gate);
	CHECK(gate->pump != NULL);
	return gate;
}

void probe_gate_destroy(struct probe_gate **gatep)
{
	struct probe_gate *gate = TAKE(gatep);

	if (gate == NULL)
		return;
	MAGIC_CHECK(gate, GATE_MAGIC);
	CHECK(TAILQ_EMPTY(&gate->waiting));
	event_free(gate->pump);
	gate->magic = MAGIC_DEAD;
	free(gate);
}

void probe_gate_enter(struct probe_gate *gate, struct probe_pass *pass)
{
	const struct timeval soon = dur_to_timeval(PUMP_INTERVAL);

	LOOP_ASSERT_OWNER(gate->loop);
	CHECK(!pass->waits);
	refill(gate);
	if (TAILQ_EMPTY(&gate->waiting) && is_open(gate)) {
		gate->starts--;
		pass->go(pass);
		return;
	}
	pass->waits = true;
	TAILQ_INSERT_TAIL(&gate->waiting, pass, link);
	event_add(gate->pump, &soon);
}

void probe_gate_cancel(struct probe_gate *gate, struct probe_pass *pass)
{
	if (pass->waits)
		TAILQ_REMOVE(&gate->waiting, pass, link);
	pass->waits = false;
}
