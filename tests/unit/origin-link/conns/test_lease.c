/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Leases on one loop: what is kept and used again, what is closed and by whom, the queue, and what
 * is counted. Several loops: test_sharing.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/net/sock.h"
#include "origin-link/conns/transport.h"
#include "tests/support/few_descriptors.h"
#include "tests/support/scripted_origin.h"
#include "tests/support/test_cert.h"
#include "tests/unit/origin-link/conns_rig.h"

struct test {
	struct conns_rig rig;
	struct echo_origin origin;
	struct endpoint *e;
};

static int setup(void **state)
{
	struct test *t = xcalloc(1, sizeof(*t));

	conns_rig_init(&t->rig, 0);
	echo_origin_start(&t->origin);
	t->e = conns_rig_endpoint(&t->rig, &t->origin.addr);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

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

static unsigned open_now(struct test *t)
{
	return endpoint_facts(t->e).open;
}

/* A connection that was used, is idle now, and that the origin knows of. */
static void leave_idle(struct test *t)
{
	struct taker a;

	taker_init(&a, &t->rig, t->e);
	taker_get(&a);
	taker_ping(&a);
	lease_end(&a.lease, true);
}

static void test_fresh_then_reused(void **state)
{
	struct test *t = *state;
	struct taker a;

	taker_init(&a, &t->rig, t->e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(open_now(t), 1);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_false(lease_is_reused(&a.lease));
	assert_true(lease_connect_time(&a.lease).ns > 0);
	taker_ping(&a);
	assert_int_equal(count(t, OLINK_ACTIVE), 1);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_ACTIVE), 0);
	assert_int_equal(count(t, OLINK_IDLE), 1);
	assert_int_equal(endpoint_facts(t->e).idle, 1);
	/* Ended is ended. */
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_IDLE), 1);

	for (int i = 0; i < 3; i++) {
		assert_int_equal(taker_take(&a), LEASE_READY);
		assert_true(lease_is_reused(&a.lease));
		assert_int_equal(lease_connect_time(&a.lease).ns, 0);
		taker_ping(&a);
		assert_int_equal(count(t, OLINK_IDLE), 0);
		lease_end(&a.lease, true);
	}
	assert_int_equal(count(t, OLINK_LEASES_FRESH), 1);
	assert_int_equal(count(t, OLINK_LEASES_REUSED), 3);
	assert_int_equal(count(t, OLINK_LEASES_MOVED), 0);
	assert_int_equal(count(t, OLINK_CONNECTS), 1);

	/* Not to be kept. */
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, false);
	assert_int_equal(count(t, OLINK_IDLE), 0);
	assert_int_equal(open_now(t), 0);
}

