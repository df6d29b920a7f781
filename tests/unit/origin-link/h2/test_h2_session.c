/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * HTTP/2 sessions with an origin: limits, GOAWAY, silence, hostile origins, ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/unit/origin-link/h2_rig.h"

static void test_the_origin_limits_streams(void **state)
{
	struct h2_rig rig;
	struct ask a, b;

	h2_rig_init(&rig, 2);
	assert_true(origin_h2_has_settings(rig.h2));
	assert_int_equal(origin_h2_streams_max(rig.h2), 2);
	assert_int_equal(origin_h2_room(rig.h2), 2);
	assert_int_equal(rig.n_changed, 1);
	ask_init(&a, &rig);
	ask_open(&a);
	ask_init(&b, &rig);
	ask_open(&b);
	assert_int_equal(origin_h2_room(rig.h2), 0);
	ask_fini(&a);
	assert_int_equal(origin_h2_room(rig.h2), 1);
	ask_fini(&b);
	h2_rig_fini(&rig);
	h2_rig_init(&rig, 100000);
	assert_int_equal(origin_h2_room(rig.h2), ORIGIN_H2_STREAMS_MAX);
	h2_rig_fini(&rig);
}

static void test_goaway_refuses_what_is_above_the_last_stream(void **state)
{
	struct h2_rig rig;
	struct ask a, b, c;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	ask_init(&b, &rig);
	ask_open(&b);
	h2_rig_turn(&rig);
	nghttp2_submit_goaway(rig.peer.session, 0, 1, NGHTTP2_NO_ERROR, NULL, 0);
	h2_peer_turn(&rig.peer);
	/* One that has not been sent yet. */
	ask_init(&c, &rig);
	ask_open(&c);
	h2_rig_turn(&rig);
	assert_true(origin_h2_is_leaving(rig.h2));
	assert_int_equal(a.n_died, 0);
	assert_int_equal(b.n_died, 1);
	assert_true(b.death.unacted);
	assert_int_equal(c.n_died, 1);
	assert_true(c.death.unacted);
	h2_peer_answer(&rig.peer, 1, "200", 5);
	h2_rig_turn(&rig);
	assert_true(a.ended);
	assert_int_equal(a.received, 5);
	rig.n_changed = 0;
	ask_fini(&a);
	ask_fini(&b);
	ask_fini(&c);
	h2_rig_turn(&rig);
	assert_true(origin_h2_is_over(rig.h2));
	assert_true(rig.n_changed > 0);
	h2_rig_fini(&rig);
}

