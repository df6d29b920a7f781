/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Requests off an HTTP/1.1 client connection, from bytes to the exchange: one at a time, each as
 * far as the exchange has granted. What arrives ahead of its turn is kept, and the stream paused,
 * so that no more than one read is ever kept. Worker's loop only.
 */
#define LOG_MODULE LOG_HTTP
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/h1/h1_internal.h"
#include "edge/node/view.h"

/* One TLS record: so much is read at once while a head is awaited. */
#define HEAD_READ_MAX (16 * 1024)

/* The exchange's word on the request's content */

static struct edge_h1 *of_source(struct flow_source *source)
{
	struct edge_h1 *c = CONTAINER_OF(source, struct edge_h1, source);

	MAGIC_CHECK(c, H1_MAGIC);
	return c;
}

static void source_grant(struct flow_source *source, size_t n)
{
	struct edge_h1 *c = of_source(source);

	c->message->request_credit += n;
	if (!c->feeding)
		loop_defer(c->worker->loop, &c->turn);
}

static void source_stop(struct flow_source *source, enum reason reason)
{
	struct edge_h1 *c = of_source(source);
	struct h1_message *m = c->message;

	if (m->request_side == H1_REQUEST_ENDED || m->request_side == H1_REQUEST_UNWANTED)
		return;
	if (m->request_side == H1_REQUEST_TUNNEL && reason != REASON_DONE) {
		/* Some of what the client has sent may be lost: it must see that. */
		h1_end(c, reason, EDGE_CLOSE_BREAK);
	} else if (m->content_is_here) {
		m->request_side = H1_REQUEST_SKIPPED;
	} else {
		/* The rest of it would have to be read to reach the next request. */
		m->request_side = H1_REQUEST_UNWANTED;
		m->close_after = true;
	}
	if (!c->feeding)
		loop_defer(c->worker->loop, &c->turn);
}

const struct flow_source_ops h1_source_ops = {.grant = source_grant, .stop = source_stop};

/* Reading */

size_t h1_wanted(const struct edge_h1 *c)
{
	const struct h1_message *m = c->message;

	if (c->client_eof || c->state == H1_ENDED)
		return 0;
	if (c->state != H1_EXCHANGE)
		return HEAD_READ_MAX;
	/* Trailers need no credit, and a line of them may be longer than all of it. */
	if (m->request_side == H1_REQUEST_CONTENT && h1_body_in_trailers(&m->body))
		return HEAD_READ_MAX;
	switch (m->request_side) {
	case H1_REQUEST_CONTENT:
	case H1_REQUEST_TUNNEL:
		return c->kept_len < m->request_credit ? m->request_credit - c->kept_len : 0;
	case H1_REQUEST_ASKED:
	case H1_REQUEST_SKIPPED:
	case H1_REQUEST_ENDED:
		/* One read ahead, which also tells when the client goes away. */
		return c->kept_len == 0 && !m->close_after ? HEAD_READ_MAX : 0;
	case H1_REQUEST_UNWANTED:
		break;
	}
	return 0;
}

/* Requests */

/* False: there is no room for one. */
static bool begin_request(struct edge_h1 *c)
{
	struct flow_ends ends = {.request = &c->source, .response = &c->sink};
	struct h1_message *m = malloc(sizeof(*m));

	if (m) {
		*m = (struct h1_message){.request_side = H1_REQUEST_CONTENT};
		m->exchange = edge_exchange_open(c->worker, &c->conn->client, ends, &m->leg);
	}
	if (!m || !m->exchange) {
		free(m);
		h1_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
		return false;
	}
	c->message = m;
	m->request = edge_exchange_head(m->exchange);
	h1_request_parser_init(&m->parser, &edge_exchange_view(m->exchange)->limits);
	h1_begin_paces(c);
	h1_set_state(c, H1_HEAD);
	deadline_set(&c->deadline, h1_http(c)->timeout.head);
	return true;
}

void h1_refuse(struct edge_h1 *c, int status, enum reason reason)
{
	h1_set_state(c, H1_EXCHANGE);
	edge_conn_set_stage(c->conn, EDGE_BUSY);
	c->message->request_side = H1_REQUEST_UNWANTED;
	c->message->close_after = true;
	h1_update_deadline(c);
	edge_exchange_refuse(c->message->exchange, status, reason);
}

void h1_content_failed(struct edge_h1 *c, enum reason reason)
{
	struct h1_message *m = c->message;

	m->request_side = H1_REQUEST_UNWANTED;
	m->close_after = true;
	m->leg.request->ops->reset(m->leg.request, reason);
}

void h1_reached_eof(struct edge_h1 *c)
{
	struct h1_message *m = c->message;

	c->client_eof = true;
	if (c->state != H1_EXCHANGE) {
		h1_end(c, REASON_CLIENT_CLOSED, EDGE_CLOSE_ORDERLY);
		return;
	}
	switch (m->request_side) {
	case H1_REQUEST_CONTENT:
		h1_end(c, REASON_CLIENT_CLOSED, EDGE_CLOSE_BREAK);
		break;
	case H1_REQUEST_TUNNEL:
		m->request_side = H1_REQUEST_ENDED;
		m->leg.request->ops->body(m->leg.request, (struct slice){0}, true);
		loop_defer(c->worker->loop, &c->turn);
		break;
	case H1_REQUEST_ASKED:
	case H1_REQUEST_SKIPPED:
	case H1_REQUEST_ENDED:
	case H1_REQUEST_UNWANTED:
		/* It still gets the response. */
		m->close_after = true;
		break;
	}
}

