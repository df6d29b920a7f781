/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Time limits of a request: how candidates share the time to connect; and once it has a connection,
 * what is waited for, whose fault it is, and who is slow but alive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/outcome.h"
#include "tests/unit/origin-link/rig.h"

#define KIB 1024
#define MIB (1024 * 1024)

/* When none of so many answers: what each gets. 16 had 187 ms each of the default 3 s, too little
 * for TCP and TLS over 80 ms of way, and were suspects after it. */
static void test_shares_of_the_time_to_connect(void **state)
{
	static const struct {
		unsigned n;
		int total_ms, share_ms[8]; /* 0: not tried any more */
	} cases[] = {
	    {1, 3000, {3000}},
	    {2, 3000, {1500, 1500}},
	    {3, 3000, {1000, 1000, 1000}},
	    {4, 3000, {1000, 666, 666, 666}},
	    {5, 2000, {666, 444, 296, 296, 296}},
	    {16, 3000, {1000, 666, 444, 400, 400, 88, 0}},
	    {16, 10000, {3333, 2222, 1481, 987, 658, 438, 400, 400}},
	    {16, 500, {400, 100, 0}},
	    {16, 100, {100, 0}},
	    {2, 10, {5, 5}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		duration left = DUR_MS(cases[i].total_ms);

		for (unsigned k = 0; k < MIN(cases[i].n, 8) && cases[i].share_ms[k] > 0; k++) {
			duration share = request_share_of_time(left, cases[i].n - k);

			if (dur_to_ms(share) != cases[i].share_ms[k])
				fail_msg("case %u, %u: %d ms", i, k, (int)dur_to_ms(share));
			left.ns -= share.ns;
			if (k < 7 && k + 1 < cases[i].n)
				assert_int_equal(left.ns > 0, cases[i].share_ms[k + 1] > 0);
		}
	}
}

static char *filled(size_t n)
{
	char *p = xmalloc(n + 1);

	memset(p, 'x', n);
	p[n] = '\0';
	return p;
}

static void read_head_then_end(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	if (arg)
		origin_send(o, arg);
	origin_expect_end(o);
}

static void test_response_timeout(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.response = DUR_MS(30);
	o = rig_start(rig, read_head_then_end, NULL);
	call_get(&c, rig);
	assert_int_equal(c.reset, REASON_ORIGIN_HEAD_TIMEOUT);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

static void test_body_timeout(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.idle = DUR_MS(30);
	o = rig_start(rig, read_head_then_end,
		      "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	call_get(&c, rig);
	assert_int_equal(c.status, 200);
	assert_string_equal(c.body, "hello");
	assert_int_equal(c.reset, REASON_ORIGIN_BODY_TIMEOUT);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

/* All of it together */

static void wake_cb(evutil_socket_t fd, short what, void *arg)
{
	loop_stop_mt(arg);
}

static void run_for(struct rig *rig, unsigned ms)
{
	struct timeval tv = {.tv_usec = ms * 1000};
	struct event *wake =
	    evtimer_new(loop_base(rig->group->control), wake_cb, rig->group->control);

	event_add(wake, &tv);
	loop_run(rig->group->control);
	event_free(wake);
}

static struct outcome_sums sums_of(const struct rig *rig)
{
	struct outcome_sums sums;

	endpoint_sums(server_addresses(rig->origins->servers[0][0])->v[0]->endpoint, &sums);
	return sums;
}

static void test_total_timeout_without_an_answer(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct outcome_sums sums;
	struct call c;

	rig->origin.timeout.total = DUR_MS(300);
	o = rig_start(rig, read_head_then_end, NULL);
	call_get(&c, rig);
	assert_int_equal(c.reset, REASON_ORIGIN_TOTAL_TIMEOUT);
	sums = sums_of(rig);
	assert_int_equal(sums.failures[REASON_ORIGIN_TOTAL_TIMEOUT - OUTCOME_REASON_FIRST], 1);
	assert_int_equal(sums.abandoned, 0);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

/* It is cut off; whether the server has been slow is not said by that. */
static void test_total_timeout_in_the_content(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct outcome_sums sums;
	struct call c;

	rig->origin.timeout.total = DUR_MS(300);
	o = rig_start(rig, read_head_then_end,
		      "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	call_get(&c, rig);
	assert_int_equal(c.status, 200);
	assert_string_equal(c.body, "hello");
	assert_int_equal(c.reset, REASON_ORIGIN_TOTAL_TIMEOUT);
	sums = sums_of(rig);
	assert_int_equal(sums.failures[REASON_ORIGIN_TOTAL_TIMEOUT - OUTCOME_REASON_FIRST], 0);
	assert_int_equal(sums.abandoned, 1);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

/* Nor is the server to blame for a client that does not send what it has begun. */
static void test_total_timeout_in_the_request(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct outcome_sums sums;
	struct call c;

	rig->origin.timeout.total = DUR_MS(300);
	o = rig_start(rig, read_head_then_end, NULL);
	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_CHUNKED;
	call_run(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_TOTAL_TIMEOUT);
	assert_int_equal(c.stopped, REASON_ORIGIN_TOTAL_TIMEOUT);
	sums = sums_of(rig);
	assert_int_equal(sums.failures[REASON_ORIGIN_TOTAL_TIMEOUT - OUTCOME_REASON_FIRST], 0);
	assert_int_equal(sums.abandoned, 1);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

static void answer_at_once(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	for (unsigned i = 0; i < 2; i++) {
		origin_read_until(o, "\r\n\r\n");
		origin_send(o, OK_HELLO);
	}
	origin_expect_end(o);
}

/* A request that has ended has no time any more, and the next one a time of its own. */
static void test_total_timeout_of_each_request(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.total = DUR_S(1);
	o = rig_start(rig, answer_at_once, NULL);
	for (unsigned i = 0; i < 2; i++) {
		call_get(&c, rig);
		assert_hello(&c);
		call_fini(&c);
		run_for(rig, 600);
	}
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 0);
	rig_finish(rig, o);
}

/* While the sink wants nothing, nobody else is late. */
static void test_no_body_timeout_without_credit(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.idle = DUR_MS(20);
	o = rig_start(rig, read_head_then_end,
		      "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello");
	call_init(&c, rig, "GET", "/");
	c.window = 0;
	call_start(&c, rig->worker);
	while (c.status == 0)
		rig_turn(rig);
	run_for(rig, 80);
	assert_int_equal(c.n_ends, 0);
	call_grant(&c, 100);
	call_wait(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_BODY_TIMEOUT);
	call_close(&c);
	call_fini(&c);
	rig_turn(rig);
	assert_null(origin_finish(&o));
}

/* Neither is an origin that cannot write, and so does not read. */
static void only_write(struct scripted_origin *o, void *arg)
{
	static char data[64 * KIB];

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 200 OK\r\n\r\n");
	while (origin_try_send(o, data, sizeof(data)))
		;
}

static void test_no_write_timeout_without_credit(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, only_write, NULL);
	char *piece = filled(64 * KIB);
	struct call c;

	call_init(&c, rig, "POST", "/");
	c.window = 0;
	call_set_body(&c, piece, 1024);
	call_start(&c, rig->worker);
	while (!c.request->attempt.paused ||
	       stream_is_drained(lease_stream(&c.request->attempt.lease)))
		rig_turn(rig);
	assert_int_equal(c.request->attempt.watch, WATCH_NONE);
	/* It may write again: then it has to read again, too. */
	call_grant(&c, 1);
	assert_int_equal(c.request->attempt.watch, WATCH_WRITE);
	call_close(&c);
	call_fini(&c);
	free(piece);
	rig_turn(rig);
	assert_null(origin_finish(&o));
}

/* Expect: 100-continue */

static void call_expect(struct call *c, struct rig *rig)
{
	call_init(c, rig, "POST", "/");
	c->head.framing = HTTP_FRAMING_CHUNKED;
	c->head.expect_continue = true;
}

/* The client is waiting as well: it is the origin that says nothing. Early hints are no leave. */
static void test_expect_and_silence(void **state)
{
	static const char *const words[] = {NULL, "HTTP/1.1 103 Early Hints\r\n\r\n"};
	struct rig *rig = *state;

	rig->origin.timeout.response = DUR_MS(30);
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		struct scripted_origin *o = rig_start(rig, read_head_then_end, words[i]);
		struct call c;

		call_expect(&c, rig);
		call_run(&c);
		assert_int_equal(c.reset, REASON_ORIGIN_HEAD_TIMEOUT);
		assert_int_equal(c.stopped, REASON_ORIGIN_HEAD_TIMEOUT);
		call_fini(&c);
		assert_null(origin_finish(&o));
	}
}

static void give_leave(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 100 Continue\r\n\r\n");
	origin_read_until(o, "0\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

/* Once there is leave, it is the client's time; so it is without Expect, and when the client does
 * not wait for leave. */
static void test_client_takes_its_time(void **state)
{
	struct rig *rig = *state;

	for (int expect = 0; expect < 2; expect++) {
		struct scripted_origin *o = rig_start(rig, give_leave, NULL);
		struct call c;

		call_expect(&c, rig);
		c.head.expect_continue = expect;
		call_start(&c, rig->worker);
		while (c.request->attempt.given == GIVEN_NOTHING)
			rig_turn(rig);
		if (c.n_informational == 0)
			assert_int_equal(c.request->attempt.watch,
					 expect ? WATCH_HEAD : WATCH_NONE);
		while (c.n_informational == 0)
			rig_turn(rig);
		assert_int_equal(c.request->attempt.watch, WATCH_NONE);
		call_push(&c, "x", false);
		assert_int_equal(c.request->attempt.watch, WATCH_NONE);
		call_push(&c, "x", true);
		assert_int_equal(c.request->attempt.watch, WATCH_HEAD);
		call_wait(&c);
		assert_hello(&c);
		call_close(&c);
		call_fini(&c);
		rig_finish(rig, o);
	}
}

static void hint_when_told(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		origin_wait(o);
		origin_send(o, "HTTP/1.1 103 Early Hints\r\n\r\n");
	}
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

/* Each informational response gives it as much time again. */
static void test_informational_restarts_the_time(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, hint_when_told, NULL);
	mono_time first, second;
	struct call c;

	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	while (c.request->attempt.watch != WATCH_HEAD)
		rig_turn(rig);
	first = c.request->attempt.watch_at.at;
	run_for(rig, 10);
	assert_int_equal(c.request->attempt.watch_at.at.ns, first.ns);
	origin_go(o);
	while (c.n_informational == 0)
		rig_turn(rig);
	second = c.request->attempt.watch_at.at;
	assert_true(second.ns > first.ns);
	origin_go(o);
	call_wait(&c);
	assert_hello(&c);
	call_close(&c);
	call_fini(&c);
	rig_finish(rig, o);
}

/* Who takes nothing, and who takes little */

static void read_nothing(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_wait(o);
	origin_expect_end(o);
}

static void test_write_timeout(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	char *piece = filled(64 * KIB);
	struct call c;

	rig->origin.timeout.idle = DUR_MS(30);
	o = rig_start(rig, read_nothing, NULL);
	call_init(&c, rig, "POST", "/");
	call_set_body(&c, piece, 1024);
	call_run(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_WRITE_TIMEOUT);
	assert_int_equal(c.stopped, REASON_ORIGIN_WRITE_TIMEOUT);
	call_fini(&c);
	free(piece);
	origin_go(o);
	rig_turn(rig);
	assert_null(origin_finish(&o));
}

/* Reads that much of the content each time it is told to, then answers. */
struct sips {
	size_t size, content;
};

static void sip(struct scripted_origin *o, void *arg)
{
	const struct sips *sips = arg;

	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	for (size_t n = 0; n < sips->content; n += sips->size) {
		origin_wait(o);
		origin_read_bytes(o, sips->size);
	}
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void go_cb(evutil_socket_t fd, short what, void *arg)
{
	origin_go(arg);
}

/* An origin that takes a sip every 25 ms gets all the time that it needs, whether what it has not
 * taken is queued here or in the kernel. */
static void run_sips(struct rig *rig, const struct sips *sips)
{
	struct scripted_origin *o = rig_start(rig, sip, sips);
	const int little = 16 * KIB;
	struct timeval often = {.tv_usec = 25000};
	struct event *go = event_new(loop_base(rig->group->control), -1, EV_PERSIST, go_cb, o);
	char *piece = filled(sips->size);
	mono_time began = clock_mono();
	struct call c;

	/* What its kernel has taken is sent, whatever it does with it. */
	assert_int_equal(setsockopt(o->listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)),
			 0);
	event_add(go, &often);
	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_LENGTH;
	c.head.content_length = sips->content;
	call_set_body(&c, piece, sips->content / sips->size);
	call_run(&c);
	assert_hello(&c);
	/* Else it has proved nothing. */
	assert_true(mono_since(clock_mono(), began).ns > 2 * rig->origin.timeout.response.ns);
	call_fini(&c);
	event_free(go);
	free(piece);
	rig_finish(rig, o);
}

static void test_slow_origin(void **state)
{
	static const struct sips large = {.size = 256 * KIB, .content = 16 * MIB};
	struct rig *rig = *state;

	rig->origin.timeout.idle = rig->origin.timeout.connect = DUR_MS(500);
	rig->origin.timeout.response = DUR_MS(600);
	run_sips(rig, &large);
}

/* All of it fits into the kernel's buffers, so that it is soon written; but it is not sent. */
static void test_slow_origin_behind_the_kernel(void **state)
{
	static const struct sips small = {.size = 8 * KIB, .content = 768 * KIB};
	struct rig *rig = *state;

	rig->origin.timeout.idle = rig->origin.timeout.connect = DUR_MS(900);
	rig->origin.timeout.response = DUR_MS(900);
	run_sips(rig, &small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shares_of_the_time_to_connect),
	    RIG_TEST(test_response_timeout),
	    RIG_TEST(test_body_timeout),
	    RIG_TEST(test_total_timeout_without_an_answer),
	    RIG_TEST(test_total_timeout_in_the_content),
	    RIG_TEST(test_total_timeout_in_the_request),
	    RIG_TEST(test_total_timeout_of_each_request),
	    RIG_TEST(test_no_body_timeout_without_credit),
	    RIG_TEST(test_no_write_timeout_without_credit),
	    RIG_TEST(test_expect_and_silence),
	    RIG_TEST(test_client_takes_its_time),
	    RIG_TEST(test_informational_restarts_the_time),
	    RIG_TEST(test_write_timeout),
	    RIG_TEST(test_slow_origin),
	    RIG_TEST(test_slow_origin_behind_the_kernel),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
