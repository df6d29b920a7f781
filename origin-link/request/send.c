/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is sent of one request: takes it from its source, which it lets push as fast as the
 * connection takes it, and gives it to the wire of the attempt. Runs on the request's loop; owns
 * content that came before there was a connection, and what is kept of it for a further attempt.
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
/* Kept by all requests of the node to be given again, a part of it by each worker: a thousand
 * uploads of as much as one may keep by default. What does not fit is not kept: it can be sent once
 * only. */
#define KEPT_MAX (64 * 1024 * 1024)

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

/* Content that waits, or is kept */

/* In one block: in slices of their own, bytes that come one by one would cost fifty times as much
 * memory as the window says. */
static bool append(struct olink_request *r, const struct slice *slice)
{
	char *grown = realloc(r->content, r->n_content + slice->n);

	if (!grown)
		return false;
	memcpy(grown + r->n_content, slice->p, slice->n);
	r->content = grown;
	r->n_content += slice->n;
	if (r->keeps)
		r->worker->kept += slice->n;
	return true;
}

static void drop_content(struct olink_request *r)
{
	free(r->content);
	r->content = NULL;
	r->n_content = r->n_ungiven = 0;
}

void send_forget(struct olink_request *r)
{
	if (r->keeps)
		r->worker->kept -= r->n_content;
	r->keeps = false;
	if (r->n_ungiven == 0 || r->phase == REQUEST_OVER)
		drop_content(r);
}

/* Whether it will be, from the head on. */
static bool is_kept(const struct olink_request *r)
{
	bool fits = r->head->framing != HTTP_FRAMING_LENGTH ||
		    r->head->content_length <= r->settings.kept_max;

	/* Whatever the method: the server may yet say that it has not looked at it. */
	return fits && r->settings.kept_max > 0 && r->settings.retry.attempts > 0;
}

/* Whether so much more has room; else nothing is kept any more. */
static bool keeps_more(struct olink_request *r, size_t n)
{
	if (r->keeps && (r->n_content + n > r->settings.kept_max ||
			 r->worker->kept + n > KEPT_MAX / (r->worker->olink->group->n_workers + 1)))
		send_forget(r);
	return r->keeps;
}

void send_again(struct olink_request *r)
{
	r->n_ungiven = r->n_content;
}

/* Giving it to the wire */

static void give(struct olink_request *r, struct attempt *a, struct slice data)
{
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
	char *content = r->content;
	struct slice data = {.p = content + r->n_content - r->n_ungiven, .n = r->n_ungiven};

	r->n_ungiven = 0;
	if (r->keeps) {
		give(r, r->current, data);
		return;
	}
	r->content = NULL;
	r->n_content = 0;
	give(r, r->current, data);
	free(content);
}

void send_rival(struct olink_request *r)
{
	give(r, r->rival, (struct slice){0});
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
	if (r->current->state == ATTEMPT_OPEN && r->current->given == GIVEN_NOTHING) {
		send_first(r);
		request_hedge(r);
	}
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

static void push(struct olink_request *r, struct slice slice)
{
	bool is_open = r->current->state == ATTEMPT_OPEN;
	bool waits = !is_open || r->n_ungiven > 0;

	if (slice.n > 0 && (keeps_more(r, slice.n) || waits) && !append(r, &slice)) {
		if (waits) {
			request_fail(r, REASON_LIMIT, NULL);
			return;
		}
		send_forget(r);
	} else if (waits) {
		r->n_ungiven += slice.n;
	}
	if (is_open && waits)
		send_first(r);
	else if (is_open)
		give(r, r->current, slice);
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
	r->keeps = r->side == REQUEST_BODY && is_kept(r);
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
