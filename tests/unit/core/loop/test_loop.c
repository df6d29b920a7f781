/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The event loop: order within a turn, fairness of background tasks, mail from other threads, and
 * the grace period of a group.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/loop/loop.h"

/* What happened, in order. */
static char trace[256];

static void note(char c)
{
	size_t n = strlen(trace);

	CHECK(n + 1 < sizeof(trace));
	trace[n] = c;
	trace[n + 1] = '\0';
}

static int setup(void **state)
{
	trace[0] = '\0';
	return 0;
}

static void note_mail(void *arg)
{
	note((char)(intptr_t)arg);
}

static void post_note(struct loop *loop, char c)
{
	loop_post_mt(loop, note_mail, (void *)(intptr_t)c);
}

static void stop_mail(void *arg)
{
	loop_stop_mt(arg);
}

static void test_mail_runs_in_order_of_posting(void **state)
{
	struct loop *loop = loop_create("test");

	post_note(loop, 'a');
	post_note(loop, 'b');
	loop_post_mt(loop, stop_mail, loop);
	post_note(loop, 'c');
	loop_run(loop);
	assert_string_equal(trace, "abc");
	loop_destroy(&loop);
	assert_null(loop);
}

struct step {
	struct loop_task task;
	struct loop *loop;
	char name;
	struct step *then; /* deferred when this one runs */
	struct step *cancel;
};

static void run_step(struct loop_task *task)
{
	struct step *s = CONTAINER_OF(task, struct step, task);

	note(s->name);
	if (s->then != NULL)
		loop_defer(s->loop, &s->then->task);
	if (s->cancel != NULL)
		loop_task_cancel(s->loop, &s->cancel->task);
}

#define STEP(loop_, name_, ...)                                                                    \
	{                                                                                          \
		.task.run = run_step, .loop = (loop_), .name = (name_), __VA_ARGS__                \
	}

static struct step *queued_by_event[3];

static void queue_three(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;

	note('e');
	post_note(loop, 'm');
	loop_queue_background(loop, &queued_by_event[0]->task);
	loop_defer(loop, &queued_by_event[1]->task);
	loop_defer(loop, &queued_by_event[2]->task);
	loop_stop_mt(loop);
}

static void test_a_turn_is_events_then_mail_then_deferred_then_background(void **state)
{
	struct loop *loop = loop_create("test");
	struct step last = STEP(loop, '4');
	struct step b = STEP(loop, 'b', .then = &last), d1 = STEP(loop, '1'),
		    third = STEP(loop, '3');
	struct step d2 = STEP(loop, '2', .then = &third);
	struct event *ev = evtimer_new(loop_base(loop), queue_three, loop);
	const struct timeval now = {0};

	queued_by_event[0] = &b;
	queued_by_event[1] = &d1;
	queued_by_event[2] = &d2;
	event_add(ev, &now);
	loop_run(loop);
	/* The event's own mail comes with the next turn. */
	assert_string_equal(trace, "e123b4m");
	event_free(ev);
	loop_destroy(&loop);
}

static void test_last_is_after_whatever_the_deferred_ones_defer(void **state)
{
	struct loop *loop = loop_create("test");
	struct step third = STEP(loop, '3');
	struct step second = STEP(loop, '2', .then = &third);
	struct step first = STEP(loop, '1', .then = &second);
	struct step b = STEP(loop, 'b', .then = &third);
	struct step last = STEP(loop, 'l'), cancelled = STEP(loop, 'x');

	loop_defer_last(loop, &last.task);
	loop_defer_last(loop, &cancelled.task);
	loop_defer(loop, &first.task);
	loop_queue_background(loop, &b.task);
	loop_task_cancel(loop, &cancelled.task);
	loop_stop_mt(loop);
	loop_run(loop);
	assert_string_equal(trace, "123lb3");
	loop_destroy(&loop);
}

