/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A client's connection: handshake, then request after request until one of the two has enough. It
 * is the source of the request's content and the sink of the response; the exchange is between.
 * Worker's loop only.
 *
 * It owns the stream, the arena and the view's pin of the exchange at hand; between requests it has
 * neither, and no buffer. What arrives ahead of its turn (pipelining) is kept, and the stream
 * paused, so that no more than one read is ever kept.
 *
 * A client that closes its side in good order (close_notify) after a whole request still gets the
 * response. Every other end goes through conn_end(), and the object is freed at the end of the
 * turn.
 */
#include "edge/client_h1.h"

#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/check.h"
#include "core/deadline.h"
#include "edge/exchange.h"
#include "edge/h1_response.h"

#define H1_MAGIC 0x48314331u

/* One TLS record: so much is read at once while a head is awaited. */
#define HEAD_READ_MAX (16 * 1024)
/* How long the last response may stay unacknowledged, or the client go on sending, at a close. */
#define LINGER DUR_S(2)
/* For the first request of a connection that was in its handshake when the program was told to
 * stop. */
#define LAST_REQUEST_WAIT DUR_S(1)

enum h1_state {
	H1_HANDSHAKE,
	H1_IDLE, /* between requests */
	H1_HEAD, /* some of a head has come */
	H1_EXCHANGE,
	H1_ENDED, /* to be freed at the end of the turn */
};

struct h1_conn {
	unsigned magic;
	enum h1_state state;
	struct edge_conn conn;
	struct edge_worker *worker;
	struct stream *stream;
	struct edge_client client;
	struct deadline deadline;
	struct loop_task turn; /* what is left to the end of the turn */
	enum reason end_reason;
	bool end_orderly;
	bool reading;    /* not paused */
	bool client_eof; /* it will send no more */
	char *kept;      /* bytes read ahead of their turn, or of an incomplete line */
	size_t kept_len;

	/* during the handshake, and from the first byte of a request to the end of its exchange */
	struct edge_view *view;

	/* one request and its response */
	struct arena arena;
	mono_time began;
	struct h1_head_parser parser;
	struct http_head request;
	struct h1_body body;
	struct http_source source; /* of the request's content */
	struct http_sink sink;     /* of the response */
	struct edge_exchange *exchange;
	struct edge_h1_response response;
	bool request_ended;  /* it was read, or is of no more interest */
	bool origin_waits;   /* the origin takes no more of the request for now */
	bool informed;       /* a 100 (Continue) was sent */
	bool response_ended; /* all of it was written */
	bool source_waits;   /* the response waits for our resume() */
	bool write_waits;    /* the stream has not yet drained */
	bool close_after;
	uint64_t acked; /* of all we sent, when the write deadline was set */
};

static const struct cfg_http *http_of(const struct h1_conn *c)
{
	const struct edge_view *view = c->view;

	if (view == NULL)
		view = edge_view_current(&c->worker->common->views);
	return &view->fleet->http;
}

/* The end of a connection */

static void conn_end(struct h1_conn *c, enum reason reason, bool orderly)
{
	if (c->state == H1_ENDED)
		return;
	c->state = H1_ENDED;
	c->end_reason = reason;
	c->end_orderly = orderly;
	deadline_clear(&c->deadline);
	loop_defer(c->worker->loop, &c->turn);
}

static void end_exchange(struct h1_conn *c, enum reason reason)
{
	if (c->exchange != NULL)
		edge_exchange_finish(&c->exchange, reason);
	arena_fini(&c->arena);
	edge_view_unpin(&c->view, c->worker->loop);
}

static void conn_free(struct h1_conn *c)
{
	struct edge_worker *w = c->worker;

	end_exchange(c, c->end_reason);
	deadline_fini(&c->deadline);
	loop_task_cancel(w->loop, &c->turn);
	if (c->end_orderly)
		stream_close(&c->stream, LINGER);
	else
		stream_destroy(&c->stream);
	edge_worker_conn_end(w, &c->conn, c->end_reason);
	free(c->kept);
	c->magic = MAGIC_DEAD;
	free(c);
}

/* Flow */

static bool wants_bytes(const struct h1_conn *c)
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

static void update_reading(struct h1_conn *c)
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

