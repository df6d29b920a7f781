/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections that several loops share, each in its thread: for the thread sanitizer as much as for
 * the counts. What one loop leaves, another takes; what becomes free reaches who waits, wherever.
 */
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/origin-link/conns_rig.h"

#define N_WORKERS 4
#define CLIENTS_MAX 4 /* a worker */

struct test;

/* Takes a lease, says "ping", waits for the echo, and again. On its worker's loop. */
struct client {
	struct test *t;
	struct conns *conns;
	struct lease lease;
	unsigned left;
	unsigned unkept; /* every so many are not kept; 0: all are */
	size_t n;
	struct loop_task next;
};

struct test {
	struct conns_rig rig;
	struct echo_origin origin;
	struct endpoint *e;
	struct stream_buffers *buffers[N_WORKERS];
	struct conns *conns[N_WORKERS];
	struct client clients[N_WORKERS][CLIENTS_MAX];
	_Atomic unsigned running, failed;
};

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));

	conns_rig_init(&t->rig, N_WORKERS);
	echo_origin_start(&t->origin);
	t->e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	for (int i = 0; i < N_WORKERS; i++) {
		t->buffers[i] = stream_buffers_create(t->rig.group->workers[i]);
		t->conns[i] = conns_create(t->rig.node, t->buffers[i]);
	}
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	loop_group_stop_workers(t->rig.group);
	for (int i = 0; i < N_WORKERS; i++) {
		conns_destroy(&t->conns[i]);
		stream_buffers_destroy(&t->buffers[i]);
	}
	endpoint_give(&t->e);
	conns_rig_fini(&t->rig);
	echo_origin_stop(&t->origin);
	free(t);
	return 0;
}

static int64_t count(struct test *t, enum olink_counter id)
{
	return conns_rig_count(&t->rig, id);
}

/* Clients */

static void readable_cb(void *arg)
{
	struct client *c = arg;
	struct stream *s = lease_stream(&c->lease);
	ssize_t n;

	while ((n = stream_read(s, c->conns->buffers->plain, STREAM_READ_MAX)) > 0)
		c->n += n;
	CHECK(n == STREAM_AGAIN);
	if (c->n < 4)
		return;
	CHECK(c->n == 4);
	lease_end(&c->lease, c->unkept == 0 || c->left % c->unkept != 0);
	loop_defer(c->conns->loop, &c->next);
}

static void drained_cb(void *arg)
{
}

static void failed_cb(void *arg)
{
	CHECK(!"a connection failed");
}

static const struct stream_ops ops = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};

static void say(struct client *c)
{
	struct iovec iov = {(void *)"ping", 4};

	c->n = 0;
	stream_write(lease_stream(&c->lease), &iov, 1);
}

static void done_cb(struct lease *l, enum reason reason, const char *detail)
{
	struct client *c = CONTAINER_OF(l, struct client, lease);

	if (reason == REASON_NONE) {
		say(c);
	} else {
		atomic_fetch_add(&c->t->failed, 1);
		loop_defer(c->conns->loop, &c->next);
	}
}

static void next(struct loop_task *task)
{
	struct client *c = CONTAINER_OF(task, struct client, next);
	struct lease_order order = {
	    .endpoint = c->t->e,
	    .terms = c->t->rig.terms,
	    .time = DUR_S(10),
	};
	enum reason reason;

	if (c->left-- == 0) {
		if (atomic_fetch_sub(&c->t->running, 1) == 1)
			loop_stop_mt(c->t->rig.group->control);
		return;
	}
	switch (lease_take(&c->lease, &order, &reason)) {
	case LEASE_READY:
		say(c);
		break;
	case LEASE_WAITS:
		break;
	case LEASE_REFUSED:
		CHECK(!"refused");
	}
}

static void begin(void *arg)
{
	struct client *c = arg;

	loop_defer(c->conns->loop, &c->next);
}

static struct client *add_client(struct test *t, unsigned worker, unsigned index, unsigned n)
{
	struct client *c = &t->clients[worker][index];

	c->t = t;
	c->conns = t->conns[worker];
	c->left = n;
	c->next.run = next;
	lease_init(&c->lease, c->conns, &ops, c, done_cb);
	atomic_fetch_add(&t->running, 1);
	loop_post_mt(c->conns->loop, begin, c);
	return c;
}

/* Until all clients are done. */
static void run(struct test *t)
{
	loop_group_start_workers(t->rig.group);
	loop_run(t->rig.group->control);
}

/* Something done on a worker's loop, while the test waits. */
struct errand {
	void (*fn)(struct test *t, struct conns *c);
	struct test *t;
	struct conns *conns;
	sem_t done;
};

static void run_errand(void *arg)
{
	struct errand *errand = arg;

	errand->fn(errand->t, errand->conns);
	sem_post(&errand->done);
}