static void test_queueing_twice_runs_once(void **state)
{
	struct loop *loop = loop_create("test");
	struct step a = STEP(loop, 'a'), b = STEP(loop, 'b');

	loop_defer(loop, &a.task);
	loop_defer(loop, &a.task);
	loop_queue_background(loop, &b.task);
	loop_queue_background(loop, &b.task);
	loop_defer(loop, &b.task);
	loop_stop_mt(loop);
	loop_run(loop);
	assert_string_equal(trace, "ab");
	assert_false(a.task.queued);
	loop_destroy(&loop);
}

static void test_cancelled_tasks_do_not_run(void **state)
{
	struct loop *loop = loop_create("test");
	struct step b = STEP(loop, 'b'), bg = STEP(loop, 'x');
	struct step a = STEP(loop, 'a', .cancel = &b), c = STEP(loop, 'c', .cancel = &bg);

	loop_defer(loop, &a.task);
	loop_defer(loop, &b.task); /* the last of the pass, cancelled within it */
	loop_defer(loop, &c.task);
	loop_queue_background(loop, &bg.task);
	loop_stop_mt(loop);
	loop_run(loop);
	assert_string_equal(trace, "ac");
	loop_task_cancel(loop, &a.task); /* not queued: nothing */
	loop_destroy(&loop);
}

static void test_tasks_that_defer_themselves_do_not_keep_events_out(void **state)
{
	struct loop *loop = loop_create("test");
	struct step a = STEP(loop, '.');

	a.then = &a;
	loop_defer(loop, &a.task);
	loop_stop_mt(loop);
	loop_run(loop); /* ends */
	assert_true(strlen(trace) >= 1);
	loop_task_cancel(loop, &a.task);
	loop_destroy(&loop);
}

/* An event that is always ready, as established traffic is under load, and tasks behind it. */
struct traffic {
	struct loop *loop;
	duration event_time, task_time;
	unsigned turns;
	unsigned ran[40]; /* in which turn each background task ran */
	unsigned n_ran;
	struct loop_task tasks[40];
};
static struct traffic traffic;

static void spin(duration d)
{
	mono_time end = mono_add(clock_mono(), d);

	while (!mono_reached(end, clock_mono()))
		;
}

static void traffic_cb(evutil_socket_t fd, short what, void *arg)
{
	traffic.turns++;
	if (traffic.turns == 1) {
		for (unsigned i = 0; i < ARRAY_SIZE(traffic.tasks); i++)
			loop_queue_background(traffic.loop, &traffic.tasks[i]);
	}
	spin(traffic.event_time);
	if (traffic.n_ran == ARRAY_SIZE(traffic.tasks))
		loop_stop_mt(traffic.loop);
}

static void traffic_background(struct loop_task *task)
{
	CHECK(task == &traffic.tasks[traffic.n_ran]);
	traffic.ran[traffic.n_ran++] = traffic.turns;
	spin(traffic.task_time);
}

static void run_traffic(duration event_time, duration task_time)
{
	struct event *ev;
	int fds[2];

	memset(&traffic, 0, sizeof(traffic));
	traffic.event_time = event_time;
	traffic.task_time = task_time;
	traffic.loop = loop_create("test");
	for (unsigned i = 0; i < ARRAY_SIZE(traffic.tasks); i++)
		traffic.tasks[i].run = traffic_background;
	assert_int_equal(pipe(fds), 0);
	ev = event_new(loop_base(traffic.loop), fds[1], EV_WRITE | EV_PERSIST, traffic_cb, NULL);
	event_add(ev, NULL);
	loop_run(traffic.loop);
	assert_int_equal(traffic.n_ran, ARRAY_SIZE(traffic.tasks));
	event_free(ev);
	close(fds[0]);
	close(fds[1]);
	loop_destroy(&traffic.loop);
}

/* In how many turns `n` tasks ran, or more. */
static unsigned turns_with(unsigned n)
{
	unsigned turns = 0;

	for (unsigned i = 0, end; i < traffic.n_ran; i = end) {
		for (end = i; end < traffic.n_ran && traffic.ran[end] == traffic.ran[i];)
			end++;
		turns += end - i >= n;
	}
	return turns;
}

