/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The content of requests: how it is framed and gathered, how much of it is let in, and answers
 * that come before its end.
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
#define MIB (1024 * 1024)

static char *filled(size_t n)
{
	char *p = xmalloc(n + 1);

	memset(p, 'x', n);
	p[n] = '\0';
	return p;
}

/* Framing */

static void take_three(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "POST /up HTTP/1.1\r\n");
	origin_expect(o, "\r\nTransfer-Encoding: chunked\r\n");
	origin_read_until(o, "0\r\n\r\n");
	origin_expect(o, "3\r\nabc\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "\r\nContent-Length: 9\r\n");
	origin_read_bytes(o, 9);
	origin_expect(o, "abcabcabc");
	origin_send(o, OK_HELLO);
	origin_read_until(o, "\r\n\r\n");
	origin_read_until(o, "\r\n\r\n");
	origin_expect(o, "3\r\nabc\r\n0\r\nDigest: abc\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_framing(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, take_three, NULL);
	struct call c;

	call_init(&c, rig, "POST", "/up");
	call_set_body(&c, "abc", 3);
	call_run(&c);
	assert_hello(&c);
	assert_int_equal(c.stopped, REASON_NONE);
	call_fini(&c);

	call_init(&c, rig, "PUT", "/up");
	c.head.framing = HTTP_FRAMING_LENGTH;
	c.head.content_length = 9;
	call_set_body(&c, "abc", 3);
	call_run(&c);
	assert_hello(&c);
	assert_true(c.facts.reused);
	call_fini(&c);

	call_init(&c, rig, "POST", "/up");
	call_set_body(&c, "abc", 1);
	assert_true(http_fields_add(&c.trailers_out, &c.arena, SPAN("Digest"), SPAN("abc")));
	call_run(&c);
	assert_hello(&c);
	call_fini(&c);
	assert_int_equal(rig_count(rig, OLINK_LEASES_FRESH), 1);
	rig_finish(rig, o);
}

/* Content that comes while there is no connection waits for it, as far as the first window lets it
 * in: here the origin accepts it only when the content has been pushed. */
static void take_window(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_read_bytes(o, 128 * KIB);
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_early_content(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, take_window, NULL);
	char *piece = filled(KIB);
	struct call c;

	rig_settle(rig);
	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_LENGTH;
	c.head.content_length = 128 * KIB;
	call_set_body(&c, piece, 128);
	call_start(&c, rig->worker);
	assert_int_equal(c.request->attempt.state, ATTEMPT_LEASES);
	rig_turn(rig);
	if (c.request->attempt.state == ATTEMPT_LEASES) {
		assert_int_equal(c.request->n_ungiven, 64 * KIB);
		assert_int_equal(c.n_grants, 1);
	}
	call_wait(&c);
	assert_hello(&c);
	call_close(&c);
	call_fini(&c);
	free(piece);
	rig_finish(rig, o);
}

/* Head and first content of a request on a connection that is open already are one segment. */
static void expect_one_segment(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_read_some(o);
	origin_expect(o, "POST / HTTP/1.1\r\n");
	origin_expect(o, "\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_one_write(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, expect_one_segment, NULL);
	struct call c;

	call_get(&c, rig);
	call_fini(&c);
	call_init(&c, rig, "POST", "/");
	call_set_body(&c, "abc", 1);
	call_run(&c);
	assert_hello(&c);
	assert_true(c.facts.reused);
	call_fini(&c);
	rig_finish(rig, o);
}

/* What does not fit its declared length never reaches the origin. */
static void expect_no_more_than(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_expect_end(o);
	/* Whatever came was not a byte more than was declared. */
	if (o->n > 0)
		origin_expect(o, "abc");
}

static void test_wrong_length(void **state)
{
	static const uint64_t lengths[] = {2, 4};
	struct rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct scripted_origin *o = rig_start(rig, expect_no_more_than, NULL);
		struct call c;

		call_init(&c, rig, "POST", "/");
		c.head.framing = HTTP_FRAMING_LENGTH;
		c.head.content_length = lengths[i];
		call_set_body(&c, "abc", 1);
		call_run(&c);
		assert_int_equal(c.reset, REASON_CLIENT_MALFORMED);
		call_fini(&c);
		rig_close(rig);
		/* It may not even have got as far as a connection with a head on it. */
		origin_finish(&o);
	}
}

/* Back-pressure */

static void take_8_mib(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	/* Not before the sender had to wait. */
	origin_wait(o);
	for (int i = 0; i < 16; i++)
		origin_read_bytes(o, MIB / 2);
	origin_send(o, OK_HELLO);
	origin_expect_end(o);
}

static void test_back_pressure(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, take_8_mib, NULL);
	char *piece = filled(MIB / 16);
	struct call c;

	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_LENGTH;
	c.head.content_length = 8 * MIB;
	call_set_body(&c, piece, 128);
	call_start(&c, rig->worker);
	while (c.request->attempt.state != ATTEMPT_OPEN ||
	       stream_is_drained(lease_stream(&c.request->attempt.lease)))
		rig_turn(rig);
	/* It has to wait: nothing more is let in, and what is here is bounded. */
	rig_turn(rig);
	assert_int_equal(c.credit, 0);
	assert_true(stream_queued(lease_stream(&c.request->attempt.lease)) <= 512 * KIB);
	origin_go(o);
	call_wait(&c);
	assert_hello(&c);
	assert_true(c.n_grants > 2);
	assert_true(c.most_credit > 64 * KIB && c.most_credit <= 512 * KIB);
	call_close(&c);
	call_fini(&c);
	free(piece);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 1);
	rig_finish(rig, o);
}

