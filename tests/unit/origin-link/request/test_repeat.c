/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where a request goes when something is wrong with a connection: which requests are sent again and
 * which never, that all candidates are tried in time, and what happens when no more connections may
 * be made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/few_descriptors.h"
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
    {.name = "PUT", .method = "PUT", .content = "x", .repeats = true},
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
	origin_read_until(o, rule->content ? "\r\n\r\n1\r\nx\r\n0\r\n\r\n" : "\r\n\r\n");
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
	if (c.status != (rule->repeats ? 200 : 0) || c.facts.retries != rule->repeats ||
	    c.reset != rule->reason)
		fail_msg("%s: status %d, retried %u, reset by %s", rule->name, c.status,
			 c.facts.retries, reason_text(c.reset));
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
	while (c.request->facts.retries == 0 || c.request->attempt.given == GIVEN_NOTHING)
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
	assert_int_equal(c.facts.retries, 1);
	assert_true(c.facts.response.ns < 0);
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
	assert_int_equal(c.facts.retries, 0);
	assert_true(net_addr_equal(&c.facts.addr, &o->addr));
	call_fini(&c);
	rig_finish(rig, o);
}

/* What we lack for one we lack for the next. */
static void test_no_other_candidate_without_descriptors(void **state)
{
	struct rig *rig = *state;
	struct net_addr closed;
	struct call c;
	rlim_t allowed;

	for (int i = 0; i < 3; i++) {
		nobody_home(&closed);
		rig_add_server(rig, &closed);
	}
	rig_open(rig);
	rig_settle(rig);
	allowed = descriptors_use_up();
	call_get(&c, rig);
	descriptors_allow(allowed);
	assert_int_equal(c.reset, REASON_EDGE_NO_DESCRIPTORS);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_CONNECTS), 1);
	assert_int_equal(rig_count(rig, OLINK_SHORTAGES), 1);
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
	/* Each with all of the time would have taken three times as long. */
	assert_true(mono_since(clock_mono(), began).ns < DUR_MS(1600).ns);
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

/* All connections in use */

static void serve_when_told(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_tell(o);
	origin_wait(o);
	origin_send(o, OK_HELLO);
	if (arg) {
		origin_read_until(o, "\r\n\r\n");
		origin_send(o, OK_HELLO);
	}
	origin_expect_end(o);
}

/* A request holds the one connection that may be; another one comes. */
static void start_two(struct rig *rig, struct scripted_origin *o, struct call *first,
		      struct call *second)
{
	call_init(first, rig, "GET", "/");
	call_start(first, rig->worker);
	while (first->request->attempt.given == GIVEN_NOTHING)
		rig_turn(rig);
	origin_await(o);
	call_init(second, rig, "GET", "/");
	call_start(second, rig->worker);
}

static void finish_two(struct rig *rig, struct scripted_origin *o, struct call *first,
		       struct call *second)
{
	while (first->n_ends == 0)
		call_wait(first);
	assert_hello(first);
	call_close(first);
	while (second->n_ends == 0)
		call_wait(second);
	call_close(second);
	call_fini(first);
	call_fini(second);
	rig_finish(rig, o);
}

static void test_waits_for_its_turn(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o;
	struct call first, second;

	rig->origin.limit.connections = 1;
	o = rig_start(rig, serve_when_told, "twice");
	start_two(rig, o, &first, &second);
	rig_turn(rig);
	assert_int_equal(second.request->attempt.state, ATTEMPT_LEASES);
	origin_go(o);
	finish_two(rig, o, &first, &second);
	assert_int_equal(second.status, 200);
	assert_true(second.facts.reused);
}

static void test_waits_in_vain(void **state)
{
	static const struct {
		unsigned queue;
		enum reason reason;
	} cases[] = {{0, REASON_ORIGIN_QUEUE_FULL}, {1, REASON_ORIGIN_QUEUE_TIMEOUT}};
	struct rig *rig = *state;

	rig->origin.limit.connections = 1;
	rig->origin.timeout.queue = DUR_MS(20);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct scripted_origin *o;
		struct call first, second;

		rig->origin.limit.queue = cases[i].queue;
		o = rig_start(rig, serve_when_told, NULL);
		start_two(rig, o, &first, &second);
		while (second.n_ends == 0)
			call_wait(&second);
		assert_int_equal(second.reset, cases[i].reason);
		/* No connection was tried: nobody was asked. */
		assert_int_equal(olink_request_facts(second.request).addr.sa.sa_family, AF_UNSPEC);
		origin_go(o);
		finish_two(rig, o, &first, &second);
	}
}

/* Where there is no room, and no queue, another server is asked. */
static void test_next_candidate_when_full(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *full, *o;
	struct call first, second;

	rig->origin.limit.connections = 1;
	rig->origin.limit.queue = 0;
	full = origin_start(serve_when_told, NULL);
	o = origin_start(serve_one, NULL);
	rig_add_server(rig, &full->addr);
	rig_open(rig);
	rig_settle(rig);
	/* The first request finds only one of them. */
	call_init(&first, rig, "GET", "/");
	call_start(&first, rig->worker);
	while (first.request->attempt.given == GIVEN_NOTHING)
		rig_turn(rig);
	origin_await(full);
	olink_origins_destroy(&rig->origins);
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	rig_settle(rig);
	call_init(&second, rig, "GET", "/");
	call_start(&second, rig->worker);
	while (second.n_ends == 0)
		call_wait(&second);
	assert_hello(&second);
	assert_true(net_addr_equal(&second.request->facts.addr, &o->addr));
	origin_go(full);
	finish_two(rig, full, &first, &second);
	assert_null(origin_finish(&o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_rules),
	    RIG_TEST(test_content_not_begun),
	    RIG_TEST(test_repeated_once),
	    RIG_TEST(test_next_candidate_when_refused),
	    RIG_TEST(test_no_other_candidate_without_descriptors),
	    RIG_TEST(test_time_is_shared),
	    RIG_TEST(test_all_candidates_fail),
	    RIG_TEST(test_no_candidate),
	    RIG_TEST(test_waits_for_its_turn),
	    RIG_TEST(test_waits_in_vain),
	    RIG_TEST(test_next_candidate_when_full),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
