/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is sent of one request: takes it from its source, which it lets push as fast as the
 * connection takes it, and writes it as HTTP/1.1. Runs on the request's loop; owns content that
 * came before there was a connection.
 *
 * Credit: a window is granted at first, and granted again as the connection takes content. It grows
 * while nothing has to be queued, and is small again as soon as something is, so that what one
 * request holds here is bounded by WINDOW_MAX, and mostly less.
 */
#define LOG_MODULE LOG_ORIGIN
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/request/request_internal.h"

/* As much as one turn gathers: a small upload goes out in one write, its head before it. */
#define WINDOW_MIN (64 * 1024)
/* Bulk: larger ones no longer saved anything worth measuring, and each upload to an origin that
 * suddenly stalls holds as much. */
#define WINDOW_MAX (512 * 1024)

static size_t trailers_size(const struct http_fields *trailers)
{
	size_t size = sizeof("0\r\n\r\n");

	for (unsigned i = 0; trailers && i < trailers->n; i++)
		size += trailers->v[i].name.n + trailers->v[i].value.n + sizeof(": \r\n");
	return size;
}

/* Memory for a head and a trailer section; NULL when there is none. Their size is bounded by what
 * the client's side lets in. */
static char *scratch(struct olink_worker *w, size_t size)
{
	if (w->scratch_size < size) {
		char *grown = realloc(w->scratch, size);

		if (!grown)
			return NULL;
		w->scratch = grown;
		w->scratch_size = size;
	}
	return w->scratch;
}

/* Credit */

static void grant(struct olink_request *r)
{
	size_t n = r->window - MIN(r->window, r->credit);

	/* Not in crumbs: each may become a frame on the client's connection. */
	if ((r->side != REQUEST_BODY && r->side != REQUEST_TUNNEL) || n < r->window / 2)
		return;
	r->credit += n;
	r->ends.request->ops->grant(r->ends.request, n);
}

/* Content was written; `more`: and nothing of it had to be queued. */
static void grant_more(struct olink_request *r, bool more)
{
	r->window = more ? MIN(2 * r->window, WINDOW_MAX) : WINDOW_MIN;
	if (more)
		grant(r);
}

/* Writing */

struct piece {
	struct span data;
	bool end;
};

/* A piece as it goes over the wire, with the head in front if that has not gone before. */
struct wire {
	char chunk[20];
	struct iovec iov[5];
	int n;
};

static void put(struct wire *wire, const void *p, size_t n)
{
	CHECK(n > 0);
	wire->iov[wire->n++] = (struct iovec){(void *)p, n};
}

static void put_head(struct wire *wire, const struct http_head *head, char *text, size_t size)
{
	struct http_head ours = *head;

	/* What the client wants of its connection says nothing about ours. */
	ours.keep_alive = true;
	put(wire, text, h1_write_head(&ours, true, text, size));
}

static void put_data(struct wire *wire, struct span data, bool chunked)
{
	if (chunked)
		put(wire, wire->chunk, h1_write_chunk_header(data.n, wire->chunk));
	put(wire, data.p, data.n);
	if (chunked)
		put(wire, "\r\n", 2);
}

/* False when memory is gone. */
static bool compose(struct olink_request *r, const struct piece *piece, struct wire *wire)
{
	bool chunked = r->head->framing == HTTP_FRAMING_CHUNKED;
	size_t head_size = r->attempt.given == GIVEN_NOTHING ? h1_head_size(r->head) : 0;
	size_t tail_size = chunked && piece->end ? trailers_size(r->trailers) : 0;
	char *text = scratch(r->worker, MAX(head_size + tail_size, 1));

	wire->n = 0;
	if (!text)
		return false;
	if (head_size > 0)
		put_head(wire, r->head, text, head_size);
	if (piece->data.n > 0)
		put_data(wire, piece->data, chunked);
	text += head_size;
	if (tail_size > 0)
		put(wire, text, h1_write_last_chunk(r->trailers, text, tail_size));
	return true;
}

static void send_piece(struct olink_request *r, const struct piece *piece)
{
	struct attempt *a = &r->attempt;
	bool first = a->given == GIVEN_NOTHING, more = true;
	struct wire wire;

	if (!compose(r, piece, &wire)) {
		request_fail(r, REASON_LIMIT, NULL);
		return;
	}
	a->given = piece->data.n > 0 ? GIVEN_CONTENT : MAX(a->given, GIVEN_HEAD);
	if (piece->end)
		a->sent = loop_now(request_loop(r));
	if (wire.n > 0)
		more = stream_write(request_stream(r), wire.iov, wire.n);
	if (piece->end && request_is_tunnel(r)) {
		stream_end_writing(request_stream(r));
		request_tunnel_ended(r);
		return;
	}
	if (first)
		watch_look(r);
	watch_update(r);
	if (piece->data.n > 0)
		grant_more(r, more);
}

