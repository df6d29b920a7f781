/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The life of one stream of a session with an origin: from its opening to its closing, which may
 * come at any moment, and before or after nghttp2 has done with it. How it ends is told at the end
 * of the turn. One loop.
 */
#define LOG_MODULE LOG_POOL
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/h2/h2_internal.h"

#define STREAM_TRACE(s, fmt, ...)                                                                  \
	log_debug("%s h2 fd %d stream %d: " fmt, loop_name((s)->session->loop),                    \
		  stream_fd((s)->session->stream), (s)->id, __VA_ARGS__)

void origin_h2_stream_init(struct origin_h2_stream *s, const struct origin_h2_stream_ops *ops)
{
	*s = (struct origin_h2_stream){.magic = ORIGIN_H2_STREAM_MAGIC, .ops = ops};
}

bool origin_h2_stream_is_open(const struct origin_h2_stream *s)
{
	return s->session != NULL;
}

static void die_unsent(struct origin_h2_stream *s, const struct origin_h2_death *death)
{
	s->has_left = true;
	origin_h2_stream_die(s, death);
}

/* Gives it to nghttp2, if and when it is to go. False when memory is gone. */
static bool begin(struct origin_h2_stream *s, const struct origin_h2_order *order)
{
	static const struct origin_h2_death closed = {.reason = REASON_ORIGIN_CLOSED,
						      .unacted = true};
	static const struct origin_h2_death not_taken = {
	    .reason = REASON_ORIGIN_MALFORMED,
	    .detail = "it takes no such request by HTTP/2",
	    .spoilt = true,
	};
	struct origin_h2 *h = s->session;

	/* It may have been given up since it was seen to have room. */
	if (h->state == ORIGIN_H2_OVER || h->says_why ||
	    !nghttp2_session_check_request_allowed(h->session)) {
		die_unsent(s, &closed);
		return true;
	}
	/* RFC 8441 section 3: not before the origin has said that it takes it. */
	if (order->connect && !order->refused && !h->has_settings) {
		s->is_held = true;
		s->held = *order;
		return true;
	}
	if (order->refused || (order->connect && !origin_h2_takes_connect(h))) {
		die_unsent(s, &not_taken);
		return true;
	}
	s->id = origin_h2_submit(s, order);
	if (s->id < 0) {
		s->has_left = true;
		return false;
	}
	STREAM_TRACE(s, "opened, %u of %u", h->n_streams, origin_h2_streams_max(h));
	origin_h2_watch(h);
	origin_h2_defer(h);
	return true;
}

bool origin_h2_stream_open(struct origin_h2 *h, struct origin_h2_stream *s,
			   const struct origin_h2_order *order)
{
	MAGIC_CHECK(h, ORIGIN_H2_MAGIC);
	MAGIC_CHECK(s, ORIGIN_H2_STREAM_MAGIC);
	LOOP_ASSERT_OWNER(h->loop);
	CHECK(s->session == NULL);
	s->session = h;
	s->arena = order->arena;
	s->limits = order->limits;
	s->is_head = order->head->method_id == HTTP_METHOD_HEAD;
	s->is_connect = order->connect;
	s->request = order->end ? ORIGIN_H2_SENT : ORIGIN_H2_SENDS;
	h2_queue_init(&s->in);
	h2_queue_init(&s->out);
	h2_window_init(&s->window, ORIGIN_H2_WINDOW_MIN, origin_h2_now(h));
	TAILQ_INSERT_TAIL(&h->streams, s, link);
	h->n_streams++;
	if (!begin(s, order)) {
		origin_h2_stream_close(s);
		return false;
	}
	return true;
}

void origin_h2_streams_held(struct origin_h2 *h)
{
	const struct origin_h2_death no_memory = {.reason = REASON_LIMIT, .spoilt = true};
	struct origin_h2_stream *s;

	TAILQ_FOREACH (s, &h->streams, link) {
		if (!s->is_held)
			continue;
		s->is_held = false;
		if (!begin(s, &s->held))
			origin_h2_stream_die(s, &no_memory);
	}
}

struct origin_h2_stream *origin_h2_stream_find(struct origin_h2 *h, int32_t id)
{
	struct origin_h2_stream *s;

	TAILQ_FOREACH (s, &h->streams, link) {
		if (s->id == id && !s->has_left)
			break;
	}
	return s;
}

/* Telling */

void origin_h2_stream_ready(struct origin_h2_stream *s)
{
	if (s->is_ready)
		return;
	s->is_ready = true;
	TAILQ_INSERT_TAIL(&s->session->ready, s, ready_link);
	origin_h2_defer(s->session);
}

void origin_h2_stream_tell(struct origin_h2_stream *s)
{
	MAGIC_CHECK(s, ORIGIN_H2_STREAM_MAGIC);
	if (s->dies) {
		s->dies = false;
		s->ops->died(s, &s->death);
		return;
	}
	if (s->waits && s->out.bytes == 0) {
		s->waits = false;
		s->ops->drained(s);
	}
	if (s->session != NULL)
		origin_h2_tell_kept(s);
}

/* Ends */

/* Nothing of it is sent any more. */
static void mute(struct origin_h2_stream *s)
{
	s->request = ORIGIN_H2_SENT;
	s->waits = s->is_held = false;
	s->now = (struct slice){0};
	h2_queue_clear(&s->out);
}

