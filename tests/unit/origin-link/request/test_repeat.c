/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a request goes when something is wrong with a connection: which requests are sent again and
 * which never, that all candidates are tried in time, and servers that vanish.
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

/* Repeating, by table */

struct rule {
	const char *name, *method;
	const char *content; /* NULL: none */
	bool reset;          /* the connection is reset, else closed */
	bool fresh;          /* it was not reused */
	bool answers;        /* it dies after the first byte of the answer */
	bool repeats;
	enum reason reason; /* when it is not repeated; another one when reset */
};

static const struct rule rules[] = {
    {.name = "GET", .method = "GET", .repeats = true},
    {.name = "GET, reset", .method = "GET", .reset = true, .repeats = true},
    {.name = "HEAD", .method = "HEAD", .repeats = true},
    {.name = "DELETE", .method = "DELETE", .repeats = true},
    {.name = "PUT without content", .method = "PUT", .repeats = true},
    {.name = "PUT", .method = "PUT", .content = "x", .reason = REASON_ORIGIN_CLOSED},
    {.name = "POST", .method = "POST", .content = "x", .reason = REASON_ORIGIN_CLOSED},
    {.name = "POST without content", .method = "POST", .reason = REASON_ORIGIN_CLOSED},
    {.name = "PATCH", .method = "PATCH", .reason = REASON_ORIGIN_CLOSED},
    {.name = "a method unheard of", .method = "BREW", .reason = REASON_ORIGIN_CLOSED},
    {.name = "fresh", .method = "GET", .fresh = true, .reason = REASON_ORIGIN_CLOSED},
    {.name = "answer begun", .method = "GET", .answers = true, .reason = REASON_ORIGIN_TRUNCATED},
};

static void play(struct scripted_origin *o, void *arg)
{
	const struct rule *rule = arg;

	origin_accept(o);
	if (!rule->fresh) {
		origin_read_until(o, "\r\n\r\n");
		origin_send(o, OK_HELLO);
	}
	origin_read_until(o, rule->content ? "0\r\n\r\n" : "\r\n\r\n");
	if (rule->answers)
		origin_send(o, "H");
	if (rule->reset)
		origin_reset(o);
	else
		origin_close(o);
	if (!rule->repeats)
		return;
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, strcmp(rule->method, "HEAD") ? OK_HELLO : "HTTP/1.1 200 OK\r\n\r\n");
	origin_expect_end(o);
}

static void check_rule(struct rig *rig, const struct rule *rule)
{
	struct scripted_origin *o = rig_start(rig, play, rule);
	int64_t retries = rig_count(rig, OLINK_RETRIES);
	int64_t failures = rig_count(rig, OLINK_FAILURES);
	struct call c;

	if (!rule->fresh) {
		call_get(&c, rig);
		assert_hello(&c);
		call_fini(&c);
	}
	call_init(&c, rig, rule->method, "/");
	if (rule->content)
		call_set_body(&c, rule->content, 1);
	call_run(&c);
	if (c.status != (rule->repeats ? 200 : 0) || c.facts.retried != rule->repeats ||
	    c.reset != rule->reason)
		fail_msg("%s: status %d, retried %d, reset by %s", rule->name, c.status,
			 c.facts.retried, reason_text(c.reset));
	assert_int_equal(rig_count(rig, OLINK_RETRIES) - retries, rule->repeats);
	assert_int_equal(rig_count(rig, OLINK_FAILURES) - failures, !rule->repeats);
	call_fini(&c);
	rig_finish(rig, o);
}

static void test_rules(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
		check_rule(*state, &rules[i]);
}

/* Content is promised, but none of it has come: the head alone may be sent again. */
static void drop_second_then_take_content(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_read_until(o, "\r\n\r\n");
	origin_close(o);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_wait(o);
	origin_read_until(o, "0\r\n\r\n");
	origin_expect(o, "3\r\nabc\r\n0\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_content_not_begun(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, drop_second_then_take_content, NULL);
	struct call c;

	call_get(&c, rig);
	call_fini(&c);
	call_init(&c, rig, "PUT", "/");
	c.head.framing = HTTP_FRAMING_CHUNKED;
	call_start(&c, rig->worker);
	while (!c.request->facts.retried || c.request->attempt.sent == SENT_NOTHING)
		rig_turn(rig);
	origin_go(o);
	call_push(&c, "abc", true);
	call_wait(&c);
	assert_hello(&c);
	assert_int_equal(c.n_grants, 1);
	call_close(&c);
	call_fini(&c);
	rig_finish(rig, o);
}

/* Only once: the fresh connection must not die too. */
static void drop_twice(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	for (int i = 0; i < 2; i++) {
		origin_read_until(o, "\r\n\r\n");
		origin_close(o);
		if (i == 0)
			origin_accept(o);
	}
}

static void test_repeated_once(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, drop_twice, NULL);
	struct call c;

	call_get(&c, rig);
	call_fini(&c);
	call_get(&c, rig);
	assert_int_equal(c.reset, REASON_ORIGIN_CLOSED);
	assert_true(c.facts.retried);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_RETRIES), 1);
	rig_finish(rig, o);
}

/* Candidates */

