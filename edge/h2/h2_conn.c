/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A client's HTTP/2 connection: its life, its deadlines, and the way of bytes between its stream
 * and nghttp2. Worker's loop only.
 *
 * It owns its streams, each with its exchange. Between requests it has neither, and no buffer.
 * Every end goes through h2_end(), and the object is freed at the end of the turn. It leaves in two
 * steps (RFC 9113 section 6.8): a notice first, so that requests on their way are still served.
 */
#define LOG_MODULE LOG_HTTP
#include <stdlib.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/http/relay_field.h"
#include "edge/conn/early.h"
#include "edge/conn/pacing.h"
#include "edge/conn/reason.h"
#include "edge/h2/h2.h"
#include "edge/h2/h2_internal.h"
#include "edge/node/view.h"

/* For the first request of a connection that was in its handshake when the program was told to
 * stop, and for the client's word that it has seen our notice. */
#define LAST_WAIT DUR_S(1)
/* What is read at once: four records. Uploads are bounded by their windows. */
#define READ_MAX (64 * 1024)
/* Frames that wait to be written, beside content: while the client does not take them, nothing more
 * is read that would lead to others. */
#define UNSENT_FRAMES_MAX 256
/* How often the streams are looked at in the shortest of their times. */
#define LOOKS 8

const struct cfg_http *h2_http(const struct edge_h2 *c)
{
	return &edge_view_current(&c->worker->common->views)->fleet->http;
}

mono_time h2_now(const struct edge_h2 *c)
{
	return loop_now(c->worker->loop);
}

void h2_defer(struct edge_h2 *c)
{
	loop_defer(c->worker->loop, &c->turn);
}

void h2_each_stream(struct edge_h2 *c, void (*visit)(struct h2_stream *))
{
	struct h2_stream *s;

	CHECK(!c->feeding);
	c->feeding = true;
	TAILQ_FOREACH (s, &c->streams, link)
		visit(s);
	c->feeding = false;
}

void h2_hold(struct edge_h2 *c, ssize_t n)
{
	if (n == 0)
		return;
	c->held += (size_t)n;
	stream_hold(c->stream, c->held);
}

