/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Jobs, their thread, and the way back. What the two threads share is counted by both, and freed by
 * whoever leaves last: a thread that is stuck in a job may outlive the home loop. Ended jobs wait
 * in a list of ours, and the mail only says that there are some, so that none is lost when the loop
 * ends before the mail is read.
 */
#include "core/loop/job.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/thread.h"

#define JOBS_MAGIC 0x4a6f6273u

STAILQ_HEAD(job_list, job);

struct jobs {
	unsigned magic;
	struct loop *home; /* not touched by the thread once `stopped` */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	struct job_list queued, ended;
	bool running;
	bool stopped;
	unsigned references; /* the home's, the thread's, that of a mail on its way */
};

/* With the lock held, which is released. */
static void unref_and_unlock(struct jobs *jobs)
{
	bool last = --jobs->references == 0;

	pthread_mutex_unlock(&jobs->lock);
	if (!last)
		return;
	pthread_cond_destroy(&jobs->changed);
	pthread_mutex_destroy(&jobs->lock);
	jobs->magic = MAGIC_DEAD;
	free(jobs);
}

/* On the home loop: some have ended. Any of them may stop us. */
static void take_ended(void *arg)
{
	struct jobs *jobs = arg;
	struct job *job;

	MAGIC_CHECK(jobs, JOBS_MAGIC);
	pthread_mutex_lock(&jobs->lock);
	while ((job = STAILQ_FIRST(&jobs->ended)) != NULL) {
		STAILQ_REMOVE_HEAD(&jobs->ended, link);
		pthread_mutex_unlock(&jobs->lock);
		job->ops->done(job);
		pthread_mutex_lock(&jobs->lock);
	}
	unref_and_unlock(jobs);
}

/* With the lock held. */
static void run_ended(struct jobs *jobs, struct job *job)
{
	bool first = STAILQ_EMPTY(&jobs->ended);

	STAILQ_INSERT_TAIL(&jobs->ended, job, link);
	if (!first)
		return;
	jobs->references++;
	/* Inside the lock: once it is released the home may stop us, and end its loop. */
	loop_post_mt(jobs->home, take_ended, jobs);
}

static void run_first(struct jobs *jobs)
{
	struct job *job = STAILQ_FIRST(&jobs->queued);
	bool stopped;

	STAILQ_REMOVE_HEAD(&jobs->queued, link);
	jobs->running = true;
	pthread_mutex_unlock(&jobs->lock);
	job->ops->run(job);
	pthread_mutex_lock(&jobs->lock);
	jobs->running = false;
	stopped = jobs->stopped;
	if (!stopped) {
		run_ended(jobs, job);
		return;
	}
	pthread_mutex_unlock(&jobs->lock);
	job->ops->discard(job);
	pthread_mutex_lock(&jobs->lock);
}

static void *thread_main(void *arg)
{
	struct jobs *jobs = arg;

	MAGIC_CHECK(jobs, JOBS_MAGIC);
	pthread_mutex_lock(&jobs->lock);
	while (!jobs->stopped) {
		if (STAILQ_EMPTY(&jobs->queued))
			pthread_cond_wait(&jobs->changed, &jobs->lock);
		else
			run_first(jobs);
	}
	unref_and_unlock(jobs);
	return NULL;
}

struct jobs *jobs_create(struct loop *home, const char *name)
{
	struct jobs *jobs = xcalloc(1, sizeof(*jobs));
	int error;

	LOOP_ASSERT_OWNER(home);
	jobs->magic = JOBS_MAGIC;
	jobs->home = home;
	jobs->references = 2;
	STAILQ_INIT(&jobs->queued);
	STAILQ_INIT(&jobs->ended);
	CHECK(pthread_mutex_init(&jobs->lock, NULL) == 0);
	CHECK(pthread_cond_init(&jobs->changed, NULL) == 0);
	error = thread_start(&jobs->thread, name, thread_main, jobs);
	if (error < 0) {
		log_error("cannot start the thread of %s: %s", name, strerrordesc_np(-error));
		pthread_mutex_lock(&jobs->lock);
		jobs->references = 1;
		unref_and_unlock(jobs);
		return NULL;
	}
	return jobs;
}

void job_start(struct jobs *jobs, struct job *job, const struct job_ops *ops)
{
	MAGIC_CHECK(jobs, JOBS_MAGIC);
	LOOP_ASSERT_OWNER(jobs->home);
	job->ops = ops;
	pthread_mutex_lock(&jobs->lock);
	if (jobs->stopped) {
		pthread_mutex_unlock(&jobs->lock);
		ops->discard(job);
		return;
	}
	STAILQ_INSERT_TAIL(&jobs->queued, job, link);
	pthread_cond_signal(&jobs->changed);
	pthread_mutex_unlock(&jobs->lock);
}

static void discard_all(struct job_list *list)
{
	struct job *job;

	while ((job = STAILQ_FIRST(list)) != NULL) {
		STAILQ_REMOVE_HEAD(list, link);
		job->ops->discard(job);
	}
}

/* False when a job is under way that is not waited for. */
static bool stop(struct jobs *jobs, bool wait)
{
	struct job_list queued = STAILQ_HEAD_INITIALIZER(queued);
	struct job_list ended = STAILQ_HEAD_INITIALIZER(ended);
	bool running;

	MAGIC_CHECK(jobs, JOBS_MAGIC);
	LOOP_ASSERT_OWNER(jobs->home);
	pthread_mutex_lock(&jobs->lock);
	CHECK(!jobs->stopped);
	jobs->stopped = true;
	running = jobs->running && !wait;
	STAILQ_CONCAT(&queued, &jobs->queued);
	STAILQ_CONCAT(&ended, &jobs->ended);
	pthread_cond_signal(&jobs->changed);
	pthread_mutex_unlock(&jobs->lock);
	if (running)
		CHECK(pthread_detach(jobs->thread) == 0);
	else
		CHECK(pthread_join(jobs->thread, NULL) == 0);
	discard_all(&ended);
	discard_all(&queued);
	return !running;
}

bool jobs_stop(struct jobs *jobs)
{
	return stop(jobs, false);
}

void jobs_finish(struct jobs *jobs)
{
	stop(jobs, true);
}

void jobs_destroy(struct jobs **jobsp)
{
	struct jobs *jobs = TAKE(jobsp);

	if (jobs == NULL)
		return;
	MAGIC_CHECK(jobs, JOBS_MAGIC);
	pthread_mutex_lock(&jobs->lock);
	CHECK(jobs->stopped);
	unref_and_unlock(jobs);
}
