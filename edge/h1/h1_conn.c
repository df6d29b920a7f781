/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A client's connection: request after request until one of the two has enough. It is the source of
 * the request's content and the sink of the response; the exchange is between. What goes in and out
 * is client_h1_message.c's. Worker's loop only.
 *
 * It owns the stream, the arena and the view's pin of the exchange at hand; between requests it has
 * neither, and no buffer. What arrives ahead of its turn (pipelining) is kept, and the stream
 * paused, so that no more than one read is ever kept.
 *
 * A client that closes its side in good order (close_notify) after a whole request still gets the
 * response. Every other end goes through edge_h1_end(), and the object is freed at the end of the
 * turn.
 */
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "edge/conn/reason.h"
#include "edge/h1/h1_internal.h"

/* One TLS record: so much is read at once while a head is awaited. */
#define HEAD_READ_MAX (16 * 1024)
/* For the first request of a connection that was in its handshake when the program was told to
 * stop. */
#define LAST_REQUEST_WAIT DUR_S(1)

const struct cfg_http *edge_h1_http(const struct edge_h1 *c)
{
	const struct edge_view *view = c->view;

	if (view == NULL)
		view = edge_view_current(&c->worker->common->views);
	return &view->fleet->http;
}

/* The end of a connection */

void edge_h1_end(struct edge_h1 *c, enum reason reason, bool orderly)
{
	if (c->state == H1_ENDED)
		return;
	c->state = H1_ENDED;
	c->end_reason = reason;
	c->end_orderly = orderly;
	deadline_clear(&c->deadline);
	loop_defer(c->worker->loop, &c->turn);
}

static void end_exchange(struct edge_h1 *c, enum reason reason)
{
	if (c->exchange != NULL)
		edge_exchange_finish(&c->exchange, reason);
	arena_fini(&c->arena);
	edge_view_unpin(&c->view, c->worker->loop);
}

static void conn_free(struct edge_h1 *c)
{
	struct edge_worker *w = c->worker;
	struct edge_conn *conn = c->conn;

	end_exchange(c, c->end_reason);
	deadline_fini(&c->deadline);
	loop_task_cancel(w->loop, &c->turn);
	edge_conn_end(&conn, c->end_reason, c->end_orderly ? EDGE_CLOSE_ORDERLY : EDGE_CLOSE_BREAK);
	free(c->kept);
	c->magic = MAGIC_DEAD;
	free(c);
}

/* Flow */

static bool wants_bytes(const struct edge_h1 *c)
{
	switch (c->state) {
	case H1_IDLE:
	case H1_HEAD:
		return !c->client_eof;
	case H1_EXCHANGE:
		if (c->client_eof)
			return false;
		/* After the request one read ahead, which also tells when the client goes away. */
		return c->request_ended ? c->kept_len == 0 && !c->close_after : !c->origin_waits;
	default:
		return false;
	}
}

void edge_h1_update_reading(struct edge_h1 *c)
{
	bool wanted = wants_bytes(c);

	if (c->state == H1_ENDED || c->reading == wanted)
		return;
	c->reading = wanted;
	if (wanted)
		stream_resume(c->stream);
	else
		stream_pause(c->stream);
}

static uint64_t bytes_acked(const struct edge_h1 *c)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(stream_fd(c->stream), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return 0;
	return info.tcpi_bytes_acked;
}

/* The deadline of an exchange: whichever side of the client it waits for. While it waits for the
 * origin only, time is the origin link's business. */
void edge_h1_update_deadline(struct edge_h1 *c)
{
	if (c->state != H1_EXCHANGE)
		return;
	if (c->write_waits) {
		c->acked = bytes_acked(c);
		deadline_set(&c->deadline, edge_h1_http(c)->timeout.write);
	} else if (!c->request_ended && !c->origin_waits) {
		deadline_set(&c->deadline, edge_h1_http(c)->timeout.body);
	} else {
		deadline_clear(&c->deadline);
	}
}

/* From the stream. */

/* A line that does not even fit into the buffer that it is to be read into, whatever the limit. */
static void refuse_line(struct edge_h1 *c)
{
	if (c->state == H1_HEAD)
		edge_h1_refuse(c, 431, REASON_CLIENT_MALFORMED);
	else
		edge_h1_end(c, REASON_LIMIT, false);
}

static void reached_eof(struct edge_h1 *c)
{
	c->client_eof = true;
	if (c->state == H1_EXCHANGE && c->request_ended)
		c->close_after = true;
	else
		edge_h1_end(c, REASON_CLIENT_CLOSED, c->state != H1_EXCHANGE);
}

/* Reads once; false when there is nothing more for now. */
static bool read_once(struct edge_h1 *c)
{
	char *buf = c->worker->buffers->plain;
	bool body = c->state == H1_EXCHANGE && !c->request_ended;
	ssize_t n;

	if (c->kept_len > STREAM_READ_MAX - HEAD_READ_MAX) {
		refuse_line(c);
		return false;
	}
	n = stream_read(c->stream, buf + c->kept_len,
			body ? STREAM_READ_MAX - c->kept_len : HEAD_READ_MAX);
	if (n == STREAM_AGAIN)
		return false;
	if (n == STREAM_EOF) {
		reached_eof(c);
		return false;
	}
	if (n < 0) {
		edge_h1_end(c, edge_client_reason(stream_fault(c->stream)), false);
		return false;
	}
	edge_count(c->worker, EDGE_BYTES_RECEIVED, n);
	if (c->kept_len > 0)
		memcpy(buf, c->kept, c->kept_len);
	edge_h1_take_bytes(c, buf, c->kept_len + (size_t)n);
	return true;
}

