/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Leases on one loop: what is kept and used again, what is closed and by whom, what fails, and what
 * is counted. The queue: test_lease_queue.c; over TLS: test_lease_tls.c; several loops:
 * test_sharing.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/net/sock.h"
#include "origin-link/conns/transport.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/scripted_origin.h"
#include "tests/unit/origin-link/lease_rig.h"

/* A connection that was used, is idle now, and that the origin knows of. */
static void leave_idle(struct lease_rig *t)
{
	struct taker a;

	taker_init(&a, &t->rig, t->e);
	taker_get(&a);
	taker_ping(&a);
	lease_end(&a.lease, true);
}

static void test_fresh_then_reused(void **state)
{
	struct lease_rig *t = *state;
	struct taker a;

	taker_init(&a, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(lease_rig_open(t), 1);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_false(lease_is_reused(&a.lease));
	assert_true(lease_connect_time(&a.lease).ns > 0);
	taker_ping(&a);
	assert_int_equal(lease_rig_count(t, OLINK_ACTIVE), 1);
	assert_int_equal(endpoint_facts(t->e).in_flight, 1);
	lease_end(&a.lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_ACTIVE), 0);
	assert_int_equal(endpoint_facts(t->e).in_flight, 0);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 1);
	assert_int_equal(endpoint_facts(t->e).idle, 1);
	/* Ended is ended. */
	lease_end(&a.lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 1);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(taker_take(&a), LEASE_READY);
		assert_true(lease_is_reused(&a.lease));
		assert_int_equal(lease_connect_time(&a.lease).ns, 0);
		taker_ping(&a);
		assert_int_equal(lease_rig_count(t, OLINK_IDLE), 0);
		lease_end(&a.lease, true);
	}
	assert_int_equal(lease_rig_count(t, OLINK_LEASES_FRESH), 1);
	assert_int_equal(lease_rig_count(t, OLINK_LEASES_REUSED), 3);
	assert_int_equal(lease_rig_count(t, OLINK_LEASES_MOVED), 0);
	assert_int_equal(lease_rig_count(t, OLINK_CONNECTS), 1);

	/* Not to be kept. */
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, false);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 0);
	assert_int_equal(lease_rig_open(t), 0);
}

/* The newest is taken first, so that what is not needed ages. */
static void test_newest_first(void **state)
{
	struct lease_rig *t = *state;
	struct taker a, b;
	int fd;

	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_get(&a);
	taker_get(&b);
	fd = stream_fd(lease_stream(&a.lease));
	lease_end(&b.lease, true);
	lease_end(&a.lease, true);
	taker_get(&b);
	assert_int_equal(stream_fd(lease_stream(&b.lease)), fd);
	lease_end(&b.lease, true);
}

/* An idle connection that the origin closes is seen at once, not when it is wanted. */
static void test_closed_while_idle(void **state)
{
	struct lease_rig *t = *state;
	struct taker a;

	leave_idle(t);
	echo_origin_close_all(&t->origin);
	conns_rig_await(&t->rig, OLINK_CLOSED_IDLE, 1);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 0);
	assert_int_equal(lease_rig_open(t), 0);
	taker_init(&a, &t->rig, t->e);
	taker_get(&a);
	assert_false(lease_is_reused(&a.lease));
	taker_ping(&a);
	lease_end(&a.lease, true);
}

static void talk_out_of_turn(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_wait(o);
	origin_send(o, "HTTP/1.1 408 Request Timeout\r\n\r\n");
	origin_expect_end(o);
}

static void test_bytes_while_idle(void **state)
{
	struct lease_rig *t = *state;
	struct scripted_origin *o = origin_start(talk_out_of_turn, NULL);
	struct endpoint *e = conns_rig_endpoint(&t->rig, &o->addr);
	struct taker a;

	taker_init(&a, &t->rig, e);
	taker_get(&a);
	lease_end(&a.lease, true);
	origin_go(o);
	conns_rig_await(&t->rig, OLINK_CLOSED_IDLE, 1);
	assert_null(origin_finish(&o));
	endpoint_give(&e);
}

