/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What goes over an HTTP/1.1 client connection: requests, from bytes to the exchange, and
 * responses, from the exchange to bytes. Worker's loop only; the connection's life is in
 * client_h1.c.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "edge/h1/h1_internal.h"

static void write_pieces(struct edge_h1 *c, const struct edge_h1_pieces *pieces)
{
	bool waited = c->write_waits;

	if (pieces->n == 0)
		return;
	edge_count(c->worker, EDGE_BYTES_SENT, (int64_t)pieces->bytes);
	c->write_waits = !stream_write(c->stream, pieces->v, pieces->n);
	if (c->write_waits != waited)
		edge_h1_update_deadline(c);
}

static void response_done(struct edge_h1 *c)
{
	c->response_ended = true;
	loop_defer(c->worker->loop, &c->turn);
}

void edge_h1_flush(struct edge_h1 *c)
{
	struct edge_h1_pieces pieces;

	edge_h1_response_flush(&c->response, &pieces);
	write_pieces(c, &pieces);
}

/* The response, from the exchange. */

static struct edge_h1 *of_sink(struct http_sink *sink)
{
	struct edge_h1 *c = CONTAINER_OF(sink, struct edge_h1, sink);

	MAGIC_CHECK(c, H1_MAGIC);
	return c;
}

static bool may_go_on(const struct edge_h1 *c)
{
	/* A client that was not told to send its content may or may not send it now: what would
	 * come next on this connection cannot be known. */
	bool withheld = !c->request_ended && c->request.expect_continue && !c->informed;

	return c->request.keep_alive && !c->close_after && !c->client_eof && !c->worker->stopping &&
	       !withheld;
}

static void sink_head(struct http_sink *sink, struct http_head *head, bool end)
{
	struct edge_h1 *c = of_sink(sink);
	struct edge_h1_pieces pieces;

	if (c->state != H1_EXCHANGE)
		return;
	if (head->status < 200) {
		/* HTTP/1.0 does not know them (RFC 9110 section 15.2). */
		if (c->request.minor == 0)
			return;
		/* Without room it is left out: the final one is what counts. */
		if (!edge_h1_response_inform(&c->response, head, &pieces))
			return;
		c->informed |= head->status == 100;
		write_pieces(c, &pieces);
		return;
	}
	if (!edge_h1_response_start(&c->response, head, &c->request, end, may_go_on(c))) {
		edge_h1_end(c, REASON_LIMIT, false);
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
	struct edge_h1 *c = of_sink(sink);
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
	struct edge_h1 *c = of_sink(sink);
	struct edge_h1_pieces pieces;

	if (c->state != H1_EXCHANGE)
		return;
	if (!edge_h1_response_trailers(&c->response, trailers, &c->arena, &pieces)) {
		edge_h1_end(c, REASON_LIMIT, false);
		return;
	}
	write_pieces(c, &pieces);
	response_done(c);
}

/* The client must see that something is missing: no last chunk, no close_notify. */
static void sink_reset(struct http_sink *sink, enum reason reason)
{
	edge_h1_end(of_sink(sink), reason, false);
}

const struct http_sink_ops edge_h1_sink_ops = {
    .head = sink_head,
    .body = sink_body,
    .trailers = sink_trailers,
    .reset = sink_reset,
};

/* The request's content, to the exchange. */

static void source_resume(struct http_source *source)
{
	struct edge_h1 *c = CONTAINER_OF(source, struct edge_h1, source);

	MAGIC_CHECK(c, H1_MAGIC);
	c->origin_waits = false;
	edge_h1_update_deadline(c);
	edge_h1_update_reading(c);
}

static void source_stop(struct http_source *source, enum reason reason)
{
	struct edge_h1 *c = CONTAINER_OF(source, struct edge_h1, source);

	MAGIC_CHECK(c, H1_MAGIC);
	if (c->request_ended)
		return;
	/* The rest of it would have to be read to reach the next request. */
	c->request_ended = true;
	c->close_after = true;
	edge_h1_update_deadline(c);
	edge_h1_update_reading(c);
}

const struct http_source_ops edge_h1_source_ops = {
    .resume = source_resume,
    .stop = source_stop,
};

static void begin_request(struct edge_h1 *c)
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
	edge_conn_set_stage(c->conn, EDGE_BUSY);
	deadline_set(&c->deadline, edge_h1_http(c)->timeout.head);
}

