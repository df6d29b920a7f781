/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests off an HTTP/2 connection, from fields and DATA to the exchange. The client is given
 * windows as the exchange grants: what it has sent beyond that is kept, and only what the exchange
 * has taken is given back to the windows. Worker's loop only.
 *
 * By a connection of another edge many clients send: to its own window all is given back at once,
 * so that none waits for another one's origin. What is kept of them is bounded by the windows of
 * the streams: WINDOW_MIN of each, and WIDE_MAX of all together.
 */
#define LOG_MODULE LOG_HTTP
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/h2_fields.h"
#include "edge/h2/h2_internal.h"
#include "edge/node/view.h"

/* What a stream begins with, as RFC 9113 has it, and how far its window grows while the exchange
 * takes all at once. */
#define WINDOW_MIN 65535
#define WINDOW_MAX (512 * 1024)
/* What the windows of another edge's streams have above the least, in sum: as much as 64 that go at
 * full speed. */
#define WIDE_MAX (32 * 1024 * 1024)
/* A header section so far over the limit is no accident: reading the rest would be work for
 * nothing, as one byte of HPACK can stand for kilobytes. */
#define HEAD_EXCESS 4

/* The exchange's word on the request's content */

static struct h2_stream *of_source(struct flow_source *source)
{
	struct h2_stream *s = CONTAINER_OF(source, struct h2_stream, source);

	MAGIC_CHECK(s, H2_STREAM_MAGIC);
	return s;
}

/* Of one that was reset nothing goes on: what comes after the gap would look like its end. */
static bool takes_content(const struct h2_stream *s)
{
	if (s->closed || s->response_side == H2_RESPONSE_MUTED)
		return false;
	return s->request_side == H2_REQUEST_CONTENT || s->request_side == H2_REQUEST_TUNNEL;
}

/* Half of what the others leave is for those that come: origins that cease to read leave some. */
static size_t window_most(const struct h2_stream *s)
{
	const struct edge_h2 *c = s->conn;
	size_t others = c->wide - (s->request_window - WINDOW_MIN);

	if (!c->conn->client.is_edge)
		return WINDOW_MAX;
	return MIN(WINDOW_MIN + (WIDE_MAX - others) / 2, (size_t)WINDOW_MAX);
}

/* The window follows what the exchange would take. */
static void widen(struct h2_stream *s)
{
	size_t wanted;

	if (s->all_here || !takes_content(s))
		return;
	wanted = MIN(s->request_credit, window_most(s));
	if (wanted < 2 * s->request_window)
		return;
	if (nghttp2_session_set_local_window_size(s->conn->session, NGHTTP2_FLAG_NONE, s->id,
						  (int32_t)wanted) == 0) {
		s->conn->wide += wanted - s->request_window;
		s->request_window = wanted;
	}
}

void h2_request_leave_window(struct h2_stream *s)
{
	if (s->request_window > WINDOW_MIN)
		s->conn->wide -= s->request_window - WINDOW_MIN;
	s->request_window = WINDOW_MIN;
}

static void source_grant(struct flow_source *source, size_t n)
{
	struct h2_stream *s = of_source(source);

	if (s->closed)
		return;
	s->request_credit += n;
	widen(s);
	h2_pace_update(s);
	if (s->up.bytes > 0 || s->all_here)
		s->conn->up_waits = true;
	h2_defer(s->conn);
}

/* It was taken, or will never be. Of another edge's it was given back when it came. 0, or nghttp2's
 * error. */
static int consume_connection(struct edge_h2 *c, size_t n)
{
	if (n == 0 || c->conn->client.is_edge)
		return 0;
	return nghttp2_session_consume_connection(c->session, n);
}

void h2_request_drop_kept(struct h2_stream *s)
{
	consume_connection(s->conn, s->up.bytes);
	h2_hold(s->conn, -(ssize_t)s->up.bytes);
	h2_queue_clear(&s->up);
}