static uint64_t bytes_acked(const struct h1_conn *c)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(stream_fd(c->stream), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return 0;
	return info.tcpi_bytes_acked;
}

/* The deadline of an exchange: whichever side of the client it waits for. While it waits for the
 * origin only, time is the origin link's business. */
static void update_deadline(struct h1_conn *c)
{
	if (c->state != H1_EXCHANGE)
		return;
	if (c->write_waits) {
		c->acked = bytes_acked(c);
		deadline_set(&c->deadline, http_of(c)->timeout.write);
	} else if (!c->request_ended && !c->origin_waits) {
		deadline_set(&c->deadline, http_of(c)->timeout.body);
	} else {
		deadline_clear(&c->deadline);
	}
}

static void write_pieces(struct h1_conn *c, const struct edge_h1_pieces *pieces)
{
	bool waited = c->write_waits;

	if (pieces->n == 0)
		return;
	edge_count(c->worker, EDGE_BYTES_SENT, (int64_t)pieces->bytes);
	c->write_waits = !stream_write(c->stream, pieces->v, pieces->n);
	if (c->write_waits != waited)
		update_deadline(c);
}

static void response_done(struct h1_conn *c)
{
	c->response_ended = true;
	loop_defer(c->worker->loop, &c->turn);
}

/* The response, from the exchange. */

static struct h1_conn *of_sink(struct http_sink *sink)
{
	struct h1_conn *c = CONTAINER_OF(sink, struct h1_conn, sink);

	MAGIC_CHECK(c, H1_MAGIC);
	return c;
}

static bool may_go_on(const struct h1_conn *c)
{
	/* A client that was not told to send its content may or may not send it now: what would
	 * come next on this connection cannot be known. */
	bool withheld = !c->request_ended && c->request.expect_continue && !c->informed;

	return c->request.keep_alive && !c->close_after && !c->client_eof && !c->worker->stopping &&
	       !withheld;
}

static void sink_head(struct http_sink *sink, struct http_head *head, bool end)
{
	struct h1_conn *c = of_sink(sink);
	struct edge_h1_pieces pieces;

	if (c->state != H1_EXCHANGE)
		return;
	if (head->status < 200) {
		/* HTTP/1.0 does not know them (RFC 9110 section 15.2). */
		if (c->request.minor == 0)
			return;
		c->informed |= head->status == 100;
		if (edge_h1_response_inform(&c->response, head, &pieces))
			write_pieces(c, &pieces);
		else
			conn_end(c, REASON_LIMIT, false);
		return;
	}
	if (!edge_h1_response_start(&c->response, head, &c->request, end, may_go_on(c))) {
		conn_end(c, REASON_LIMIT, false);
		return;
	}
	c->close_after |= !head->keep_alive;
	if (end) {
		edge_h1_response_flush(&c->response, &pieces);
		write_pieces(c, &pieces);
		response_done(c);
	} else {
		/* Content that comes in this turn goes out with it. */
		loop_defer(c->worker->loop, &c->turn);
	}
}

static bool sink_body(struct http_sink *sink, const void *data, size_t len, bool end)
{
	struct h1_conn *c = of_sink(sink);
	struct edge_h1_pieces pieces;

	if (c->state != H1_EXCHANGE)
		return true;
	edge_h1_response_body(&c->response, data, len, end, &pieces);
	write_pieces(c, &pieces);
	if (end) {
		response_done(c);
		return true;
	}
	c->source_waits = c->write_waits;
	return !c->write_waits;
}

static void sink_trailers(struct http_sink *sink, const struct http_fields *trailers)
{
	struct h1_conn *c = of_sink(sink);
	struct edge_h1_pieces pieces;

	if (c->state != H1_EXCHANGE)
		return;
	if (!edge_h1_response_trailers(&c->response, trailers, &c->arena, &pieces)) {
		conn_end(c, REASON_LIMIT, false);
		return;
	}
	write_pieces(c, &pieces);
	response_done(c);
}

/* The client must see that something is missing: no last chunk, no close_notify. */
static void sink_reset(struct http_sink *sink, enum reason reason)
{
	conn_end(of_sink(sink), reason, false);
}

