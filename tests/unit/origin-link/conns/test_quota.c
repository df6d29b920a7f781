/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many connections all servers of an origin may have together: on one loop, and with the
 * letters of two, where each step is in the test's hands. The same over several threads:
 * test_stress.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/origin-link/conns_rig.h"

struct test {
	struct conns_rig rig;
	struct conns_rig other; /* the side of a worker, whose loop runs when the test says so */
	struct loop_group side;
	struct echo_origin origins[2];
	struct endpoint *e[2];
	struct quota *quota;
};

static struct test *create(unsigned n_workers)
{
	struct test *t = xcalloc(1, sizeof(*t));

	conns_rig_init(&t->rig, n_workers);
	for (int i = 0; i < 2; i++) {
		echo_origin_start(&t->origins[i]);
		t->e[i] = conns_rig_endpoint(&t->rig, &t->origins[i].addr);
	}
	t->quota = quota_take(t->rig.node, "app");
	t->rig.terms.quota = t->quota;
	t->rig.terms.max_in_all = 2;
	return t;
}

static int setup(void **state)
{
	*state = create(0);
	return 0;
}

static int setup_two(void **state)
{
	struct test *t = create(1);

	t->rig.terms.max_in_all = 1;
	t->other = t->rig;
	t->side.control = t->rig.group->workers[0];
	t->other.group = &t->side;
	t->other.buffers = stream_buffers_create(t->side.control);
	t->other.conns = conns_create(t->rig.node, t->other.buffers);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	assert_int_equal(atomic_load(&t->quota->waiting), 0);
	for (int i = 0; i < 2; i++)
		endpoint_give(&t->e[i]);
	conns_destroy(&t->other.conns);
	stream_buffers_destroy(&t->other.buffers);
	conns_rig_fini(&t->rig);
	for (int i = 0; i < 2; i++)
		echo_origin_stop(&t->origins[i]);
	free(t);
	return 0;
}

static unsigned in_all(struct test *t)
{
	return atomic_load(&t->quota->open);
}

static int64_t count(struct test *t, enum olink_counter id)
{
	return conns_rig_count(&t->rig, id);
}

/* A name is one quota, also after a reload, and another name is another. */
static void test_interned_by_name(void **state)
{
	struct test *t = *state;

	assert_ptr_equal(quota_take(t->rig.node, "app"), t->quota);
	assert_ptr_not_equal(quota_take(t->rig.node, "api"), t->quota);
}

/* As many as there may be are in use: who comes waits, whichever server it is for, and gets the
 * place of what is closed. */
static void test_place_of_another_server(void **state)
{
	struct test *t = *state;
	struct taker a, b, c;

	taker_init(&a, &t->rig, t->e[0]);
	taker_init(&b, &t->rig, t->e[0]);
	taker_init(&c, &t->rig, t->e[1]);
	taker_get(&a);
	taker_get(&b);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	assert_int_equal(c.lease.state, LEASE_QUEUED);
	assert_int_equal(count(t, OLINK_WAITING), 1);
	lease_end(&a.lease, false);
	assert_int_equal(taker_wait(&c), REASON_NONE);
	assert_int_equal(in_all(t), 2);
	assert_int_equal(endpoint_facts(t->e[1]).open, 1);
	lease_end(&b.lease, true);
	lease_end(&c.lease, true);
	assert_int_equal(in_all(t), 2);
}

/* The same, when the one of the other server would have become idle. */
static void test_freed_one_gives_way(void **state)
{
	struct test *t = *state;
	struct taker a, b, c;

	taker_init(&a, &t->rig, t->e[0]);
	taker_init(&b, &t->rig, t->e[0]);
	taker_init(&c, &t->rig, t->e[1]);
	taker_get(&a);
	taker_get(&b);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_GAVE_WAY), 1);
	assert_int_equal(taker_wait(&c), REASON_NONE);
	assert_false(lease_is_reused(&c.lease));
	lease_end(&b.lease, true);
	lease_end(&c.lease, true);
	assert_int_equal(in_all(t), 2);
}

/* Nobody waits while connections to other servers are idle: the oldest of them gives way. */
static void test_oldest_idle_one_gives_way(void **state)
{
	struct test *t = *state;
	struct taker a, b, c;
	struct stream *newest;

	taker_init(&a, &t->rig, t->e[0]);
	taker_init(&b, &t->rig, t->e[0]);
	taker_init(&c, &t->rig, t->e[1]);
	taker_get(&a);
	taker_get(&b);
	newest = lease_stream(&b.lease);
	lease_end(&a.lease, true);
	lease_end(&b.lease, true);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	assert_int_equal(c.lease.state, LEASE_CONNECTS);
	assert_int_equal(count(t, OLINK_GAVE_WAY), 1);
	assert_int_equal(taker_wait(&c), REASON_NONE);
	assert_int_equal(in_all(t), 2);
	taker_get(&a);
	assert_ptr_equal(lease_stream(&a.lease), newest);
	lease_end(&a.lease, true);
	lease_end(&c.lease, true);
}