/* The newest is taken first, so that what is not needed ages. */
static void test_newest_first(void **state)
{
	struct test *t = *state;
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
	struct test *t = *state;
	struct taker a;

	leave_idle(t);
	echo_origin_close_all(&t->origin);
	conns_rig_await(&t->rig, OLINK_CLOSED_IDLE, 1);
	assert_int_equal(count(t, OLINK_IDLE), 0);
	assert_int_equal(open_now(t), 0);
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
	struct test *t = *state;
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

static bool socket_has_ended(void *arg)
{
	const struct origin_conn *conn = arg;
	char byte;

	return recv(stream_fd(conn->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* What the loop has not been told yet: seen by who looks, and not by others. */
static void test_careful(void **state)
{
	struct test *t = *state;
	struct taker a;

	taker_init(&a, &t->rig, t->e);
	a.order.careful = true;
	leave_idle(t);
	assert_int_equal(taker_take(&a), LEASE_READY);
	taker_ping(&a);
	lease_end(&a.lease, true);

	echo_origin_close_all(&t->origin);
	while (!socket_has_ended(TAILQ_FIRST(&endpoint_slot(t->e, t->rig.conns)->idle)))
		usleep(100);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(count(t, OLINK_DISCARDED_DEAD), 1);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_false(lease_is_reused(&a.lease));
	taker_ping(&a);
	lease_end(&a.lease, true);

	echo_origin_close_all(&t->origin);
	while (!socket_has_ended(TAILQ_FIRST(&endpoint_slot(t->e, t->rig.conns)->idle)))
		usleep(100);
	a.order.careful = false;
	assert_int_equal(taker_take(&a), LEASE_READY);
	conns_rig_run_until(&t->rig, taker_has_ended, &a);
	lease_end(&a.lease, false);
}

/* After one has failed, the others may be as dead. */
static void test_fresh_leaves_idle_ones_alone(void **state)
{
	struct test *t = *state;
	struct taker a;

	leave_idle(t);
	taker_init(&a, &t->rig, t->e);
	a.order.fresh = true;
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	assert_int_equal(count(t, OLINK_IDLE), 1);
	assert_false(lease_is_reused(&a.lease));
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_IDLE), 2);
}

/* When there is room for one only, it takes the place of the idle one. */
static void test_fresh_takes_the_room(void **state)
{
	struct test *t = *state;
	struct taker a;

	leave_idle(t);
	taker_init(&a, &t->rig, t->e);
	a.order.fresh = true;
	a.order.terms.max_connections = 1;
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(open_now(t), 1);
	assert_int_equal(count(t, OLINK_IDLE), 0);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	taker_ping(&a);
	assert_int_equal(t->origin.n_accepted, 2);
	lease_end(&a.lease, true);
}

static void test_max_idle(void **state)
{
	struct test *t = *state;
	struct taker v[3];

	t->rig.terms.max_idle = 2;
	for (int i = 0; i < 3; i++) {
		taker_init(&v[i], &t->rig, t->e);
		taker_get(&v[i]);
	}
	for (int i = 0; i < 3; i++)
		lease_end(&v[i].lease, true);
	assert_int_equal(count(t, OLINK_IDLE), 2);
	assert_int_equal(count(t, OLINK_DISCARDED_FULL), 1);
	assert_int_equal(open_now(t), 2);
}

static void test_expiry(void **state)
{
	struct test *t = *state;
	struct taker a;

	leave_idle(t);
	t->rig.terms.idle_timeout = DUR_MS(1);
	taker_init(&a, &t->rig, t->e);
	a.order.fresh = true;
	taker_get(&a);
	lease_end(&a.lease, true);
	/* One expires within a tick, the other has its time. */
	conns_rig_await(&t->rig, OLINK_EXPIRED, 1);
	assert_int_equal(count(t, OLINK_IDLE), 1);
	/* And what has expired is not used, before the tick. */
	a.order.fresh = false;
	assert_int_equal(taker_take(&a), LEASE_READY);
	lease_end(&a.lease, true);
	usleep(2000);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(count(t, OLINK_EXPIRED), 2);
	lease_end(&a.lease, false);
	assert_int_equal(open_now(t), 0);
}

/* A connection for one client is used by nobody else. */
static void test_proxy_header_is_never_reused(void **state)
{
	struct test *t = *state;
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
		assert_int_equal(count(t, OLINK_IDLE), 0);
	}
	endpoint_give(&e);
	echo_origin_stop(&o);
	assert_int_equal(o.n_accepted, 2);
	assert_memory_equal(o.header, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n", o.n_header);
}

/* The queue */

static void test_queue(void **state)
{
	struct test *t = *state;
	struct taker a, b, c;

	t->rig.terms.max_connections = 1;
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_init(&c, &t->rig, t->e);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_take(&c), LEASE_WAITS);
	assert_int_equal(count(t, OLINK_WAITING), 2);
	assert_int_equal(endpoint_facts(t->e).waiting, 2);
	conns_rig_turn(&t->rig);
	assert_int_equal(b.n_done + c.n_done, 0);

	/* First come, first served; told after the giver has returned. */
	lease_end(&a.lease, true);
	assert_int_equal(b.n_done, 0);
	assert_int_equal(count(t, OLINK_WAITING), 1);
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
	assert_int_equal(open_now(t), 1);
	lease_end(&c.lease, true);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_WAITING), 0);
	assert_int_equal(count(t, OLINK_LEASES_FRESH), 2);
	assert_int_equal(count(t, OLINK_LEASES_REUSED), 2);
}

