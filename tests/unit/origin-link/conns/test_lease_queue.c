/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Leases that wait, because as many connections are open as may be, and what they are promised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/origin-link/lease_rig.h"

static void test_queue(void **state)
{
	struct lease_rig *t = *state;
	struct taker a, b, c;

	t->rig.terms.max_connections = 1;
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_init(&c, &t->rig, t->e);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	assert_int_equal(lease_rig_count(t, OLINK_WAITING), 2);
	assert_int_equal(endpoint_facts(t->e).waiting, 2);
	conns_rig_turn(&t->rig);
	assert_int_equal(b.n_done + c.n_done, 0);

	/* First come, first served; told after the giver has returned. */
	lease_end(&a.lease, true);
	assert_int_equal(b.n_done, 0);
	assert_int_equal(lease_rig_count(t, OLINK_WAITING), 1);
	assert_int_equal(taker_wait(&b), REASON_NONE);
	assert_true(lease_is_reused(&b.lease));
	taker_ping(&b);
	assert_int_equal(c.n_done, 0);
	/* A newcomer does not overtake. */
	assert_int_equal(taker_take(&a), LEASE_WAITS);

	/* What is not kept leaves its room. */
	lease_end(&b.lease, false);
	assert_int_equal(taker_wait(&c), REASON_NONE);
	assert_false(lease_is_reused(&c.lease));
	taker_ping(&c);
	assert_int_equal(lease_rig_open(t), 1);
	lease_end(&c.lease, true);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	lease_end(&a.lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_WAITING), 0);
	assert_int_equal(lease_rig_count(t, OLINK_LEASES_FRESH), 2);
	assert_int_equal(lease_rig_count(t, OLINK_LEASES_REUSED), 2);
}

static void test_queue_full(void **state)
{
	struct lease_rig *t = *state;
	struct taker a, b, c;

	t->rig.terms.max_connections = 1;
	t->rig.terms.max_waiting = 1;
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_init(&c, &t->rig, t->e);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_take(&c), LEASE_REFUSED);
	assert_int_equal(c.reason, REASON_ORIGIN_QUEUE_FULL);
	assert_int_equal(lease_rig_count(t, OLINK_QUEUE_FULL), 1);
	/* Who leaves makes room, and is not told. */
	lease_end(&b.lease, false);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	lease_end(&c.lease, false);
	lease_end(&a.lease, true);
	assert_int_equal(b.n_done + c.n_done, 0);
	assert_int_equal(endpoint_facts(t->e).waiting, 0);
}

static void test_queue_timeout(void **state)
{
	struct lease_rig *t = *state;
	struct taker a, b;

	t->rig.terms.max_connections = 1;
	t->rig.terms.queue_timeout = DUR_MS(10);
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_wait(&b), REASON_ORIGIN_QUEUE_TIMEOUT);
	assert_int_equal(lease_rig_count(t, OLINK_QUEUE_TIMEOUTS), 1);
	assert_int_equal(lease_rig_count(t, OLINK_WAITING), 0);
	lease_end(&b.lease, false);
	lease_end(&a.lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 1);
}

/* A promise that its owner does not want any more goes to the next. */
static void test_promise_given_up(void **state)
{
	struct lease_rig *t = *state;
	struct taker a, b, c;

	t->rig.terms.max_connections = 1;
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_init(&c, &t->rig, t->e);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	lease_end(&a.lease, true);
	assert_int_equal(b.lease.state, LEASE_PROMISED);
	lease_end(&b.lease, true);
	assert_int_equal(taker_wait(&c), REASON_NONE);
	assert_int_equal(b.n_done, 0);
	lease_end(&c.lease, true);
}

/* The origin closes what was promised: a new one is made in its room. */
static void test_promise_broken(void **state)
{
	struct lease_rig *t = *state;
	struct taker a, b;

	t->rig.terms.max_connections = 1;
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	b.order.careful = true;
	taker_get(&a);
	taker_ping(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	echo_origin_close_all(&t->origin);
	while (!lease_rig_has_ended(a.lease.conn))
		usleep(100);
	lease_end(&a.lease, true);
	assert_int_equal(taker_wait(&b), REASON_NONE);
	assert_false(lease_is_reused(&b.lease));
	taker_ping(&b);
	assert_int_equal(lease_rig_open(t), 1);
	lease_end(&b.lease, true);
}

static void test_fresh_one_in_the_queue(void **state)
{
	struct lease_rig *t = *state;
	struct taker a, b;

	t->rig.terms.max_connections = 1;
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	b.order.fresh = true;
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	lease_end(&a.lease, true);
	assert_int_equal(taker_wait(&b), REASON_NONE);
	assert_false(lease_is_reused(&b.lease));
	assert_int_equal(lease_rig_open(t), 1);
	taker_ping(&b);
	lease_end(&b.lease, true);
	assert_int_equal(t->origin.n_accepted, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEASE_TEST(test_queue),          LEASE_TEST(test_queue_full),
	    LEASE_TEST(test_queue_timeout),  LEASE_TEST(test_promise_given_up),
	    LEASE_TEST(test_promise_broken), LEASE_TEST(test_fresh_one_in_the_queue),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
