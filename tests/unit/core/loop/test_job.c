/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Jobs: where they run, in which order, and their two ends. Threads wait for each other, never for
 * a time. The sanitizers see what is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/loop/job.h"

struct work {
	struct job job;
	char name;
	sem_t *begun, *go; /* NULL: it does not wait for anybody */
	sem_t *discarded;
	char *result; /* made by run() */
};

static struct loop *loop;
static struct jobs *jobs;
static pthread_t home;
static char trace[16];
static unsigned n_wanted; /* the loop stops after so many are done */

static void note(char c)
{
	size_t n = strlen(trace);

	CHECK(n + 1 < sizeof(trace));
	trace[n] = c;
	trace[n + 1] = '\0';
}

static void free_work(struct work *w)
{
	free(w->result);
	free(w);
}

static void run(struct job *job)
{
	struct work *w = CONTAINER_OF(job, struct work, job);
	sigset_t mask;

	CHECK(!pthread_equal(pthread_self(), home));
	CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
	CHECK(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1);
	if (w->begun != NULL)
		sem_post(w->begun);
	while (w->go != NULL && sem_wait(w->go) != 0)
		;
	w->result = xstrdup("what came of it");
}

static void done(struct job *job)
{
	struct work *w = CONTAINER_OF(job, struct work, job);

	CHECK(pthread_equal(pthread_self(), home) && loop_is_owner(loop));
	CHECK(strcmp(w->result, "what came of it") == 0);
	note(w->name);
	if (strlen(trace) == n_wanted)
		loop_stop_mt(loop);
	free_work(w);
}

static void discard(struct job *job)
{
	struct work *w = CONTAINER_OF(job, struct work, job);
	sem_t *discarded = w->discarded;

	if (discarded == NULL)
		note(w->name - 'a' + 'A');
	free_work(w);
	if (discarded != NULL)
		sem_post(discarded);
}

static const struct job_ops ops = {run, done, discard};

static struct work *start(char name, sem_t *begun, sem_t *go, sem_t *discarded)
{
	struct work *w = xcalloc(1, sizeof(*w));

	w->name = name;
	w->begun = begun;
	w->go = go;
	w->discarded = discarded;
	job_start(jobs, &w->job, &ops);
	return w;
}

static int setup(void **state)
{
	home = pthread_self();
	loop = loop_create("home");
	jobs = jobs_create(loop, "jobs");
	trace[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	jobs_destroy(&jobs);
	CHECK(jobs == NULL);
	loop_destroy(&loop);
	return 0;
}

static void test_jobs_run_in_order_on_the_thread_and_end_on_the_loop(void **state)
{
	n_wanted = 3;
	start('a', NULL, NULL, NULL);
	start('b', NULL, NULL, NULL);
	start('c', NULL, NULL, NULL);
	loop_run(loop);
	assert_string_equal(trace, "abc");
	assert_true(jobs_stop(jobs));
}

static void turn_while_a_job_runs(void *arg)
{
	note('t');
	sem_post(arg);
}

static void test_loop_goes_on_while_a_job_runs(void **state)
{
	sem_t go;

	sem_init(&go, 0, 0);
	n_wanted = 2;
	start('a', NULL, &go, NULL);
	loop_post_mt(loop, turn_while_a_job_runs, &go);
	loop_run(loop);
	assert_string_equal(trace, "ta");
	assert_true(jobs_stop(jobs));
	sem_destroy(&go);
}

static void begin_again(struct job *job)
{
	struct work *w = CONTAINER_OF(job, struct work, job);

	note(w->name);
	free(w->result);
	w->result = NULL;
	job_start(jobs, job, &ops);
}

static void test_a_job_that_is_done_may_be_started_again(void **state)
{
	static const struct job_ops twice = {run, begin_again, discard};
	struct work *w = xcalloc(1, sizeof(*w));

	n_wanted = 2;
	w->name = 'a';
	job_start(jobs, &w->job, &twice);
	loop_run(loop);
	assert_string_equal(trace, "aa");
	assert_true(jobs_stop(jobs));
}

/* Its result was left to a loop that did not look any more. */
static void test_job_that_ended_after_the_last_turn_leaked(void **state)
{
	sem_t begun, go, discarded;

	sem_init(&begun, 0, 0);
	sem_init(&go, 0, 0);
	sem_init(&discarded, 0, 0);
	start('a', NULL, NULL, NULL);
	/* This one begins when the first has ended. */
	start('b', &begun, &go, &discarded);
	sem_wait(&begun);
	assert_false(jobs_stop(jobs));
	assert_string_equal(trace, "A");
	sem_post(&go);
	sem_wait(&discarded);
	sem_destroy(&begun);
	sem_destroy(&go);
	sem_destroy(&discarded);
}

static void test_job_that_waited_was_forgotten_when_the_loop_ended(void **state)
{
	sem_t begun, go, discarded;

	sem_init(&begun, 0, 0);
	sem_init(&go, 0, 0);
	sem_init(&discarded, 0, 0);
	start('a', &begun, &go, &discarded);
	start('b', NULL, NULL, NULL);
	sem_wait(&begun);
	/* It does not wait for the one that is stuck. */
	assert_false(jobs_stop(jobs));
	assert_string_equal(trace, "B");
	/* And one that comes later finds nobody to run it. */
	start('c', NULL, NULL, NULL);
	assert_string_equal(trace, "BC");
	jobs_destroy(&jobs);
	loop_destroy(&loop);
	/* The stuck one ends after all, when home and loop are no more. */
	sem_post(&go);
	sem_wait(&discarded);
	loop = loop_create("home");
	sem_destroy(&begun);
	sem_destroy(&go);
	sem_destroy(&discarded);
}

static void stop_jobs(struct job *job)
{
	struct work *w = CONTAINER_OF(job, struct work, job);

	note(w->name);
	free_work(w);
	CHECK(!jobs_stop(jobs));
	loop_stop_mt(loop);
}

static void hold_the_loop(void *arg)
{
	sem_t *until = arg;

	while (sem_wait(until) != 0)
		;
}

static void test_who_is_done_may_stop_the_others(void **state)
{
	static const struct job_ops stopper = {run, stop_jobs, discard};
	struct work *first = xcalloc(1, sizeof(*first));
	sem_t begun, go, discarded;

	sem_init(&begun, 0, 0);
	sem_init(&go, 0, 0);
	sem_init(&discarded, 0, 0);
	first->name = 'a';
	/* The first two have ended when the loop looks, the third is under way. */
	loop_post_mt(loop, hold_the_loop, &begun);
	job_start(jobs, &first->job, &stopper);
	start('b', NULL, NULL, NULL);
	start('c', &begun, &go, &discarded);
	loop_run(loop);
	assert_string_equal(trace, "aB");
	sem_post(&go);
	sem_wait(&discarded);
	sem_destroy(&begun);
	sem_destroy(&go);
	sem_destroy(&discarded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		test_jobs_run_in_order_on_the_thread_and_end_on_the_loop, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_loop_goes_on_while_a_job_runs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_job_that_is_done_may_be_started_again, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_job_that_ended_after_the_last_turn_leaked, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_job_that_waited_was_forgotten_when_the_loop_ended,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(test_who_is_done_may_stop_the_others, setup, teardown),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