/* What the loop has not been told yet: seen by who looks, and not by others. */
static void test_careful(void **state)
{
	struct lease_rig *t = *state;
	struct taker a;

	taker_init(&a, &t->rig, t->e);
	a.order.careful = true;
	leave_idle(t);
	assert_int_equal(taker_take(&a), LEASE_READY);
	taker_ping(&a);
	lease_end(&a.lease, true);

	echo_origin_close_all(&t->origin);
	while (!lease_rig_has_ended(TAILQ_FIRST(&endpoint_slot(t->e, t->rig.conns)->idle[0])))
		usleep(100);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_DEAD), 1);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_false(lease_is_reused(&a.lease));
	taker_ping(&a);
	lease_end(&a.lease, true);

	echo_origin_close_all(&t->origin);
	while (!lease_rig_has_ended(TAILQ_FIRST(&endpoint_slot(t->e, t->rig.conns)->idle[0])))
		usleep(100);
	a.order.careful = false;
	assert_int_equal(taker_take(&a), LEASE_READY);
	conns_rig_run_until(&t->rig, taker_has_ended, &a);
	lease_end(&a.lease, false);
}

/* After one has failed, the others may be as dead. */
static void test_fresh_leaves_idle_ones_alone(void **state)
{
	struct lease_rig *t = *state;
	struct taker a;

	leave_idle(t);
	taker_init(&a, &t->rig, t->e);
	a.order.fresh = true;
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 1);
	assert_false(lease_is_reused(&a.lease));
	lease_end(&a.lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 2);
}

/* When there is room for one only, it takes the place of the idle one. */
static void test_fresh_takes_the_room(void **state)
{
	struct lease_rig *t = *state;
	struct taker a;

	leave_idle(t);
	taker_init(&a, &t->rig, t->e);
	a.order.fresh = true;
	a.order.terms.max_connections = 1;
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(lease_rig_open(t), 1);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 0);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	taker_ping(&a);
	assert_int_equal(t->origin.n_accepted, 2);
	lease_end(&a.lease, true);
}

static void test_max_idle(void **state)
{
	struct lease_rig *t = *state;
	struct taker v[3];

	t->rig.terms.max_idle = 2;
	for (int i = 0; i < 3; i++) {
		taker_init(&v[i], &t->rig, t->e);
		taker_get(&v[i]);
	}
	for (int i = 0; i < 3; i++)
		lease_end(&v[i].lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 2);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_FULL), 1);
	assert_int_equal(lease_rig_open(t), 2);
}

static void test_expiry(void **state)
{
	struct lease_rig *t = *state;
	struct taker a;

	leave_idle(t);
	t->rig.terms.idle_timeout = DUR_MS(1);
	taker_init(&a, &t->rig, t->e);
	a.order.fresh = true;
	taker_get(&a);
	lease_end(&a.lease, true);
	/* One expires within a tick, the other has its time. */
	conns_rig_await(&t->rig, OLINK_EXPIRED, 1);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 1);
	/* And what has expired is not used, before the tick. */
	a.order.fresh = false;
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, true);
	usleep(2000);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(lease_rig_count(t, OLINK_EXPIRED), 2);
	lease_end(&a.lease, false);
	assert_int_equal(lease_rig_open(t), 0);
}

static bool may_be_put_off(void *conn)
{
	const struct origin_conn *c = conn;

	return expiry_can_be_put_off(&c->expiry, loop_now(c->conns->loop));
}

/* While a few were too many none of the others was used before it expired either: all had to be
 * made anew, again and again. */
static void test_those_that_expire_do_not_count_among_those_that_are_kept(void **state)
{
	struct lease_rig *t = *state;
	struct endpoint_slot *slot = &t->e->slots[0];
	struct origin_conn *oldest, *newest;
	struct taker v[3];

	t->rig.terms.idle_timeout = DUR_S(8);
	for (int i = 0; i < 3; i++) {
		taker_init(&v[i], &t->rig, t->e);
		taker_get(&v[i]);
	}
	for (int i = 0; i < 3; i++)
		lease_end(&v[i].lease, true);
	oldest = TAILQ_LAST(&slot->idle[0], origin_conn_list);
	newest = TAILQ_FIRST(&slot->idle[0]);
	conns_rig_run_until(&t->rig, may_be_put_off, oldest);
	/* One of three is too many: the oldest, which expires. */
	atomic_store(&t->e->target, 2);
	assert_int_equal(taker_take(&v[0]), LEASE_READY);
	assert_ptr_equal(v[0].lease.conn, newest);
	lease_end(&v[0].lease, true);
	/* Another one expires: the oldest here is needed. */
	atomic_store(&slot->n_leaving, 1);
	assert_int_equal(taker_take(&v[0]), LEASE_READY);
	assert_ptr_equal(v[0].lease.conn, oldest);
	lease_end(&v[0].lease, true);
	atomic_store(&slot->n_leaving, 0);
	atomic_store(&t->e->target, 0);
}

