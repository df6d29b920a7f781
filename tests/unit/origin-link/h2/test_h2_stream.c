/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests and responses over an HTTP/2 session with an origin: what goes out, what is told, and
 * how they end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/unit/origin-link/h2_rig.h"

static void test_a_request_and_its_response(void **state)
{
	struct h2_peer_stream *p;
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	http_fields_add(&a.head.fields, &a.arena, SPAN("X-Name"), SPAN("value"));
	http_fields_add(&a.head.fields, &a.arena, SPAN("Connection"), SPAN("close"));
	http_fields_add(&a.head.fields, &a.arena, SPAN("Host"), SPAN("a"));
	http_fields_add(&a.head.fields, &a.arena, SPAN("TE"), SPAN("trailers"));
	ask_open(&a);
	h2_rig_turn(&rig);
	p = h2_peer_stream(&rig.peer, 0);
	assert_string_equal(p->method, "GET");
	assert_string_equal(p->path, "/");
	assert_string_equal(p->scheme, "https");
	assert_string_equal(p->authority, "a");
	assert_string_equal(p->fields, "x-name: value\nte: trailers\n");
	assert_true(p->ended);

	h2_peer_answer(&rig.peer, p->id, "200\ncontent-length: 5\nserver: s", 5);
	h2_rig_turn(&rig);
	assert_int_equal(a.response->status, 200);
	assert_int_equal(a.response->framing, HTTP_FRAMING_LENGTH);
	assert_int_equal(a.response->content_length, 5);
	assert_true(span_equal(ask_field(&a, "Server"), SPAN("s")));
	assert_int_equal(a.received, 5);
	assert_true(a.ended);
	assert_int_equal(a.n_contents, 1); /* the end came with the content */
	origin_h2_stream_close(&a.stream);
	h2_rig_turn(&rig);
	assert_int_equal(rig.peer.n_resets, 0);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static int32_t window_of(const struct ask *a)
{
	return nghttp2_session_get_stream_effective_local_window_size(a->rig->h2->session,
								      a->stream.id);
}

/* The way is long: nobody is to wait for a larger window; but all of them together are bounded, and
 * half of what is left is for those that come. */
static void test_first_windows_over_a_long_way(void **state)
{
	struct h2_rig rig;
	struct ask a[16];

	h2_rig_init(&rig, 100);
	h2_rig_turn(&rig);
	assert_int_equal(rig.h2->first_window, ORIGIN_H2_WINDOW_MIN); /* it is short here */
	rig.h2->first_window = ORIGIN_H2_WINDOW_FIRST;
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		ask_init(&a[i], &rig);
		ask_open(&a[i]);
		h2_rig_turn(&rig);
	}
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(window_of(&a[i]), ORIGIN_H2_WINDOW_FIRST);
	assert_in_range(window_of(&a[15]), ORIGIN_H2_WINDOW_MIN, ORIGIN_H2_WINDOW_FIRST / 2);
	assert_in_range(rig.h2->wide, ORIGIN_H2_WIDE_MAX / 2, ORIGIN_H2_WIDE_MAX);
	assert_int_equal(rig.h2->state, ORIGIN_H2_OPEN);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		ask_fini(&a[i]);
	assert_int_equal(rig.h2->wide, 0);
	h2_rig_fini(&rig);
}

static void test_many_requests_of_a_turn_leave_at_once(void **state)
{
	unsigned before;
	struct h2_rig rig;
	struct ask a[20];

	h2_rig_init(&rig, 100);
	before = rig.peer.n_reads;
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		ask_init(&a[i], &rig);
		ask_open(&a[i]);
	}
	h2_rig_turn(&rig);
	assert_int_equal(rig.peer.n_reads, before + 1);
	assert_int_equal(rig.peer.n_streams, ARRAY_SIZE(a));
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		ask_fini(&a[i]);
	h2_rig_fini(&rig);
}

