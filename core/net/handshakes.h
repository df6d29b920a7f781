/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Threads that run steps of servers' handshakes, so that a signature, be it computed for a
 * millisecond or asked of another machine, holds up nobody's requests. The connection stays with
 * its loop, which lends the step and gets it back.
 *
 * All threads take from one queue, in the order of lending whoever lends, so that none is idle
 * while a step waits. They are nicer than the loops by HANDSHAKES_NICE: where processors are short,
 * requests come first, and steps get about a quarter of the time.
 *
 * The queue is bounded by the users: a stream lends one step at a time.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "core/loop/loop.h"

/* The scheduler's weight of it is a third of that of nice 0 (335 and 1024). */
#define HANDSHAKES_NICE 5
/* More than wait for another machine's signatures at a time, and than any has processors. */
#define HANDSHAKES_THREADS_MAX 1024

struct handshakes;
struct handshake_lender;

/* Embedded in its owner. While it is lent, nobody touches what it works on but run(). */
struct handshake_step {
	TAILQ_ENTRY(handshake_step) link;
	/* On one of the threads. */
	void (*run)(struct handshake_step *step);
	/* Then on the lender's loop; may free it, or lend it again. */
	void (*back)(struct handshake_step *step);
	struct handshake_lender *lender; /* the last one */
	bool queued;                     /* under the lock of the handshakes */
	struct handshake_step *before;   /* that has come to its end */
};

/* Starts the threads; NULL when there cannot be as many, which was logged. */
struct handshakes *handshakes_create(unsigned n_threads);
/* No lender may be left. */
void handshakes_destroy(struct handshakes **handshakes);

/* A loop that lends; all that follows belongs to its thread. NULL: no descriptor is left, which was
 * logged. */
struct handshake_lender *handshake_lender_create(struct handshakes *handshakes, struct loop *loop);
/* Waits for what is lent: back() is called for each from in here. Nothing may be lent meanwhile. */
void handshake_lender_destroy(struct handshake_lender **lender);
void handshake_lend(struct handshake_lender *lender, struct handshake_step *step);
/* True: no thread has had it, and back() will not be called. False: it will. */
bool handshake_take_back(struct handshake_step *step);