/* A connection for one client is used by nobody else. */
static void test_proxy_header_is_never_reused(void **state)
{
	struct lease_rig *t = *state;
	struct echo_origin o = {.proxy_header = 1};
	struct cfg_origin origin = {.proxy_protocol = CFG_PROXY_PROTOCOL_V1};
	struct proxy_parties client = {0};
	struct transport *transport;
	char *error;
	struct endpoint *e;
	struct taker a;

	echo_origin_start(&o);
	transport = transport_load(&origin, "", &error);
	e = endpoint_take(t->rig.node, &o.addr, transport);
	transport_unref(&transport);
	assert_true(net_addr_parse("192.0.2.1:1234", 0, &client.source));
	assert_true(net_addr_parse("192.0.2.2:443", 0, &client.destination));
	taker_init(&a, &t->rig, e);
	a.order.client = &client;
	for (int i = 0; i < 2; i++) {
		taker_get(&a);
		assert_false(lease_is_reused(&a.lease));
		taker_ping(&a);
		lease_end(&a.lease, true);
		assert_int_equal(lease_rig_count(t, OLINK_IDLE), 0);
	}
	endpoint_give(&e);
	echo_origin_stop(&o);
	assert_int_equal(o.n_accepted, 2);
	assert_memory_equal(o.header, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", o.n_header);
}

/* Failures */

static void test_refused(void **state)
{
	struct lease_rig *t = *state;
	struct net_addr addr;
	socklen_t len = sizeof(addr.in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct endpoint *e;
	struct taker a, b;

	assert_true(net_addr_parse("127.0.0.1:0", 0, &addr));
	assert_int_equal(bind(fd, &addr.sa, len), 0);
	assert_int_equal(getsockname(fd, &addr.sa, &len), 0);
	e = conns_rig_endpoint(&t->rig, &addr);
	t->rig.terms.max_connections = 1;
	taker_init(&a, &t->rig, e);
	taker_init(&b, &t->rig, e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	/* It waits for the room, gets it, and fails by itself. */
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(lease_rig_count(t, OLINK_WAITING), 1);
	assert_int_equal(taker_wait(&a), REASON_ORIGIN_CONNECT_REFUSED);
	assert_string_equal(a.detail, "Connection refused");
	assert_int_equal(taker_wait(&b), REASON_ORIGIN_CONNECT_REFUSED);
	assert_int_equal(endpoint_facts(e).last_failure, REASON_ORIGIN_CONNECT_REFUSED);
	assert_int_equal(endpoint_facts(e).open, 0);
	assert_int_equal(lease_rig_count(t, OLINK_CONNECT_FAILURES), 2);
	assert_int_equal(lease_rig_count(t, OLINK_LEASES_FRESH), 0);
	/* It may be tried again. */
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	lease_end(&a.lease, false);
	assert_int_equal(endpoint_facts(e).open, 0);
	endpoint_give(&e);
	close(fd);
}

/* Descriptors */

static void test_no_descriptors_is_no_failure_of_the_server(void **state)
{
	struct lease_rig *t = *state;
	struct taker a;
	rlim_t allowed;

	taker_init(&a, &t->rig, t->e);
	allowed = descriptors_use_up();
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	descriptors_allow(allowed);
	assert_int_equal(taker_wait(&a), REASON_EDGE_NO_DESCRIPTORS);
	assert_int_equal(lease_rig_open(t), 0);
	assert_int_equal(lease_rig_count(t, OLINK_SHORTAGES), 1);
	/* It is not told of the server, as it was. */
	assert_int_equal(endpoint_facts(t->e).last_failure, REASON_NONE);
}

static void leave_idle_twice(struct lease_rig *t)
{
	struct taker a, b;

	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_get(&a);
	taker_get(&b);
	taker_ping(&a);
	taker_ping(&b);
	lease_end(&a.lease, true);
	lease_end(&b.lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 2);
}

/* Requests failed for want of a descriptor, while connections that nobody used had some. */
static void test_idle_connections_keep_descriptors_from_those_needed(void **state)
{
	struct lease_rig *t = *state;
	struct net_addr addr;
	struct endpoint *e;
	struct taker a;
	rlim_t allowed;
	int fd;

	assert_true(net_addr_parse("127.0.0.1:0", 0, &addr));
	fd = sock_listen_tcp(&addr, 8);
	assert_true(fd >= 0 && sock_local_addr(fd, &addr) == 0);
	e = conns_rig_endpoint(&t->rig, &addr);
	leave_idle_twice(t);
	taker_init(&a, &t->rig, e);
	allowed = descriptors_use_up();
	taker_get(&a);
	descriptors_allow(allowed);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 1);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_DESCRIPTORS), 1);
	assert_int_equal(lease_rig_count(t, OLINK_SHORTAGES), 0);
	assert_int_equal(lease_rig_open(t), 1);
	lease_end(&a.lease, false);
	endpoint_give(&e);
	close(fd);
}