static void test_queue_full(void **state)
{
	struct test *t = *state;
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
	assert_int_equal(count(t, OLINK_QUEUE_FULL), 1);
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
	struct test *t = *state;
	struct taker a, b;

	t->rig.terms.max_connections = 1;
	t->rig.terms.queue_timeout = DUR_MS(10);
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	taker_get(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	assert_int_equal(taker_wait(&b), REASON_ORIGIN_QUEUE_TIMEOUT);
	assert_int_equal(count(t, OLINK_QUEUE_TIMEOUTS), 1);
	assert_int_equal(count(t, OLINK_WAITING), 0);
	lease_end(&b.lease, false);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_IDLE), 1);
}

/* A promise that its owner does not want any more goes to the next. */
static void test_promise_given_up(void **state)
{
	struct test *t = *state;
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
	struct test *t = *state;
	struct taker a, b;

	t->rig.terms.max_connections = 1;
	taker_init(&a, &t->rig, t->e);
	taker_init(&b, &t->rig, t->e);
	b.order.careful = true;
	taker_get(&a);
	taker_ping(&a);
	assert_int_equal(taker_take(&b), LEASE_WAITS);
	echo_origin_close_all(&t->origin);
	while (!socket_has_ended(a.lease.conn))
		usleep(100);
	lease_end(&a.lease, true);
	assert_int_equal(taker_wait(&b), REASON_NONE);
	assert_false(lease_is_reused(&b.lease));
	taker_ping(&b);
	assert_int_equal(open_now(t), 1);
	lease_end(&b.lease, true);
}

static void test_fresh_one_in_the_queue(void **state)
{
	struct test *t = *state;
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
	assert_int_equal(open_now(t), 1);
	taker_ping(&b);
	lease_end(&b.lease, true);
	assert_int_equal(t->origin.n_accepted, 2);
}

/* Failures */

static void test_refused(void **state)
{
	struct test *t = *state;
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
	assert_int_equal(count(t, OLINK_WAITING), 1);
	assert_int_equal(taker_wait(&a), REASON_ORIGIN_CONNECT_REFUSED);
	assert_string_equal(a.detail, "Connection refused");
	assert_int_equal(taker_wait(&b), REASON_ORIGIN_CONNECT_REFUSED);
	assert_int_equal(endpoint_facts(e).last_failure, REASON_ORIGIN_CONNECT_REFUSED);
	assert_int_equal(endpoint_facts(e).open, 0);
	assert_int_equal(count(t, OLINK_CONNECT_FAILURES), 2);
	assert_int_equal(count(t, OLINK_LEASES_FRESH), 0);
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
	struct test *t = *state;
	struct taker a;
	rlim_t allowed;

	taker_init(&a, &t->rig, t->e);
	allowed = descriptors_use_up();
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	descriptors_allow(allowed);
	assert_int_equal(taker_wait(&a), REASON_EDGE_NO_DESCRIPTORS);
	assert_int_equal(open_now(t), 0);
	assert_int_equal(count(t, OLINK_SHORTAGES), 1);
	/* It is not told of the server, as it was. */
	assert_int_equal(endpoint_facts(t->e).last_failure, REASON_NONE);
}

static void leave_idle_twice(struct test *t)
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
	assert_int_equal(count(t, OLINK_IDLE), 2);
}

/* Requests failed for want of a descriptor, while connections that nobody used had some. */
static void test_idle_connections_keep_descriptors_from_those_needed(void **state)
{
	struct test *t = *state;
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
	assert_int_equal(count(t, OLINK_IDLE), 1);
	assert_int_equal(count(t, OLINK_DISCARDED_DESCRIPTORS), 1);
	assert_int_equal(count(t, OLINK_SHORTAGES), 0);
	assert_int_equal(open_now(t), 1);
	lease_end(&a.lease, false);
	endpoint_give(&e);
	close(fd);
}