static void on_worker(struct test *t, unsigned worker, void (*fn)(struct test *t, struct conns *c))
{
	struct errand errand = {.fn = fn, .t = t, .conns = t->conns[worker]};

	sem_init(&errand.done, 0, 0);
	loop_post_mt(t->rig.group->workers[worker], run_errand, &errand);
	while (sem_wait(&errand.done) != 0)
		;
	sem_destroy(&errand.done);
}

static void nothing(struct test *t, struct conns *c)
{
}

/* Tests */

/* There may be one connection in all, and each loop gets its share of it. */
static void test_one_connection_for_all(void **state)
{
	enum { N = 500 };
	struct test *t = *state;

	t->rig.terms.max_connections = 1;
	t->rig.terms.queue_timeout = DUR_S(60);
	for (int i = 0; i < N_WORKERS; i++)
		add_client(t, i, 0, N);
	run(t);
	assert_int_equal(t->failed, 0);
	assert_int_equal(count(t, OLINK_LEASES_FRESH), 1);
	assert_int_equal(count(t, OLINK_LEASES_REUSED), N_WORKERS * N - 1);
	assert_true(count(t, OLINK_LEASES_MOVED) >= N_WORKERS - 1);
	assert_int_equal(count(t, OLINK_WAITING), 0);
	assert_int_equal(endpoint_facts(t->e).open, 1);
	assert_int_equal(echo_origin_count(&t->origin, &t->origin.n_accepted), 1);
}

/* Nobody keeps the few connections for their own loop: a loop with one client waits a bounded
 * number of turns, however busy the others are. */
static void test_busy_loops_leave_something(void **state)
{
	enum { BUSY = 2000, MODEST = 50 };
	struct test *t = *state;

	t->rig.terms.max_connections = 1;
	t->rig.terms.queue_timeout = DUR_S(60);
	for (int i = 0; i < CLIENTS_MAX; i++)
		add_client(t, 0, i, BUSY);
	loop_group_start_workers(t->rig.group);
	while (count(t, OLINK_LEASES_REUSED) < 10)
		sched_yield();
	add_client(t, 1, 0, MODEST);
	loop_run(t->rig.group->control);
	assert_int_equal(t->failed, 0);
	/* It came and went for each of the modest one's requests. */
	assert_true(count(t, OLINK_LEASES_MOVED) >= MODEST);
	assert_int_equal(count(t, OLINK_LEASES_FRESH), 1);
}

/* With connections enough, no more are opened than there are clients. */
static void test_reuse(void **state)
{
	enum { N = 4000 };
	struct test *t = *state;
	int64_t fresh, all = N_WORKERS * CLIENTS_MAX * N;

	for (int w = 0; w < N_WORKERS; w++) {
		for (int i = 0; i < CLIENTS_MAX; i++)
			add_client(t, w, i, N);
	}
	run(t);
	fresh = count(t, OLINK_LEASES_FRESH);
	assert_int_equal(t->failed, 0);
	assert_int_equal(fresh + count(t, OLINK_LEASES_REUSED), all);
	if (fresh * 10000 > all * 5)
		fail_msg("%ld of %ld were opened", (long)fresh, (long)all);
	assert_int_equal(count(t, OLINK_IDLE), fresh);
	assert_int_equal(endpoint_facts(t->e).idle, fresh);
	assert_int_equal(endpoint_facts(t->e).open, fresh);
}

/* Fewer than want them, and some are not kept: rooms and connections both go round. */
static void test_few_and_some_are_closed(void **state)
{
	enum { N = 40 };
	struct test *t = *state;

	t->rig.terms.max_connections = 3;
	t->rig.terms.queue_timeout = DUR_S(60);
	for (int w = 0; w < N_WORKERS; w++) {
		for (int i = 0; i < 2; i++)
			add_client(t, w, i, N)->unkept = 10;
	}
	run(t);
	assert_int_equal(t->failed, 0);
	assert_int_equal(count(t, OLINK_LEASES_FRESH) + count(t, OLINK_LEASES_REUSED),
			 N_WORKERS * 2 * N);
	assert_true(endpoint_facts(t->e).open <= 3);
	assert_int_equal(endpoint_facts(t->e).waiting, 0);
	assert_int_equal(count(t, OLINK_WAITING), 0);
}

/* The side of the control loop, in the test's own hands, and one connection idle on a worker. */
static void leave_one_on(struct test *t, unsigned worker)
{
	add_client(t, worker, 0, 1);
	run(t);
	assert_int_equal(count(t, OLINK_IDLE), 1);
}

