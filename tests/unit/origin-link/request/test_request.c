/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request at a time against an origin that follows a script: reuse of connections and objects,
 * and all the ways to leave before the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/origin-link/rig.h"

/* Reuse */

static void two_on_one_connection(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	for (int i = 0; i < 2; i++) {
		origin_read_until(o, "\r\n\r\n");
		origin_expect(o, "GET /x?y HTTP/1.1\r\nHost: www.example.com\r\n"
				 "X-Test: yes\r\n\r\n");
		origin_send(o, OK_HELLO);
	}
	origin_expect_end(o);
}

static void test_keep_alive(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, two_on_one_connection, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/x?y");
	c.head.keep_alive = false; /* the client's wish, not ours */
	call_run(&c);
	assert_hello(&c);
	assert_false(c.facts.reused);
	assert_true(net_addr_equal(&c.facts.addr, &o->addr));
	assert_true(c.facts.response.ns >= 0);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 1);

	call_get(&c, rig);
	assert_hello(&c);
	assert_true(c.facts.reused);
	assert_int_equal(c.facts.connect.ns, 0);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_LEASES_FRESH), 1);
	assert_int_equal(rig_count(rig, OLINK_LEASES_REUSED), 1);
	assert_int_equal(rig_count(rig, OLINK_REQUESTS), 2);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);

	rig_close(rig);
	assert_null(origin_finish(&o));
}

/* What makes a connection unfit for another request, though the response is good. */
static const char *const last_words[] = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 Smuggled\r\n",
};

static void answer_and_expect_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, arg);
	origin_expect_end(o);
}

static void test_not_reused(void **state)
{
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(last_words); i++) {
		struct scripted_origin *o = rig_start(rig, answer_and_expect_end, last_words[i]);
		struct call c;

		call_get(&c, rig);
		assert_hello(&c);
		call_fini(&c);
		assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
		/* Before the origins are given up: it is closed at once. */
		assert_null(origin_finish(&o));
	}
}

static void close_idle_then_serve(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_wait(o);
	origin_close(o);
	origin_tell(o);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

/* The origin closed it while it was idle: that is seen by itself, or else, when the request could
 * not be repeated, by a look at it; no retry is needed. */
static void test_dead_idle_connection_is_discarded(void **state)
{
	static const char *const methods[] = {"GET", "POST"};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		struct scripted_origin *o = rig_start(rig, close_idle_then_serve, NULL);
		int64_t closed = rig_count(rig, OLINK_CLOSED_IDLE);
		struct call c;

		call_get(&c, rig);
		call_fini(&c);
		origin_go(o);
		origin_await(o);
		if (i == 0)
			rig_turn(rig);
		call_init(&c, rig, methods[i], "/");
		call_run(&c);
		assert_hello(&c);
		assert_false(c.facts.reused);
		assert_int_equal(c.facts.retries, 0);
		call_fini(&c);
		assert_int_equal(rig_count(rig, OLINK_CLOSED_IDLE) - closed, i == 0);
		assert_int_equal(rig_count(rig, OLINK_DISCARDED_DEAD), i);
		rig_finish(rig, o);
	}
}

/* Connections of one client each */

static void expect_proxy_header(struct scripted_origin *o, void *arg)
{
	for (int i = 0; i < 2; i++) {
		origin_accept(o);
		origin_read_until(o, "\r\n\r\n");
		origin_expect(o, "PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\nGET / HTTP/1.1\r\n");
		origin_send(o, OK_HELLO);
		origin_expect_end(o);
	}
}

static void test_proxy_header(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;

	rig->origin.proxy_protocol = CFG_PROXY_PROTOCOL_V1;
	o = rig_start(rig, expect_proxy_header, NULL);
	for (int i = 0; i < 2; i++) {
		struct call c;

		call_init(&c, rig, "GET", "/");
		assert_true(net_addr_parse("192.0.2.7:1234", 0, &c.client.source));
		assert_true(net_addr_parse("192.0.2.1:443", 0, &c.client.destination));
		call_run(&c);
		assert_hello(&c);
		assert_false(c.facts.reused);
		call_fini(&c);
		rig_turn(rig);
	}
	assert_null(origin_finish(&o));
}

/* Leaving */

static void answer_head_then_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	origin_expect_end(o);
}

