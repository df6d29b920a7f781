/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is tried again beside connections that died idle: after a new one broke, after a status,
 * after a time, with content that was kept; within the budget; and a second attempt beside a slow
 * one. What the log is told of all that.
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

#define KIB 1024

/* Two servers, of which the first is asked first. */
static void start_two(struct rig *rig, struct scripted_origin *o[2],
		      void (*first)(struct scripted_origin *o, void *arg),
		      void (*second)(struct scripted_origin *o, void *arg), const char *arg)
{
	o[0] = origin_start(first, (void *)arg);
	o[1] = origin_start(second, (void *)arg);
	rig_add_server(rig, &o[0]->addr);
	rig_add_server(rig, &o[1]->addr);
	rig_open(rig);
	rig_settle(rig);
}

static void finish_two(struct rig *rig, struct scripted_origin *o[2])
{
	rig_close(rig);
	assert_null(origin_finish(&o[0]));
	assert_null(origin_finish(&o[1]));
}

static void assert_try(const struct call *c, const struct scripted_origin *o,
		       enum olink_try_end end, enum reason reason, int status)
{
	assert_int_equal(c->facts.n_tries, 1);
	assert_true(net_addr_equal(&c->facts.tries->addr, &o->addr));
	assert_int_equal(c->facts.tries->end, end);
	assert_int_equal(c->facts.tries->reason, reason);
	assert_int_equal(c->facts.tries->status, status);
}

/* As call_run(), but what the request knows of its attempts is there until call_close(). */
static void run_open(struct call *c)
{
	call_start(c, c->rig->worker);
	while (c->n_ends == 0)
		call_wait(c);
	c->facts = olink_request_facts(c->request);
}

static void break_one(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_reset(o);
}

static void serve_one(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, arg ? (const char *)arg : "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_next_after_reset(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.attempts = 2;
	start_two(rig, o, break_one, serve_one, NULL);
	call_init(&c, rig, "GET", "/");
	run_open(&c);
	assert_hello(&c);
	assert_int_equal(c.facts.retries, 1);
	assert_try(&c, o[0], OLINK_TRY_BROKE, REASON_ORIGIN_RESET, 0);
	assert_true(net_addr_equal(&c.facts.addr, &o[1]->addr));
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

static void accept_none(struct scripted_origin *o, void *arg)
{
}

/* The connection was idle, and is reset after it was looked at and before anything was sent. */
static void reset_idle(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_wait(o);
	origin_reset(o);
	origin_tell(o);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_post_of_which_nothing_was_sent(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, reset_idle, NULL);
	struct call c;

	call_get(&c, rig);
	call_fini(&c);
	call_init(&c, rig, "POST", "/");
	call_start(&c, rig->worker);
	assert_int_equal(c.request->attempt.state, ATTEMPT_OPEN);
	origin_go(o);
	origin_await(o);
	while (c.n_ends == 0)
		call_wait(&c);
	assert_hello(&c);
	c.facts = olink_request_facts(c.request);
	assert_int_equal(c.facts.retries, 1);
	call_close(&c);
	call_fini(&c);
	rig_finish(rig, o);
}

static void test_post_is_not_sent_after_reset(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.attempts = 10;
	start_two(rig, o, break_one, accept_none, NULL);
	call_init(&c, rig, "POST", "/");
	call_run(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_RESET);
	assert_int_equal(c.facts.retries, 0);
	call_fini(&c);
	finish_two(rig, o);
}

/* Content that was kept */

static void break_in_content(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "xyz");
	origin_reset(o);
}

static void play_put(struct rig *rig, size_t kept, struct call *c)
{
	struct scripted_origin *o[2];
	bool again = kept >= 3000;

	rig->origin.retries.attempts = 2;
	rig->origin.retries.body = kept;
	start_two(rig, o, break_in_content, again ? serve_one : accept_none, "\r\n0\r\n\r\n");
	call_init(c, rig, "PUT", "/");
	call_set_body(c, "xyz", 1000);
	run_open(c);
	call_close(c);
	assert_int_equal(rig->worker->kept, 0);
	finish_two(rig, o);
}

static void test_content_is_sent_again(void **state)
{
	struct call c;

	play_put(*state, 3000, &c);
	assert_hello(&c);
	assert_int_equal(c.facts.retries, 1);
	call_fini(&c);
}