/* Whatever its endpoint, the one that nobody has used for longest goes. */
static void test_idle_limit_of_the_node(void **state)
{
	struct test *t = *state;
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
	assert_int_equal(count(t, OLINK_IDLE), 2);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_IDLE), 2);
	assert_int_equal(count(t, OLINK_DISCARDED_DESCRIPTORS), 1);
	assert_int_equal(endpoint_facts(e).idle, 1);
	assert_int_equal(open_now(t), 1);
	conns_node_set_idle_limit(t->rig.node, 0);
	assert_int_equal(taker_take(&a), LEASE_READY);
	taker_ping(&a);
	lease_end(&a.lease, true);
	assert_int_equal(count(t, OLINK_IDLE), 0);
	assert_int_equal(count(t, OLINK_DISCARDED_DESCRIPTORS), 3);
	endpoint_give(&e);
	conns_rig_turn(&t->rig);
	echo_origin_stop(&origin);
}

/* Suspicion */

static void test_suspect(void **state)
{
	struct test *t = *state;
	struct loop *loop = t->rig.group->control;
	struct taker a;

	leave_idle(t);
	assert_false(endpoint_is_suspect(t->e, loop_now(loop)));
	endpoint_suspect(t->e, loop);
	assert_true(endpoint_is_suspect(t->e, loop_now(loop)));
	assert_int_equal(count(t, OLINK_IDLE), 0);
	assert_int_equal(count(t, OLINK_DISCARDED_DEAD), 1);
	/* For a while. */
	assert_false(endpoint_is_suspect(t->e, mono_add(loop_now(loop), DUR_S(60))));
	/* Or until it proves well. */
	taker_init(&a, &t->rig, t->e);
	taker_get(&a);
	assert_false(endpoint_is_suspect(t->e, loop_now(loop)));
	lease_end(&a.lease, false);
}

/* TLS */

struct tls_test {
	struct test_cert cert;
	struct echo_origin origin;
	struct endpoint *e;
};

static void start_tls(struct test *t, struct tls_test *tls, const char *host)
{
	char path[] = "/tmp/lease-XXXXXX";
	struct cfg_origin origin = {
	    .tls = {.enabled = true, .verify = true, .ca = path, .name = ""},
	};
	struct transport *transport;
	char *error = NULL;
	int fd = mkstemp(path);

	*tls = (struct tls_test){0};
	assert_true(fd >= 0);
	test_cert_init(&tls->cert, "origin.example.com");
	test_cert_write(&tls->cert, path, NULL);
	tls->origin.credentials = test_cert_server(&tls->cert);
	echo_origin_start(&tls->origin);
	transport = transport_load(&origin, host, &error);
	assert_non_null(transport);
	tls->e = endpoint_take(t->rig.node, &tls->origin.addr, transport);
	transport_unref(&transport);
	close(fd);
	unlink(path);
}

static void stop_tls(struct tls_test *tls)
{
	endpoint_give(&tls->e);
	echo_origin_close_all(&tls->origin);
	echo_origin_stop(&tls->origin);
	gnutls_certificate_free_credentials(tls->origin.credentials);
	test_cert_fini(&tls->cert);
}

/* Tickets that come while a connection is idle are no reason to close it. */
static void test_tls(void **state)
{
	struct test *t = *state;
	struct tls_test tls;
	struct taker a;

	start_tls(t, &tls, "origin.example.com");
	taker_init(&a, &t->rig, tls.e);
	taker_get(&a);
	/* Not a word: the tickets are still on their way, or unread. */
	lease_end(&a.lease, true);
	for (int i = 0; i < 3; i++) {
		a.order.careful = i > 0;
		assert_int_equal(taker_take(&a), LEASE_READY);
		taker_ping(&a);
		lease_end(&a.lease, true);
	}
	assert_int_equal(count(t, OLINK_HANDSHAKES), 1);
	assert_int_equal(count(t, OLINK_CLOSED_IDLE), 0);
	assert_int_equal(count(t, OLINK_IDLE), 1);
	echo_origin_close_all(&tls.origin);
	conns_rig_await(&t->rig, OLINK_CLOSED_IDLE, 1);
	stop_tls(&tls);
}

