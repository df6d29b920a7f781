/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tunnels: an Upgrade that the origin takes or refuses, bytes both ways, and how each direction
 * ends by itself.
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

#define MIB (1024 * 1024)
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"

static void call_upgrade(struct call *c, struct rig *rig)
{
	call_init(c, rig, "GET", "/chat");
	c->head.framing = HTTP_FRAMING_TUNNEL;
	CHECK(http_fields_add(&c->head.fields, &c->arena, SPAN("Upgrade"), SPAN("chat")));
}

static void stop_loop(struct call *c)
{
	loop_stop_mt(c->loop);
}

/* Runs until the tunnel is open. */
static void open_tunnel(struct call *c, struct rig *rig)
{
	call_upgrade(c, rig);
	c->at_head = c->at_body = stop_loop;
	call_start(c, rig->worker);
	call_wait(c);
	assert_int_equal(c->status, 101);
	assert_int_equal(c->framing, HTTP_FRAMING_TUNNEL);
	assert_false(c->head_end);
	while (c->credit == 0)
		rig_turn(rig);
}

static void take_upgrade(struct scripted_origin *o, const char *and_say)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "GET /chat HTTP/1.1\r\n");
	origin_expect(o, "\r\nUpgrade: chat\r\n");
	origin_expect(o, "\r\nConnection: upgrade\r\n");
	origin_send(o, SWITCHING);
	if (and_say)
		origin_send(o, and_say);
}

/* Half-closes */

static void client_ends_first(struct scripted_origin *o, void *arg)
{
	take_upgrade(o, "welcome");
	origin_read_until(o, "ping");
	origin_send(o, "pong");
	origin_expect_end(o);
	origin_send(o, "bye");
	origin_close(o);
}

static void test_client_ends_first(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, client_ends_first, NULL);
	struct call c;

	open_tunnel(&c, rig);
	while (c.n_body < 7)
		call_wait(&c);
	assert_string_equal(c.body, "welcome");
	call_push(&c, "ping", false);
	while (c.n_body < 11)
		call_wait(&c);
	call_push(&c, "", true);
	while (c.n_ends == 0)
		call_wait(&c);
	assert_string_equal(c.body, "welcomepongbye");
	assert_int_equal(c.reset, REASON_NONE);
	assert_int_equal(c.stopped, REASON_NONE);
	assert_int_equal(rig_count(rig, OLINK_ACTIVE), 0);
	call_close(&c);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);
	rig_finish(rig, o);
}

/* What is open for as long as somebody wants it has no time in all. */
static void test_no_total_timeout_of_a_tunnel(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.total = DUR_MS(100);
	o = rig_start(rig, client_ends_first, NULL);
	open_tunnel(&c, rig);
	while (c.request->total_at.at.ns != 0)
		rig_turn(rig);
	call_push(&c, "ping", false);
	call_push(&c, "", true);
	while (c.n_ends == 0)
		call_wait(&c);
	assert_string_equal(c.body, "welcomepongbye");
	assert_int_equal(c.reset, REASON_NONE);
	call_close(&c);
	call_fini(&c);
	rig_finish(rig, o);
}

static void origin_ends_first(struct scripted_origin *o, void *arg)
{
	take_upgrade(o, "bye");
	origin_end_writing(o);
	origin_read_until(o, "last words");
	origin_tell(o);
	origin_expect_end(o);
}

static void test_origin_ends_first(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, origin_ends_first, NULL);
	struct call c;

	open_tunnel(&c, rig);
	while (c.n_ends == 0)
		call_wait(&c);
	assert_string_equal(c.body, "bye");
	assert_int_equal(c.stopped, REASON_NONE);
	assert_int_equal(rig_count(rig, OLINK_ACTIVE), 1);
	call_push(&c, "last words", false);
	rig_turn(rig);
	origin_await(o);
	call_push(&c, "", true);
	call_close(&c);
	call_fini(&c);
	rig_finish(rig, o);
	assert_int_equal(rig_count(rig, OLINK_ACTIVE), 0);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);
}

/* Both ends have gone, and the origin has not yet taken all: it still gets it. */
static void take_late(struct scripted_origin *o, void *arg)
{
	take_upgrade(o, NULL);
	origin_end_writing(o);
	origin_wait(o);
	for (int i = 0; i < 16; i++)
		origin_read_bytes(o, MIB / 2);
	origin_expect_end(o);
}

static void test_rest_goes_out(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, take_late, NULL);
	char *data = xcalloc(1, 8 * MIB);
	size_t left = 8 * MIB;
	struct call c;

	open_tunnel(&c, rig);
	while (c.n_ends == 0)
		call_wait(&c);
	while (left > 0) {
		size_t n = MIN(c.credit, left);
		struct slice slice = {.p = data, .n = n};

		if (n > 0) {
			c.credit -= n;
			left -= n;
			c.to->ops->body(c.to, slice, left == 0);
		}
		if (left > 0 && c.credit == 0 &&
		    !stream_is_drained(lease_stream(&c.request->attempt.lease)))
			origin_go(o);
		rig_turn(rig);
	}
	call_close(&c);
	origin_go(o);
	while (rig_count(rig, OLINK_ACTIVE) > 0)
		rig_turn(rig);
	call_fini(&c);
	free(data);
	rig_finish(rig, o);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);
}

