/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Lets probes begin no faster than this process can do them. Thousands of them may be due at once,
 * at a start or after the loop was held up; if they all began, each would wait for all others, and
 * time out for no fault of who is probed. Who waits here has not begun: its time does not run.
 *
 * What counts is the work that the loop has before it, handshakes above all, not how many are under
 * way: those whom nobody answers keep no others waiting. Control loop only.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

struct loop;
struct probe_gate;

/* One probe's, embedded in it. */
struct probe_pass {
	TAILQ_ENTRY(probe_pass) link;
	void (*go)(struct probe_pass *pass);
	bool waits;
};

struct probe_gate *probe_gate_create(struct loop *loop);
/* Once nobody waits. */
void probe_gate_destroy(struct probe_gate **gate);
/* go() is called, at once or later. */
void probe_gate_enter(struct probe_gate *gate, struct probe_pass *pass);
/* It is not, if it was not. */
void probe_gate_cancel(struct probe_gate *gate, struct probe_pass *pass);