static void test_content_and_trailers_both_ways(void **state)
{
	static const nghttp2_nv out[] = {
	    {(uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1, NGHTTP2_NV_FLAG_NONE},
	    {(uint8_t *)"content-type", (uint8_t *)"x/y", 12, 3, NGHTTP2_NV_FLAG_NONE},
	};
	struct http_field field = {SPAN("X-Check"), SPAN("1")};
	struct http_fields trailers = {&field, 1, 1};
	struct h2_peer_stream *p;
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init_post(&a, &rig);
	ask_open(&a);
	assert_true(ask_send(&a, 1000, false));
	assert_true(ask_send(&a, 20000, false));
	origin_h2_stream_send_trailers(&a.stream, &trailers);
	h2_rig_turn(&rig);
	p = h2_peer_stream(&rig.peer, 0);
	assert_int_equal(p->content, 21000);
	assert_true(p->ended);
	assert_string_equal(p->trailers, "x-check: 1\n");

	h2_peer_answer_trailers(&rig.peer, p->id, "200", 30000, out, ARRAY_SIZE(out));
	h2_rig_turn(&rig);
	assert_int_equal(a.response->framing, HTTP_FRAMING_CHUNKED);
	assert_int_equal(a.received, 30000);
	assert_true(a.ended);
	/* Content-Type comes too late there. */
	assert_int_equal(a.trailers->n, 1);
	assert_true(span_equal(a.trailers->v[0].name, SPAN("grpc-status")));
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_informational_responses_come_first(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init_post(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_inform(&rig.peer, 1, "103\nlink: </a>");
	h2_peer_inform(&rig.peer, 1, "100");
	h2_rig_turn(&rig);
	assert_int_equal(a.n_informational, 2);
	assert_int_equal(a.informational, 100);
	assert_null(a.response);
	ask_send(&a, 3, true);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, 1, "204", 0);
	h2_rig_turn(&rig);
	assert_int_equal(a.response->status, 204);
	assert_int_equal(a.response->framing, HTTP_FRAMING_NONE);
	assert_true(a.ended);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_what_is_not_granted_is_kept(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, 1, "200", 3 * 1024 * 1024);
	for (unsigned i = 0; i < 100; i++)
		h2_rig_turn(&rig);
	assert_int_equal(a.received, 64 * 1024);
	/* As far as the stream's window goes, and no further. */
	assert_in_range(h2_rig_kept(&rig), 1, rig.h2->wide + ORIGIN_H2_WINDOW_MIN);
	assert_false(a.ended);
	a.greedy = true;
	origin_h2_stream_grant(&a.stream, 64 * 1024);
	for (unsigned i = 0; i < 100 && !a.ended; i++)
		h2_rig_turn(&rig);
	assert_int_equal(a.received, 3 * 1024 * 1024);
	assert_true(a.ended);
	assert_int_equal(h2_rig_kept(&rig), 0);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

/* Clients that had a large response coming fast, and then stopped to read, stopped everybody's once
 * 32 MiB were kept for them. */
static void test_those_that_do_not_read_do_not_hold_up_others(void **state)
{
	struct h2_rig rig;
	struct ask slow[40], quick;

	h2_rig_init(&rig, 100);
	h2_rig_turn(&rig);
	rig.h2->first_window = ORIGIN_H2_WINDOW_FIRST;
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++) {
		ask_init(&slow[i], &rig);
		ask_open(&slow[i]);
	}
	h2_rig_turn(&rig);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		h2_peer_answer(&rig.peer, h2_peer_stream(&rig.peer, i)->id, "200",
			       64 * 1024 * 1024);
	for (unsigned i = 0; i < 2000; i++)
		h2_rig_turn(&rig);
	/* All that they are allowed. */
	assert_in_range(rig.h2->wide, ORIGIN_H2_WIDE_MAX / 10 * 9, ORIGIN_H2_WIDE_MAX);
	assert_in_range(h2_rig_kept(&rig), ORIGIN_H2_WIDE_MAX / 10 * 9,
			rig.h2->wide + ARRAY_SIZE(slow) * ORIGIN_H2_WINDOW_MIN);
	ask_init(&quick, &rig);
	quick.greedy = true;
	ask_open(&quick);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, h2_peer_stream(&rig.peer, ARRAY_SIZE(slow))->id, "200", 5000000);
	for (unsigned i = 0; i < 100 && !quick.ended; i++)
		h2_rig_turn(&rig);
	assert_int_equal(quick.received, 5000000);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		ask_fini(&slow[i]);
	assert_int_equal(h2_rig_kept(&rig), 0);
	ask_fini(&quick);
	h2_rig_fini(&rig);
}

static void test_kept_content_outlives_the_session(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, 1, "200", 100000);
	h2_rig_turn(&rig);
	assert_false(a.ended);
	shutdown(rig.peer.fd, SHUT_WR);
	h2_rig_turn(&rig);
	assert_true(origin_h2_is_over(rig.h2));
	assert_int_equal(a.n_died, 0);
	origin_h2_stream_grant(&a.stream, 100000);
	h2_rig_turn(&rig);
	assert_int_equal(a.received, 100000);
	assert_true(a.ended);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_a_sender_is_told_to_wait_and_when_to_go_on(void **state)
{
	struct h2_rig rig;
	struct ask a;
	bool more = true;
	uint64_t sent = 0;

	h2_rig_init(&rig, 10);
	rig.peer.holds = true; /* its window stays shut after 64 KiB */
	ask_init_post(&a, &rig);
	ask_open(&a);
	for (unsigned i = 0; i < 8 && more; i++, sent += 16384)
		more = ask_send(&a, 16384, false);
	h2_rig_turn(&rig);
	assert_false(more);
	assert_int_equal(h2_peer_stream(&rig.peer, 0)->content, 65535);
	assert_int_equal(a.n_drained, 0);
	assert_false(origin_h2_stream_is_sent(&a.stream));
	nghttp2_session_consume(rig.peer.session, 1, 65535);
	h2_rig_turn(&rig);
	assert_int_equal(a.n_drained, 1);
	assert_int_equal(h2_peer_stream(&rig.peer, 0)->content, sent);
	assert_true(ask_send(&a, 10, true));
	h2_rig_turn(&rig);
	assert_true(h2_peer_stream(&rig.peer, 0)->ended);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_uploads_share_the_connection(void **state)
{
	struct h2_rig rig;
	struct ask a[4];

	h2_rig_init(&rig, 10);
	rig.peer.holds = true;
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		ask_init_post(&a[i], &rig);
		ask_open(&a[i]);
		while (ask_send(&a[i], 16384, false))
			;
	}
	h2_rig_turn(&rig);
	/* The first has used up the connection's window; when it is opened all get their turn. */
	for (unsigned i = 0; i < 6; i++) {
		nghttp2_session_consume_connection(rig.peer.session, 65535);
		h2_rig_turn(&rig);
	}
	for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
		assert_true(h2_peer_stream(&rig.peer, i)->content >= 16384);
		ask_fini(&a[i]);
	}
	h2_rig_fini(&rig);
}

