/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What requests tell of their attempts: each once, at the server that it was made at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "origin-link/conns/endpoint.h"
#include "origin-link/conns/outcome.h"
#include "tests/unit/origin-link/rig.h"

static struct outcome_sums sums_at(const struct rig *rig, unsigned server)
{
	const struct olink_addresses *list = server_addresses(rig->origins->servers[0][server]);
	struct outcome_sums sums;

	assert_non_null(list);
	endpoint_sums(list->v[0]->endpoint, &sums);
	return sums;
}

static uint64_t n_times(const struct outcome_sums *sums, enum outcome_time time)
{
	return outcome_histogram_count(&sums->times[time]);
}

static uint64_t n_failures(const struct outcome_sums *sums, enum reason reason)
{
	return sums->failures[reason - OUTCOME_REASON_FIRST];
}

static void answer_twice(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	for (unsigned i = 0; i < 2; i++) {
		origin_read_until(o, "\r\n\r\n");
		origin_send(o, OK_HELLO);
	}
	origin_expect_end(o);
}

static void test_new_then_reused(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, answer_twice, NULL);
	struct outcome_sums sums;

	for (unsigned i = 0; i < 2; i++) {
		struct call c;

		call_get(&c, rig);
		assert_hello(&c);
		call_fini(&c);
	}
	sums = sums_at(rig, 0);
	assert_int_equal(sums.attempts, 2);
	assert_int_equal(sums.opened, 1);
	assert_int_equal(sums.fresh, 1);
	assert_int_equal(sums.reused, 1);
	assert_int_equal(sums.answers[2], 2);
	assert_int_equal(sums.abandoned, 0);
	assert_int_equal(n_times(&sums, OUTCOME_TIME_QUEUE), 0);
	assert_int_equal(n_times(&sums, OUTCOME_TIME_CONNECT), 1);
	assert_int_equal(n_times(&sums, OUTCOME_TIME_TLS), rig->cert ? 1 : 0);
	assert_int_equal(n_times(&sums, OUTCOME_TIME_FIRST_BYTE), 2);
	assert_int_equal(n_times(&sums, OUTCOME_TIME_WHOLE), 2);
	rig_finish(rig, o);
}

/* An attempt that dies and the one that takes its place. */
static void close_second(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_read_until(o, "\r\n\r\n");
	origin_close(o);
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_repeated(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, close_second, NULL);
	struct outcome_sums sums;

	for (unsigned i = 0; i < 2; i++) {
		struct call c;

		call_get(&c, rig);
		assert_hello(&c);
		call_fini(&c);
	}
	sums = sums_at(rig, 0);
	assert_int_equal(sums.attempts, 3);
	assert_int_equal(sums.opened, 2);
	assert_int_equal(sums.reused, 1);
	assert_int_equal(sums.answers[2], 2);
	assert_int_equal(n_failures(&sums, REASON_ORIGIN_CLOSED), 1);
	assert_int_equal(n_times(&sums, OUTCOME_TIME_FIRST_BYTE), 2);
	rig_finish(rig, o);
}

/* Two servers, of which the first refuses: each has what was tried at it. */
static void answer_once(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_refused_then_next(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = origin_start(answer_once, NULL);
	struct outcome_sums refused, other;
	struct net_addr closed;
	struct call c;

	close(black_hole_open(&closed));
	rig_add_server(rig, &closed);
	rig_add_server(rig, &o->addr);
	rig_open(rig);
	rig_settle(rig);
	call_get(&c, rig);
	assert_hello(&c);
	call_fini(&c);
	refused = sums_at(rig, 0);
	other = sums_at(rig, 1);
	assert_int_equal(refused.attempts, 1);
	assert_int_equal(n_failures(&refused, REASON_ORIGIN_CONNECT_REFUSED), 1);
	assert_int_equal(refused.opened, 0);
	assert_int_equal(n_times(&refused, OUTCOME_TIME_CONNECT), 0);
	assert_int_equal(other.attempts, 1);
	assert_int_equal(other.answers[2], 1);
	rig_finish(rig, o);
}

static void take_and_wait(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect_end(o);
}

/* Nobody wants it any more: that is no failure of the server's. */
static void test_abandoned(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, take_and_wait, NULL);
	struct outcome_sums sums;
	struct call c;

	call_init(&c, rig, "GET", "/");
	call_start(&c, rig->worker);
	while (c.request->attempt.state != ATTEMPT_OPEN ||
	       c.request->attempt.given == GIVEN_NOTHING)
		rig_turn(rig);
	call_close(&c);
	call_fini(&c);
	sums = sums_at(rig, 0);
	assert_int_equal(sums.attempts, 1);
	assert_int_equal(sums.abandoned, 1);
	assert_int_equal(n_times(&sums, OUTCOME_TIME_FIRST_BYTE), 0);
	for (unsigned i = 0; i < OUTCOME_REASONS; i++)
		assert_int_equal(sums.failures[i], 0);
	rig_finish(rig, o);
}

static void break_content(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nhe");
	origin_close(o);
}

static void test_broken_answer(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, break_content, NULL);
	struct outcome_sums sums;
	struct call c;

	call_get(&c, rig);
	assert_int_equal(c.reset, REASON_ORIGIN_TRUNCATED);
	call_fini(&c);
	sums = sums_at(rig, 0);
	assert_int_equal(sums.attempts, 1);
	assert_int_equal(sums.answers[5], 1);
	assert_int_equal(n_failures(&sums, REASON_ORIGIN_TRUNCATED), 1);
	rig_finish(rig, o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_new_then_reused), RIG_TEST_TLS(test_new_then_reused),
	    RIG_TEST(test_repeated),        RIG_TEST(test_refused_then_next),
	    RIG_TEST(test_abandoned),       RIG_TEST(test_broken_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