static void serve_one(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void nobody_home(struct net_addr *addr)
{
	int fd = black_hole_open(addr);

	close(fd);
}

static void test_next_candidate_when_refused(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(serve_one, NULL);
	struct net_addr closed;
	struct call c;

	for (int i = 0; i < 3; i++) {
		nobody_home(&closed);
		rig_add_server(rig, &closed);
	}
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	rig_settle(rig);
	/* Not idempotent: nothing was sent. */
	call_init(&c, rig, "POST", "/");
	call_set_body(&c, "x", 1);
	call_run(&c);
	assert_hello(&c);
	assert_false(c.facts.retried);
	assert_true(net_addr_equal(&c.facts.addr, &o->addr));
	call_fini(&c);
	rig_finish(rig, o);
}

/* Nobody answers three of them: the fourth has its turn within the time to connect. */
static void test_time_is_shared(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(serve_one, NULL);
	int holes[3];
	mono_time began;
	struct call c;

	rig->origin.timeout.connect = DUR_MS(800);
	for (int i = 0; i < 3; i++) {
		struct net_addr addr;

		holes[i] = black_hole_open(&addr);
		rig_add_server(rig, &addr);
	}
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	rig_settle(rig);
	began = clock_mono();
	call_get(&c, rig);
	assert_hello(&c);
	assert_true(mono_since(clock_mono(), began).ns < DUR_MS(800).ns);
	call_fini(&c);
	for (int i = 0; i < 3; i++)
		close(holes[i]);
	rig_finish(rig, o);
}

static void test_all_candidates_fail(void **state)
{
	struct rig *rig = *state;
	int holes[3];
	struct call c;

	rig->origin.timeout.connect = DUR_MS(150);
	for (int i = 0; i < 3; i++) {
		struct net_addr addr;

		holes[i] = black_hole_open(&addr);
		rig_add_server(rig, &addr);
	}
	rig_open(rig);
	rig_settle(rig);
	call_init(&c, rig, "POST", "/");
	call_set_body(&c, "x", 1);
	call_run(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_CONNECT_TIMEOUT);
	assert_int_equal(c.stopped, REASON_NONE); /* its source had ended */
	assert_int_equal(rig_count(rig, OLINK_CONNECT_FAILURES), 3);
	assert_int_equal(rig_count(rig, OLINK_FAILURES), 1);
	call_fini(&c);
	for (int i = 0; i < 3; i++)
		close(holes[i]);
}

static void test_no_candidate(void **state)
{
	struct rig *rig = *state;
	struct call c;

	rig_open(rig);
	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_CHUNKED;
	call_run(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_RESOLVE_FAILED);
	assert_int_equal(c.stopped, REASON_ORIGIN_RESOLVE_FAILED);
	call_fini(&c);
}

/* Servers that vanish */

static void vanish_after_one(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_vanish(o);
	origin_tell(o);
	if (!arg) {
		origin_wait(o);
		return;
	}
	/* It was only that connection. */
	origin_put_aside(o);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void first_then_vanished(struct rig *rig, struct scripted_origin *o, struct call *c,
				const char *method)
{
	call_get(c, rig);
	assert_hello(c);
	call_fini(c);
	origin_await(o);
	call_init(c, rig, method, "/");
	call_run(c);
}

static void test_vanished_connection(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.connect = DUR_MS(250);
	o = rig_start(rig, vanish_after_one, "again");
	first_then_vanished(rig, o, &c, "GET");
	assert_hello(&c);
	assert_true(c.facts.retried);
	assert_int_equal(rig_count(rig, OLINK_RETRIES), 1);
	call_fini(&c);
	rig_finish(rig, o);
}

static void test_vanished_and_not_repeatable(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call c;

	rig->origin.timeout.connect = DUR_MS(250);
	o = rig_start(rig, vanish_after_one, NULL);
	first_then_vanished(rig, o, &c, "POST");
	assert_int_equal(c.reset, REASON_ORIGIN_CONNECT_TIMEOUT);
	assert_false(c.facts.retried);
	call_fini(&c);
	origin_go(o);
	rig_finish(rig, o);
}

static void accept_only(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_wait(o);
}

/* One that still takes connections: another one is asked. The balancer begins with the first. */
static void test_vanished_server(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *gone = origin_start(accept_only, NULL);
	struct scripted_origin *o = origin_start(serve_one, NULL);
	struct call c;

	origin_take_no_data(gone);
	rig->origin.timeout.connect = DUR_MS(250);
	rig_add_server(rig, &gone->addr);
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	rig_settle(rig);
	call_get(&c, rig);
	assert_hello(&c);
	assert_true(c.facts.retried);
	assert_true(net_addr_equal(&c.facts.addr, &o->addr));
	call_fini(&c);
	origin_go(gone);
	rig_finish(rig, gone);
	assert_null(origin_finish(&o));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_rules),
	    TEST(test_content_not_begun),
	    TEST(test_repeated_once),
	    TEST(test_next_candidate_when_refused),
	    TEST(test_time_is_shared),
	    TEST(test_all_candidates_fail),
	    TEST(test_no_candidate),
	    TEST(test_vanished_connection),
	    TEST(test_vanished_and_not_repeatable),
	    TEST(test_vanished_server),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