static void test_background_tasks_get_a_few_in_each_turn_and_no_more(void **state)
{
	run_traffic(DUR_NS(0), DUR_MS(1));
	/* Another process may take the processor away in a turn, which then looks like a long one.
	 */
	assert_true(turns_with(1) <= 20);
	assert_true(turns_with(LOOP_BACKGROUND_PER_TURN + 1) * 2 <= turns_with(1));
}

static void test_a_busy_loop_leaves_background_tasks_their_share_of_time(void **state)
{
	run_traffic(DUR_MS(8), DUR_US(500));
	/* Half of 8 ms: eight of them in each turn but the first, whose length is not known; or
	 * fewer, when another process took the processor away from a task. */
	assert_true(turns_with(1) < 20);
	assert_true(turns_with(LOOP_BACKGROUND_PER_TURN + 1) >= 1);
}

static void queue_again(struct loop_task *task)
{
	struct step *s = CONTAINER_OF(task, struct step, task);

	note(s->name);
	loop_queue_background(s->loop, task);
}

static void test_a_background_task_runs_once_in_a_turn(void **state)
{
	struct loop *loop = loop_create("test");
	struct step a = STEP(loop, 'a'), b = STEP(loop, 'b');

	a.task.run = queue_again;
	loop_queue_background(loop, &a.task);
	loop_defer_last(loop, &b.task);
	loop_stop_mt(loop);
	loop_run(loop);
	assert_string_equal(trace, "ba");
	loop_task_cancel(loop, &a.task);
	loop_destroy(&loop);
}

static void run_and_stop(struct loop_task *task)
{
	run_step(task);
	loop_stop_mt(CONTAINER_OF(task, struct step, task)->loop);
}

static void test_background_tasks_run_on_an_idle_loop(void **state)
{
	struct loop *loop = loop_create("test");
	struct step s[] = {STEP(loop, 'a'), STEP(loop, 'b'), STEP(loop, 'c'), STEP(loop, 'd'),
			   STEP(loop, 'e')};

	/* Nothing else wakes the loop. */
	for (unsigned i = 0; i < ARRAY_SIZE(s); i++)
		loop_queue_background(loop, &s[i].task);
	s[4].task.run = run_and_stop;
	loop_run(loop);
	assert_string_equal(trace, "abcde");
	loop_destroy(&loop);
}

static void note_now(evutil_socket_t fd, short what, void *arg)
{
	struct loop *loop = arg;
	mono_time first = loop_now(loop), before = clock_mono();

	while (clock_mono().ns == before.ns)
		;
	CHECK(loop_now(loop).ns == first.ns);
	CHECK(first.ns <= before.ns);
	loop_stop_mt(loop);
}

static void test_now_is_the_same_for_all_of_a_turn(void **state)
{
	struct loop *loop = loop_create("test");
	const struct timeval soon = {.tv_usec = 2000};
	struct event *ev = evtimer_new(loop_base(loop), note_now, loop);
	mono_time before = loop_now(loop);

	event_add(ev, &soon);
	loop_run(loop);
	assert_true(loop_now(loop).ns > before.ns);
	event_free(ev);
	loop_destroy(&loop);
}

static void count_turns(struct loop_task *task)
{
	static uint64_t seen;
	struct step *s = CONTAINER_OF(task, struct step, task);

	CHECK(trace[0] == '\0' || loop_turn(s->loop) == seen + 1);
	seen = loop_turn(s->loop);
	note('.');
	if (strlen(trace) < 5)
		loop_queue_background(s->loop, task);
	else
		loop_stop_mt(s->loop);
}

static void test_turns_are_numbered(void **state)
{
	struct loop *loop = loop_create("test");
	struct step a = STEP(loop, 'a');
	uint64_t before = loop_turn(loop);

	a.task.run = count_turns;
	loop_queue_background(loop, &a.task);
	loop_run(loop);
	assert_string_equal(trace, ".....");
	assert_true(loop_turn(loop) >= before + 5);
	loop_destroy(&loop);
}

static void post_again(void *arg)
{
	note('1');
	post_note(arg, '2');
}

static void test_destroy_runs_pending_mail_once(void **state)
{
	struct loop *loop = loop_create("test");

	loop_post_mt(loop, post_again, loop);
	loop_destroy(&loop);
	assert_string_equal(trace, "1");
}