static void source_stop(struct flow_source *source, enum reason reason)
{
	struct h2_stream *s = of_source(source);
	bool tunnel = s->request_side == H2_REQUEST_TUNNEL;

	if (s->closed || s->request_side == H2_REQUEST_ENDED ||
	    s->request_side == H2_REQUEST_UNWANTED)
		return;
	s->request_side = H2_REQUEST_UNWANTED;
	h2_request_drop_kept(s);
	/* Some of what the client has sent may be lost: it must see that. */
	if (tunnel && reason != REASON_DONE)
		h2_stream_reset(s, NGHTTP2_INTERNAL_ERROR, reason);
	h2_defer(s->conn);
}

const struct flow_source_ops h2_source_ops = {.grant = source_grant, .stop = source_stop};

/* Heads */

static void trailer_field(struct h2_stream *s, struct span name, struct span value)
{
	const struct h1_limits *limits = &edge_exchange_view(s->exchange)->limits;

	if (s->trailers_bad || !takes_content(s))
		return;
	s->trailers_bad = !h2_trailer_add(&s->trailers, s->request->arena, limits,
					  &s->trailer_bytes, name, value);
}

void h2_request_field(struct h2_stream *s, struct span name, struct span value)
{
	if (s->request_side != H2_REQUEST_HEAD) {
		trailer_field(s, name, value);
		return;
	}
	h2_head_add(&s->parser, name, value);
	if (s->parser.bytes > HEAD_EXCESS * s->parser.limits->head_bytes)
		h2_flooded(s->conn, H2_FLOOD_HEADER_LIST);
}

/* From here on it is a request: it is counted, and there is a line in the log. */
static void begin(struct h2_stream *s, enum h2_request_side side)
{
	s->request_side = side;
	edge_conn_set_stage(s->conn->conn, EDGE_BUSY);
}

void h2_request_refuse(struct h2_stream *s, int status)
{
	begin(s, H2_REQUEST_UNWANTED);
	if (status == 0)
		h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR, REASON_CLIENT_MALFORMED);
	edge_exchange_refuse(s->exchange, status != 0 ? status : 400, REASON_CLIENT_MALFORMED);
}

/* What HTTP/1.1 needs beside the fields of an extended CONNECT (RFC 8441 section 5). */
static bool complete_websocket(struct h2_stream *s)
{
	struct http_head *head = s->request;

	if (!h2_head_is_websocket(&s->parser) || head->framing != HTTP_FRAMING_TUNNEL)
		return true;
	websocket_key(s->websocket_key);
	return s->websocket_key[0] != '\0' &&
	       http_fields_add(&head->fields, head->arena, SPAN("Sec-WebSocket-Key"),
			       (struct span){s->websocket_key, WEBSOCKET_KEY});
}

static void take_priority(struct h2_stream *s)
{
	const struct http_field *field;
	unsigned from = 0;

	while ((field = http_fields_find(&s->request->fields, SPAN("Priority"), &from)) != NULL)
		h2_write_set_urgency(s, h2_priority_urgency(field->value, s->urgency));
	h2_session_take_early_priority(s);
}

void h2_request_head(struct h2_stream *s, bool end)
{
	struct http_head *head = s->request;
	enum h2_verdict verdict = h2_head_finish(&s->parser, end);

	if (verdict != H2_HEAD_OK)
		log_debug("%s: bad request: %s", net_addr_shown(&s->conn->conn->client.addr),
			  s->parser.why);
	if (verdict == H2_HEAD_MALFORMED) {
		h2_request_refuse(s, 0);
		return;
	}
	if (verdict == H2_HEAD_REFUSED) {
		h2_request_refuse(s, s->parser.status);
		return;
	}
	if (!complete_websocket(s)) {
		h2_request_refuse(s, 503);
		return;
	}
	take_priority(s);
	head->scheme = s->conn->conn->client.scheme;
	s->request_window = WINDOW_MIN;
	s->all_here = end;
	if (head->framing == HTTP_FRAMING_TUNNEL)
		begin(s, H2_REQUEST_ASKED);
	else
		begin(s, end ? H2_REQUEST_ENDED : H2_REQUEST_CONTENT);
	h2_write_begin(s);
	s->unasked = true;
	/* Content that comes while others go first would have to be kept. */
	if (s->request_side != H2_REQUEST_ENDED)
		h2_request_ask(s);
}