static void test_the_origin_refuses(void **state)
{
	static const struct {
		uint32_t code;
		bool unacted;
	} cases[] = {
	    {NGHTTP2_REFUSED_STREAM, true},     {NGHTTP2_HTTP_1_1_REQUIRED, true},
	    {NGHTTP2_INTERNAL_ERROR, false},    {NGHTTP2_CANCEL, false},
	    {NGHTTP2_ENHANCE_YOUR_CALM, false},
	};
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ask_init(&a, &rig);
		ask_open(&a);
		h2_rig_turn(&rig);
		assert_false(origin_h2_wants_h1(rig.h2) && i < 2);
		nghttp2_submit_rst_stream(rig.peer.session, 0, h2_peer_stream(&rig.peer, i)->id,
					  cases[i].code);
		h2_rig_turn(&rig);
		assert_int_equal(a.n_died, 1);
		assert_int_equal(a.death.reason, REASON_ORIGIN_RESET);
		assert_int_equal(a.death.unacted, cases[i].unacted);
		ask_fini(&a);
	}
	assert_true(origin_h2_wants_h1(rig.h2));
	h2_rig_fini(&rig);
}

static void test_a_reset_after_the_head_is_not_taken_back(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_begin(&rig.peer, 1, "200", 10);
	h2_rig_turn(&rig);
	assert_int_equal(a.received, 10);
	nghttp2_submit_rst_stream(rig.peer.session, 0, 1, NGHTTP2_REFUSED_STREAM);
	h2_rig_turn(&rig);
	assert_int_equal(a.n_died, 1);
	assert_false(a.death.unacted);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_a_response_before_the_end_of_its_request(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init_post(&a, &rig);
	ask_open(&a);
	ask_send(&a, 100, false);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, 1, "413\ncontent-length: 2", 2);
	h2_rig_turn(&rig);
	nghttp2_submit_rst_stream(rig.peer.session, 0, 1, NGHTTP2_NO_ERROR);
	h2_rig_turn(&rig);
	assert_int_equal(a.response->status, 413);
	assert_true(a.ended);
	assert_int_equal(a.n_died, 0);
	/* What it still sends goes nowhere. */
	assert_true(ask_send(&a, 100, false));
	ask_fini(&a);
	h2_rig_fini(&rig);
}