static void test_goaway_after_a_head_refuses_nothing(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_begin(&rig.peer, 1, "200", 5);
	h2_rig_turn(&rig);
	h2_peer_frame(&rig.peer, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
	h2_rig_turn(&rig);
	assert_int_equal(a.n_died, 1);
	assert_false(a.death.unacted);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_a_graceful_goaway_lets_streams_end(void **state)
{
	struct h2_rig rig;
	struct ask a, late;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	nghttp2_submit_shutdown_notice(rig.peer.session);
	h2_rig_turn(&rig);
	assert_true(origin_h2_is_leaving(rig.h2));
	assert_int_equal(origin_h2_room(rig.h2), 0);
	ask_init(&late, &rig);
	ask_open(&late);
	h2_rig_turn(&rig);
	assert_int_equal(late.n_died, 1);
	assert_true(late.death.unacted);
	h2_peer_answer(&rig.peer, 1, "200", 5);
	h2_rig_turn(&rig);
	assert_true(a.ended);
	ask_fini(&a);
	ask_fini(&late);
	h2_rig_fini(&rig);
}

static void test_ids_run_out(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	nghttp2_session_set_next_stream_id(rig.h2->session, INT32_MAX);
	assert_false(origin_h2_is_leaving(rig.h2));
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	assert_true(origin_h2_is_leaving(rig.h2));
	h2_peer_answer(&rig.peer, INT32_MAX, "200", 5);
	h2_rig_turn(&rig);
	assert_true(a.ended);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_our_own_leaving_says_goaway(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	origin_h2_leave(rig.h2);
	assert_int_equal(origin_h2_room(rig.h2), 0);
	h2_peer_answer(&rig.peer, 1, "200", 5);
	h2_rig_turn(&rig);
	assert_true(a.ended);
	ask_fini(&a);
	origin_h2_destroy(&rig.h2);
	h2_rig_turn(&rig);
	assert_int_equal(rig.peer.n_goaways, 1);
	assert_int_equal(rig.peer.goaway_code, NGHTTP2_NO_ERROR);
	assert_true(rig.peer.eof);
	h2_rig_fini(&rig);
}

/* Silence */

static void pass(struct origin_h2 *h, duration time)
{
	h->heard.ns -= time.ns;
	h->worked.ns -= time.ns;
	if (h->asked.ns != 0)
		h->asked.ns -= time.ns;
	h->quiet.fire(&h->quiet);
}

static void test_a_silent_origin_is_asked(void **state)
{
	struct h2_rig rig;

	h2_rig_init(&rig, 10);
	pass(rig.h2, DUR_S(9));
	h2_rig_turn(&rig);
	assert_int_equal(rig.peer.n_pings, 0);
	pass(rig.h2, DUR_S(1));
	h2_rig_turn(&rig);
	assert_int_equal(rig.peer.n_pings, 1);
	/* It has answered. */
	pass(rig.h2, DUR_S(10));
	assert_false(origin_h2_is_over(rig.h2));
	/* A gRPC server does not like to be asked too often. */
	h2_rig_turn(&rig);
	assert_int_equal(rig.peer.n_pings, 1);
	pass(rig.h2, DUR_S(300));
	h2_rig_turn(&rig);
	assert_int_equal(rig.peer.n_pings, 2);
	h2_rig_fini(&rig);
}

static void test_one_that_answers_no_ping_takes_no_more_and_has_its_time(void **state)
{
	struct h2_rig rig;
	struct ask a, b;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	ask_init(&b, &rig);
	ask_open(&b);
	h2_rig_turn(&rig);
	h2_peer_begin(&rig.peer, 3, "200", 5);
	h2_rig_turn(&rig);
	pass(rig.h2, DUR_S(10));
	for (unsigned i = 0; i < 5; i++)
		h2_rig_loop(&rig);
	assert_false(origin_h2_is_over(rig.h2));
	/* Its kernel has taken the PING: it may do one thing at a time. */
	pass(rig.h2, DUR_S(10));
	h2_rig_loop(&rig);
	assert_false(origin_h2_is_over(rig.h2));
	assert_true(origin_h2_is_leaving(rig.h2));
	assert_int_equal(a.n_died + b.n_died, 0);
	/* Nobody waits for it any more. */
	ask_fini(&a);
	ask_fini(&b);
	pass(rig.h2, DUR_S(10));
	h2_rig_loop(&rig);
	assert_true(origin_h2_is_over(rig.h2));
	assert_true(rig.h2->vanished);
	h2_rig_fini(&rig);
}

/* Ends */

static void test_what_was_never_sent_was_not_acted_upon(void **state)
{
	struct h2_rig rig;
	struct ask a, b;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	shutdown(rig.peer.fd, SHUT_RDWR);
	ask_init(&b, &rig);
	ask_open(&b);
	h2_rig_loop(&rig);
	h2_rig_loop(&rig);
	assert_int_equal(a.n_died, 1);
	assert_false(a.death.unacted);
	assert_int_equal(a.death.reason, REASON_ORIGIN_CLOSED);
	assert_int_equal(b.n_died, 1);
	assert_true(origin_h2_is_over(rig.h2));
	ask_fini(&a);
	ask_fini(&b);
	h2_rig_fini(&rig);
}

static void test_a_connection_that_ends_truncates(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_begin(&rig.peer, 1, "200", 5);
	h2_rig_turn(&rig);
	shutdown(rig.peer.fd, SHUT_RDWR);
	h2_rig_loop(&rig);
	h2_rig_loop(&rig);
	assert_int_equal(a.death.reason, REASON_ORIGIN_TRUNCATED);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

/* Hostile origins: each frame, again and again, ends the session and not us. */

static void flood_of(struct h2_rig *rig, uint8_t type, uint8_t flags, int32_t id, const void *data,
		     size_t n)
{
	for (unsigned i = 0; i < 40 && !origin_h2_is_over(rig->h2); i++) {
		for (unsigned k = 0; k < 100; k++)
			h2_peer_frame(&rig->peer, type, flags, id, data, n);
		h2_rig_loop(rig);
	}
}

static void test_floods(void **state)
{
	static const struct {
		uint8_t type, flags;
		bool on_stream;
		const char *data;
		size_t n;
	} cases[] = {
	    {NGHTTP2_SETTINGS, 0, false, "", 0},
	    {NGHTTP2_PING, 0, false, "12345678", 8},
	    {NGHTTP2_DATA, 0, true, "", 0},
	    {NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, true, "\3\0\0\0", 4},
	    {NGHTTP2_WINDOW_UPDATE, 0, false, "\0\0\0\1", 4},
	    {NGHTTP2_PRIORITY, 0, true, "\0\0\0\0\0", 5},
	    {0xee, 0, false, "x", 1},
	};
	struct h2_rig rig;
	struct ask a;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		h2_rig_init(&rig, 10);
		ask_init(&a, &rig);
		ask_open(&a);
		h2_rig_turn(&rig);
		h2_peer_begin(&rig.peer, 1, "200", 5);
		h2_rig_turn(&rig);
		flood_of(&rig, cases[i].type, cases[i].flags, cases[i].on_stream ? 1 : 0,
			 cases[i].data, cases[i].n);
		assert_true(origin_h2_is_over(rig.h2));
		assert_int_equal(a.death.reason, REASON_ORIGIN_MALFORMED);
		assert_string_equal(a.death.detail, "a flood of HTTP/2 frames");
		ask_fini(&a);
		h2_rig_fini(&rig);
	}
}

static void test_a_flood_of_continuations(void **state)
{
	static const char block[] = "\x88";
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_frame(&rig.peer, NGHTTP2_HEADERS, 0, 1, block, 1);
	flood_of(&rig, NGHTTP2_CONTINUATION, 0, 1, "", 0);
	assert_true(origin_h2_is_over(rig.h2));
	assert_int_equal(a.n_died, 1);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_more_than_the_window(void **state)
{
	char content[16384];
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_begin(&rig.peer, 1, "200", 5);
	h2_rig_turn(&rig);
	memset(content, 'x', sizeof(content));
	for (unsigned i = 0; i < 100 && a.n_died == 0; i++) {
		h2_peer_frame(&rig.peer, NGHTTP2_DATA, 0, 1, content, sizeof(content));
		h2_rig_loop(&rig);
	}
	assert_int_equal(a.n_died, 1);
	assert_true(h2_rig_kept(&rig) == 0);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_a_push_ends_the_session(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_frame(&rig.peer, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1,
		      "\0\0\0\2\x82\x87\x84\x01\x01"
		      "a",
		      10);
	h2_rig_loop(&rig);
	h2_rig_loop(&rig);
	assert_true(origin_h2_is_over(rig.h2));
	assert_int_equal(a.death.reason, REASON_ORIGIN_MALFORMED);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_one_that_speaks_http1(void **state)
{
	static const char response[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	assert_true(send(rig.peer.fd, response, sizeof(response) - 1, MSG_NOSIGNAL) > 0);
	h2_rig_loop(&rig);
	h2_rig_loop(&rig);
	assert_true(origin_h2_is_over(rig.h2));
	assert_int_equal(a.n_died, 1);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_origin_limits_streams),
	    cmocka_unit_test(test_goaway_refuses_what_is_above_the_last_stream),
	    cmocka_unit_test(test_goaway_after_a_head_refuses_nothing),
	    cmocka_unit_test(test_a_graceful_goaway_lets_streams_end),
	    cmocka_unit_test(test_ids_run_out),
	    cmocka_unit_test(test_our_own_leaving_says_goaway),
	    cmocka_unit_test(test_a_silent_origin_is_asked),
	    cmocka_unit_test(test_one_that_answers_no_ping_takes_no_more_and_has_its_time),
	    cmocka_unit_test(test_what_was_never_sent_was_not_acted_upon),
	    cmocka_unit_test(test_a_connection_that_ends_truncates),
	    cmocka_unit_test(test_floods),
	    cmocka_unit_test(test_a_flood_of_continuations),
	    cmocka_unit_test(test_more_than_the_window),
	    cmocka_unit_test(test_a_push_ends_the_session),
	    cmocka_unit_test(test_one_that_speaks_http1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
