/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whether a client of HTTP/2 keeps pace: of each stream whether its content comes, and whether the
 * windows are opened for its response; of the connection whether what was written is acknowledged.
 * The turns are looked at when content comes or leave to send it, and at each tick of the
 * connection. Worker's loop only.
 */
#include "config/fleet.h"
#include "edge/conn/pacing.h"
#include "edge/h2/h2_internal.h"

static struct pace_terms sending_terms(const struct h2_stream *s)
{
	return edge_pacing_sending(h2_http(s->conn), s->response_side != H2_RESPONSE_AWAITED);
}

static struct pace_terms taking_terms(const struct edge_h2 *c)
{
	return edge_pacing_taking(h2_http(c));
}

/* Of content */

/* Other streams may have used up the connection's window, and their origins not have read it. */
static bool is_let_send(const struct h2_stream *s)
{
	nghttp2_session *session = s->conn->session;

	return nghttp2_session_get_stream_local_window_size(session, s->id) > 0 &&
	       nghttp2_session_get_local_window_size(session) > 0;
}

void h2_pace_begin(struct h2_stream *s)
{
	struct pace_terms sending = sending_terms(s), taking = taking_terms(s->conn);

	pace_init(&s->sending, &sending);
	pace_init(&s->taking, &taking);
	s->seen_sent = s->conn->content_sent;
}

void h2_pace_answered(struct h2_stream *s)
{
	struct pace_terms terms = sending_terms(s);

	pace_init(&s->sending, &terms);
	h2_pace_update(s);
}

void h2_pace_update(struct h2_stream *s)
{
	struct pace_terms terms = sending_terms(s);

	pace_turn(&s->sending, &terms, h2_request_is_due(s) && is_let_send(s), h2_now(s->conn));
}

void h2_pace_content_came(struct h2_stream *s, size_t n)
{
	struct pace_terms terms = sending_terms(s);

	pace_progress(&s->sending, &terms, n, h2_now(s->conn));
}

void h2_pace_check_sending(struct h2_stream *s)
{
	struct pace_terms terms = sending_terms(s);
	mono_time now = h2_now(s->conn);

	h2_pace_update(s);
	if (s->sending.runs && pace_left(&s->sending, now).ns <= 0)
		h2_request_failed(
		    s, edge_pacing_reason(&s->sending, &terms, now, REASON_CLIENT_BODY_TIMEOUT));
}

/* Of the response */

void h2_pace_content_sent(struct h2_stream *s, size_t n)
{
	struct pace_terms terms = taking_terms(s->conn);

	s->conn->content_sent += n;
	pace_progress(&s->taking, &terms, n, h2_now(s->conn));
}

/* There is something to be written that the client's window does not let through: its own, or the
 * connection's. If that is the connection's, what others got through it is progress too: that they
 * go first is no reason to give up. */
void h2_pace_check_taking(struct h2_stream *s)
{
	struct edge_h2 *c = s->conn;
	struct pace_terms terms = taking_terms(c);
	bool own = nghttp2_session_get_stream_remote_window_size(c->session, s->id) <= 0;
	bool shut = own || nghttp2_session_get_remote_window_size(c->session) <= 0;
	mono_time now = h2_now(c);

	if (!own)
		pace_progress(&s->taking, &terms, c->content_sent - s->seen_sent, now);
	s->seen_sent = c->content_sent;
	pace_turn(&s->taking, &terms, shut && s->down.bytes > 0 && !c->write_waits, now);
	if (s->taking.runs && pace_left(&s->taking, now).ns <= 0)
		h2_stream_reset(
		    s, NGHTTP2_CANCEL,
		    edge_pacing_reason(&s->taking, &terms, now, REASON_CLIENT_WRITE_TIMEOUT));
}

/* Of the connection */

void h2_pace_begin_conn(struct edge_h2 *c)
{
	struct pace_terms terms = taking_terms(c);

	pace_init(&c->taking, &terms);
}

void h2_pace_update_conn(struct edge_h2 *c)
{
	struct pace_terms terms = taking_terms(c);

	pace_turn(&c->taking, &terms, c->write_waits, h2_now(c));
}

void h2_pace_check_conn(struct edge_h2 *c, uint64_t acked)
{
	struct pace_terms terms = taking_terms(c);
	mono_time now = h2_now(c);

	if (acked > c->acked)
		pace_progress(&c->taking, &terms, acked - c->acked, now);
	c->acked = acked;
	if (c->taking.runs && pace_left(&c->taking, now).ns <= 0)
		h2_end(c, edge_pacing_reason(&c->taking, &terms, now, REASON_CLIENT_WRITE_TIMEOUT),
		       EDGE_CLOSE_BREAK);
}