static bool is_over(struct h1_body *body)
{
	struct span none;
	size_t used;

	return h1_body_decode(body, NULL, 0, 0, &used, &none) == H1_OK;
}

/* `len` bytes follow it. */
static void head_is_whole(struct edge_h1 *c, size_t len)
{
	struct h1_message *m = c->message;
	struct http_head *head = m->request;

	head->scheme = c->conn->client.scheme;
	h1_set_state(c, H1_EXCHANGE);
	edge_conn_set_stage(c->conn, EDGE_BUSY);
	h1_body_init(&m->body, head, m->parser.limits);
	if (head->framing == HTTP_FRAMING_TUNNEL)
		m->request_side = H1_REQUEST_ASKED;
	else if (is_over(&m->body))
		m->request_side = H1_REQUEST_ENDED;
	m->content_is_here = head->framing == HTTP_FRAMING_LENGTH && head->content_length <= len;
	h1_grant_first(c);
	m->leg.request->ops->head(m->leg.request, head, m->request_side == H1_REQUEST_ENDED);
	h1_update_deadline(c);
}

/* As all feed_...(): true when it can go on with the bytes after *used. */
static bool feed_head(struct edge_h1 *c, const char *buf, size_t len, size_t *used)
{
	struct h1_message *m = c->message;

	switch (h1_head_parse(&m->parser, m->request, buf, len, used)) {
	case H1_MORE:
		return false;
	case H1_BAD:
		*used = len;
		log_debug("%s: bad request: %s", net_addr_shown(&c->conn->client.addr),
			  m->parser.why);
		h1_refuse(c, m->parser.status, REASON_CLIENT_MALFORMED);
		return false;
	case H1_OK:
		break;
	}
	head_is_whole(c, len - *used);
	return true;
}

static void push(struct edge_h1 *c, struct span data, enum h1_result result)
{
	struct h1_message *m = c->message;
	struct flow_sink *to = m->leg.request;
	bool end = result == H1_OK && m->request_side == H1_REQUEST_CONTENT;

	m->request_credit -= data.n;
	if (end)
		m->request_side = H1_REQUEST_ENDED;
	if (end && m->body.trailers.n > 0) {
		if (data.n > 0)
			to->ops->body(to, (struct slice){.p = data.p, .n = data.n}, false);
		to->ops->trailers(to, &m->body.trailers);
	} else if (end || data.n > 0) {
		to->ops->body(to, (struct slice){.p = data.p, .n = data.n}, end);
	}
}

static bool skip_content(struct edge_h1 *c, char *buf, size_t len, size_t *used)
{
	struct h1_message *m = c->message;
	struct span data;

	if (h1_body_decode(&m->body, buf, len, SIZE_MAX, used, &data) == H1_OK)
		m->request_side = H1_REQUEST_ENDED;
	return true;
}

static bool feed_content(struct edge_h1 *c, char *buf, size_t len, size_t *used)
{
	struct h1_message *m = c->message;
	enum h1_result result;
	struct span data;

	result = h1_body_decode(&m->body, buf, len, m->request_credit, used, &data);
	if (result == H1_BAD) {
		log_debug("%s: bad content: %s", net_addr_shown(&c->conn->client.addr),
			  m->body.why);
		h1_content_failed(c, REASON_CLIENT_MALFORMED);
		return false;
	}
	m->content_began |= *used > 0;
	h1_content_progress(c, *used);
	push(c, data, result);
	/* An incomplete line, or no credit: not with what is here. */
	return *used > 0;
}

/* Takes what it can of the bytes at hand; how many. */
static size_t feed(struct edge_h1 *c, char *buf, size_t len)
{
	bool go_on = true, content = false;
	struct h1_message *m;
	size_t at = 0, used;

	if (c->state == H1_IDLE && !begin_request(c))
		return len;
	m = c->message;
	while (go_on && at < len) {
		used = 0;
		if (c->state == H1_HEAD) {
			go_on = feed_head(c, buf + at, len - at, &used);
		} else if (c->state == H1_EXCHANGE && (m->request_side == H1_REQUEST_CONTENT ||
						       m->request_side == H1_REQUEST_TUNNEL)) {
			go_on = feed_content(c, buf + at, len - at, &used);
			content = true;
		} else if (c->state == H1_EXCHANGE && m->request_side == H1_REQUEST_SKIPPED) {
			go_on = skip_content(c, buf + at, len - at, &used);
		} else {
			break;
		}
		at += used;
	}
	if (content)
		h1_update_deadline(c);
	/* Of what follows the last request nothing will be looked at. */
	if (c->state == H1_ENDED ||
	    (c->state == H1_EXCHANGE && (m->request_side == H1_REQUEST_UNWANTED ||
					 (m->request_side == H1_REQUEST_ENDED && m->close_after))))
		return len;
	return at;
}

/* Feeds, and keeps what is left. `buf` may be what was kept, taken out. */
void h1_take_bytes(struct edge_h1 *c, char *buf, size_t len)
{
	char *rest = NULL;
	size_t used;

	c->feeding = true;
	used = feed(c, buf, len);
	c->feeding = false;
	if (used < len) {
		rest = malloc(len - used);
		if (rest)
			memcpy(rest, buf + used, len - used);
		else
			h1_end(c, REASON_LIMIT, EDGE_CLOSE_BREAK);
	}
	free(c->kept);
	c->kept = rest;
	c->kept_len = rest ? len - used : 0;
}

void h1_take_kept(struct edge_h1 *c)
{
	char *kept = c->kept;
	size_t len = c->kept_len;

	c->kept = NULL;
	c->kept_len = 0;
	h1_take_bytes(c, kept, len);
	free(kept);
}