/* False: there is no room for one. */
static bool create_exchange(struct edge_h1 *c)
{
	c->state = H1_EXCHANGE;
	c->request.scheme = c->conn->client.scheme;
	c->exchange = edge_exchange_create(c->worker, c->view, &c->conn->client, &c->request,
					   &c->source, &c->sink, c->began);
	if (c->exchange == NULL)
		edge_h1_end(c, REASON_LIMIT, false);
	return c->exchange != NULL;
}

/* A request that could not be read to its head's end. */
void edge_h1_refuse(struct edge_h1 *c, int status, enum reason reason)
{
	c->request_ended = true;
	c->close_after = true;
	if (!create_exchange(c))
		return;
	edge_h1_update_deadline(c);
	edge_exchange_refuse(c->exchange, status, reason);
}

void edge_h1_body_failed(struct edge_h1 *c, enum reason reason)
{
	struct http_sink *out = edge_exchange_sink(c->exchange);

	c->request_ended = true;
	c->close_after = true;
	out->ops->reset(out, reason);
}

/* As all feed_...(): true when it can go on with the bytes after *used. */
static bool feed_head(struct edge_h1 *c, const char *buf, size_t len, size_t *used)
{
	switch (h1_head_parse(&c->parser, &c->request, buf, len, used)) {
	case H1_MORE:
		return false;
	case H1_BAD:
		*used = len;
		LOG_LIMITED(LOG_LEVEL_DEBUG, "bad request from %s: %s", c->conn->client.ip,
			    c->parser.why);
		edge_h1_refuse(c, c->parser.status, REASON_CLIENT_MALFORMED);
		return false;
	case H1_OK:
		break;
	}
	h1_body_init(&c->body, &c->request, &c->view->limits);
	c->request_ended = h1_body_close_is_end(&c->body);
	if (!create_exchange(c))
		return false;
	edge_h1_update_deadline(c);
	edge_exchange_start(c->exchange, c->request_ended);
	return true;
}

static bool body_is_over(struct edge_h1 *c)
{
	struct span none;
	size_t used;

	return h1_body_parse(&c->body, NULL, 0, &used, &none) == H1_OK;
}

static bool feed_body(struct edge_h1 *c, const char *buf, size_t len, size_t *used)
{
	struct http_sink *out = edge_exchange_sink(c->exchange);
	enum h1_result result;
	struct span data;

	result = h1_body_parse(&c->body, buf, len, used, &data);
	if (result == H1_MORE)
		return false;
	if (result == H1_BAD) {
		*used = len;
		LOG_LIMITED(LOG_LEVEL_DEBUG, "bad request content from %s: %s", c->conn->client.ip,
			    c->body.why);
		edge_h1_body_failed(c, REASON_CLIENT_MALFORMED);
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
static size_t feed(struct edge_h1 *c, const char *buf, size_t len)
{
	bool go_on = true, content = false;
	size_t at = 0, used;

	while (go_on && at < len) {
		used = 0;
		if (c->state == H1_IDLE)
			begin_request(c);
		if (c->state == H1_HEAD) {
			go_on = feed_head(c, buf + at, len - at, &used);
		} else if (c->state == H1_EXCHANGE && !c->request_ended) {
			go_on = feed_body(c, buf + at, len - at, &used);
			content = true;
		} else {
			break;
		}
		at += used;
	}
	/* Also when it came with its head: whose turn it is now may have changed. */
	if (content)
		edge_h1_update_deadline(c);
	/* Of what follows the last request nothing will be looked at. */
	if (c->state == H1_ENDED || (c->state == H1_EXCHANGE && c->request_ended && c->close_after))
		return len;
	return at;
}

/* Feeds, and keeps what is left. `buf` may be what was kept. */
void edge_h1_take_bytes(struct edge_h1 *c, const char *buf, size_t len)
{
	size_t used = feed(c, buf, len);
	char *rest = NULL;

	if (used < len) {
		rest = malloc(len - used);
		if (rest == NULL)
			edge_h1_end(c, REASON_LIMIT, false);
		else
			memcpy(rest, buf + used, len - used);
	}
	free(c->kept);
	c->kept = rest;
	c->kept_len = rest != NULL ? len - used : 0;
}