/* An origin that refuses uploads, and says after each answer that it wants no more of it, was taken
 * for one that floods. */
static void test_resets_of_what_is_answered_are_no_flood(void **state)
{
	const int64_t one = H2_FORGIVEN_IN * DUR_S(1).ns / ORIGIN_H2_RESETS;
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	for (int32_t id = 1; id < 20; id += 2) {
		ask_init_post(&a, &rig);
		ask_open(&a);
		ask_send(&a, 100, false);
		h2_rig_turn(&rig);
		h2_peer_answer(&rig.peer, id, "413\ncontent-length: 2", 2);
		h2_rig_turn(&rig);
		nghttp2_submit_rst_stream(rig.peer.session, 0, id, NGHTTP2_NO_ERROR);
		h2_rig_turn(&rig);
		assert_true(a.ended);
		ask_fini(&a);
	}
	assert_true(rig.h2->guard.clear_at[H2_FLOOD_RESET].ns <=
		    origin_h2_now(rig.h2).ns + 2 * one);
	h2_rig_fini(&rig);
}

/* Who closes a stream right after the end of its request has the end sent, and no RST_STREAM. */
static void test_the_end_of_a_request_that_is_answered_is_no_reset(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init_post(&a, &rig);
	ask_open(&a);
	ask_send(&a, 100, false);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, 1, "200", 2);
	h2_rig_turn(&rig);
	assert_true(a.ended);
	ask_send(&a, 0, true);
	origin_h2_stream_close(&a.stream);
	h2_rig_turn(&rig);
	assert_int_equal(h2_peer_stream(&rig.peer, 0)->code, NGHTTP2_NO_ERROR);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_closing_early_resets_the_stream_only(void **state)
{
	struct h2_rig rig;
	struct ask a, b;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	ask_init(&b, &rig);
	b.greedy = true;
	ask_open(&b);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, 1, "200", 5000000);
	h2_peer_answer(&rig.peer, 3, "200", 500000);
	a.closes_at_content = true;
	for (unsigned i = 0; i < 50 && !b.ended; i++)
		h2_rig_turn(&rig);
	assert_true(b.ended);
	assert_int_equal(a.n_contents, 1);
	assert_int_equal(h2_peer_stream(&rig.peer, 0)->code, NGHTTP2_CANCEL);
	assert_int_equal(h2_rig_kept(&rig), 0);
	ask_fini(&a);
	ask_fini(&b);
	h2_rig_fini(&rig);
}

