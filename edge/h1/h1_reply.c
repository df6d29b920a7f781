/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Responses onto an HTTP/1.1 client connection, from the exchange to bytes, and the credit that the
 * exchange is given for them. Worker's loop only.
 */
#include <stdlib.h>

#include "core/base/check.h"
#include "edge/h1/h1_internal.h"

/* The response's window: what may be on its way to a client that has stopped reading, beside what
 * the kernel holds. It is doubled while the client takes all at once, since large reads from the
 * origin are cheap (100 MB: a quarter less CPU with 512 KiB than with 64), and starts again when it
 * does not. */
#define WINDOW_MIN (64 * 1024)
#define WINDOW_MAX STREAM_READ_MAX
/* A head of this size, as nearly all are, is put together on the stack. */
#define SMALL_HEAD 4096

static void write_pieces(struct edge_h1 *c, const struct iovec *v, int n, size_t bytes)
{
	bool waited = c->write_waits;

	if (n == 0)
		return;
	edge_count(c->worker, EDGE_BYTES_SENT, (int64_t)bytes);
	c->write_waits = !stream_write(c->stream, v, n);
	if (c->write_waits != waited)
		h1_update_deadline(c);
}

static void write_text(struct edge_h1 *c, const char *text, size_t len)
{
	write_pieces(c, &(struct iovec){(void *)text, len}, 1, len);
}

/* False when memory is gone. */
static bool write_head(struct edge_h1 *c, const struct http_head *head)
{
	size_t size = h1_head_size(head);
	char small[SMALL_HEAD];
	char *text = size <= sizeof(small) ? small : malloc(size);
	size_t len;

	if (!text)
		return false;
	len = h1_write_head(head, false, text, size);
	CHECK(len > 0);
	write_text(c, text, len);
	if (text != small)
		free(text);
	return true;
}

/* Credit */

static void grant(struct edge_h1 *c)
{
	struct h1_message *m = c->message;
	size_t n = m->window - MIN(m->window, m->granted);

	if (n == 0)
		return;
	m->granted += n;
	m->leg.response->ops->grant(m->leg.response, n);
}

void h1_grant_first(struct edge_h1 *c)
{
	c->message->window = WINDOW_MIN;
	grant(c);
}

static void took(struct edge_h1 *c, size_t n)
{
	struct h1_message *m = c->message;

	m->granted -= MIN(m->granted, n); /* an answer of the exchange's own is not granted */
	if (c->write_waits) {
		m->window = WINDOW_MIN;
		return;
	}
	/* Only once most of it was used: each grant is a call through all that stand between. */
	if (m->granted > m->window / 2)
		return;
	m->window = MIN(2 * m->window, (size_t)WINDOW_MAX);
	grant(c);
}

void h1_drained(struct edge_h1 *c)
{
	c->write_waits = false;
	if (c->state != H1_EXCHANGE)
		return;
	h1_update_deadline(c);
	if (c->message->response_side == H1_RESPONSE_ENDED)
		loop_defer(c->worker->loop, &c->turn);
	else
		grant(c);
}

/* The response, from the exchange */

static struct edge_h1 *of_sink(struct flow_sink *sink)
{
	struct edge_h1 *c = CONTAINER_OF(sink, struct edge_h1, sink);

	MAGIC_CHECK(c, H1_MAGIC);
	return c;
}

static void response_done(struct edge_h1 *c)
{
	struct h1_message *m = c->message;

	if (m->response_side == H1_RESPONSE_TUNNEL)
		stream_end_writing(c->stream);
	m->response_side = H1_RESPONSE_ENDED;
	loop_defer(c->worker->loop, &c->turn);
}

/* Whether another request may come after this one. It cannot when the end of this one has not been
 * seen yet: what comes next on the connection is not known then (a client that waits for leave to
 * send its content may or may not send it now; who asked for a tunnel may speak its protocol). */
