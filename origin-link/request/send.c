/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is sent of one request: takes it from its source, which it lets push as fast as the
 * connection takes it, and gives it to the wire of the attempt. Runs on the request's loop; owns
 * content that came before there was a connection.
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

/* Giving it to the wire */

static void send_piece(struct olink_request *r, struct slice data)
{
	struct attempt *a = &r->attempt;
	struct wire_piece piece = {
	    .head = a->given == GIVEN_NOTHING ? r->head : NULL,
	    .data = data,
	    .end = r->side == REQUEST_ENDED,
	    .trailers = r->trailers,
	};
	enum wire_sent sent = WIRE_NO_MEMORY;

	if (!piece.head || relay_address_head(a))
		sent = a->wire->send(a, &piece);
	if (sent == WIRE_NO_MEMORY) {
		request_fail(r, REASON_LIMIT, NULL);
		return;
	}
	if (piece.end)
		a->sent = loop_now(request_loop(r));
	r->facts.given = true;
	a->given = data.n > 0 ? GIVEN_CONTENT : MAX(a->given, GIVEN_HEAD);
	if (piece.end && r->is_tunnel) {
		request_tunnel_ended(r);
		return;
	}
	if (piece.head)
		watch_look(a);
	watch_update(a);
	if (data.n > 0)
		grant_more(r, sent == WIRE_SENT);
}

/* The head, and what has come of the content. */
static void send_first(struct olink_request *r)
{
	char *early = r->early;
	struct slice data = {.p = early, .n = r->n_early};

	r->early = NULL;
	r->n_early = 0;
	send_piece(r, data);
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
	if (r->attempt.state == ATTEMPT_OPEN && r->attempt.given == GIVEN_NOTHING)
		send_first(r);
}

void send_drained(struct olink_request *r)
{
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

static void push(struct olink_request *r, struct slice slice)
{
	bool is_open = r->attempt.state == ATTEMPT_OPEN;

	if (is_open && r->n_early == 0)
		send_piece(r, slice);
	else if (slice.n > 0 && !keep_early(r, &slice))
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
	request_try(r);
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
	push(r, slice);
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