static _Atomic int owner_seen;

static void note_owner(void *arg)
{
	owner_seen = loop_is_owner(arg);
}

static void test_a_loop_is_owned_by_its_thread_only_while_it_runs(void **state)
{
	struct loop *loop = loop_create("test");

	assert_true(loop_is_owner(loop));
	owner_seen = -1;
	loop_start(loop);
	assert_false(loop_is_owner(loop));
	loop_post_mt(loop, note_owner, loop);
	loop_stop_mt(loop);
	loop_join(loop);
	assert_int_equal(owner_seen, 1);
	assert_true(loop_is_owner(loop));
	loop_destroy(&loop);
}

#define POSTERS 3
#define POSTS 2000

struct poster {
	struct loop *loop;
	pthread_t thread;
	unsigned received; /* the loop's thread */
};

struct numbered {
	struct poster *poster;
	unsigned number;
};

static void receive_numbered(void *arg)
{
	struct numbered *m = arg;

	CHECK(m->number == m->poster->received);
	m->poster->received++;
}

static void *post_numbers(void *arg)
{
	static struct numbered mail[POSTERS][POSTS];
	static _Atomic unsigned next;
	struct numbered *mine = mail[next++];
	struct poster *p = arg;

	for (unsigned i = 0; i < POSTS; i++) {
		mine[i] = (struct numbered){p, i};
		loop_post_mt(p->loop, receive_numbered, &mine[i]);
	}
	return NULL;
}

static void test_other_threads_mail_arrives_once_and_in_order(void **state)
{
	struct loop *loop = loop_create("test");
	struct poster posters[POSTERS] = {0};

	loop_start(loop);
	for (unsigned i = 0; i < POSTERS; i++) {
		posters[i].loop = loop;
		assert_int_equal(
		    pthread_create(&posters[i].thread, NULL, post_numbers, &posters[i]), 0);
	}
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(posters[i].thread, NULL);
	loop_stop_mt(loop);
	loop_join(loop);
	for (unsigned i = 0; i < POSTERS; i++)
		assert_int_equal(posters[i].received, POSTS);
	loop_destroy(&loop);
}

static void test_a_group_names_and_numbers_its_loops(void **state)
{
	struct loop_group *group = loop_group_create(2);

	assert_int_equal(loop_index(group->control), 0);
	assert_string_equal(loop_name(group->control), "control");
	assert_int_equal(group->n_workers, 2);
	assert_int_equal(loop_index(group->workers[1]), 2);
	assert_string_equal(loop_name(group->workers[1]), "worker2");
	loop_group_destroy(&group);
	assert_null(group);
}

struct grace_test {
	struct loop_group *group;
	struct loop_task end_of_turn;
	sem_t in_event, leave_event, at_end, leave_end;
	_Atomic bool turn_ended;
	unsigned graces;
	unsigned turns_left;
};
static struct grace_test gt;

static void nothing(void *arg)
{
}

static void end_of_turn(struct loop_task *task)
{
	sem_post(&gt.at_end);
	sem_wait(&gt.leave_end);
	gt.turn_ended = true;
}

static void long_turn(evutil_socket_t fd, short what, void *arg)
{
	gt.end_of_turn.run = end_of_turn;
	loop_defer(gt.group->workers[0], &gt.end_of_turn);
	sem_post(&gt.in_event);
	sem_wait(&gt.leave_event);
}

static void grace_ended(void *arg)
{
	CHECK(loop_is_owner(gt.group->control));
	CHECK(gt.turn_ended);
	gt.graces++;
	loop_stop_mt(gt.group->control);
}

static void let_worker_go_after_some_turns(void *arg)
{
	CHECK(gt.graces == 0);
	if (gt.turns_left-- > 0)
		loop_post_mt(gt.group->control, let_worker_go_after_some_turns, NULL);
	else
		sem_post(&gt.leave_end);
}