static bool may_go_on(const struct edge_h1 *c)
{
	const struct h1_message *m = c->message;

	return m->request->keep_alive && !m->close_after && !c->client_eof &&
	       !edge_conn_is_over(c->conn) &&
	       (m->request_side == H1_REQUEST_ENDED || m->request_side == H1_REQUEST_SKIPPED);
}

static void inform(struct edge_h1 *c, struct http_head *head)
{
	/* HTTP/1.0 does not know them (RFC 9110 section 15.2). */
	if (c->message->request->minor == 0)
		return;
	head->framing = HTTP_FRAMING_NONE;
	head->length_declared = false;
	head->keep_alive = true;
	/* Without memory it is left out: the final one is what counts. */
	if (write_head(c, head))
		c->message->informed |= head->status == 100;
	h1_update_deadline(c);
}

static void begin_tunnel(struct edge_h1 *c)
{
	struct h1_message *m = c->message;

	m->close_after = true;
	m->response_side = H1_RESPONSE_TUNNEL;
	if (m->request_side == H1_REQUEST_ASKED)
		m->request_side = c->client_eof ? H1_REQUEST_ENDED : H1_REQUEST_TUNNEL;
	/* The client's first bytes may be here already, or its end. */
	if (c->client_eof)
		m->leg.request->ops->body(m->leg.request, (struct slice){0}, true);
	loop_defer(c->worker->loop, &c->turn);
}

static void sink_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct edge_h1 *c = of_sink(sink);
	struct h1_message *m = c->message;
	bool tunnel = head->framing == HTTP_FRAMING_TUNNEL;

	if (c->state != H1_EXCHANGE)
		return;
	if (head->status < 200 && !tunnel) {
		inform(c, head);
		return;
	}
	if (!h1_response_start(&m->response, head, m->request, end, may_go_on(c)) ||
	    !write_head(c, head)) {
		h1_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
		return;
	}
	if (tunnel) {
		begin_tunnel(c);
		return;
	}
	m->close_after |= !head->keep_alive;
	if (m->request_side == H1_REQUEST_ASKED)
		m->request_side = H1_REQUEST_UNWANTED;
	m->response_side = H1_RESPONSE_CONTENT;
	h1_pace_answered(c);
	if (end)
		response_done(c);
}

static void sink_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct edge_h1 *c = of_sink(sink);
	struct h1_pieces pieces;

	if (c->state != H1_EXCHANGE)
		return;
	h1_response_body(&c->message->response, slice.p, slice.n, end, &pieces);
	write_pieces(c, pieces.v, pieces.n, pieces.bytes);
	if (c->message->request_side == H1_REQUEST_CONTENT)
		h1_content_progress(c, slice.n);
	if (c->message->response_side == H1_RESPONSE_TUNNEL ||
	    c->message->request_side == H1_REQUEST_CONTENT)
		h1_update_deadline(c);
	if (end)
		response_done(c);
	else
		took(c, slice.n);
}

static void sink_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct edge_h1 *c = of_sink(sink);
	size_t size = sizeof("0\r\n\r\n");
	char *text;

	if (c->state != H1_EXCHANGE)
		return;
	if (h1_response_takes_trailers(&c->message->response)) {
		for (unsigned i = 0; i < trailers->n; i++)
			size += trailers->v[i].name.n + trailers->v[i].value.n + 4;
		text = malloc(size);
		if (!text) {
			h1_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
			return;
		}
		write_text(c, text, h1_write_last_chunk(trailers, text, size));
		free(text);
	}
	response_done(c);
}

/* The client must see that something is missing: no last chunk, no close_notify. */
static void sink_reset(struct flow_sink *sink, enum reason reason)
{
	h1_end(of_sink(sink), reason, EDGE_CLOSE_BREAK);
}

const struct flow_sink_ops h1_sink_ops = {
    .head = sink_head,
    .body = sink_body,
    .trailers = sink_trailers,
    .reset = sink_reset,
};
