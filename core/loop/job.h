/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Work that computes or waits for long (files, parsing, certificates, maps) and so must not hold a
 * loop: it runs on a background thread, and its end comes back to the home loop by mail. All jobs
 * of one home share one thread and run in the order in which they were started.
 *
 * A job owns what it works on, for a read of a dead file server may never return, and then the
 * program ends without it. So every job ends in one of two ways, once:
 *
 *   run() on the thread, then done() on the home loop; or
 *   discard(), when jobs_stop() came before done(): it frees what the job owns, with its result
 *   if there is one. On the home thread; or on the background thread when run() was under way,
 *   after it returns.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "core/loop/loop.h"

struct job;

struct job_ops {
	void (*run)(struct job *job);
	void (*done)(struct job *job); /* may free it, or start it again */
	void (*discard)(struct job *job);
};

/* Embedded in its owner; nobody touches the owner between job_start() and the end but the job. */
struct job {
	STAILQ_ENTRY(job) link;
	const struct job_ops *ops;
};

struct jobs;

/* Starts the thread; NULL when there can be none, which was logged. Home loop, or before it runs;
 * so are all functions here. */
struct jobs *jobs_create(struct loop *home, const char *name);
void job_start(struct jobs *jobs, struct job *job, const struct job_ops *ops);
/* Ends the thread, does not wait for it: done() is not called any more, and a job that is started
 * after this is discarded at once. False when a job is under way, which still uses what it uses:
 * then the process must leave by _exit(), not by the destructors of its libraries. */
bool jobs_stop(struct jobs *jobs);
/* The same for jobs that compute and never wait for an outside: one that is under way is waited
 * for. */
void jobs_finish(struct jobs *jobs);
/* After either. */
void jobs_destroy(struct jobs **jobs);