void h2_request_ask(struct h2_stream *s)
{
	s->unasked = false;
	s->leg.request->ops->head(s->leg.request, s->request, s->request_side == H2_REQUEST_ENDED);
}

/* Content */

/* Likewise, to the stream's window too. */
static void consume(struct h2_stream *s, size_t n)
{
	int rv = consume_connection(s->conn, n);

	if (rv == 0 && !s->closed)
		rv = nghttp2_session_consume_stream(s->conn->session, s->id, n);
	if (nghttp2_is_fatal(rv))
		h2_end(s->conn, REASON_LIMIT, EDGE_CLOSE_BREAK);
}

static void push(struct h2_stream *s, struct slice slice)
{
	size_t n = slice.n;

	CHECK(n <= s->request_credit);
	s->request_credit -= n;
	s->leg.request->ops->body(s->leg.request, slice, false);
	consume(s, n);
}

static void keep(struct h2_stream *s, const uint8_t *data, size_t n)
{
	if (n == 0)
		return;
	if (!h2_queue_put(&s->up, (struct slice){.p = (const char *)data, .n = n})) {
		consume(s, n);
		h2_request_failed(s, REASON_LIMIT);
		return;
	}
	h2_hold(s->conn, (ssize_t)n);
}

void h2_request_content(struct h2_stream *s, const uint8_t *data, size_t n)
{
	if (s->request_side == H2_REQUEST_UNWANTED || s->request_side == H2_REQUEST_ENDED ||
	    s->response_side == H2_RESPONSE_MUTED) {
		consume_connection(s->conn, n);
		return;
	}
	s->content_began = true;
	s->last_in = h2_now(s->conn);
	h2_pace_content_came(s, n);
	/* What was pushed may have been answered with new credit. */
	while (n > 0 && takes_content(s) && s->up.bytes == 0 && s->request_credit > 0) {
		size_t at_once = MIN(n, s->request_credit);

		push(s, (struct slice){.p = (const char *)data, .n = at_once});
		data += at_once;
		n -= at_once;
	}
	if (s->request_side == H2_REQUEST_UNWANTED)
		consume_connection(s->conn, n);
	else
		keep(s, data, n);
	h2_pace_update(s);
}

static void push_end(struct h2_stream *s)
{
	struct flow_sink *to = s->leg.request;

	s->request_side = H2_REQUEST_ENDED;
	if (s->trailers.n > 0)
		to->ops->trailers(to, &s->trailers);
	else
		to->ops->body(to, (struct slice){0}, true);
}

void h2_request_end(struct h2_stream *s)
{
	s->all_here = true;
	if (s->trailers_bad) {
		h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR, REASON_CLIENT_MALFORMED);
		h2_request_failed(s, REASON_CLIENT_MALFORMED);
	} else if (takes_content(s) && s->up.bytes == 0) {
		push_end(s);
	}
}

void h2_request_take_kept(struct h2_stream *s)
{
	while (takes_content(s) && s->up.bytes > 0 && s->request_credit > 0) {
		struct slice slice = h2_queue_take(&s->up, s->request_credit);

		h2_hold(s->conn, -(ssize_t)slice.n);
		push(s, slice);
		slice_drop(&slice);
	}
	if (takes_content(s) && s->up.bytes == 0 && s->all_here)
		push_end(s);
	h2_pace_update(s);
}

void h2_request_failed(struct h2_stream *s, enum reason reason)
{
	if (s->request_side == H2_REQUEST_ENDED || s->request_side == H2_REQUEST_UNWANTED)
		return;
	s->request_side = H2_REQUEST_UNWANTED;
	h2_request_drop_kept(s);
	s->leg.request->ops->reset(s->leg.request, reason);
}

/* One that waits for leave to send waits for the origin, but who has begun does not wait. */
bool h2_request_is_due(const struct h2_stream *s)
{
	return s->request_side == H2_REQUEST_CONTENT && s->request_credit > 0 && s->up.bytes == 0 &&
	       !s->all_here && (!s->request->expect_continue || s->informed || s->content_began);
}