static void test_more_content_than_is_kept(void **state)
{
	struct call c;

	play_put(*state, 2999, &c);
	assert_int_equal(c.status, 0);
	assert_int_equal(c.facts.retries, 0);
	call_fini(&c);
}

/* Statuses */

#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"

static void answer_busy(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, BUSY);
	origin_expect_end(o);
}

static struct cfg_range busy[] = {{502, 504}};

static void test_next_after_status(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.statuses = busy;
	rig->origin.retries.n_statuses = 1;
	start_two(rig, o, answer_busy, serve_one, NULL);
	call_init(&c, rig, "GET", "/");
	run_open(&c);
	assert_hello(&c);
	assert_try(&c, o[0], OLINK_TRY_STATUS, REASON_DONE, 503);
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

/* The last one is the client's. */
static void test_all_have_that_status(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.statuses = busy;
	rig->origin.retries.n_statuses = 1;
	start_two(rig, o, answer_busy, answer_busy, NULL);
	call_get(&c, rig);
	assert_int_equal(c.status, 503);
	assert_string_equal(c.body, "busy");
	assert_int_equal(c.facts.retries, 1);
	call_fini(&c);
	finish_two(rig, o);
}

static void test_status_of_post(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.statuses = busy;
	rig->origin.retries.n_statuses = 1;
	start_two(rig, o, answer_busy, accept_none, NULL);
	call_init(&c, rig, "POST", "/");
	call_run(&c);
	assert_int_equal(c.status, 503);
	assert_int_equal(c.facts.retries, 0);
	call_fini(&c);
	finish_two(rig, o);
}

static void test_budget_is_used_up(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.statuses = busy;
	rig->origin.retries.n_statuses = 1;
	rig->origin.retries.budget.min = 0;
	start_two(rig, o, answer_busy, accept_none, NULL);
	call_get(&c, rig);
	assert_int_equal(c.status, 503);
	assert_int_equal(c.facts.retries, 0);
	assert_int_equal(rig_count(rig, OLINK_RETRIES_REFUSED), 1);
	call_fini(&c);
	finish_two(rig, o);
}

/* Time */

static void never_answer(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect_end(o);
}

static void test_next_after_its_time(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.per_try_timeout = DUR_MS(20);
	start_two(rig, o, never_answer, serve_one, NULL);
	call_init(&c, rig, "GET", "/");
	run_open(&c);
	assert_hello(&c);
	assert_try(&c, o[0], OLINK_TRY_TOOK_LONG, REASON_ORIGIN_HEAD_TIMEOUT, 0);
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

/* What is tried again has no more time for that. */
static void test_total_timeout_of_all_tries(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.per_try_timeout = DUR_MS(10);
	rig->origin.timeout.total = DUR_MS(200);
	start_two(rig, o, never_answer, never_answer, NULL);
	call_init(&c, rig, "GET", "/");
	run_open(&c);
	assert_int_equal(c.reset, REASON_ORIGIN_TOTAL_TIMEOUT);
	assert_int_equal(c.facts.retries, 1);
	assert_try(&c, o[0], OLINK_TRY_TOOK_LONG, REASON_ORIGIN_HEAD_TIMEOUT, 0);
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

static void answer_when_told(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_tell(o);
	origin_wait(o);
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

/* It has the time of timeout.response, as without. */
static void test_post_has_all_the_time(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	rig->origin.retries.per_try_timeout = DUR_MS(1);
	start_two(rig, o, answer_when_told, accept_none, NULL);
	call_init(&c, rig, "POST", "/");
	call_start(&c, rig->worker);
	while (!c.request->attempt.took_long)
		rig_turn(rig);
	origin_go(o[0]);
	call_wait(&c);
	assert_hello(&c);
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

/* Beside a slow one */

static void hedge(struct rig *rig)
{
	rig->origin.retries.hedge.enabled = true;
	rig->origin.retries.hedge.after = DUR_MS(5);
}

static void test_second_is_faster(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	hedge(rig);
	start_two(rig, o, never_answer, serve_one, NULL);
	call_init(&c, rig, "GET", "/");
	run_open(&c);
	assert_hello(&c);
	assert_int_equal(c.facts.retries, 0);
	assert_try(&c, o[0], OLINK_TRY_LOST, REASON_NONE, 0);
	assert_true(net_addr_equal(&c.facts.addr, &o[1]->addr));
	assert_int_equal(rig_count(rig, OLINK_HEDGES), 1);
	assert_int_equal(rig_count(rig, OLINK_HEDGES_WON), 1);
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

static void test_first_is_faster_in_the_end(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	hedge(rig);
	start_two(rig, o, answer_when_told, never_answer, NULL);
	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	while (!c.request->rival || c.request->rival->given == GIVEN_NOTHING)
		rig_turn(rig);
	origin_go(o[0]);
	while (c.n_ends == 0)
		call_wait(&c);
	assert_hello(&c);
	c.facts = olink_request_facts(c.request);
	assert_try(&c, o[1], OLINK_TRY_LOST, REASON_NONE, 0);
	assert_int_equal(rig_count(rig, OLINK_HEDGES_WON), 0);
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

/* One of two breaks: the other goes on. */
static void test_one_of_two_breaks(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	hedge(rig);
	start_two(rig, o, answer_when_told, break_one, NULL);
	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	while (!c.request->second || c.request->rival)
		rig_turn(rig);
	origin_go(o[0]);
	while (c.n_ends == 0)
		call_wait(&c);
	assert_hello(&c);
	c.facts = olink_request_facts(c.request);
	assert_try(&c, o[1], OLINK_TRY_BROKE, REASON_ORIGIN_RESET, 0);
	assert_true(net_addr_equal(&c.facts.addr, &o[0]->addr));
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

static void break_when_told(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_wait(o);
	origin_reset(o);
}

static void break_one_then_serve(struct scripted_origin *o, void *arg)
{
	break_one(o, arg);
	serve_one(o, arg);
}

/* First the second one, then the first: the next is not the server that broke last. */
static void test_both_break(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	hedge(rig);
	rig->origin.retries.attempts = 2;
	start_two(rig, o, break_when_told, break_one_then_serve, NULL);
	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	while (!c.request->second || c.request->rival)
		rig_turn(rig);
	origin_go(o[0]);
	while (c.n_ends == 0)
		call_wait(&c);
	assert_hello(&c);
	c.facts = olink_request_facts(c.request);
	assert_int_equal(c.facts.n_tries, 2);
	assert_true(net_addr_equal(&c.facts.addr, &o[1]->addr));
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

/* Closed while both are under way. */
static void test_both_are_given_up(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o[2];
	struct call c;

	hedge(rig);
	start_two(rig, o, never_answer, never_answer, NULL);
	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	while (!c.request->rival || c.request->rival->given == GIVEN_NOTHING)
		rig_turn(rig);
	call_close(&c);
	call_fini(&c);
	finish_two(rig, o);
}

static void test_no_second_of_post_or_put(void **state)
{
	static const char *const methods[] = {"POST", "PUT"};
	struct rig *rig = *state;

	hedge(rig);
	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++) {
		struct scripted_origin *o[2];
		struct call c;

		while (rig->origin.n_servers > 0)
			free((char *)rig->servers[--rig->origin.n_servers].address.host);
		start_two(rig, o, answer_when_told, accept_none, NULL);
		call_init(&c, rig, methods[i], "/");
		call_start(&c, rig->worker);
		while (c.request->attempt.given == GIVEN_NOTHING)
			rig_turn(rig);
		assert_int_equal(c.request->hedge_at.at.ns, 0);
		origin_await(o[0]);
		origin_go(o[0]);
		while (c.n_ends == 0)
			call_wait(&c);
		assert_hello(&c);
		call_close(&c);
		call_fini(&c);
		finish_two(rig, o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_next_after_reset),
	    RIG_TEST(test_post_is_not_sent_after_reset),
	    RIG_TEST(test_post_of_which_nothing_was_sent),
	    RIG_TEST(test_content_is_sent_again),
	    RIG_TEST(test_more_content_than_is_kept),
	    RIG_TEST(test_next_after_status),
	    RIG_TEST(test_all_have_that_status),
	    RIG_TEST(test_status_of_post),
	    RIG_TEST(test_budget_is_used_up),
	    RIG_TEST(test_next_after_its_time),
	    RIG_TEST(test_total_timeout_of_all_tries),
	    RIG_TEST(test_post_has_all_the_time),
	    RIG_TEST(test_second_is_faster),
	    RIG_TEST(test_first_is_faster_in_the_end),
	    RIG_TEST(test_one_of_two_breaks),
	    RIG_TEST(test_both_are_given_up),
	    RIG_TEST(test_both_break),
	    RIG_TEST(test_no_second_of_post_or_put),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
