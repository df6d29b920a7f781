/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An event loop: one thread, one libevent base, one mailbox. Everything that belongs to a loop is
 * touched by its thread only; other threads reach it by posting to its mailbox.
 *
 * A turn of the loop is: wait, serve every ready event and timer, run the mailbox, then the tasks
 * deferred during the turn and after them those that were to be last, then background tasks in
 * order of arrival, and what these deferred. Background tasks (TLS handshakes) share the loop's
 * time with established traffic, so that neither starves the other, as libevent's own priorities
 * would have it: at least LOOP_BACKGROUND_PER_TURN run in a turn, and more until they have taken
 * half as long as all else in the turn. Each runs at most once in a turn.
 *
 * A loop group is a program's loops: one control loop and its workers. loop_group_after_grace()
 * is how shared immutable data is retired: when it calls back, control and every worker have ended
 * the turn in which they may have seen the old pointer.
 */
#pragma once

/* More worker threads than any machine has processors are a typing error. */
#define LOOP_WORKERS_MAX 1024

#include <stdbool.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "core/base/clock.h"

struct loop;

/* A step of a handshake costs about 200 us, so two of them delay the others by no more than half a
 * millisecond a turn. Of a busy loop they alone would be far too few: clients that pipelined
 * requests made 516 handshakes a second fall to 31. */
#define LOOP_BACKGROUND_PER_TURN 2

struct loop *loop_create(const char *name);
/* The loop must not be running. What is in its mailbox and deferred is run; mail that comes of that
 * is dropped. */
void loop_destroy(struct loop **loop);

/* Runs in the calling thread until loop_stop_mt(). */
void loop_run(struct loop *loop);
/* Runs in a new thread, whose signals are all blocked; loop_join() waits for its end. False when
 * there can be none, which was logged. */
bool loop_start(struct loop *loop);
void loop_join(struct loop *loop);
void loop_stop_mt(struct loop *loop);

/* True in the loop's own thread, and in any thread before the loop runs and after that: when
 * loop_run() has returned, or loop_join(). */
bool loop_is_owner(const struct loop *loop);
#define LOOP_ASSERT_OWNER(loop) CHECK(loop_is_owner(loop))

struct event_base *loop_base(struct loop *loop);
/* The time at which this was first asked in this turn: cheap, and the same to the end of the turn.
 * Outside of a turn, what the clock says. */
mono_time loop_now(const struct loop *loop);
/* The number of this turn, or of the last one while the loop does not run. */
uint64_t loop_turn(const struct loop *loop);
/* A small number that is unique among the loops of a group: 0 for control, 1.. for workers. */
unsigned loop_index(const struct loop *loop);
const char *loop_name(const struct loop *loop);

/* Mailbox: fn(arg) runs once in the loop's thread, in order of posting. Any thread may call. */
void loop_post_mt(struct loop *loop, void (*fn)(void *arg), void *arg);

/* A unit of work embedded in its owner. Queueing a queued task does nothing. */
struct loop_task {
	TAILQ_ENTRY(loop_task) link;
	void (*run)(struct loop_task *task);
	bool queued;
	unsigned char list; /* which one it is in */
};

/* Owner thread only. Deferred: at the end of this turn, and so is what deferred tasks defer, up to
 * seven steps on; what comes after that waits for the next turn. Last: after the deferred ones, so
 * that it sees what the turn has brought. Background: see above. */
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_defer_last(struct loop *loop, struct loop_task *task);
void loop_queue_background(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop *loop, struct loop_task *task);
/* Whether as many background tasks wait for their turn, or more: the loop is behind. */
bool loop_background_waits(const struct loop *loop, unsigned n);

struct loop_group {
	struct loop *control;
	struct loop **workers;
	unsigned n_workers;
};

/* Creates the loops (not yet running): control is "control", workers are "worker1"... */
struct loop_group *loop_group_create(unsigned n_workers);
/* The same around a control loop that is there already, and may run; consumes it. Its owner. */
struct loop_group *loop_group_create_around(struct loop **control, unsigned n_workers);
/* False when one cannot be started, which was logged; then none runs. */
bool loop_group_start_workers(struct loop_group *group);
/* Stops and joins the workers; control must be stopped by its own thread. */
void loop_group_stop_workers(struct loop_group *group);
void loop_group_destroy(struct loop_group **group);
/* Control thread only. fn(arg) runs on control after control and every worker that runs have ended
 * the turn that they are in. */
void loop_group_after_grace(struct loop_group *group, void (*fn)(void *arg), void *arg);
