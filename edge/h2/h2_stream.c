/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The life of one stream, from its HEADERS to the end of its exchange. It dies at the end of the
 * turn in which nghttp2 has closed it, so that whoever is just pushing into it finds it. Worker's
 * loop only.
 */
#define LOG_MODULE LOG_HTTP
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/h2/h2_internal.h"
#include "edge/node/view.h"

struct h2_stream *h2_stream_open(struct edge_h2 *c, int32_t id)
{
	struct h2_stream *s = calloc(1, sizeof(*s));
	struct flow_ends ends;

	if (s == NULL)
		return NULL;
	ends = (struct flow_ends){.request = &s->source, .response = &s->sink};
	s->exchange = edge_exchange_open(c->worker, &c->conn->client, ends, &s->leg);
	if (s->exchange == NULL) {
		free(s);
		return NULL;
	}
	s->magic = H2_STREAM_MAGIC;
	s->id = id;
	s->conn = c;
	s->source.ops = &h2_source_ops;
	s->sink.ops = &h2_sink_ops;
	s->request = edge_exchange_head(s->exchange);
	s->urgency = H2_URGENCY_DEFAULT;
	h2_head_init(&s->parser, s->request, &edge_exchange_view(s->exchange)->limits);
	h2_queue_init(&s->up);
	h2_queue_init(&s->down);
	h2_pace_begin(s);
	TAILQ_INSERT_TAIL(&c->streams, s, link);
	c->n_streams++;
	return s;
}

static void drop_queues(struct h2_stream *s)
{
	struct edge_h2 *c = s->conn;

	h2_request_drop_kept(s);
	h2_request_leave_window(s);
	h2_hold(c, -(ssize_t)s->down.bytes);
	h2_queue_clear(&s->down);
	s->now = (struct slice){0};
	h2_write_end(s);
	c->windows -= s->window;
	s->window = 0;
}

static enum reason reason_of(const struct h2_stream *s, uint32_t code)
{
	if (s->end_reason != REASON_NONE)
		return s->end_reason;
	if (code == NGHTTP2_NO_ERROR && s->response_side == H2_RESPONSE_ENDED)
		return REASON_DONE;
	return REASON_CLIENT_RESET;
}

/* It is freed at the end of the turn. */
static void leave(struct h2_stream *s, uint32_t code)
{
	struct edge_h2 *c = s->conn;

	s->end_reason = reason_of(s, code);
	s->closed = true;
	if (c->in_head == s)
		c->in_head = NULL;
	drop_queues(s);
	TAILQ_REMOVE(&c->streams, s, link);
	TAILQ_INSERT_TAIL(&c->closed, s, link);
	c->n_streams--;
	h2_defer(c);
}

void h2_stream_closed(struct h2_stream *s, uint32_t code)
{
	/* nghttp2 has refused its head. */
	if (s->request_side == H2_REQUEST_HEAD)
		h2_request_refuse(s, 0);
	leave(s, code);
}

/* Streams that linger */

void h2_stream_reset_lingering(struct edge_h2 *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, c->lingering[i],
					  NGHTTP2_NO_ERROR);
	c->n_lingering -= n;
	memmove(c->lingering, c->lingering + n, c->n_lingering * sizeof(c->lingering[0]));
}

void h2_stream_lingers_no_more(struct edge_h2 *c, int32_t id)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < c->n_lingering; i++) {
		if (c->lingering[i] != id)
			c->lingering[kept++] = c->lingering[i];
	}
	c->n_lingering = kept;
}

void h2_stream_linger(struct h2_stream *s)
{
	struct edge_h2 *c = s->conn;

	if (c->n_lingering == H2_LINGERING_MAX)
		h2_stream_reset_lingering(c, 1);
	c->lingering[c->n_lingering++] = s->id;
	nghttp2_session_set_stream_user_data(c->session, s->id, NULL);
	leave(s, NGHTTP2_NO_ERROR);
	h2_look_within(c, H2_LINGER);
}

void h2_stream_free(struct h2_stream *s)
{
	MAGIC_CHECK(s, H2_STREAM_MAGIC);
	/* It was a request all the same, and there is a line in the log. */
	s->closed = true;
	if (s->unasked)
		h2_request_ask(s);
	edge_exchange_close(&s->exchange, s->end_reason);
	s->magic = MAGIC_DEAD;
	free(s);
}

void h2_stream_reset(struct h2_stream *s, uint32_t code, enum reason reason)
{
	struct edge_h2 *c = s->conn;

	if (s->closed || s->response_side == H2_RESPONSE_MUTED)
		return;
	log_debug("%s: stream %d is reset: %s, %s", net_addr_shown(&c->conn->client.addr), s->id,
		  nghttp2_http2_strerror(code), reason_text(reason));
	if (s->end_reason == REASON_NONE)
		s->end_reason = reason;
	s->response_side = H2_RESPONSE_MUTED;
	drop_queues(s);
	if (nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, s->id, code) != 0)
		h2_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
	h2_defer(c);
}

static bool is_past(mono_time since, duration limit, mono_time now)
{
	return mono_reached(mono_add(since, limit), now);
}

void h2_stream_check_time(struct h2_stream *s)
{
	const struct cfg_http *http = h2_http(s->conn);
	mono_time now = h2_now(s->conn);

	if (s->response_side == H2_RESPONSE_MUTED)
		return;
	if (s->response_side == H2_RESPONSE_TUNNEL) {
		mono_time last = s->last_in.ns > s->last_out.ns ? s->last_in : s->last_out;

		if (is_past(last, http->timeout.tunnel, now))
			h2_stream_reset(s, NGHTTP2_CANCEL, REASON_TUNNEL_IDLE_TIMEOUT);
		return;
	}
	h2_pace_check_taking(s);
	if (s->response_side != H2_RESPONSE_MUTED)
		h2_pace_check_sending(s);
}