static void stop(struct call *c)
{
	c->n_ends = 1;
	c->from->ops->stop(c->from, REASON_CLIENT_CLOSED);
	loop_stop_mt(c->loop);
}

static void test_stopped_by_the_sink(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, answer_head_then_end, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/");
	c.at_head = stop;
	call_run(&c);
	assert_int_equal(c.n_body, 0);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);
	assert_null(origin_finish(&o));
}

static void close_it(struct call *c)
{
	c->n_ends = 1;
	call_close(c);
	loop_stop_mt(c->loop);
}

static void test_closed_inside_a_push(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, answer_head_then_end, NULL);
	struct call c;

	call_init(&c, rig, "GET", "/");
	c.at_head = close_it;
	call_start(&c, rig->worker);
	call_wait(&c);
	assert_null(c.request);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

static void test_closed_at_once(void **state)
{
	struct rig *rig = *state;
	struct call c;

	rig_open(rig);
	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	call_close(&c);
	rig_turn(rig);
	assert_int_equal(c.n_ends, 0);
	call_fini(&c);
}

static void read_head_then_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect_end(o);
}

static void accept_then_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_expect_end(o);
}

/* While it waits for a connection, and when it has one. */
static void test_reset_by_the_source(void **state)
{
	struct rig *rig = *state;

	for (int open = 0; open < 2; open++) {
		struct scripted_origin *o =
		    rig_start(rig, open ? read_head_then_end : accept_then_end, NULL);
		struct call c;

		rig_settle(rig);
		call_init(&c, rig, "POST", "/");
		c.head.framing = HTTP_FRAMING_CHUNKED;
		call_start(&c, rig->worker);
		while (open && c.request->attempt.given == GIVEN_NOTHING)
			rig_turn(rig);
		c.to->ops->reset(c.to, REASON_CLIENT_RESET);
		rig_turn(rig);
		assert_int_equal(c.n_ends, 0);
		assert_int_equal(c.stopped, REASON_NONE);
		call_close(&c);
		call_fini(&c);
		assert_int_equal(rig_count(rig, OLINK_ACTIVE), 0);
		assert_null(origin_finish(&o));
	}
}

/* Objects are used again, and nothing of one request is in the next. */
static void serve_five(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	for (int i = 0; i < 5; i++) {
		origin_read_until(o, "\r\n\r\n");
		origin_send(o, i % 2 ? "HTTP/1.1 103 Early Hints\r\n\r\n" OK_HELLO : OK_HELLO);
	}
	origin_expect_end(o);
}

static void test_spare_objects(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, serve_five, NULL);
	struct olink_request *before = NULL;

	for (int i = 0; i < 5; i++) {
		struct call c;

		call_init(&c, rig, "GET", "/");
		call_start(&c, rig->worker);
		if (before)
			assert_ptr_equal(c.request, before);
		before = c.request;
		call_wait(&c);
		assert_hello(&c);
		assert_int_equal(c.n_informational, i % 2);
		call_close(&c);
		rig_turn(rig);
		call_fini(&c);
	}
	rig_finish(rig, o);
}

static void answer_when_told(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_wait(o);
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

/* A request outlives the configuration that it was opened with. */
static void test_configuration_goes(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, answer_when_told, NULL);
	struct cfg_origin origin = rig->origin;
	struct call c;

	rig_settle(rig);
	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	olink_origins_destroy(&rig->origins);
	memset(&rig->origin, 0xff, sizeof(rig->origin));
	while (c.request->attempt.given == GIVEN_NOTHING)
		rig_turn(rig);
	origin_go(o);
	call_wait(&c);
	assert_hello(&c);
	call_close(&c);
	call_fini(&c);
	rig->origin = origin;
	rig_turn(rig);
	assert_null(origin_finish(&o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_keep_alive),
	    RIG_TEST(test_not_reused),
	    RIG_TEST(test_dead_idle_connection_is_discarded),
	    RIG_TEST(test_proxy_header),
	    RIG_TEST(test_stopped_by_the_sink),
	    RIG_TEST(test_closed_inside_a_push),
	    RIG_TEST(test_closed_at_once),
	    RIG_TEST(test_reset_by_the_source),
	    RIG_TEST(test_spare_objects),
	    RIG_TEST(test_configuration_goes),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