static const char *state_text(enum h2_state state)
{
	static const char *const texts[] = {
	    [H2_IDLE] = "idle",
	    [H2_HEAD] = "head",
	    [H2_BUSY] = "busy",
	    [H2_ENDED] = "ended",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

static void set_state(struct edge_h2 *c, enum h2_state state)
{
	enum h2_state from = c->state;

	c->state = state;
	if (from != state)
		log_debug("%s: %s, now %s", net_addr_shown(&c->conn->client.addr), state_text(from),
			  state_text(state));
}

/* The end of a connection */

void h2_end(struct edge_h2 *c, enum reason reason, enum edge_close how)
{
	if (c->state == H2_ENDED)
		return;
	set_state(c, H2_ENDED);
	c->end_reason = reason;
	c->end_how = how;
	deadline_clear(&c->deadline);
	h2_defer(c);
}

void h2_terminate(struct edge_h2 *c, uint32_t code, enum reason reason)
{
	if (c->state == H2_ENDED || c->leaving == H2_OVER)
		return;
	c->leaving = H2_OVER;
	c->end_reason = reason;
	if (nghttp2_session_terminate_session(c->session, code) != 0)
		h2_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
	h2_defer(c);
}

void h2_flooded(struct edge_h2 *c, enum h2_flood kind)
{
	if (c->state == H2_ENDED || c->leaving == H2_OVER)
		return;
	edge_count(c->worker, EDGE_H2_FLOOD_RESET + kind, 1);
	LOG_LIMITED(LOG_LEVEL_WARN, "an HTTP/2 connection of %s is ended: a flood (%s)",
		    c->conn->client.ip, h2_flood_text(kind));
	h2_terminate(c, NGHTTP2_ENHANCE_YOUR_CALM, REASON_CLIENT_FLOOD);
}

_Static_assert(EDGE_H2_FLOOD_RESET + H2_FLOOD_UNKNOWN == EDGE_H2_FLOOD_UNKNOWN &&
		   EDGE_H2_FLOOD_RESET + H2_FLOOD_TINY_WINDOW == EDGE_H2_FLOOD_TINY_WINDOW,
	       "h2_flooded() finds the counter of a kind by its number");

static void free_closed(struct edge_h2 *c)
{
	struct h2_stream *s;

	while ((s = TAILQ_FIRST(&c->closed)) != NULL) {
		TAILQ_REMOVE(&c->closed, s, link);
		h2_stream_free(s);
	}
}

static void free_streams(struct edge_h2 *c)
{
	struct h2_stream *s;

	free_closed(c);
	while ((s = TAILQ_FIRST(&c->streams)) != NULL) {
		TAILQ_REMOVE(&c->streams, s, link);
		h2_queue_clear(&s->up);
		h2_queue_clear(&s->down);
		if (s->end_reason == REASON_NONE)
			s->end_reason = c->end_reason;
		h2_stream_free(s);
	}
}

static void conn_free(struct edge_h2 *c)
{
	struct edge_conn *conn = c->conn;

	CHECK(c->state == H2_ENDED);
	if (c->end_how == EDGE_CLOSE_ORDERLY)
		h2_write_last(c);
	free_streams(c);
	nghttp2_session_del(c->session);
	deadline_fini(&c->deadline);
	loop_task_cancel(c->worker->loop, &c->turn);
	edge_conn_end(&conn, c->end_reason, c->end_how);
	c->magic = MAGIC_DEAD;
	free(c);
}

/* Leaving */

static duration left_to_leave(const struct edge_h2 *c)
{
	return DUR_NS(MAX(mono_since(c->leave_at, h2_now(c)).ns, 0));
}

/* A head that is being read keeps its own time, and what it has begun is served: the streams are
 * looked at once it is whole. */
static void await_word(struct edge_h2 *c)
{
	c->leave_at = mono_add(h2_now(c), LAST_WAIT);
	if (c->state == H2_IDLE)
		deadline_set(&c->deadline, LAST_WAIT);
	else
		h2_look_within(c, LAST_WAIT);
}

static void give_notice(struct edge_h2 *c, enum reason reason)
{
	static const uint8_t opaque[8] = "leaving";

	if (c->leaving != H2_STAYS)
		return;
	c->leaving = H2_NOTICED;
	c->end_reason = reason;
	if (nghttp2_submit_shutdown_notice(c->session) != 0 ||
	    nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, opaque) != 0)
		h2_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
	else
		await_word(c);
	h2_defer(c);
}

/* Another edge always has something under way. */
static void leave_if_stopping(struct edge_h2 *c)
{
	if (c->state != H2_ENDED && c->worker->stopping &&
	    (c->n_streams == 0 || c->conn->client.is_edge))
		give_notice(c, REASON_SHUTDOWN);
}

void h2_leave(struct edge_h2 *c)
{
	int32_t last = nghttp2_session_get_last_proc_stream_id(c->session);

	c->leaving = H2_GONE;
	c->last = last;
	if (nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0) !=
	    0)
		h2_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
	h2_defer(c);
}

/* Bytes */

static void fed(struct edge_h2 *c, ssize_t rv)
{
	switch (rv) {
	case NGHTTP2_ERR_FLOODED:
		h2_flooded(c, H2_FLOOD_PING);
		break;
	case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
		h2_flooded(c, H2_FLOOD_CONTINUATION);
		break;
	case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
		h2_terminate(c, NGHTTP2_PROTOCOL_ERROR, REASON_CLIENT_MALFORMED);
		break;
	default:
		h2_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
		break;
	}
}

static void feed(struct edge_h2 *c, const char *bytes, size_t n)
{
	ssize_t rv;

	c->feeding = true;
	rv = nghttp2_session_mem_recv(c->session, (const uint8_t *)bytes, n);
	c->feeding = false;
	if (rv < 0)
		fed(c, rv);
}

static bool wants_bytes(const struct edge_h2 *c)
{
	if (c->state == H2_ENDED || c->leaving == H2_OVER)
		return false;
	return !c->write_waits ||
	       nghttp2_session_get_outbound_queue_size(c->session) <= UNSENT_FRAMES_MAX;
}

/* Reads once; false when there is nothing more for now. */
static bool read_once(struct edge_h2 *c)
{
	char *buf = c->worker->buffers->plain;
	ssize_t n = stream_read(c->stream, buf, READ_MAX);

	if (n == STREAM_AGAIN)
		return false;
	if (n == STREAM_EOF) {
		h2_end(c, c->leaving == H2_STAYS ? REASON_CLIENT_CLOSED : c->end_reason,
		       EDGE_CLOSE_ORDERLY);
		return false;
	}
	if (n < 0) {
		h2_end(c, edge_client_reason(stream_fault(c->stream)), EDGE_CLOSE_BREAK);
		return false;
	}
	edge_count(c->worker, EDGE_BYTES_RECEIVED, n);
	feed(c, buf, (size_t)n);
	h2_write(c);
	return true;
}

