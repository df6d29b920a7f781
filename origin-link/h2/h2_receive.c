/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What comes in on a stream: heads, content as far as it is granted, trailers, the end. Content is
 * told as it is read, without a copy; what comes before its credit is kept, and only what was taken
 * is given back to the stream's window. To the connection's it is given back at once: a client that
 * does not read is not to hold up the others. What is kept is bounded by the streams' windows, of
 * which the sum is. One loop.
 */
#include "core/base/check.h"
#include "core/http/h2_fields.h"
#include "origin-link/h2/h2_internal.h"

/* Windows */

static void widen_conn(struct origin_h2 *h, size_t n)
{
	if (!h2_window_taken(&h->window, n) ||
	    !h2_window_emptied(&h->window, ORIGIN_H2_WINDOW_MAX, origin_h2_rtt(h),
			       origin_h2_now(h)))
		return;
	origin_h2_is_fatal(h, nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE,
								    0, (int32_t)h->window.size));
}

void origin_h2_consume(struct origin_h2 *h, size_t n)
{
	if (n == 0 || h->state == ORIGIN_H2_OVER)
		return;
	widen_conn(h, n);
	if (!origin_h2_is_fatal(h, nghttp2_session_consume_connection(h->session, n)))
		origin_h2_defer(h);
}

/* How wide a stream's may be: half of what the others leave is for those that come. */
static size_t window_most(const struct origin_h2_stream *s)
{
	size_t others = s->session->wide - (s->window.size - ORIGIN_H2_WINDOW_MIN);
	size_t left = ORIGIN_H2_WIDE_MAX - others;

	return MIN(ORIGIN_H2_WINDOW_MIN + left / 2, ORIGIN_H2_WINDOW_MAX);
}

/* It was `before`. */
static void window_changed(struct origin_h2_stream *s, size_t before)
{
	struct origin_h2 *h = s->session;

	h->wide += s->window.size - before;
	origin_h2_is_fatal(h, nghttp2_session_set_local_window_size(
				  h->session, NGHTTP2_FLAG_NONE, s->id, (int32_t)s->window.size));
}

/* The origin may send as much more on the stream. */
static void consume_stream(struct origin_h2_stream *s, size_t n)
{
	struct origin_h2 *h = s->session;
	size_t before = s->window.size;

	if (s->has_left || s->response != ORIGIN_H2_RECEIVES || h->state == ORIGIN_H2_OVER)
		return;
	if (h2_window_taken(&s->window, n) &&
	    h2_window_emptied(&s->window, window_most(s), origin_h2_rtt(h), origin_h2_now(h)))
		window_changed(s, before);
	if (!origin_h2_is_fatal(h, nghttp2_session_consume_stream(h->session, s->id, n)))
		origin_h2_defer(h);
}

void origin_h2_open_wide(struct origin_h2_stream *s)
{
	size_t before = s->window.size;

	s->window.size = MAX(MIN(s->session->first_window, window_most(s)), before);
	if (s->window.size > before)
		window_changed(s, before);
}

/* Heads */

void origin_h2_begin_section(struct origin_h2_stream *s)
{
	if (s->response != ORIGIN_H2_AWAITS)
		return;
	/* One in the arena for each, so that an informational one outlives the next. */
	s->head = arena_alloc(s->arena, sizeof(*s->head));
	if (s->head == NULL)
		return;
	http_head_init(s->head, s->arena);
	h2_response_init(&s->parser, s->head, s->limits, s->is_head, s->is_connect);
}

bool origin_h2_field(struct origin_h2_stream *s, struct span name, struct span value)
{
	if (s->response == ORIGIN_H2_AWAITS && s->head != NULL) {
		h2_response_add(&s->parser, name, value);
		s->bad = s->parser.why;
	} else if (s->response == ORIGIN_H2_RECEIVES && s->bad == NULL &&
		   !h2_trailer_add(&s->trailers, s->arena, s->limits, &s->trailer_bytes, name,
				   value)) {
		s->bad = "malformed or too many trailers";
	}
	if (s->bad != NULL)
		origin_h2_stream_spoil(s, s->bad);
	return s->bad == NULL;
}