static void on_readable(void *arg)
{
	struct edge_h1 *c = arg;

	MAGIC_CHECK(c, H1_MAGIC);
	while (wants_bytes(c) && read_once(c))
		;
	edge_h1_update_reading(c);
}

static void on_drained(void *arg)
{
	struct edge_h1 *c = arg;
	struct http_source *source;

	MAGIC_CHECK(c, H1_MAGIC);
	c->write_waits = false;
	if (c->state != H1_EXCHANGE)
		return;
	edge_h1_update_deadline(c);
	if (c->response_ended) {
		loop_defer(c->worker->loop, &c->turn);
	} else if (c->source_waits) {
		c->source_waits = false;
		source = edge_exchange_source(c->exchange);
		source->ops->resume(source);
	}
}

static void on_failed(void *arg)
{
	struct edge_h1 *c = arg;

	MAGIC_CHECK(c, H1_MAGIC);
	edge_h1_end(c, edge_client_reason(stream_fault(c->stream)), false);
}

static const struct stream_ops stream_ops = {
    .readable = on_readable,
    .drained = on_drained,
    .failed = on_failed,
};

static void write_deadline(struct edge_h1 *c)
{
	/* A slow client is no dead one, as long as it acknowledges something. */
	if (bytes_acked(c) != c->acked)
		edge_h1_update_deadline(c);
	else
		edge_h1_end(c, REASON_CLIENT_WRITE_TIMEOUT, false);
}

static void on_deadline(struct deadline *deadline)
{
	struct edge_h1 *c = CONTAINER_OF(deadline, struct edge_h1, deadline);

	MAGIC_CHECK(c, H1_MAGIC);
	switch (c->state) {
	case H1_IDLE:
		edge_h1_end(c, REASON_CLIENT_IDLE_TIMEOUT, true);
		break;
	case H1_HEAD:
		/* An empty line is not yet a request. */
		if (!h1_head_started(&c->parser)) {
			edge_h1_end(c, REASON_CLIENT_IDLE_TIMEOUT, true);
			break;
		}
		edge_h1_refuse(c, 408, REASON_CLIENT_HEAD_TIMEOUT);
		edge_h1_update_reading(c);
		break;
	case H1_EXCHANGE:
		if (c->write_waits) {
			write_deadline(c);
			break;
		}
		edge_h1_body_failed(c, REASON_CLIENT_BODY_TIMEOUT);
		edge_h1_update_reading(c);
		break;
	case H1_ENDED:
		break;
	}
}

/* The response was written: on to the next request, which may be here already. */
static void next_request(struct edge_h1 *c)
{
	bool close = c->close_after || !c->request_ended || c->worker->stopping;
	char *kept = c->kept;
	size_t len = c->kept_len;

	if (close) {
		edge_h1_end(c, REASON_DONE, true);
		return;
	}
	end_exchange(c, REASON_DONE);
	c->state = H1_IDLE;
	edge_conn_set_stage(c->conn, EDGE_IDLE);
	deadline_set(&c->deadline, edge_h1_http(c)->timeout.keep_alive);
	if (len > 0) {
		c->kept = NULL;
		c->kept_len = 0;
		edge_h1_take_bytes(c, kept, len);
		free(kept);
	}
	edge_h1_update_reading(c);
}

static void on_turn(struct loop_task *task)
{
	struct edge_h1 *c = CONTAINER_OF(task, struct edge_h1, turn);

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->state == H1_EXCHANGE) {
		edge_h1_flush(c);
		if (c->response_ended && !c->write_waits)
			next_request(c);
	}
	if (c->state == H1_ENDED)
		conn_free(c);
}

/* For the worker. */

static void conn_drain(struct edge_conn *conn, enum reason reason)
{
	struct edge_h1 *c = conn->protocol;

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->state == H1_IDLE)
		edge_h1_end(c, reason, true);
}

static void conn_destroy(struct edge_conn *conn, enum reason reason)
{
	struct edge_h1 *c = conn->protocol;

	MAGIC_CHECK(c, H1_MAGIC);
	edge_h1_end(c, reason, false);
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
	c->state = H1_IDLE;
	c->conn = conn;
	c->worker = w;
	c->stream = conn->stream;
	c->reading = true;
	c->source.ops = &edge_h1_source_ops;
	c->sink.ops = &edge_h1_sink_ops;
	c->turn.run = on_turn;
	deadline_init(&c->deadline, w->loop, on_deadline);
	conn->ops = &conn_ops;
	conn->protocol = c;
	stream_hand_over(conn->stream, &stream_ops, c);
	deadline_set(&c->deadline,
		     w->stopping ? LAST_REQUEST_WAIT : edge_h1_http(c)->timeout.keep_alive);
	if (n > 0) {
		edge_h1_take_bytes(c, bytes, n);
		edge_h1_update_reading(c);
	}
}

const struct edge_protocol edge_h1_protocol = {
    .alpn = "http/1.1",
    .name = "HTTP/1.1",
    .start = start,
};