void origin_h2_stream_die(struct origin_h2_stream *s, const struct origin_h2_death *death)
{
	if (s->response == ORIGIN_H2_TOLD)
		return;
	s->death = *death;
	/* Whoever says so after it has begun to answer is not to be believed. */
	s->death.unacted = death->unacted && s->response == ORIGIN_H2_AWAITS;
	STREAM_TRACE(s, "dies: %s%s%s%s", reason_text(death->reason), death->detail ? ": " : "",
		     death->detail ? death->detail : "",
		     s->death.unacted ? ", not acted upon" : "");
	s->response = ORIGIN_H2_TOLD;
	h2_queue_clear(&s->in);
	mute(s);
	s->dies = true;
	origin_h2_stream_ready(s);
}

static void reset(struct origin_h2_stream *s, uint32_t code)
{
	struct origin_h2 *h = s->session;

	/* Without an id it was held, and nghttp2 has never known it. */
	if (s->has_left || s->id == 0 || h->state == ORIGIN_H2_OVER)
		return;
	s->has_left = true;
	nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
	origin_h2_is_fatal(h,
			   nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, s->id, code));
	origin_h2_defer(h);
}

void origin_h2_stream_spoil(struct origin_h2_stream *s, const char *why)
{
	const struct origin_h2_death death = {
	    .reason = REASON_ORIGIN_MALFORMED,
	    .detail = why,
	    .spoilt = true,
	};

	origin_h2_stream_die(s, &death);
	reset(s, NGHTTP2_PROTOCOL_ERROR);
}

/* RFC 9113 sections 7 and 8.7. */
static struct origin_h2_death death_of(const struct origin_h2_stream *s, uint32_t code)
{
	bool refused = code == NGHTTP2_REFUSED_STREAM || code == NGHTTP2_HTTP_1_1_REQUIRED;
	/* It is nghttp2 that says so of what the origin has sent. */
	bool malformed = code == NGHTTP2_PROTOCOL_ERROR;

	return (struct origin_h2_death){
	    .reason = malformed ? REASON_ORIGIN_MALFORMED : REASON_ORIGIN_RESET,
	    .detail = nghttp2_http2_strerror(code),
	    .unacted = refused || !s->was_sent,
	    .alone = true,
	    .spoilt = malformed,
	};
}

void origin_h2_stream_left(struct origin_h2_stream *s, uint32_t code)
{
	struct origin_h2_death death = death_of(s, code);

	s->has_left = true;
	mute(s);
	if (code == NGHTTP2_HTTP_1_1_REQUIRED)
		origin_h2_set_wants_h1(s->session);
	/* What is whole stays so, whatever the origin says of the rest of the request. */
	if (s->response != ORIGIN_H2_WHOLE)
		origin_h2_stream_die(s, &death);
}

void origin_h2_streams_refused(struct origin_h2 *h, int32_t above)
{
	const struct origin_h2_death death = {
	    .reason = REASON_ORIGIN_CLOSED,
	    .detail = "GOAWAY",
	    .unacted = true,
	};
	struct origin_h2_stream *s;

	TAILQ_FOREACH (s, &h->streams, link) {
		if (s->id <= above || s->has_left)
			continue;
		/* nghttp2 drops it itself, if it has not done so before. */
		nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
		s->has_left = true;
		origin_h2_stream_die(s, &death);
	}
}

void origin_h2_streams_end(struct origin_h2 *h)
{
	struct origin_h2_stream *s;

	TAILQ_FOREACH (s, &h->streams, link) {
		bool begun = s->response == ORIGIN_H2_RECEIVES;
		struct origin_h2_death death = {
		    .reason = begun && h->end_reason == REASON_ORIGIN_CLOSED
				  ? REASON_ORIGIN_TRUNCATED
				  : h->end_reason,
		    .detail = h->end_detail,
		    .unacted = !s->was_sent,
		    .vanished = h->vanished,
		};

		s->has_left = true;
		if (s->response == ORIGIN_H2_WHOLE)
			mute(s);
		else
			origin_h2_stream_die(s, &death);
	}
}

void origin_h2_stream_close(struct origin_h2_stream *s)
{
	struct origin_h2 *h = s->session;

	if (h == NULL)
		return;
	MAGIC_CHECK(s, ORIGIN_H2_STREAM_MAGIC);
	LOOP_ASSERT_OWNER(h->loop);
	/* The end of the request may not have gone yet, and needs no RST_STREAM in its place. */
	if (s->request == ORIGIN_H2_SENT && !s->end_sent && s->response >= ORIGIN_H2_WHOLE &&
	    !s->has_left && s->out.bytes == 0)
		origin_h2_write(h);
	mute(s);
	h2_queue_clear(&s->in);
	if (s->end_sent && s->response >= ORIGIN_H2_WHOLE && !s->has_left)
		nghttp2_session_set_stream_user_data(h->session, s->id, NULL);
	else
		reset(s, NGHTTP2_CANCEL);
	if (s->is_ready)
		TAILQ_REMOVE(&h->ready, s, ready_link);
	s->is_ready = s->dies = false;
	TAILQ_REMOVE(&h->streams, s, link);
	h->n_streams--;
	h->wide -= s->window.size - ORIGIN_H2_WINDOW_MIN;
	s->session = NULL;
	if (h->n_streams == 0 && h->state != ORIGIN_H2_OPEN)
		origin_h2_note(h);
}