static const struct http_sink_ops sink_ops = {
    .head = sink_head,
    .body = sink_body,
    .trailers = sink_trailers,
    .reset = sink_reset,
};

/* The request's content, to the exchange. */

static void source_resume(struct http_source *source)
{
	struct h1_conn *c = CONTAINER_OF(source, struct h1_conn, source);

	MAGIC_CHECK(c, H1_MAGIC);
	c->origin_waits = false;
	update_deadline(c);
	update_reading(c);
}

static void source_stop(struct http_source *source, enum reason reason)
{
	struct h1_conn *c = CONTAINER_OF(source, struct h1_conn, source);

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->request_ended)
		return;
	/* The rest of it would have to be read to reach the next request. */
	c->request_ended = true;
	c->close_after = true;
	update_deadline(c);
	update_reading(c);
}

static const struct http_source_ops source_ops = {
    .resume = source_resume,
    .stop = source_stop,
};

static void begin_request(struct h1_conn *c)
{
	struct edge_worker *w = c->worker;

	c->view = edge_view_pin(&w->common->views, w->loop);
	arena_init(&c->arena, c->view->arena_max);
	http_head_init(&c->request, &c->arena);
	h1_request_parser_init(&c->parser, &c->view->limits);
	c->began = loop_now(w->loop);
	c->request_ended = c->origin_waits = c->informed = false;
	c->response_ended = c->source_waits = c->close_after = false;
	c->state = H1_HEAD;
	deadline_set(&c->deadline, http_of(c)->timeout.head);
}

/* False: there is no room for one. */
static bool create_exchange(struct h1_conn *c)
{
	c->state = H1_EXCHANGE;
	c->request.scheme = SPAN("https");
	c->exchange = edge_exchange_create(c->worker, c->view, &c->client, &c->request, &c->source,
					   &c->sink, c->began);
	if (c->exchange == NULL)
		conn_end(c, REASON_LIMIT, false);
	return c->exchange != NULL;
}

/* A request that could not be read to its head's end. */
static void refuse_request(struct h1_conn *c, int status, enum reason reason)
{
	c->request_ended = true;
	c->close_after = true;
	if (!create_exchange(c))
		return;
	update_deadline(c);
	edge_exchange_refuse(c->exchange, status, reason);
}

/* As all feed_...(): true when it can go on with the bytes after *used. */
static bool feed_head(struct h1_conn *c, const char *buf, size_t len, size_t *used)
{
	switch (h1_head_parse(&c->parser, &c->request, buf, len, used)) {
	case H1_MORE:
		return false;
	case H1_BAD:
		*used = len;
		LOG_LIMITED(LOG_LEVEL_DEBUG, "bad request from %s: %s", c->client.ip,
			    c->parser.why);
		refuse_request(c, c->parser.status, REASON_CLIENT_MALFORMED);
		return false;
	case H1_OK:
		break;
	}
	h1_body_init(&c->body, &c->request, &c->view->limits);
	c->request_ended = h1_body_close_is_end(&c->body);
	if (!create_exchange(c))
		return false;
	update_deadline(c);
	edge_exchange_start(c->exchange, c->request_ended);
	return true;
}

static bool body_is_over(struct h1_conn *c)
{
	struct span none;
	size_t used;

	return h1_body_parse(&c->body, NULL, 0, &used, &none) == H1_OK;
}

static bool feed_body(struct h1_conn *c, const char *buf, size_t len, size_t *used)
{
	struct http_sink *out = edge_exchange_sink(c->exchange);
	enum h1_result result;
	struct span data;

	result = h1_body_parse(&c->body, buf, len, used, &data);
	if (result == H1_MORE)
		return false;
	if (result == H1_BAD) {
		*used = len;
		c->request_ended = true;
		c->close_after = true;
		LOG_LIMITED(LOG_LEVEL_DEBUG, "bad request content from %s: %s", c->client.ip,
			    c->body.why);
		out->ops->reset(out, REASON_CLIENT_MALFORMED);
		return false;
	}
	c->request_ended = body_is_over(c);
	if (c->request_ended && c->body.trailers.n > 0)
		out->ops->trailers(out, &c->body.trailers);
	else if (!out->ops->body(out, data.p, data.n, c->request_ended))
		c->origin_waits = true;
	return true;
}