static void test_a_grace_waits_for_the_end_of_every_workers_turn(void **state)
{
	struct event *ev;
	int fds[2];

	memset(&gt, 0, sizeof(gt));
	sem_init(&gt.in_event, 0, 0);
	sem_init(&gt.leave_event, 0, 0);
	sem_init(&gt.at_end, 0, 0);
	sem_init(&gt.leave_end, 0, 0);
	gt.group = loop_group_create(2);
	/* An event and some mail in the worker's first turn: the grace's mail, which comes during
	 * the event, is then run in the same turn. */
	assert_int_equal(pipe(fds), 0);
	ev = event_new(loop_base(gt.group->workers[0]), fds[1], EV_WRITE, long_turn, NULL);
	event_add(ev, NULL);
	loop_post_mt(gt.group->workers[0], nothing, NULL);
	loop_group_start_workers(gt.group);
	sem_wait(&gt.in_event);
	loop_group_after_grace(gt.group, grace_ended, NULL);
	sem_post(&gt.leave_event);
	sem_wait(&gt.at_end);
	/* Were the grace over too soon, control would hear of it within these turns. */
	gt.turns_left = 20;
	let_worker_go_after_some_turns(NULL);
	loop_run(gt.group->control);
	assert_int_equal(gt.graces, 1);
	loop_group_stop_workers(gt.group);
	event_free(ev);
	close(fds[0]);
	close(fds[1]);
	loop_group_destroy(&gt.group);
}

static void count_grace(void *arg)
{
	++*(unsigned *)arg;
}

static void test_a_grace_without_running_workers_ends_on_control(void **state)
{
	struct loop_group *group = loop_group_create(2);
	unsigned n = 0;

	loop_group_after_grace(group, count_grace, &n);
	assert_int_equal(n, 0);
	/* The grace's second mail is posted in the first turn, before this one's. */
	loop_post_mt(group->control, stop_mail, group->control);
	loop_run(group->control);
	assert_int_equal(n, 1);
	loop_group_destroy(&group);
}

static void test_a_grace_that_is_cut_short_by_destruction_still_ends(void **state)
{
	struct loop_group *group = loop_group_create(2);
	unsigned n = 0;

	loop_group_start_workers(group);
	loop_group_after_grace(group, count_grace, &n);
	loop_group_stop_workers(group);
	loop_group_after_grace(group, count_grace, &n);
	loop_group_destroy(&group);
	assert_int_equal(n, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_mail_runs_in_order_of_posting, setup),
	    cmocka_unit_test_setup(test_a_turn_is_events_then_mail_then_deferred_then_background,
				   setup),
	    cmocka_unit_test_setup(test_last_is_after_whatever_the_deferred_ones_defer, setup),
	    cmocka_unit_test_setup(test_queueing_twice_runs_once, setup),
	    cmocka_unit_test_setup(test_cancelled_tasks_do_not_run, setup),
	    cmocka_unit_test_setup(test_tasks_that_defer_themselves_do_not_keep_events_out, setup),
	    cmocka_unit_test(test_background_tasks_get_a_few_in_each_turn_and_no_more),
	    cmocka_unit_test(test_a_busy_loop_leaves_background_tasks_their_share_of_time),
	    cmocka_unit_test_setup(test_a_background_task_runs_once_in_a_turn, setup),
	    cmocka_unit_test_setup(test_background_tasks_run_on_an_idle_loop, setup),
	    cmocka_unit_test(test_now_is_the_same_for_all_of_a_turn),
	    cmocka_unit_test_setup(test_turns_are_numbered, setup),
	    cmocka_unit_test_setup(test_destroy_runs_pending_mail_once, setup),
	    cmocka_unit_test(test_a_loop_is_owned_by_its_thread_only_while_it_runs),
	    cmocka_unit_test(test_other_threads_mail_arrives_once_and_in_order),
	    cmocka_unit_test(test_a_group_names_and_numbers_its_loops),
	    cmocka_unit_test(test_a_grace_waits_for_the_end_of_every_workers_turn),
	    cmocka_unit_test(test_a_grace_without_running_workers_ends_on_control),
	    cmocka_unit_test(test_a_grace_that_is_cut_short_by_destruction_still_ends),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
