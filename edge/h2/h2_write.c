/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is written when. Frames come from nghttp2, which puts those of the more urgent streams first
 * (RFC 9218); their content comes straight from what the exchange pushes, without a copy, and many
 * frames go to the stream at once. While the stream does not take more, content waits in the queue
 * of its own stream, so that what is more urgent can still overtake it. Worker's loop only.
 *
 * Credit: each stream is granted a window, which grows while all of it is written at once and is
 * small again when it is not; all windows of a connection together are bounded.
 */
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/http/h2_output.h"
#include "edge/h2/h2_internal.h"

/* Of one stream: at least as much as keeps it going when there are many, and as much as is cheap
 * for bulk, as with HTTP/1.1. */
#define WINDOW_MIN (16 * 1024)
#define WINDOW_FIRST (64 * 1024)
#define WINDOW_MAX STREAM_READ_MAX
/* Of all streams of a connection, beyond WINDOW_MIN for each. */
#define WINDOWS_MAX (1024 * 1024)

static void give_to_stream(struct h2_output *out)
{
	struct edge_h2 *c = out->arg;

	if (out->n > 0) {
		edge_count(c->worker, EDGE_BYTES_SENT, (int64_t)out->bytes);
		c->write_waits = !stream_write(c->stream, out->v, (int)out->n);
	}
	h2_pace_update_conn(c);
}

ssize_t h2_write_control(struct edge_h2 *c, const uint8_t *data, size_t n)
{
	h2_output_add_control(c->output, data, n);
	return (ssize_t)n;
}

/* Content */

static size_t at_hand(const struct h2_stream *s)
{
	return s->down.bytes + s->now.n;
}

ssize_t h2_write_offer(struct h2_stream *s, size_t max, uint32_t *flags)
{
	size_t n = MIN(at_hand(s), max);
	bool all = n == at_hand(s) && s->response_side == H2_RESPONSE_ENDED;

	MAGIC_CHECK(s, H2_STREAM_MAGIC);
	if (n == 0 && !all) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (all)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (all && s->response_trailers != NULL) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		if (h2_response_trailers(s) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)n;
}

/* The next bytes of a stream, with the one who keeps them: kept ones are owed a drop. */
static struct slice next_piece(struct h2_stream *s, size_t max)
{
	struct slice piece;

	if (s->down.bytes > 0) {
		piece = h2_queue_take(&s->down, max);
		h2_hold(s->conn, -(ssize_t)piece.n);
		return piece;
	}
	piece = (struct slice){.p = s->now.p, .n = MIN(s->now.n, max)};
	s->now.p += piece.n;
	s->now.n -= piece.n;
	return piece;
}

/* Many short frames because the client's window lets through no more, with more at hand: that is
 * how to make a server work and hold memory (CVE-2019-9511). */
#define TINY 256

static void watch_size(struct h2_stream *s, size_t n)
{
	struct edge_h2 *c = s->conn;
	unsigned burst = h2_http(c)->h2.frames;

	h2_guard_forgive(&c->guard, H2_FLOOD_PING, 1, burst);
	if (n >= TINY || at_hand(s) == 0)
		h2_guard_forgive(&c->guard, H2_FLOOD_WINDOW_UPDATE, 4, burst);
	else if (!c->conn->client.is_edge &&
		 !h2_guard_count(&c->guard, H2_FLOOD_TINY_WINDOW, 1, burst, h2_now(c)))
		h2_flooded(c, H2_FLOOD_TINY_WINDOW);
}

int h2_write_content(struct h2_stream *s, const uint8_t *header, size_t n)
{
	struct edge_h2 *c = s->conn;
	struct h2_output *out = c->output;
	size_t left = n;

	MAGIC_CHECK(s, H2_STREAM_MAGIC);
	h2_output_add_header(out, header);
	while (left > 0) {
		struct slice piece = next_piece(s, left);

		h2_output_add_content(out, piece);
		left -= piece.n;
	}
	s->last_out = h2_now(c);
	c->priorities.flowed[s->urgency] = s->last_out;
	h2_pace_content_sent(s, n);
	watch_size(s, n);
	if (h2_output_is_much(out))
		h2_output_flush(out);
	/* One that is alone is granted when all that is being pushed was written, and then more at
	 * a time; of those that share the next content should be here when it is their turn again.
	 */
	if (s->down.bytes == 0 && (s->now.p == NULL || c->priorities.n[s->urgency] > 1))
		h2_write_grant(s);
	return c->write_waits && !out->last ? NGHTTP2_ERR_PAUSE : 0;
}

/* Writing */

static void write_all(struct edge_h2 *c, bool last)
{
	struct h2_output out;
	int rv;

	h2_output_init(&out, give_to_stream, c, last);
	c->output = &out;
	rv = nghttp2_session_send(c->session);
	h2_output_flush(&out);
	c->output = NULL;
	if (rv != 0)
		h2_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
}

void h2_write(struct edge_h2 *c)
{
	if (c->state == H2_ENDED || c->feeding || c->output != NULL || c->write_waits ||
	    !nghttp2_session_want_write(c->session))
		return;
	write_all(c, false);
}