/* Takes what it can of the bytes at hand; how many. */
static size_t feed(struct h1_conn *c, const char *buf, size_t len)
{
	size_t at = 0, used;
	bool go_on = true;

	while (go_on && at < len) {
		used = 0;
		if (c->state == H1_IDLE)
			begin_request(c);
		if (c->state == H1_HEAD)
			go_on = feed_head(c, buf + at, len - at, &used);
		else if (c->state == H1_EXCHANGE && !c->request_ended)
			go_on = feed_body(c, buf + at, len - at, &used);
		else
			break;
		at += used;
	}
	/* Of what follows the last request nothing will be looked at. */
	if (c->state == H1_ENDED || (c->state == H1_EXCHANGE && c->request_ended && c->close_after))
		return len;
	return at;
}

/* Feeds, and keeps what is left. `buf` may be what was kept. */
static void take_bytes(struct h1_conn *c, const char *buf, size_t len)
{
	size_t used = feed(c, buf, len);
	char *rest = NULL;

	if (used < len) {
		rest = malloc(len - used);
		if (rest == NULL)
			conn_end(c, REASON_LIMIT, false);
		else
			memcpy(rest, buf + used, len - used);
	}
	free(c->kept);
	c->kept = rest;
	c->kept_len = rest != NULL ? len - used : 0;
}

/* From the stream. */

/* A line that does not even fit into the buffer that it is to be read into, whatever the limit. */
static void refuse_line(struct h1_conn *c)
{
	if (c->state == H1_HEAD)
		refuse_request(c, 431, REASON_CLIENT_MALFORMED);
	else
		conn_end(c, REASON_LIMIT, false);
}

static void reached_eof(struct h1_conn *c)
{
	c->client_eof = true;
	if (c->state == H1_EXCHANGE && c->request_ended)
		c->close_after = true;
	else
		conn_end(c, REASON_CLIENT_CLOSED, c->state != H1_EXCHANGE);
}

/* Reads once; false when there is nothing more for now. */
static bool read_once(struct h1_conn *c)
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
		conn_end(c, stream_reason(c->stream), false);
		return false;
	}
	edge_count(c->worker, EDGE_BYTES_RECEIVED, n);
	if (c->kept_len > 0)
		memcpy(buf, c->kept, c->kept_len);
	take_bytes(c, buf, c->kept_len + (size_t)n);
	if (body)
		update_deadline(c);
	return true;
}

static void on_readable(void *arg)
{
	struct h1_conn *c = arg;

	MAGIC_CHECK(c, H1_MAGIC);
	while (wants_bytes(c) && read_once(c))
		;
	update_reading(c);
}

static void on_established(void *arg)
{
	struct h1_conn *c = arg;
	struct edge_worker *w = c->worker;
	gnutls_session_t session = stream_tls_session(c->stream);

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->state == H1_ENDED)
		return;
	edge_view_unpin(&c->view, w->loop);
	c->state = H1_IDLE;
	c->client.tls = gnutls_protocol_get_name(gnutls_protocol_get_version(session));
	if (gnutls_session_is_resumed(session))
		edge_count(w, EDGE_HANDSHAKES_RESUMED, 1);
	edge_worker_conn_established(w, &c->conn);
	deadline_set(&c->deadline,
		     w->stopping ? LAST_REQUEST_WAIT : http_of(c)->timeout.keep_alive);
}

static void on_drained(void *arg)
{
	struct h1_conn *c = arg;
	struct http_source *source;

	MAGIC_CHECK(c, H1_MAGIC);
	c->write_waits = false;
	if (c->state != H1_EXCHANGE)
		return;
	update_deadline(c);
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
	struct h1_conn *c = arg;

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->state == H1_HANDSHAKE)
		LOG_LIMITED(LOG_LEVEL_DEBUG, "handshake with %s failed: %s", c->client.ip,
			    stream_error_text(c->stream));
	conn_end(c, stream_reason(c->stream), false);
}

static const struct stream_ops stream_ops = {
    .established = on_established,
    .readable = on_readable,
    .drained = on_drained,
    .failed = on_failed,
};