/* Breaking off */

static void expect_reset(struct scripted_origin *o, void *arg)
{
	take_upgrade(o, NULL);
	if (!o->failure && recv(o->conn, o->text, 1, 0) != -1)
		o->failure = "no reset";
}

/* What the client had to say may be cut short: the origin must not take it for the whole. */
static void test_client_resets(void **state)
{
	struct rig *rig = *state;

	for (int close = 0; close < 2; close++) {
		struct scripted_origin *o = rig_start(rig, expect_reset, NULL);
		struct call c;

		open_tunnel(&c, rig);
		if (!close)
			c.to->ops->reset(c.to, REASON_CLIENT_RESET);
		call_close(&c);
		rig_turn(rig);
		assert_null(origin_finish(&o));
		assert_int_equal(c.n_ends, 0);
		call_fini(&c);
	}
}

static void reset_tunnel(struct scripted_origin *o, void *arg)
{
	take_upgrade(o, NULL);
	origin_wait(o);
	origin_reset(o);
}

static void test_origin_resets(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, reset_tunnel, NULL);
	struct call c;

	open_tunnel(&c, rig);
	origin_go(o);
	call_wait(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_RESET);
	assert_int_equal(c.stopped, REASON_ORIGIN_RESET);
	call_close(&c);
	call_fini(&c);
	rig_finish(rig, o);
}

/* Nothing here limits its time. */
static void wait_then_speak(struct scripted_origin *o, void *arg)
{
	take_upgrade(o, NULL);
	origin_wait(o);
	origin_send(o, "late");
	origin_close(o);
}

static void go_on(evutil_socket_t fd, short what, void *arg)
{
	origin_go(arg);
}

static void test_silence_is_allowed(void **state)
{
	struct rig *rig = *state;
	struct timeval later = {.tv_usec = 100000};
	struct scripted_origin *o;
	struct event *go;
	struct call c;

	rig->origin.timeout.response = rig->origin.timeout.idle = DUR_MS(20);
	rig->origin.timeout.connect = DUR_MS(20);
	o = rig_start(rig, wait_then_speak, NULL);
	go = evtimer_new(loop_base(rig->group->control), go_on, o);
	open_tunnel(&c, rig);
	event_add(go, &later);
	while (c.n_ends == 0)
		call_wait(&c);
	assert_string_equal(c.body, "late");
	assert_int_equal(c.reset, REASON_NONE);
	call_close(&c);
	call_fini(&c);
	event_free(go);
	rig_finish(rig, o);
}

/* The answer is no, or none */

static void answer_and_expect_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, arg);
	origin_expect_end(o);
}

static void test_refused(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, answer_and_expect_end, OK_HELLO);
	struct call c;

	call_upgrade(&c, rig);
	call_run(&c);
	assert_hello(&c);
	assert_int_equal(c.stopped, REASON_NONE);
	assert_int_equal(c.n_grants, 0);
	call_fini(&c);
	/* It was a request like others. */
	assert_int_equal(rig_count(rig, OLINK_IDLE), 1);
	rig_finish(rig, o);
}

static void test_malformed(void **state)
{
	static const char *const answers[] = {
	    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n", /* to what? */
	    "SSH-2.0\r\n",
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
		struct scripted_origin *o = rig_start(rig, answer_and_expect_end, answers[i]);
		struct call c;

		call_upgrade(&c, rig);
		call_run(&c);
		assert_int_equal(c.reset, REASON_ORIGIN_MALFORMED);
		assert_int_equal(c.stopped, REASON_ORIGIN_MALFORMED);
		call_fini(&c);
		assert_null(origin_finish(&o));
	}
}

/* Credit holds in a tunnel too. */
static void send_much(struct scripted_origin *o, void *arg)
{
	char *data = xcalloc(1, 2 * MIB);

	memset(data, 'x', 2 * MIB);
	take_upgrade(o, NULL);
	origin_send_bytes(o, data, 2 * MIB);
	free(data);
	origin_close(o);
}

static void test_back_pressure(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, send_much, NULL);
	struct call c;

	call_upgrade(&c, rig);
	c.window = 5000;
	call_run(&c);
	assert_int_equal(c.n_body, 2 * MIB);
	call_fini(&c);
	rig_finish(rig, o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_client_ends_first),
	    RIG_TEST(test_no_total_timeout_of_a_tunnel),
	    RIG_TEST(test_origin_ends_first),
	    RIG_TEST(test_rest_goes_out),
	    RIG_TEST(test_client_resets),
	    RIG_TEST(test_origin_resets),
	    RIG_TEST(test_silence_is_allowed),
	    RIG_TEST(test_refused),
	    RIG_TEST(test_malformed),
	    RIG_TEST(test_back_pressure),
	    RIG_TEST_TLS(test_client_ends_first),
	    RIG_TEST_TLS(test_origin_ends_first),
	    RIG_TEST_TLS(test_rest_goes_out),
	    RIG_TEST_TLS(test_back_pressure),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