void h2_write_last(struct edge_h2 *c)
{
	if (!c->feeding && c->output == NULL)
		write_all(c, true);
}

void h2_write_resume(struct h2_stream *s)
{
	if (s->deferred && !s->closed) {
		s->deferred = false;
		if (nghttp2_is_fatal(nghttp2_session_resume_data(s->conn->session, s->id)))
			h2_end(s->conn, REASON_LIMIT, EDGE_CLOSE_BREAK);
	}
	h2_defer(s->conn);
}

/* Credit */

static bool waits(const struct h2_stream *s, duration time)
{
	return h2_priority_waits(&s->conn->priorities, s->urgency, time, h2_now(s->conn));
}

/* The most that may be held for it: an even share for the most urgent of those that flow, what they
 * leave for the others. */
static size_t window_max(const struct h2_stream *s)
{
	const struct edge_h2 *c = s->conn;
	const struct h2_priorities *p = &c->priorities;
	size_t others = c->windows - s->window;

	if (s->flows && !waits(s, H2_PRIORITY_FLOWS))
		return WINDOWS_MAX / p->n[s->urgency];
	return WINDOWS_MAX - MIN(others, (size_t)WINDOWS_MAX);
}

static void set_window(struct h2_stream *s, size_t wanted)
{
	struct edge_h2 *c = s->conn;
	size_t others = c->windows - s->window;
	size_t max = MIN(window_max(s), (size_t)WINDOW_MAX);

	s->window = MAX(MIN(wanted, max), (size_t)WINDOW_MIN);
	c->windows = others + s->window;
}

static size_t room_at_client(const struct h2_stream *s)
{
	return (size_t)MAX(nghttp2_session_get_stream_remote_window_size(s->conn->session, s->id),
			   WINDOW_MIN);
}

static void hold_back(struct h2_stream *s)
{
	struct edge_h2 *c = s->conn;
	bool is_first = c->held_back == 0;

	c->held_back |= 1U << s->urgency;
	if (is_first)
		h2_look_within(c, H2_PRIORITY_ASKS);
}

/* Only once most of it was used: each grant is a call through all that stand between. */
void h2_write_grant(struct h2_stream *s)
{
	size_t here = s->granted + at_hand(s), window;

	if (s->closed || s->response_side > H2_RESPONSE_TUNNEL || here > s->window / 2)
		return;
	if (s->unasked || waits(s, H2_PRIORITY_FLOWS)) {
		hold_back(s);
		return;
	}
	if (s->window == 0)
		set_window(s, WINDOW_FIRST);
	/* What the client would not take now is not fetched either, but for a little. */
	window = MIN(s->window, room_at_client(s));
	if (here >= window)
		return;
	s->granted += window - here;
	s->leg.response->ops->grant(s->leg.response, window - here);
}

static void ask_held_back(struct h2_stream *s)
{
	if (s->unasked && !waits(s, H2_PRIORITY_ASKS))
		h2_request_ask(s);
}

/* Each stream is looked at only once there is one whose turn has come: that takes as long as some
 * of their requests, and what is more urgent would wait for it in every turn. */
void h2_write_grant_held_back(struct edge_h2 *c)
{
	if (c->held_back == 0)
		return;
	if (!h2_priority_may_go(&c->priorities, c->held_back, H2_PRIORITY_ASKS, h2_now(c))) {
		h2_look_within(c, H2_PRIORITY_ASKS);
		return;
	}
	c->held_back = 0;
	h2_each_stream(c, ask_held_back);
	h2_each_stream(c, h2_write_grant);
}

static void set_flowing(struct h2_stream *s, bool flows)
{
	struct edge_h2 *c = s->conn;

	if (s->flows == flows)
		return;
	s->flows = flows;
	c->priorities.n[s->urgency] += flows ? 1 : -1;
	c->priorities.flowed[s->urgency] = h2_now(c);
	if (!flows && c->held_back != 0)
		h2_defer(c);
}

void h2_write_begin(struct h2_stream *s)
{
	set_flowing(s, true);
	s->conn->held_back |= 1U << s->urgency;
	h2_defer(s->conn);
}

void h2_write_end(struct h2_stream *s)
{
	set_flowing(s, false);
}

void h2_write_set_urgency(struct h2_stream *s, unsigned urgency)
{
	bool flows = s->flows;

	set_flowing(s, false);
	s->urgency = urgency;
	if (s->conn->held_back != 0) /* it may be among them */
		s->conn->held_back |= 1U << urgency;
	set_flowing(s, flows);
}

void h2_write_push(struct h2_stream *s, struct slice slice)
{
	struct edge_h2 *c = s->conn;

	s->now = slice;
	h2_write_resume(s);
	h2_write(c);
	slice.n = s->now.n;
	slice.p = s->now.p;
	s->now = (struct slice){0};
	if (s->closed || s->response_side == H2_RESPONSE_MUTED)
		return;
	if (slice.n == 0) {
		if (s->granted <= s->window / 2)
			set_window(s, 2 * s->window);
		return;
	}
	set_window(s, MIN(s->window, (size_t)WINDOW_FIRST));
	if (h2_queue_put(&s->down, slice))
		h2_hold(c, (ssize_t)slice.n);
	else
		h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR, REASON_LIMIT);
}