static void test_taken_from_another_loop(void **state)
{
	struct test *t = *state;
	struct taker a;

	leave_one_on(t, 2);
	taker_init(&a, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(a.lease.state, LEASE_ASKS);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_true(lease_is_reused(&a.lease));
	taker_ping(&a);
	assert_int_equal(count(t, OLINK_IDLE), 0);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_LEASES_MOVED), 1);
	/* Now it is this loop's own. */
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_LEASES_MOVED), 1);
	assert_int_equal(count(t, OLINK_LEASES_FRESH), 1);
}

static bool one_idle_here(void *arg)
{
	struct test *t = arg;

	return atomic_load(&t->e->slots[0].n_idle) == 1;
}

/* The one who asked is gone when the answer comes: the connection stays where it came to. */
static void test_asked_in_vain(void **state)
{
	struct test *t = *state;
	struct taker a;

	leave_one_on(t, 1);
	taker_init(&a, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	lease_end(&a.lease, false);
	conns_rig_run_until(&t->rig, one_idle_here, t);
	assert_int_equal(a.n_done, 0);
	assert_int_equal(count(t, OLINK_IDLE), 1);
	assert_int_equal(taker_take(&a), LEASE_READY);
	taker_ping(&a);
	lease_end(&a.lease, true);
}

/* A connection of the own loop that becomes free meanwhile will do. */
static void test_own_comes_first(void **state)
{
	struct test *t = *state;
	struct taker a, b;

	taker_init(&a, &t->rig, t->e);
	taker_get(&a);
	leave_one_on(t, 1);
	taker_init(&b, &t->rig, t->e);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	lease_end(&a.lease, true);
	assert_int_equal(b.lease.state, LEASE_PROMISED);
	assert_int_equal(taker_wait(&b), REASON_NONE);
	assert_true(lease_is_reused(&b.lease));
	lease_end(&b.lease, true);
	conns_rig_await(&t->rig, OLINK_IDLE, 2);
}

static sem_t stuck;

static void get_stuck(void *arg)
{
	while (sem_wait(&stuck) != 0)
		;
}

/* A wide one idle on a worker, a narrow one here; the path is long. */
static void leave_wide_on(struct test *t, unsigned worker)
{
	struct taker a;

	taker_init(&a, &t->rig, t->e);
	taker_get(&a);
	atomic_store(&t->e->is_far, true);
	taker_exchange(&a, 64 * 1024);
	lease_end(&a.lease, true);
	/* It is asked for there. */
	leave_one_on(t, worker);
	assert_int_equal(count(t, OLINK_LEASES_MOVED), 1);
	a.order.fresh = true;
	taker_get(&a);
	taker_ping(&a);
	lease_end(&a.lease, true);
	atomic_store(&t->e->is_far, true);
	assert_int_equal(count(t, OLINK_IDLE), 2);
}

/* A request of another worker than those before it waited for the window of a new connection. */
static void test_on_a_long_path_a_wide_one_is_taken_from_another_loop(void **state)
{
	struct test *t = *state;
	struct taker a, b, c;

	sem_init(&stuck, 0, 0);
	leave_wide_on(t, 1);
	loop_post_mt(t->rig.group->workers[1], get_stuck, NULL);
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_init(&c, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(a.lease.state, LEASE_ASKS);
	/* One asks at a time: who comes meanwhile takes what is idle here. */
	assert_int_equal(taker_take(&b), LEASE_READY);
	sem_post(&stuck);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_true(a.lease.conn->width > 0);
	assert_int_equal(b.lease.conn->width, 0);
	assert_true(lease_is_reused(&b.lease));
	taker_ping(&a);
	taker_ping(&b);
	lease_end(&a.lease, true);
	lease_end(&b.lease, true);
	/* It is here now. */
	assert_int_equal(taker_take(&c), LEASE_READY);
	assert_true(c.lease.conn->width > 0);
	lease_end(&c.lease, true);
	assert_int_equal(count(t, OLINK_LEASES_MOVED), 2);
	assert_int_equal(count(t, OLINK_LEASES_FRESH), 2);
	sem_destroy(&stuck);
}

static void test_on_a_short_path_it_is_left_there(void **state)
{
	struct test *t = *state;
	struct taker a;

	leave_wide_on(t, 1);
	atomic_store(&t->e->is_far, false);
	taker_init(&a, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_READY);
	assert_int_equal(a.lease.conn->width, 0);
	lease_end(&a.lease, true);
}

/* A loop that does not answer is not waited for. */
static void test_no_answer(void **state)
{
	struct test *t = *state;
	struct taker a;

	sem_init(&stuck, 0, 0);
	leave_one_on(t, 1);
	loop_post_mt(t->rig.group->workers[1], get_stuck, NULL);
	taker_init(&a, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(a.lease.state, LEASE_ASKS);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_false(lease_is_reused(&a.lease));
	taker_ping(&a);
	lease_end(&a.lease, true);
	sem_post(&stuck);
	/* The late answer is kept. */
	on_worker(t, 1, nothing);
	conns_rig_await(&t->rig, OLINK_IDLE, 2);
	sem_destroy(&stuck);
}

static void test_no_answer_about_a_wide_one(void **state)
{
	struct test *t = *state;
	struct taker a;

	sem_init(&stuck, 0, 0);
	leave_wide_on(t, 1);
	loop_post_mt(t->rig.group->workers[1], get_stuck, NULL);
	taker_init(&a, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_true(lease_is_reused(&a.lease));
	assert_int_equal(a.lease.conn->width, 0);
	taker_ping(&a);
	lease_end(&a.lease, true);
	sem_post(&stuck);
	on_worker(t, 1, nothing);
	conns_rig_await(&t->rig, OLINK_IDLE, 2);
	sem_destroy(&stuck);
}

/* Who has one idle has used it by the time the question comes. */
static void test_nothing_left(void **state)
{
	struct test *t = *state;
	struct taker a, b;

	leave_one_on(t, 1);
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_int_equal(taker_wait(&b), REASON_NONE);
	assert_true(lease_is_reused(&a.lease));
	assert_false(lease_is_reused(&b.lease));
	taker_ping(&a);
	taker_ping(&b);
	lease_end(&a.lease, true);
	lease_end(&b.lease, true);
}

/* All that may be open is idle on another loop: found by who has to wait, and by who must have a
 * new one. */
static void test_all_are_idle_elsewhere(void **state)
{
	struct test *t = *state;
	struct taker a;

	t->rig.terms.max_connections = 1;
	leave_one_on(t, 3);
	taker_init(&a, &t->rig, t->e);
	a.order.fresh = true;
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(a.lease.state, LEASE_QUEUED);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_false(lease_is_reused(&a.lease));
	taker_ping(&a);
	assert_int_equal(endpoint_facts(t->e).open, 1);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_LEASES_FRESH), 2);
}

/* Given up while connections are idle on every loop. */

static bool is_swept(void *arg)
{
	struct test *t = arg;

	endpoints_sweep(t->rig.node);
	return LIST_EMPTY(&t->rig.node->endpoints);
}

static void test_retired(void **state)
{
	struct test *t = *state;

	for (int w = 0; w < N_WORKERS; w++)
		add_client(t, w, 0, 50);
	run(t);
	assert_true(count(t, OLINK_IDLE) > 0);
	endpoint_give(&t->e);
	conns_rig_run_until(&t->rig, is_swept, t);
	assert_int_equal(count(t, OLINK_IDLE), 0);
	assert_int_equal(count(t, OLINK_DISCARDED_RETIRED), count(t, OLINK_LEASES_FRESH));
	t->e = conns_rig_endpoint(&t->rig, &t->origin.addr);
}

/* Warm connections are opened by the loops in turn. */
static void test_warm(void **state)
{
	struct test *t = *state;

	loop_group_start_workers(t->rig.group);
	/* One of five is the control loop's, which has a side here. */
	conns_rig_warm(&t->rig, t->e, 2 * (N_WORKERS + 1));
	conns_rig_await(&t->rig, OLINK_IDLE, 2 * (N_WORKERS + 1));
	for (int i = 0; i <= N_WORKERS; i++)
		assert_int_equal(atomic_load(&t->e->slots[i].n_idle), 2);
}

/* The loops stop with questions, answers and gifts under way. */
static void test_stopped_in_the_middle(void **state)
{
	struct test *t = *state;
	struct taker a[8];

	leave_one_on(t, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(a); i++) {
		taker_init(&a[i], &t->rig, t->e);
		assert_int_equal(taker_take(&a[i]), LEASE_WAITS);
	}
	conns_rig_warm(&t->rig, t->e, 10);
	loop_group_stop_workers(t->rig.group);
	for (unsigned i = 0; i < ARRAY_SIZE(a); i++)
		lease_end(&a[i].lease, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_one_connection_for_all),
	    TEST(test_busy_loops_leave_something),
	    TEST(test_reuse),
	    TEST(test_few_and_some_are_closed),
	    TEST(test_taken_from_another_loop),
	    TEST(test_asked_in_vain),
	    TEST(test_own_comes_first),
	    TEST(test_on_a_long_path_a_wide_one_is_taken_from_another_loop),
	    TEST(test_on_a_short_path_it_is_left_there),
	    TEST(test_no_answer),
	    TEST(test_no_answer_about_a_wide_one),
	    TEST(test_nothing_left),
	    TEST(test_all_are_idle_elsewhere),
	    TEST(test_retired),
	    TEST(test_warm),
	    TEST(test_stopped_in_the_middle),
	};

	alarm(300); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