static void tell_informational(struct origin_h2_stream *s)
{
	struct http_head *head = s->head;

	s->head = NULL;
	s->informational_bytes += s->parser.bytes;
	if (s->informational_bytes > s->limits->head_bytes)
		origin_h2_stream_spoil(s, "too many informational responses");
	else
		s->ops->head(s, head, false);
}

static void tell_final(struct origin_h2_stream *s, bool end)
{
	struct http_head *head = s->head;

	s->has_length = head->framing == HTTP_FRAMING_LENGTH;
	s->length_left = head->content_length;
	s->response = ORIGIN_H2_RECEIVES;
	if (end && head->framing != HTTP_FRAMING_TUNNEL)
		s->response = ORIGIN_H2_TOLD;
	s->ops->head(s, head, s->response == ORIGIN_H2_TOLD);
	if (end && s->session != NULL && s->response == ORIGIN_H2_RECEIVES)
		origin_h2_end_of_content(s);
}

void origin_h2_section(struct origin_h2_stream *s, bool end)
{
	if (s->response == ORIGIN_H2_RECEIVES && end) {
		origin_h2_end_of_content(s);
		return;
	}
	if (s->response != ORIGIN_H2_AWAITS)
		return;
	if (s->head == NULL)
		origin_h2_stream_spoil(s, "no memory for the head");
	else if (!h2_response_finish(&s->parser, end))
		origin_h2_stream_spoil(s, s->parser.why);
	else if (s->head->status < 200)
		tell_informational(s);
	else
		tell_final(s, end);
}

/* Content */

/* The end, when all that comes before it was told. */
static void tell_end(struct origin_h2_stream *s)
{
	s->response = ORIGIN_H2_TOLD;
	if (s->trailers.n > 0)
		s->ops->trailers(s, &s->trailers);
	else
		s->ops->content(s, (struct slice){0}, true);
}

static void push(struct origin_h2_stream *s, struct slice slice, bool end)
{
	CHECK(slice.n <= s->credit);
	s->credit -= slice.n;
	if (end)
		s->response = ORIGIN_H2_TOLD;
	else
		consume_stream(s, slice.n);
	s->ops->content(s, slice, end);
}

void origin_h2_content(struct origin_h2_stream *s, const uint8_t *data, size_t n, bool last)
{
	origin_h2_consume(s->session, n);
	if (s->response != ORIGIN_H2_RECEIVES)
		return;
	if (s->has_length) {
		/* nghttp2 has seen that it is not more. */
		s->length_left -= MIN(n, s->length_left);
		last = last && s->length_left == 0;
	}
	/* What was pushed may have been answered with new credit. */
	while (n > 0 && s->session != NULL && s->response == ORIGIN_H2_RECEIVES &&
	       s->in.bytes == 0 && s->credit > 0) {
		struct slice slice = {.p = (const char *)data, .n = MIN(n, s->credit)};

		data += slice.n;
		n -= slice.n;
		push(s, slice, last && n == 0);
	}
	if (n > 0 && s->session != NULL && s->response == ORIGIN_H2_RECEIVES &&
	    !h2_queue_put(&s->in, (struct slice){.p = (const char *)data, .n = n}))
		origin_h2_stream_spoil(s, "no memory for content");
}

void origin_h2_end_of_content(struct origin_h2_stream *s)
{
	if (s->response != ORIGIN_H2_RECEIVES || (s->has_length && s->length_left > 0))
		return;
	if (s->bad != NULL)
		origin_h2_stream_spoil(s, s->bad);
	else if (s->in.bytes > 0)
		s->response = ORIGIN_H2_WHOLE;
	else
		tell_end(s);
}

void origin_h2_stream_grant(struct origin_h2_stream *s, size_t n)
{
	if (s->session == NULL || s->response > ORIGIN_H2_WHOLE)
		return;
	s->credit += n;
	if (s->in.bytes > 0)
		origin_h2_stream_ready(s);
}

void origin_h2_tell_kept(struct origin_h2_stream *s)
{
	while (s->session != NULL && s->in.bytes > 0 && s->credit > 0) {
		struct slice slice = h2_queue_take(&s->in, s->credit);
		bool end = s->response == ORIGIN_H2_WHOLE && s->in.bytes == 0 && s->trailers.n == 0;

		push(s, slice, end);
		slice_drop(&slice);
	}
	if (s->session != NULL && s->in.bytes == 0 && s->response == ORIGIN_H2_WHOLE)
		tell_end(s);
}