/* Answers before the end */

static void refuse_early(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	origin_expect_end(o);
}

/* It counts, the rest of the request is not wanted, and the connection is not used again. */
static void test_early_response(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, refuse_early, NULL);
	struct call c;

	call_init(&c, rig, "POST", "/");
	c.head.framing = HTTP_FRAMING_CHUNKED; /* but its source has nothing yet */
	call_run(&c);
	assert_int_equal(c.status, 413);
	assert_string_equal(c.body, "no");
	assert_int_equal(c.stopped, REASON_DONE);
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	call_fini(&c);
	assert_null(origin_finish(&o));
}

/* The source may give up when it hears that, and then hears no more. */
static void reset_when_stopped(struct flow_source *source, enum reason reason)
{
	struct call *c = CONTAINER_OF(source, struct call, source);

	c->stopped = reason;
	call_close(c);
	loop_stop_mt(c->loop);
}

static void test_closed_inside_a_stop(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, refuse_early, NULL);
	struct flow_source_ops ops;
	struct call c;

	call_init(&c, rig, "POST", "/");
	ops = *c.source.ops;
	ops.stop = reset_when_stopped;
	c.source.ops = &ops;
	c.head.framing = HTTP_FRAMING_CHUNKED;
	call_start(&c, rig->worker);
	call_wait(&c);
	assert_int_equal(c.stopped, REASON_DONE);
	assert_int_equal(c.n_ends, 0);
	call_fini(&c);
	rig_turn(rig);
	assert_null(origin_finish(&o));
}

static void refuse_and_reset(struct scripted_origin *o, void *arg)
{
	origin_accept(o);
	origin_read_until(o, "\r\n\r\n");
	origin_send(o, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
	origin_close(o); /* with our content unread: a reset follows the answer */
}

static void test_early_response_and_reset(void **state)
{
	struct rig *rig = *state;
	struct scripted_origin *o = rig_start(rig, refuse_and_reset, NULL);
	char *piece = filled(MIB / 16);
	struct call c;

	call_init(&c, rig, "POST", "/");
	call_set_body(&c, piece, 1024);
	call_run(&c);
	/* TCP may lose the answer to the reset; it is never taken for something else. */
	if (c.status == 413) {
		assert_string_equal(c.body, "no");
		assert_int_equal(c.stopped, REASON_DONE);
	} else {
		assert_true(c.reset == REASON_ORIGIN_RESET || c.reset == REASON_ORIGIN_CLOSED);
		assert_int_equal(c.stopped, c.reset);
	}
	assert_int_equal(rig_count(rig, OLINK_IDLE), 0);
	call_fini(&c);
	free(piece);
	assert_null(origin_finish(&o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(test_framing),
	    RIG_TEST(test_early_content),
	    RIG_TEST(test_one_write),
	    RIG_TEST(test_wrong_length),
	    RIG_TEST(test_back_pressure),
	    RIG_TEST(test_early_response),
	    RIG_TEST(test_closed_inside_a_stop),
	    RIG_TEST(test_early_response_and_reset),
	};

	alarm(120); /* a loop that nothing stops is a failure, not a hang */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
