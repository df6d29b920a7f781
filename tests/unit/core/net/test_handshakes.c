/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Threads for steps of handshakes, with steps that do nothing but note who runs them. The loop runs
 * in the test's thread.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/net/handshakes.h"

#define N 200

static struct loop *loop;

struct step {
	struct handshake_step step;
	struct gate *gate; /* NULL: it does not wait */
	pthread_t ran_on;
	unsigned n_run, n_back;
	int nice;
};

/* What stops a thread inside a step. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	unsigned n_inside;
};
#define GATE_CLOSED                                                                                \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0                      \
	}

static unsigned n_back; /* of all steps of a test */
static unsigned awaited;

static void pass(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->n_inside++;
	pthread_cond_broadcast(&gate->changed);
	while (!gate->open)
		pthread_cond_wait(&gate->changed, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

static void wait_inside(struct gate *gate, unsigned n)
{
	pthread_mutex_lock(&gate->lock);
	while (gate->n_inside < n)
		pthread_cond_wait(&gate->changed, &gate->lock);
	pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->open = true;
	pthread_cond_broadcast(&gate->changed);
	pthread_mutex_unlock(&gate->lock);
}

static void run(struct handshake_step *base)
{
	struct step *step = CONTAINER_OF(base, struct step, step);

	step->ran_on = pthread_self();
	step->nice = getpriority(PRIO_PROCESS, 0);
	step->n_run++;
	if (step->gate != NULL)
		pass(step->gate);
}

static void back(struct handshake_step *base)
{
	struct step *step = CONTAINER_OF(base, struct step, step);

	LOOP_ASSERT_OWNER(loop);
	assert_true(pthread_equal(pthread_self(), step->ran_on) == 0);
	step->n_back++;
	if (++n_back == awaited)
		loop_stop_mt(loop);
}

static void lend(struct handshake_lender *lender, struct step *step, struct gate *gate)
{
	step->step.run = run;
	step->step.back = back;
	step->gate = gate;
	handshake_lend(lender, &step->step);
}

/* Until so many have come back in all. */
static void run_until_back(unsigned n)
{
	awaited = n;
	if (n_back < n)
		loop_run(loop);
}

static int set_up(void **state)
{
	alarm(60);
	loop = loop_create("test");
	n_back = awaited = 0;
	return 0;
}

static int tear_down(void **state)
{
	loop_destroy(&loop);
	alarm(0);
	return 0;
}

static void test_all_come_back_once(void **state)
{
	struct handshakes *h = handshakes_create(3);
	struct handshake_lender *lender = handshake_lender_create(h, loop);
	static struct step steps[N];
	int nice = getpriority(PRIO_PROCESS, 0);
	/* The test may have been made nicer itself; there is no more than 19. */
	int nicer = MIN(nice + HANDSHAKES_NICE, 19);

	for (unsigned i = 0; i < N; i++)
		lend(lender, &steps[i], NULL);
	run_until_back(N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(steps[i].n_run, 1);
		assert_int_equal(steps[i].n_back, 1);
		/* Requests come first. */
		assert_int_equal(steps[i].nice, nicer);
	}
	assert_int_equal(getpriority(PRIO_PROCESS, 0), nice);
	handshake_lender_destroy(&lender);
	handshakes_destroy(&h);
}

/* What waits for another machine holds up one thread only. */
static void test_a_step_that_waits_holds_up_no_other(void **state)
{
	struct handshakes *h = handshakes_create(2);
	struct handshake_lender *lender = handshake_lender_create(h, loop);
	struct gate gate = GATE_CLOSED;
	struct step slow = {0}, quick[10] = {0};

	lend(lender, &slow, &gate);
	wait_inside(&gate, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(quick); i++)
		lend(lender, &quick[i], NULL);
	run_until_back(ARRAY_SIZE(quick));
	assert_int_equal(slow.n_back, 0);
	open_gate(&gate);
	run_until_back(ARRAY_SIZE(quick) + 1);
	assert_int_equal(slow.n_back, 1);
	handshake_lender_destroy(&lender);
	handshakes_destroy(&h);
}

static void test_take_back(void **state)
{
	struct handshakes *h = handshakes_create(1);
	struct handshake_lender *lender = handshake_lender_create(h, loop);
	struct gate gate = GATE_CLOSED;
	struct step first = {0}, second = {0};

	lend(lender, &first, &gate);
	wait_inside(&gate, 1);
	lend(lender, &second, NULL);
	assert_false(handshake_take_back(&first.step));
	assert_true(handshake_take_back(&second.step));
	open_gate(&gate);
	run_until_back(1);
	assert_int_equal(first.n_back, 1);
	assert_int_equal(second.n_run + second.n_back, 0);
	/* It can be lent again. */
	lend(lender, &second, NULL);
	run_until_back(2);
	assert_int_equal(second.n_run, 1);
	handshake_lender_destroy(&lender);
	handshakes_destroy(&h);
}

/* Whether the loop reads its mail any more or not. */
static void test_the_end_waits_for_what_is_lent(void **state)
{
	struct handshakes *h = handshakes_create(2);
	struct handshake_lender *lender = handshake_lender_create(h, loop);
	struct handshake_lender *other = handshake_lender_create(h, loop);
	struct gate gate = GATE_CLOSED;
	struct step steps[20] = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++)
		lend(i % 2 == 0 ? lender : other, &steps[i], &gate);
	wait_inside(&gate, 2);
	open_gate(&gate);
	handshake_lender_destroy(&lender);
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i += 2)
		assert_int_equal(steps[i].n_back, 1);
	handshake_lender_destroy(&other);
	handshakes_destroy(&h);
	assert_int_equal(n_back, ARRAY_SIZE(steps));
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(all_come_back_once),
	    RUN(a_step_that_waits_holds_up_no_other),
	    RUN(take_back),
	    RUN(the_end_waits_for_what_is_lent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