/* Whatever its endpoint, the one that nobody has used for longest goes. */
static void test_idle_limit_of_the_node(void **state)
{
	struct lease_rig *t = *state;
	struct echo_origin origin = {0};
	struct endpoint *e;
	struct taker a;

	echo_origin_start(&origin);
	e = conns_rig_endpoint(&t->rig, &origin.addr);
	conns_node_set_idle_limit(t->rig.node, 2);
	leave_idle_twice(t);
	taker_init(&a, &t->rig, e);
	taker_get(&a);
	taker_ping(&a);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 2);
	lease_end(&a.lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 2);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_DESCRIPTORS), 1);
	assert_int_equal(endpoint_facts(e).idle, 1);
	assert_int_equal(lease_rig_open(t), 1);
	conns_node_set_idle_limit(t->rig.node, 0);
	assert_int_equal(taker_take(&a), LEASE_READY);
	taker_ping(&a);
	lease_end(&a.lease, true);
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 0);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_DESCRIPTORS), 3);
	endpoint_give(&e);
	conns_rig_turn(&t->rig);
	echo_origin_stop(&origin);
}

/* Suspicion */

static void test_suspect(void **state)
{
	struct lease_rig *t = *state;
	struct loop *loop = t->rig.group->control;
	struct taker a;

	leave_idle(t);
	assert_false(endpoint_is_suspect(t->e, loop_now(loop)));
	endpoint_suspect(t->e, loop);
	assert_true(endpoint_is_suspect(t->e, loop_now(loop)));
	assert_int_equal(lease_rig_count(t, OLINK_IDLE), 0);
	assert_int_equal(lease_rig_count(t, OLINK_DISCARDED_DEAD), 1);
	/* For a while. */
	assert_false(endpoint_is_suspect(t->e, mono_add(loop_now(loop), DUR_S(60))));
	/* Or until it proves well. */
	taker_init(&a, &t->rig, t->e);
	taker_get(&a);
	assert_false(endpoint_is_suspect(t->e, loop_now(loop)));
	lease_end(&a.lease, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LEASE_TEST(test_fresh_then_reused),
	    LEASE_TEST(test_newest_first),
	    LEASE_TEST(test_closed_while_idle),
	    LEASE_TEST(test_bytes_while_idle),
	    LEASE_TEST(test_careful),
	    LEASE_TEST(test_fresh_leaves_idle_ones_alone),
	    LEASE_TEST(test_fresh_takes_the_room),
	    LEASE_TEST(test_max_idle),
	    LEASE_TEST(test_expiry),
	    LEASE_TEST(test_those_that_expire_do_not_count_among_those_that_are_kept),
	    LEASE_TEST(test_proxy_header_is_never_reused),
	    LEASE_TEST(test_refused),
	    LEASE_TEST(test_no_descriptors_is_no_failure_of_the_server),
	    LEASE_TEST(test_idle_connections_keep_descriptors_from_those_needed),
	    LEASE_TEST(test_idle_limit_of_the_node),
	    LEASE_TEST(test_suspect),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
