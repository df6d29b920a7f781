/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A client's HTTP/1.1 connection: request after request until one of the two has enough. It is the
 * source of the requests and the sink of the responses; the exchange is between. How they are read
 * and written is in h1_request.c and h1_reply.c; here is the connection's life. Worker's loop only.
 *
 * It owns the exchange at hand; between requests it has none, and no buffer. A client that closes
 * its side in good order (close_notify, or a FIN without TLS) after a whole request still gets the
 * response. Every end goes through h1_end(), and the object is freed at the end of the turn.
 */
#define LOG_MODULE LOG_HTTP
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/conn/early.h"
#include "edge/conn/pacing.h"
#include "edge/conn/reason.h"
#include "edge/h1/h1_internal.h"
#include "edge/node/view.h"

/* For the first request of a connection that was in its handshake when the program was told to
 * stop. */
#define LAST_REQUEST_WAIT DUR_S(1)

const struct cfg_http *h1_http(const struct edge_h1 *c)
{
	return &edge_view_current(&c->worker->common->views)->fleet->http;
}

static const char *state_text(enum h1_state state)
{
	static const char *const texts[] = {
	    [H1_IDLE] = "idle",
	    [H1_HEAD] = "head",
	    [H1_EXCHANGE] = "exchange",
	    [H1_ENDED] = "ended",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

void h1_set_state(struct edge_h1 *c, enum h1_state state)
{
	enum h1_state from = c->state;

	c->state = state;
	if (from != state)
		log_debug("%s: %s, now %s", net_addr_shown(&c->conn->client.addr), state_text(from),
			  state_text(state));
}

/* The end of a connection */

void h1_end(struct edge_h1 *c, enum reason reason, enum edge_close how)
{
	if (c->state == H1_ENDED)
		return;
	h1_set_state(c, H1_ENDED);
	c->end_reason = reason;
	c->end_how = how;
	deadline_clear(&c->deadline);
	loop_defer(c->worker->loop, &c->turn);
}

static void conn_free(struct edge_h1 *c)
{
	struct edge_conn *conn = c->conn;

	CHECK(c->state == H1_ENDED);
	if (c->message)
		edge_exchange_close(&c->message->exchange, c->end_reason);
	free(c->message);
	deadline_fini(&c->deadline);
	loop_task_cancel(c->worker->loop, &c->turn);
	edge_conn_end(&conn, c->end_reason, c->end_how);
	free(c->kept);
	c->magic = MAGIC_DEAD;
	free(c);
}

/* Flow */

void h1_update_reading(struct edge_h1 *c)
{
	bool wanted = h1_wanted(c) > 0;

	if (c->state == H1_ENDED || c->reading == wanted)
		return;
	c->reading = wanted;
	if (wanted)
		stream_resume(c->stream);
	else
		stream_pause(c->stream);
}

/* Content is awaited, there is room for it, and it is the client's turn: one that waits for leave
 * to send it waits for the origin, but who has begun does not wait. */
static bool content_is_due(const struct h1_message *m)
{
	bool has_room = m->request_credit > 0 || h1_body_in_trailers(&m->body);

	return m->request_side == H1_REQUEST_CONTENT && has_room &&
	       (!m->request->expect_continue || m->informed || m->content_began);
}

static struct pace_terms sending_terms(const struct edge_h1 *c)
{
	return edge_pacing_sending(h1_http(c), c->message->response_side != H1_RESPONSE_AWAITED);
}

static struct pace_terms taking_terms(const struct edge_h1 *c)
{
	return edge_pacing_taking(h1_http(c));
}

void h1_begin_paces(struct edge_h1 *c)
{
	struct pace_terms sending = sending_terms(c), taking = taking_terms(c);

	pace_init(&c->message->sending, &sending);
	pace_init(&c->message->taking, &taking);
}

/* What the client was behind by when a rate was asked is forgiven. */
void h1_pace_answered(struct edge_h1 *c)
{
	struct pace_terms terms = sending_terms(c);

	if (c->message->request_side != H1_REQUEST_CONTENT)
		return;
	pace_init(&c->message->sending, &terms);
	h1_update_deadline(c);
}

void h1_content_progress(struct edge_h1 *c, size_t n)
{
	struct pace_terms terms = sending_terms(c);

	pace_progress(&c->message->sending, &terms, n, loop_now(c->worker->loop));
}

/* What the client has acknowledged since that was last looked at is what it took. */
static void look_at_taking(struct edge_h1 *c)
{
	struct pace_terms terms = taking_terms(c);
	uint64_t acked = edge_pacing_acked(c->conn);

	if (c->message->taking.runs && acked > c->acked)
		pace_progress(&c->message->taking, &terms, acked - c->acked,
			      loop_now(c->worker->loop));
	c->acked = acked;
}

static void update_turns(struct edge_h1 *c)
{
	struct pace_terms sending = sending_terms(c), taking = taking_terms(c);
	mono_time now = loop_now(c->worker->loop);
	struct h1_message *m = c->message;

	if (m->taking.runs != c->write_waits)
		look_at_taking(c);
	pace_turn(&m->taking, &taking, c->write_waits, now);
	pace_turn(&m->sending, &sending, content_is_due(m) && !c->write_waits, now);
}

static bool is_tunnel(const struct h1_message *m)
{
	return m->request_side == H1_REQUEST_TUNNEL || m->response_side == H1_RESPONSE_TUNNEL;
}

void h1_update_deadline(struct edge_h1 *c)
{
	mono_time now = loop_now(c->worker->loop);
	const struct h1_message *m = c->message;

	if (c->state != H1_EXCHANGE)
		return;
	if (is_tunnel(m)) {
		deadline_set(&c->deadline, h1_http(c)->timeout.tunnel);
		return;
	}
	update_turns(c);
	if (m->taking.runs)
		deadline_set(&c->deadline, pace_left(&m->taking, now));
	else if (m->sending.runs)
		deadline_set(&c->deadline, pace_left(&m->sending, now));
	else
		deadline_clear(&c->deadline);
}

/* From the stream */

/* A line that does not even fit into the buffer that it is to be read into, whatever the limit. */
static void refuse_line(struct edge_h1 *c)
{
	if (c->state == H1_HEAD)
		h1_refuse(c, 431, REASON_CLIENT_MALFORMED);
	else
		h1_content_failed(c, REASON_CLIENT_MALFORMED);
}

/* Reads once; false when there is nothing more for now. */
static bool read_once(struct edge_h1 *c)
{
	char *buf = c->worker->buffers->plain;
	size_t room = STREAM_READ_MAX - c->kept_len;
	ssize_t n;

	if (room == 0) {
		refuse_line(c);
		return false;
	}
	n = stream_read(c->stream, buf + c->kept_len, MIN(room, h1_wanted(c)));
	if (n == STREAM_AGAIN)
		return false;
	if (n == STREAM_EOF) {
		h1_reached_eof(c);
		return false;
	}
	if (n < 0) {
		h1_end(c, edge_client_reason(stream_fault(c->stream)), EDGE_CLOSE_BREAK);
		return false;
	}
	edge_count(c->worker, EDGE_BYTES_RECEIVED, n);
	if (c->kept_len > 0)
		memcpy(buf, c->kept, c->kept_len);
	h1_take_bytes(c, buf, c->kept_len + (size_t)n);
	return true;
}

static void on_readable(void *arg)
{
	struct edge_h1 *c = arg;

	MAGIC_CHECK(c, H1_MAGIC);
	while (h1_wanted(c) > 0 && read_once(c))
		;
	h1_update_reading(c);
}

static void on_drained(void *arg)
{
	struct edge_h1 *c = arg;

	MAGIC_CHECK(c, H1_MAGIC);
	h1_drained(c);
}

static void on_failed(void *arg)
{
	struct edge_h1 *c = arg;

	MAGIC_CHECK(c, H1_MAGIC);
	h1_end(c, edge_client_reason(stream_fault(c->stream)), EDGE_CLOSE_BREAK);
}

static void on_handshaken(void *arg)
{
	struct edge_h1 *c = arg;

	MAGIC_CHECK(c, H1_MAGIC);
	edge_conn_handshaken(c->conn);
}

static const struct stream_ops stream_ops = {
    .handshaken = on_handshaken,
    .readable = on_readable,
    .drained = on_drained,
    .failed = on_failed,
};

/* Time */

static void check_taking(struct edge_h1 *c)
{
	struct pace_terms terms = taking_terms(c);
	mono_time now = loop_now(c->worker->loop);
	const struct pace *pace = &c->message->taking;

	look_at_taking(c);
	if (pace_left(pace, now).ns > 0)
		h1_update_deadline(c);
	else
		h1_end(c, edge_pacing_reason(pace, &terms, now, REASON_CLIENT_WRITE_TIMEOUT),
		       EDGE_CLOSE_BREAK);
}

static void check_sending(struct edge_h1 *c)
{
	struct pace_terms terms = sending_terms(c);
	mono_time now = loop_now(c->worker->loop);
	const struct pace *pace = &c->message->sending;

	if (pace_left(pace, now).ns > 0)
		h1_update_deadline(c);
	else
		h1_content_failed(
		    c, edge_pacing_reason(pace, &terms, now, REASON_CLIENT_BODY_TIMEOUT));
}

static void exchange_deadline(struct edge_h1 *c)
{
	const struct h1_message *m = c->message;

	if (is_tunnel(m))
		h1_end(c, REASON_TUNNEL_IDLE_TIMEOUT, EDGE_CLOSE_ORDERLY);
	else if (c->write_waits)
		check_taking(c);
	else
		check_sending(c);
}

static void on_deadline(struct deadline *deadline)
{
	struct edge_h1 *c = CONTAINER_OF(deadline, struct edge_h1, deadline);

	MAGIC_CHECK(c, H1_MAGIC);
	switch (c->state) {
	case H1_IDLE:
		h1_end(c, REASON_CLIENT_IDLE_TIMEOUT, EDGE_CLOSE_ORDERLY);
		break;
	case H1_HEAD:
		/* An empty line is not yet a request. */
		if (h1_head_started(&c->message->parser))
			h1_refuse(c, 408, REASON_CLIENT_HEAD_TIMEOUT);
		else
			h1_end(c, REASON_CLIENT_IDLE_TIMEOUT, EDGE_CLOSE_ORDERLY);
		break;
	case H1_EXCHANGE:
		exchange_deadline(c);
		break;
	case H1_ENDED:
		break;
	}
	h1_update_reading(c);
}

/* The end of a turn */

/* The response was written: on to the next request, which may be here already. */
static void next_request(struct edge_h1 *c)
{
	const struct h1_message *m = c->message;

	if (m->close_after || m->request_side != H1_REQUEST_ENDED || c->client_eof ||
	    edge_conn_is_over(c->conn)) {
		h1_end(c, REASON_DONE, EDGE_CLOSE_ORDERLY);
		return;
	}
	edge_exchange_close(&c->message->exchange, REASON_DONE);
	free(c->message);
	c->message = NULL;
	h1_set_state(c, H1_IDLE);
	edge_conn_set_stage(c->conn, EDGE_IDLE);
	deadline_set(&c->deadline, h1_http(c)->timeout.keep_alive);
	if (c->kept_len > 0)
		h1_take_kept(c);
}

/* Of a tunnel both sides must have ended; of a message the response. */
static bool exchange_is_over(const struct edge_h1 *c)
{
	const struct h1_message *m = c->message;

	return c->state == H1_EXCHANGE && m->response_side == H1_RESPONSE_ENDED &&
	       m->request_side != H1_REQUEST_TUNNEL && !c->write_waits;
}

/* More of what was kept can be dealt with than when it was. */
static bool kept_has_its_turn(const struct edge_h1 *c)
{
	const struct h1_message *m = c->message;

	if (c->state != H1_EXCHANGE || c->kept_len == 0)
		return false;
	switch (m->request_side) {
	case H1_REQUEST_CONTENT:
	case H1_REQUEST_TUNNEL:
		return m->request_credit > 0;
	case H1_REQUEST_SKIPPED:
	case H1_REQUEST_UNWANTED:
		return true;
	default:
		return false;
	}
}

static void on_turn(struct loop_task *task)
{
	struct edge_h1 *c = CONTAINER_OF(task, struct edge_h1, turn);

	MAGIC_CHECK(c, H1_MAGIC);
	if (kept_has_its_turn(c))
		h1_take_kept(c);
	if (exchange_is_over(c))
		next_request(c);
	if (c->state == H1_ENDED) {
		conn_free(c);
		return;
	}
	h1_update_deadline(c);
	h1_update_reading(c);
}

/* For admission and the worker */

static void conn_drain(struct edge_conn *conn, enum reason reason)
{
	struct edge_h1 *c = conn->protocol;

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->state == H1_IDLE)
		h1_end(c, reason, EDGE_CLOSE_ORDERLY);
	else if (c->state == H1_HEAD && reason == REASON_CLIENT_DISPLACED)
		h1_end(c, reason, EDGE_CLOSE_BREAK);
}

static void conn_destroy(struct edge_conn *conn, enum reason reason)
{
	struct edge_h1 *c = conn->protocol;

	MAGIC_CHECK(c, H1_MAGIC);
	h1_end(c, reason, EDGE_CLOSE_BREAK);
	conn_free(c);
}

static const struct edge_conn_ops conn_ops = {
    .drain = conn_drain,
    .destroy = conn_destroy,
};

static void start(struct edge_conn *conn, char *bytes, size_t n)
{
	struct edge_worker *w = conn->worker;
	struct edge_h1 *c = xcalloc(1, sizeof(*c));

	c->magic = H1_MAGIC;
	c->conn = conn;
	c->worker = w;
	c->stream = conn->stream;
	c->reading = true;
	c->source.ops = &h1_source_ops;
	c->sink.ops = &h1_sink_ops;
	c->turn.run = on_turn;
	deadline_init(&c->deadline, w->loop, on_deadline);
	conn->ops = &conn_ops;
	conn->protocol = c;
	stream_hand_over(conn->stream, &stream_ops, c);
	deadline_set(&c->deadline,
		     w->stopping ? LAST_REQUEST_WAIT : h1_http(c)->timeout.keep_alive);
	if (n > 0) {
		h1_take_bytes(c, bytes, n);
		h1_update_reading(c);
	}
}

const struct edge_protocol edge_h1_protocol = {
    .alpn = "http/1.1",
    .name = "HTTP/1.1",
    .start = start,
};