static void test_one_that_was_never_sent_is_closed(void **state)
{
	struct h2_rig rig;
	struct ask a, b;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_open(&a);
	origin_h2_stream_close(&a.stream);
	ask_init(&b, &rig);
	ask_open(&b);
	h2_rig_turn(&rig);
	assert_int_equal(rig.peer.n_streams, 1);
	h2_peer_answer(&rig.peer, h2_peer_stream(&rig.peer, 0)->id, "200", 1);
	h2_rig_turn(&rig);
	assert_true(b.ended);
	ask_fini(&a);
	ask_fini(&b);
	h2_rig_fini(&rig);
}

static void test_malformed_responses(void **state)
{
	static const char *const heads[] = {
	    "101",
	    "99",
	    "200\ncontent-length: x",
	    "200\ncontent-length: 1\ncontent-length: 1",
	    "200\nconnection: close",
	    "200\ntransfer-encoding: chunked",
	    "200\ncontent-length: 5" /* and it has three */,
	    "204\ncontent-length: 3",
	};
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		int32_t id = (int32_t)(2 * i + 1);

		ask_init(&a, &rig);
		ask_open(&a);
		h2_rig_turn(&rig);
		h2_peer_answer(&rig.peer, id, heads[i], 3);
		h2_rig_turn(&rig);
		assert_int_equal(a.n_died, 1);
		assert_int_equal(a.death.reason, REASON_ORIGIN_MALFORMED);
		assert_true(a.death.spoilt);
		assert_false(a.death.unacted);
		ask_fini(&a);
	}
	assert_false(origin_h2_is_leaving(rig.h2));
	h2_rig_fini(&rig);
}

static void test_heads_over_the_limits(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	a.limits.fields = 1;
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, 1, "200\na: 1\nb: 2", 3);
	h2_rig_turn(&rig);
	assert_int_equal(a.n_died, 1);
	assert_string_equal(a.death.detail, "too many fields");
	ask_fini(&a);
	ask_init(&a, &rig);
	a.limits.head_bytes = 40;
	ask_open(&a);
	h2_rig_turn(&rig);
	for (unsigned i = 0; i < 10; i++)
		h2_peer_inform(&rig.peer, 3, "103\na: b");
	h2_rig_turn(&rig);
	assert_int_equal(a.n_died, 1);
	assert_string_equal(a.death.detail, "too many informational responses");
	ask_fini(&a);
	h2_rig_fini(&rig);
}

/* A byte stands for a field of 3 KB, and nghttp2 looks at each byte of those that it tells of. */
static void test_a_bomb_of_fields_ends_its_stream_before_its_section_ends(void **state)
{
	enum { VALUE = 3000, TIMES = 16000 };
	/* :status: 200; "x" with a value of VALUE bytes, by one and two bytes more, to be kept. */
	static const uint8_t first[] = {0x88, 0x40, 1, 'x', 0x7f, 0xb9, 0x16};
	static char section[sizeof(first) + VALUE], again[TIMES];
	struct h2_rig rig;
	struct ask a, b;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	ask_init(&b, &rig);
	ask_open(&a);
	ask_open(&b);
	h2_rig_turn(&rig);
	memcpy(section, first, sizeof(first));
	memset(section + sizeof(first), 'x', VALUE);
	memset(again, 0xbe, TIMES); /* what was kept */
	h2_peer_frame(&rig.peer, NGHTTP2_HEADERS, 0, 1, section, sizeof(section));
	h2_peer_frame(&rig.peer, NGHTTP2_CONTINUATION, 0, 1, again, TIMES);
	h2_rig_turn(&rig);
	assert_int_equal(a.n_died, 1);
	assert_string_equal(a.death.detail, "head too large");
	for (unsigned i = 0; i < 5; i++) {
		h2_peer_frame(&rig.peer, NGHTTP2_CONTINUATION,
			      i == 4 ? NGHTTP2_FLAG_END_HEADERS : 0, 1, again, TIMES);
		h2_rig_turn(&rig);
	}
	h2_peer_frame(&rig.peer, NGHTTP2_HEADERS,
		      NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3, first, 1);
	h2_rig_turn(&rig);
	assert_int_equal(b.response->status, 200);
	assert_true(b.ended);
	assert_false(origin_h2_is_leaving(rig.h2));
	assert_int_equal(rig.peer.n_resets, 1);
	ask_fini(&a);
	ask_fini(&b);
	h2_rig_fini(&rig);
}