/* Two requests in one turn. */
struct two_requests {
	struct test *t;
	struct taker first, second;
	enum lease_result result;
	bool done;
	char text[32]; /* what is left of the second client's bytes */
};

static const char client_text[] = "POST / HTTP/1.1\r\n";

/* The response of the first is one byte, and what follows is nobody's; then comes the second. */
static void end_and_take(void *arg)
{
	struct two_requests *two = arg;
	char *buf = two->t->rig.buffers->plain;

	if (stream_read(lease_stream(&two->first.lease), buf, 1) != 1)
		return;
	lease_end(&two->first.lease, true);
	strcpy(buf, client_text);
	two->result = taker_take(&two->second);
	memcpy(two->text, buf, sizeof(client_text));
	two->done = true;
}

static void nothing_to_do(void *arg)
{
}

static bool both_were_there(void *arg)
{
	return ((struct two_requests *)arg)->done;
}

/* A request is opened while what its client has sent lies in the loop's buffer. What an origin had
 * said unasked took its place there. */
static void test_a_look_leaves_what_a_client_has_sent_alone(void **state)
{
	static const struct stream_ops ops = {end_and_take, end_and_take, nothing_to_do,
					      nothing_to_do};
	static char poison[100 * 1000];
	struct two_requests two = {.t = *state};
	struct test *t = two.t;
	struct iovec iov = {poison, sizeof(poison)};
	struct tls_test tls;
	int unread = 0;

	start_tls(t, &tls, "origin.example.com");
	taker_init(&two.first, &t->rig, tls.e);
	taker_init(&two.second, &t->rig, tls.e);
	two.second.order.careful = true;
	taker_get(&two.first);
	taker_ping(&two.first);
	memset(poison, 'x', sizeof(poison));
	stream_pause(lease_stream(&two.first.lease));
	stream_write(lease_stream(&two.first.lease), &iov, 1);
	/* More than one look at the socket takes. */
	while (unread < 70 * 1000) {
		conns_rig_turn(&t->rig);
		assert_int_equal(
		    ioctl(stream_fd(lease_stream(&two.first.lease)), FIONREAD, &unread), 0);
	}
	stream_hand_over(lease_stream(&two.first.lease), &ops, &two);
	stream_resume(lease_stream(&two.first.lease));
	conns_rig_run_until(&t->rig, both_were_there, &two);
	assert_string_equal(two.text, client_text);
	assert_int_equal(two.result, LEASE_WAITS);
	assert_int_equal(count(t, OLINK_DISCARDED_DEAD), 1);
	assert_int_equal(taker_wait(&two.second), REASON_NONE);
	lease_end(&two.second.lease, false);
	stop_tls(&tls);
}

static void read_the_first(void *arg)
{
	struct taker *t = arg;
	ssize_t n = stream_read(lease_stream(&t->lease), t->text, 1);

	if (n < 0)
		return;
	t->n = (size_t)n;
	stream_pause(lease_stream(&t->lease));
}

static void nothing_else(void *arg)
{
}

static const struct stream_ops first_byte_ops = {
    .readable = read_the_first, .drained = nothing_else, .failed = nothing_else};

static bool has_read(void *arg)
{
	return ((struct taker *)arg)->n > 0;
}

/* The rest of what the origin has said is out of the socket, but was not read: the next request
 * must not take it for its answer. */
static void test_tls_with_something_unread(void **state)
{
	const struct iovec iov = {(char *)"ping", 4};
	struct test *t = *state;
	struct tls_test tls;
	struct taker a;

	start_tls(t, &tls, "origin.example.com");
	taker_init(&a, &t->rig, tls.e);
	taker_get(&a);
	taker_ping(&a); /* the tickets are read */
	a.n = 0;
	stream_hand_over(lease_stream(&a.lease), &first_byte_ops, &a);
	stream_write(lease_stream(&a.lease), &iov, 1);
	conns_rig_run_until(&t->rig, has_read, &a);
	lease_end(&a.lease, true);
	a.order.careful = true;
	/* Whoever takes it may still have a client's bytes there. */
	memset(t->rig.buffers->plain, '-', 4);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_memory_equal(t->rig.buffers->plain, "----", 4);
	assert_int_equal(count(t, OLINK_DISCARDED_DEAD), 1);
	assert_int_equal(taker_wait(&a), REASON_NONE);
	taker_ping(&a);
	lease_end(&a.lease, true);
	stop_tls(&tls);
}