static void update_reading(struct edge_h2 *c)
{
	bool wanted = wants_bytes(c);

	if (c->state == H2_ENDED || c->reading == wanted)
		return;
	c->reading = wanted;
	if (wanted)
		stream_resume(c->stream);
	else
		stream_pause(c->stream);
}

static void on_readable(void *arg)
{
	struct edge_h2 *c = arg;

	MAGIC_CHECK(c, H2_MAGIC);
	while (wants_bytes(c) && read_once(c))
		;
	h2_defer(c);
}

static void on_drained(void *arg)
{
	struct edge_h2 *c = arg;

	MAGIC_CHECK(c, H2_MAGIC);
	c->write_waits = false;
	h2_pace_update_conn(c);
	h2_write(c);
	h2_defer(c);
}

static void on_failed(void *arg)
{
	struct edge_h2 *c = arg;

	MAGIC_CHECK(c, H2_MAGIC);
	h2_end(c, edge_client_reason(stream_fault(c->stream)), EDGE_CLOSE_BREAK);
}

static void on_handshaken(void *arg)
{
	struct edge_h2 *c = arg;

	MAGIC_CHECK(c, H2_MAGIC);
	edge_conn_handshaken(c->conn);
}

static const struct stream_ops stream_ops = {
    .handshaken = on_handshaken,
    .readable = on_readable,
    .drained = on_drained,
    .failed = on_failed,
};

/* Time */

/* What the client has acknowledged is what it took. */
static void check_write(struct edge_h2 *c)
{
	if (c->write_waits)
		h2_pace_check_conn(c, edge_pacing_acked(c->conn));
}

static duration tick(const struct edge_h2 *c)
{
	const struct cfg_http *http = h2_http(c);
	int64_t least =
	    MIN(MIN(http->timeout.body.ns, http->timeout.write.ns), http->timeout.tunnel.ns);

	least = MAX(least / LOOKS, 1);
	if (c->n_lingering > 0)
		least = MIN(least, H2_LINGER.ns);
	if (c->held_back != 0)
		least = MIN(least, H2_PRIORITY_ASKS.ns);
	if (c->leaving == H2_NOTICED)
		least = MIN(least, left_to_leave(c).ns);
	return DUR_NS(least);
}

void h2_look_within(struct edge_h2 *c, duration after)
{
	mono_time now = h2_now(c), at = mono_add(now, after);

	if (c->look.ns == 0 || at.ns < c->look.ns)
		c->look = at;
	if (c->state == H2_BUSY)
		deadline_set(&c->deadline, DUR_NS(MAX(mono_since(c->look, now).ns, 0)));
}

static void look_at_streams(struct edge_h2 *c)
{
	c->look = (mono_time){0};
	h2_each_stream(c, h2_stream_check_time);
	check_write(c);
	h2_stream_reset_lingering(c, c->n_lingering);
	h2_write_grant_held_back(c);
	if (c->leaving == H2_NOTICED && left_to_leave(c).ns == 0)
		h2_leave(c);
	if (c->state == H2_BUSY)
		h2_look_within(c, tick(c));
	h2_defer(c);
}

static void on_deadline(struct deadline *deadline)
{
	struct edge_h2 *c = CONTAINER_OF(deadline, struct edge_h2, deadline);

	MAGIC_CHECK(c, H2_MAGIC);
	switch (c->state) {
	case H2_IDLE:
		if (c->leaving == H2_STAYS)
			give_notice(c, REASON_CLIENT_IDLE_TIMEOUT);
		else if (c->leaving == H2_NOTICED)
			h2_leave(c);
		break;
	case H2_HEAD:
		h2_terminate(c, NGHTTP2_ENHANCE_YOUR_CALM, REASON_CLIENT_HEAD_TIMEOUT);
		break;
	case H2_BUSY:
		look_at_streams(c);
		break;
	case H2_ENDED:
		break;
	}
}

/* The end of a turn */

static void take_kept(struct edge_h2 *c)
{
	c->up_waits = false;
	h2_each_stream(c, h2_request_take_kept);
}

static enum h2_state state_now(const struct edge_h2 *c)
{
	if (c->in_head != NULL)
		return H2_HEAD;
	return c->n_streams > 0 || c->n_lingering > 0 || c->write_waits ? H2_BUSY : H2_IDLE;
}