/* Those of another origin do not give way, nor do they count. */
static void test_another_origin_is_left_alone(void **state)
{
	struct test *t = *state;
	struct taker a, b, c;

	taker_init(&a, &t->rig, t->e[0]);
	a.order.terms.quota = quota_take(t->rig.node, "api");
	taker_init(&b, &t->rig, t->e[1]);
	taker_init(&c, &t->rig, t->e[1]);
	b.order.terms.max_in_all = c.order.terms.max_in_all = 1;
	taker_get(&a);
	lease_end(&a.lease, true);
	taker_get(&b);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	assert_int_equal(c.lease.state, LEASE_QUEUED);
	assert_int_equal(endpoint_facts(t->e[0]).idle, 1);
	assert_int_equal(count(t, OLINK_GAVE_WAY), 0);
	lease_end(&b.lease, true);
	assert_int_equal(taker_wait(&c), REASON_NONE);
	assert_true(lease_is_reused(&c.lease));
	lease_end(&c.lease, true);
}

/* A server that always has requests waiting does not keep the places for itself. */
static void test_busy_server_leaves_something(void **state)
{
	struct test *t = *state;
	struct taker takers[12], c;
	unsigned n = 0;

	t->rig.terms.max_in_all = 1;
	taker_init(&c, &t->rig, t->e[1]);
	for (unsigned i = 0; i < ARRAY_SIZE(takers); i++) {
		taker_init(&takers[i], &t->rig, t->e[0]);
		if (i == 0)
			taker_get(&takers[i]);
		else
			assert_int_equal(taker_take(&takers[i]), LEASE_WAITS);
		if (i == 1)
			assert_int_equal(taker_take(&c), LEASE_WAITS);
	}
	/* Promised to those that wait for the connection itself, until it is the other's turn. */
	do {
		lease_end(&takers[n++].lease, true);
	} while (takers[n].lease.state == LEASE_PROMISED && taker_wait(&takers[n]) == REASON_NONE);
	assert_in_range(n, 2, ARRAY_SIZE(takers) - 2);
	assert_int_equal(taker_wait(&c), REASON_NONE);
	lease_end(&c.lease, false);
	for (; n < ARRAY_SIZE(takers); n++) {
		assert_int_equal(taker_wait(&takers[n]), REASON_NONE);
		lease_end(&takers[n].lease, true);
	}
	assert_int_equal(in_all(t), 1);
}

/* Who goes away is not served, and leaves the place to the next. */
static void test_given_up_while_waiting(void **state)
{
	struct test *t = *state;
	struct taker a, b, c;

	t->rig.terms.max_in_all = 1;
	taker_init(&a, &t->rig, t->e[0]);
	taker_init(&b, &t->rig, t->e[1]);
	taker_init(&c, &t->rig, t->e[1]);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	lease_end(&b.lease, false);
	lease_end(&a.lease, false);
	assert_int_equal(taker_wait(&c), REASON_NONE);
	assert_int_equal(b.n_done, 0);
	lease_end(&c.lease, true);
}

static void test_queue_timeout(void **state)
{
	struct test *t = *state;
	struct taker a, b;

	t->rig.terms.max_in_all = 1;
	t->rig.terms.queue_timeout = DUR_MS(10);
	taker_init(&a, &t->rig, t->e[0]);
	taker_init(&b, &t->rig, t->e[1]);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_wait(&b), REASON_ORIGIN_QUEUE_TIMEOUT);
	lease_end(&b.lease, false);
	lease_end(&a.lease, true);
}

/* A place is given back when the connection does not come about. */
static void test_failed_attempt(void **state)
{
	struct test *t = *state;
	struct taker a, b;

	t->rig.terms.max_in_all = 1;
	taker_init(&a, &t->rig, t->e[0]);
	taker_init(&b, &t->rig, t->e[1]);
	echo_origin_stop(&t->origins[0]);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_ORIGIN_CONNECT_REFUSED);
	assert_int_equal(taker_wait(&b), REASON_NONE);
	lease_end(&b.lease, true);
	assert_int_equal(in_all(t), 1);
	echo_origin_start(&t->origins[0]);
}

/* A connection is used as often as may be, and no more. */
static void test_max_requests(void **state)
{
	struct test *t = *state;
	struct taker a;

	t->rig.terms.max_requests = 2;
	taker_init(&a, &t->rig, t->e[0]);
	taker_get(&a);
	lease_end(&a.lease, true);
	taker_get(&a);
	assert_true(lease_is_reused(&a.lease));
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_WORN), 1);
	assert_int_equal(in_all(t), 0);
	taker_get(&a);
	assert_false(lease_is_reused(&a.lease));
	lease_end(&a.lease, true);
}

/* Two loops */

static void both_wait(struct test *t, struct taker *waits)
{
	while (waits->n_done == 0) {
		conns_rig_turn(&t->rig);
		conns_rig_turn(&t->other);
		usleep(100);
	}
	assert_int_equal(waits->reason, REASON_NONE);
	assert_int_equal(in_all(t), 1);
}