void send_first(struct olink_request *r)
{
	struct piece piece = {
	    .data = {r->early, r->n_early},
	    .end = r->side == REQUEST_ENDED,
	};
	char *early = r->early;

	r->early = NULL;
	r->n_early = 0;
	send_piece(r, &piece);
	free(early);
}

void send_begin(struct olink_request *r)
{
	if (r->side == REQUEST_BODY && r->window == 0) {
		r->window = WINDOW_MIN;
		grant(r);
		/* What that brings in this turn goes out with the head. */
		loop_defer(request_loop(r), &r->turn_end);
		return;
	}
	if (r->phase == REQUEST_OPEN && r->attempt.given == GIVEN_NOTHING)
		send_first(r);
}

void send_drained(struct olink_request *r)
{
	watch_update(r);
	request_tunnel_ended(r);
	if (r->window > 0)
		grant(r);
}

void send_tunnel(struct olink_request *r)
{
	r->window = WINDOW_MIN;
	grant(r);
}

/* From the source */

static struct olink_request *of_sink(struct flow_sink *sink)
{
	return CONTAINER_OF(sink, struct olink_request, sink);
}

static bool keep_early(struct olink_request *r, const struct slice *slice)
{
	/* One block: in slices of their own, bytes that come one by one would cost fifty times as
	 * much memory as the window says. */
	char *grown = realloc(r->early, r->n_early + slice->n);

	if (!grown)
		return false;
	memcpy(grown + r->n_early, slice->p, slice->n);
	r->early = grown;
	r->n_early += slice->n;
	return true;
}

static void push(struct olink_request *r, const struct slice *slice)
{
	const struct piece piece = {
	    .data = {slice->p, slice->n},
	    .end = r->side == REQUEST_ENDED,
	};
	bool is_open = r->phase == REQUEST_OPEN;

	if (is_open && r->n_early == 0)
		send_piece(r, &piece);
	else if (slice->n > 0 && !keep_early(r, slice))
		request_fail(r, REASON_LIMIT, NULL);
	else if (is_open)
		send_first(r);
}

/* Whether content of this size has its place here. What does not fit the length that the head has
 * declared must never reach an origin, which would take it for the next request. */
static bool fits(struct olink_request *r, size_t n, bool end)
{
	if (r->head->framing != HTTP_FRAMING_LENGTH)
		return true;
	if (n > r->content_left || (end && n < r->content_left))
		return false;
	r->content_left -= n;
	return true;
}

static void sink_head(struct flow_sink *sink, struct http_head *head, bool end)
{
	struct olink_request *r = of_sink(sink);

	CHECK(r->phase == REQUEST_OPENING && r->side == REQUEST_HEAD_AWAITED);
	r->head = head;
	r->content_left = head->content_length;
	if (end)
		request_set_side(r, REQUEST_ENDED);
	else if (head->framing == HTTP_FRAMING_TUNNEL)
		request_set_side(r, REQUEST_ASKED);
	else
		request_set_side(r, REQUEST_BODY);
	request_lease(r);
}

static void sink_body(struct flow_sink *sink, struct slice slice, bool end)
{
	struct olink_request *r = of_sink(sink);

	if (r->side != REQUEST_BODY && r->side != REQUEST_TUNNEL)
		return;
	CHECK(slice.n <= r->credit);
	r->credit -= slice.n;
	if (!fits(r, slice.n, end)) {
		request_fail(r, REASON_CLIENT_MALFORMED, "content does not have its length");
		return;
	}
	if (end)
		request_set_side(r, REQUEST_ENDED);
	push(r, &slice);
}

static void sink_trailers(struct flow_sink *sink, struct http_fields *trailers)
{
	struct olink_request *r = of_sink(sink);

	r->trailers = trailers;
	sink_body(sink, (struct slice){0}, true);
}

static void sink_reset(struct flow_sink *sink, enum reason reason)
{
	request_abandon(of_sink(sink));
}

const struct flow_sink_ops request_sink_ops = {
    .head = sink_head,
    .body = sink_body,
    .trailers = sink_trailers,
    .reset = sink_reset,
};