static void test_tls_wrong_name(void **state)
{
	struct test *t = *state;
	struct tls_test tls;
	struct taker a;

	start_tls(t, &tls, "other.example.com");
	taker_init(&a, &t->rig, tls.e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_ORIGIN_CERTIFICATE);
	assert_non_null(strstr(a.detail, "other.example.com"));
	assert_int_equal(count(t, OLINK_CERTIFICATE_FAILURES), 1);
	assert_int_equal(count(t, OLINK_HANDSHAKES), 0);
	assert_int_equal(endpoint_facts(tls.e).last_failure, REASON_ORIGIN_CERTIFICATE);
	stop_tls(&tls);
}

static void talk_plain(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_bytes(o, 5);
	origin_send(o, "HTTP/1.1 400 Bad Request\r\n\r\n");
	origin_expect_end(o);
}

static void test_tls_failure(void **state)
{
	struct test *t = *state;
	struct scripted_origin *o = origin_start(talk_plain, NULL);
	struct transport *transport = transport_unverified("a.test", CFG_PROXY_PROTOCOL_NONE);
	struct endpoint *e = endpoint_take(t->rig.node, &o->addr, transport);
	struct taker a;

	taker_init(&a, &t->rig, e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	assert_int_equal(taker_wait(&a), REASON_ORIGIN_HANDSHAKE_FAILED);
	assert_int_equal(count(t, OLINK_HANDSHAKE_FAILURES), 1);
	assert_null(origin_finish(&o));
	endpoint_give(&e);
	transport_unref(&transport);
}

/* Ended while it connects, in both of its stages. */
static void test_ended_while_it_connects(void **state)
{
	struct test *t = *state;
	struct tls_test tls;
	struct taker a;

	start_tls(t, &tls, "origin.example.com");
	taker_init(&a, &t->rig, tls.e);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	lease_end(&a.lease, true);
	assert_int_equal(taker_take(&a), LEASE_WAITS);
	while (a.lease.connector.state != CONNECTOR_SHAKES_HANDS)
		event_base_loop(loop_base(t->rig.group->control), EVLOOP_ONCE);
	lease_end(&a.lease, true);
	conns_rig_turn(&t->rig);
	assert_int_equal(a.n_done, 0);
	assert_int_equal(endpoint_facts(tls.e).open, 0);
	stop_tls(&tls);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_fresh_then_reused),
	    TEST(test_newest_first),
	    TEST(test_closed_while_idle),
	    TEST(test_bytes_while_idle),
	    TEST(test_careful),
	    TEST(test_fresh_leaves_idle_ones_alone),
	    TEST(test_fresh_takes_the_room),
	    TEST(test_max_idle),
	    TEST(test_expiry),
	    TEST(test_proxy_header_is_never_reused),
	    TEST(test_queue),
	    TEST(test_queue_full),
	    TEST(test_queue_timeout),
	    TEST(test_promise_given_up),
	    TEST(test_promise_broken),
	    TEST(test_fresh_one_in_the_queue),
	    TEST(test_refused),
	    TEST(test_no_descriptors_is_no_failure_of_the_server),
	    TEST(test_idle_connections_keep_descriptors_from_those_needed),
	    TEST(test_idle_limit_of_the_node),
	    TEST(test_suspect),
	    TEST(test_tls),
	    TEST(test_a_look_leaves_what_a_client_has_sent_alone),
	    TEST(test_tls_with_something_unread),
	    TEST(test_tls_wrong_name),
	    TEST(test_tls_failure),
	    TEST(test_ended_while_it_connects),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