static void write_deadline(struct h1_conn *c)
{
	/* A slow client is no dead one, as long as it acknowledges something. */
	if (bytes_acked(c) != c->acked)
		update_deadline(c);
	else
		conn_end(c, REASON_CLIENT_WRITE_TIMEOUT, false);
}

static void on_deadline(struct deadline *deadline)
{
	struct h1_conn *c = CONTAINER_OF(deadline, struct h1_conn, deadline);
	struct http_sink *out;

	MAGIC_CHECK(c, H1_MAGIC);
	switch (c->state) {
	case H1_HANDSHAKE:
		conn_end(c, REASON_CLIENT_HANDSHAKE_TIMEOUT, false);
		break;
	case H1_IDLE:
		conn_end(c, REASON_CLIENT_IDLE_TIMEOUT, true);
		break;
	case H1_HEAD:
		refuse_request(c, 408, REASON_CLIENT_HEAD_TIMEOUT);
		update_reading(c);
		break;
	case H1_EXCHANGE:
		if (c->write_waits) {
			write_deadline(c);
			break;
		}
		c->request_ended = true;
		c->close_after = true;
		out = edge_exchange_sink(c->exchange);
		out->ops->reset(out, REASON_CLIENT_BODY_TIMEOUT);
		update_reading(c);
		break;
	case H1_ENDED:
		break;
	}
}

/* The response was written: on to the next request, which may be here already. */
static void next_request(struct h1_conn *c)
{
	bool close = c->close_after || !c->request_ended || c->worker->stopping;
	char *kept = c->kept;
	size_t len = c->kept_len;

	if (close) {
		conn_end(c, REASON_DONE, true);
		return;
	}
	end_exchange(c, REASON_DONE);
	c->state = H1_IDLE;
	deadline_set(&c->deadline, http_of(c)->timeout.keep_alive);
	if (len > 0) {
		c->kept = NULL;
		c->kept_len = 0;
		take_bytes(c, kept, len);
		free(kept);
	}
	update_reading(c);
}

static void on_turn(struct loop_task *task)
{
	struct h1_conn *c = CONTAINER_OF(task, struct h1_conn, turn);
	struct edge_h1_pieces pieces;

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->state == H1_EXCHANGE) {
		edge_h1_response_flush(&c->response, &pieces);
		write_pieces(c, &pieces);
		if (c->response_ended && !c->write_waits)
			next_request(c);
	}
	if (c->state == H1_ENDED)
		conn_free(c);
}

/* For the worker. */

static void conn_drain(struct edge_conn *conn)
{
	struct h1_conn *c = CONTAINER_OF(conn, struct h1_conn, conn);

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->state == H1_IDLE)
		conn_end(c, REASON_SHUTDOWN, true);
}

static void conn_destroy(struct edge_conn *conn, enum reason reason)
{
	struct h1_conn *c = CONTAINER_OF(conn, struct h1_conn, conn);

	MAGIC_CHECK(c, H1_MAGIC);
	conn_end(c, reason, false);
	conn_free(c);
}

static const struct edge_conn_ops conn_ops = {
    .drain = conn_drain,
    .destroy = conn_destroy,
};

void edge_h1_accept(struct edge_worker *w, int fd, const struct net_addr *remote)
{
	struct h1_conn *c = xcalloc(1, sizeof(*c));

	c->magic = H1_MAGIC;
	c->state = H1_HANDSHAKE;
	c->conn.ops = &conn_ops;
	c->worker = w;
	c->client.addr = *remote;
	c->client.protocol = "HTTP/1.1";
	c->client.tls = "";
	net_addr_format_ip(remote, c->client.ip);
	c->reading = true;
	c->source.ops = &source_ops;
	c->sink.ops = &sink_ops;
	c->turn.run = on_turn;
	deadline_init(&c->deadline, w->loop, on_deadline);
	c->view = edge_view_pin(&w->common->views, w->loop);
	edge_worker_conn_begin(w, &c->conn);
	c->stream = stream_create_tls_server(w->buffers, fd, edge_certs_tls(c->view->certs),
					     &stream_ops, c);
	if (c->stream == NULL)
		conn_end(c, REASON_LIMIT, false);
	else
		deadline_set(&c->deadline, http_of(c)->timeout.handshake);
}