/* What loops have noted of themselves for each other: by index, control's first. */
static void assert_noted(const struct test *t, unsigned i, unsigned idle, unsigned waiting)
{
	assert_int_equal(atomic_load(&t->quota->slots[i].n_idle), idle);
	assert_int_equal(atomic_load(&t->quota->slots[i].n_waiting), waiting);
}

/* Who waits asks the worker that has an idle one, for another server, to close it. */
static void test_idle_one_of_another_worker_gives_way(void **state)
{
	struct test *t = *state;
	struct taker a, c;

	taker_init(&a, &t->other, t->e[0]);
	taker_init(&c, &t->rig, t->e[1]);
	taker_get(&a);
	lease_end(&a.lease, true);
	assert_noted(t, 1, 1, 0);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	assert_int_equal(c.lease.state, LEASE_QUEUED);
	assert_int_equal(atomic_load(&t->quota->waiting), 1);
	assert_noted(t, 0, 0, 1);
	conns_rig_turn(&t->other);
	assert_noted(t, 1, 0, 0);
	assert_int_equal(count(t, OLINK_GAVE_WAY), 1);
	both_wait(t, &c);
	assert_noted(t, 0, 0, 0);
	lease_end(&c.lease, true);
	assert_noted(t, 0, 1, 0);
}

/* The letter has come too late: the connection is in use again. The place is had when it is not. */
static void test_idle_one_of_another_worker_was_used_again(void **state)
{
	struct test *t = *state;
	struct taker a, c;

	taker_init(&a, &t->other, t->e[0]);
	taker_init(&c, &t->rig, t->e[1]);
	taker_get(&a);
	lease_end(&a.lease, true);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	assert_int_equal(taker_take(&a), LEASE_READY);
	for (unsigned i = 0; i < 10; i++) {
		conns_rig_turn(&t->other);
		conns_rig_turn(&t->rig);
	}
	assert_int_equal(count(t, OLINK_GAVE_WAY), 0);
	assert_int_equal(c.lease.state, LEASE_QUEUED);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_GAVE_WAY), 1);
	both_wait(t, &c);
	lease_end(&c.lease, true);
}

/* Nothing is idle: the worker that closes one tells the loop that has noted that somebody waits. */
static void test_place_that_another_worker_leaves(void **state)
{
	struct test *t = *state;
	struct taker a, c;

	taker_init(&a, &t->other, t->e[0]);
	taker_init(&c, &t->rig, t->e[1]);
	taker_get(&a);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	conns_rig_turn(&t->other);
	assert_int_equal(in_all(t), 1);
	lease_end(&a.lease, false);
	assert_int_equal(in_all(t), 0);
	assert_int_equal(c.lease.state, LEASE_QUEUED);
	conns_rig_turn(&t->rig);
	assert_int_equal(in_all(t), 1);
	assert_int_equal(c.lease.state, LEASE_CONNECTS);
	both_wait(t, &c);
	lease_end(&c.lease, true);
}

/* Who was to have the place has gone when the letter comes: it goes on to another who waits. */
static void test_letter_to_who_has_gone(void **state)
{
	struct test *t = *state;
	struct taker a, c, d;

	taker_init(&a, &t->other, t->e[0]);
	taker_init(&c, &t->rig, t->e[1]);
	taker_init(&d, &t->other, t->e[1]);
	taker_get(&a);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	assert_int_equal(taker_take(&d), LEASE_WAITS);
	assert_int_equal(atomic_load(&t->quota->waiting), 2);
	assert_noted(t, 0, 0, 1);
	assert_noted(t, 1, 0, 1);
	/* To the next loop first. */
	lease_end(&a.lease, false);
	lease_end(&c.lease, false);
	assert_int_equal(atomic_load(&t->quota->waiting), 1);
	both_wait(t, &d);
	assert_int_equal(c.n_done, 0);
	lease_end(&d.lease, true);
}

#define TWO_LOOPS_TEST(test) cmocka_unit_test_setup_teardown(test, setup_two, teardown)
#define QUOTA_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    QUOTA_TEST(test_interned_by_name),
	    QUOTA_TEST(test_place_of_another_server),
	    QUOTA_TEST(test_freed_one_gives_way),
	    QUOTA_TEST(test_oldest_idle_one_gives_way),
	    QUOTA_TEST(test_another_origin_is_left_alone),
	    QUOTA_TEST(test_busy_server_leaves_something),
	    QUOTA_TEST(test_given_up_while_waiting),
	    QUOTA_TEST(test_queue_timeout),
	    QUOTA_TEST(test_failed_attempt),
	    QUOTA_TEST(test_max_requests),
	    TWO_LOOPS_TEST(test_idle_one_of_another_worker_gives_way),
	    TWO_LOOPS_TEST(test_idle_one_of_another_worker_was_used_again),
	    TWO_LOOPS_TEST(test_place_that_another_worker_leaves),
	    TWO_LOOPS_TEST(test_letter_to_who_has_gone),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