static void test_a_response_to_head_has_no_content(void **state)
{
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	ask_init(&a, &rig);
	a.head.method = SPAN("HEAD");
	a.head.method_id = HTTP_METHOD_HEAD;
	ask_open(&a);
	h2_rig_turn(&rig);
	h2_peer_answer(&rig.peer, 1, "200\ncontent-length: 500", 0);
	h2_rig_turn(&rig);
	assert_true(a.ended);
	assert_int_equal(a.response->framing, HTTP_FRAMING_NONE);
	assert_true(a.response->length_declared);
	assert_int_equal(a.response->content_length, 500);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

static void test_a_websocket_by_extended_connect(void **state)
{
	struct h2_peer_stream *p;
	struct h2_rig rig;
	struct ask a;

	h2_rig_init(&rig, 10);
	assert_true(origin_h2_takes_connect(rig.h2));
	ask_init(&a, &rig);
	a.head.framing = HTTP_FRAMING_TUNNEL;
	http_fields_add(&a.head.fields, &a.arena, SPAN("Upgrade"), SPAN("websocket"));
	http_fields_add(&a.head.fields, &a.arena, SPAN("Sec-WebSocket-Key"), SPAN("k"));
	http_fields_add(&a.head.fields, &a.arena, SPAN("Sec-WebSocket-Version"), SPAN("13"));
	ask_open(&a);
	h2_rig_turn(&rig);
	p = h2_peer_stream(&rig.peer, 0);
	assert_string_equal(p->method, "CONNECT");
	assert_string_equal(p->protocol, "websocket");
	assert_string_equal(p->fields, "sec-websocket-version: 13\n");
	assert_false(p->ended);
	h2_peer_begin(&rig.peer, 1, "200", 7);
	h2_rig_turn(&rig);
	assert_int_equal(a.response->framing, HTTP_FRAMING_TUNNEL);
	assert_int_equal(a.received, 7);
	ask_send(&a, 9, true);
	h2_rig_turn(&rig);
	assert_int_equal(p->content, 9);
	assert_true(p->ended);
	ask_fini(&a);
	h2_rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_request_and_its_response),
	    cmocka_unit_test(test_first_windows_over_a_long_way),
	    cmocka_unit_test(test_many_requests_of_a_turn_leave_at_once),
	    cmocka_unit_test(test_content_and_trailers_both_ways),
	    cmocka_unit_test(test_informational_responses_come_first),
	    cmocka_unit_test(test_what_is_not_granted_is_kept),
	    cmocka_unit_test(test_those_that_do_not_read_do_not_hold_up_others),
	    cmocka_unit_test(test_kept_content_outlives_the_session),
	    cmocka_unit_test(test_a_sender_is_told_to_wait_and_when_to_go_on),
	    cmocka_unit_test(test_uploads_share_the_connection),
	    cmocka_unit_test(test_the_origin_refuses),
	    cmocka_unit_test(test_a_reset_after_the_head_is_not_taken_back),
	    cmocka_unit_test(test_a_response_before_the_end_of_its_request),
	    cmocka_unit_test(test_resets_of_what_is_answered_are_no_flood),
	    cmocka_unit_test(test_the_end_of_a_request_that_is_answered_is_no_reset),
	    cmocka_unit_test(test_closing_early_resets_the_stream_only),
	    cmocka_unit_test(test_one_that_was_never_sent_is_closed),
	    cmocka_unit_test(test_malformed_responses),
	    cmocka_unit_test(test_heads_over_the_limits),
	    cmocka_unit_test(test_a_bomb_of_fields_ends_its_stream_before_its_section_ends),
	    cmocka_unit_test(test_a_response_to_head_has_no_content),
	    cmocka_unit_test(test_a_websocket_by_extended_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