/* Between two requests. Another edge closes what it does not need, unless it has vanished. */
static duration keep_alive(const struct edge_h2 *c)
{
	if (c->conn->client.is_edge)
		return DUR_NS(RELAY_IDLE.ns + DUR_S(60).ns);
	return h2_http(c)->timeout.keep_alive;
}

static void enter(struct edge_h2 *c, enum h2_state state)
{
	const struct cfg_http *http = h2_http(c);

	set_state(c, state);
	switch (state) {
	case H2_IDLE:
		c->look = (mono_time){0};
		edge_conn_set_stage(c->conn, EDGE_IDLE);
		if (c->leaving == H2_STAYS)
			deadline_set(&c->deadline, keep_alive(c));
		else if (c->leaving == H2_NOTICED)
			deadline_set(&c->deadline, left_to_leave(c));
		else
			deadline_set(&c->deadline, LAST_WAIT);
		break;
	case H2_HEAD:
		deadline_set(&c->deadline, http->timeout.head);
		break;
	case H2_BUSY:
		h2_look_within(c, tick(c));
		break;
	case H2_ENDED:
		break;
	}
}

/* Nothing more will be read or written. */
static bool is_over(const struct edge_h2 *c)
{
	return !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session);
}

static void on_turn(struct loop_task *task)
{
	struct edge_h2 *c = CONTAINER_OF(task, struct edge_h2, turn);

	MAGIC_CHECK(c, H2_MAGIC);
	if (c->state != H2_ENDED && c->up_waits)
		take_kept(c);
	if (c->state != H2_ENDED)
		h2_write_grant_held_back(c);
	h2_write(c);
	free_closed(c);
	leave_if_stopping(c);
	if (c->state != H2_ENDED && (is_over(c) || c->leaving == H2_OVER))
		h2_end(c, c->leaving == H2_STAYS ? REASON_DONE : c->end_reason, EDGE_CLOSE_ORDERLY);
	if (c->state == H2_ENDED) {
		conn_free(c);
		return;
	}
	if (state_now(c) != c->state)
		enter(c, state_now(c));
	update_reading(c);
	/* What has just been made to wait for the end of a turn. */
	if (!TAILQ_EMPTY(&c->closed) || c->up_waits)
		h2_defer(c);
}

/* For admission and the worker */

static void conn_drain(struct edge_conn *conn, enum reason reason)
{
	struct edge_h2 *c = conn->protocol;

	MAGIC_CHECK(c, H2_MAGIC);
	if (c->state == H2_ENDED)
		return;
	if (reason != REASON_CLIENT_DISPLACED)
		give_notice(c, reason);
	else if (c->state == H2_IDLE)
		h2_terminate(c, NGHTTP2_NO_ERROR, reason);
	else if (c->state == H2_HEAD && c->n_streams == 1)
		h2_end(c, reason, EDGE_CLOSE_BREAK);
}

static void conn_destroy(struct edge_conn *conn, enum reason reason)
{
	struct edge_h2 *c = conn->protocol;

	MAGIC_CHECK(c, H2_MAGIC);
	h2_end(c, reason, EDGE_CLOSE_BREAK);
	conn_free(c);
}

static const struct edge_conn_ops conn_ops = {
    .drain = conn_drain,
    .destroy = conn_destroy,
};

static void start(struct edge_conn *conn, char *bytes, size_t n)
{
	struct edge_worker *w = conn->worker;
	struct edge_h2 *c = xcalloc(1, sizeof(*c));

	c->magic = H2_MAGIC;
	c->conn = conn;
	c->worker = w;
	c->stream = conn->stream;
	c->reading = true;
	c->turn.run = on_turn;
	h2_pace_begin_conn(c);
	TAILQ_INIT(&c->streams);
	TAILQ_INIT(&c->closed);
	deadline_init(&c->deadline, w->loop, on_deadline);
	conn->ops = &conn_ops;
	conn->protocol = c;
	stream_hand_over(conn->stream, &stream_ops, c);
	edge_count(w, EDGE_H2_CONNECTIONS, 1);
	c->session = h2_session_create(c);
	if (c->session == NULL) {
		h2_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
		return;
	}
	deadline_set(&c->deadline, w->stopping ? LAST_WAIT : keep_alive(c));
	if (n > 0)
		feed(c, bytes, n);
	h2_defer(c);
}

const struct edge_protocol edge_h2_protocol = {
    .alpn = "h2",
    .name = "HTTP/2",
    .start = start,
};
