/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What comes back for one request: reads the connection into the loop's buffer, as far as the sink
 * of the response has granted, parses, and pushes heads and one slice of content a read. Runs on
 * the request's loop; owns what was received and cannot be pushed yet. How the exchange ends is
 * request.c's.
 */
#define LOG_MODULE LOG_ORIGIN
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "origin-link/request/request_internal.h"

/* One read while a head is awaited: what follows the head is copied when its sink does not want it
 * at once, so it should be little; most responses are smaller as a whole. */
#define HEAD_READ (64 * 1024)
/* One read without credit: the end of a message needs none, but shows only when it is read. Holds
 * the last chunk, and as good as nothing of what is not wanted yet. */
#define END_READ 64
/* The longest line of a head or trailer section, whatever the limit: with it in front, there must
 * be room for a read in the loop's buffer. */
#define LINE_MAX (STREAM_READ_MAX - HEAD_READ)
/* More than any origin sends; without a bound one of them could keep a client waiting for ever. */
#define INFORMATIONAL_MAX 32

/* The source of the response, as its sink sees it */

static void source_grant(struct flow_source *source, size_t n)
{
	struct olink_request *r = CONTAINER_OF(source, struct olink_request, source);

	r->wanted += n;
	if (r->phase != REQUEST_OPEN || !r->attempt.paused)
		return;
	r->attempt.paused = false;
	stream_resume(request_stream(r));
	/* The stream does not know what is held here. */
	if (r->attempt.held.n > 0)
		loop_defer(request_loop(r), &r->turn_end);
	watch_update(r);
}

static void source_stop(struct flow_source *source, enum reason reason)
{
	request_abandon(CONTAINER_OF(source, struct olink_request, source));
}

const struct flow_source_ops request_source_ops = {
    .grant = source_grant,
    .stop = source_stop,
};

/* Holding back */

/* False: memory is gone, and the request has failed. `rest` may be what is held already. */
static bool hold(struct olink_request *r, struct slice rest)
{
	struct slice old = r->attempt.held;

	r->attempt.held = (struct slice){0};
	if (rest.n > 0) {
		if (!slice_keep(&rest)) {
			slice_drop(&old);
			request_fail(r, REASON_LIMIT, NULL);
			return false;
		}
		r->attempt.held = rest;
	}
	slice_drop(&old);
	return true;
}

/* Pushing */

static void push_body(struct olink_request *r, struct slice slice, bool end)
{
	CHECK(slice.n <= r->wanted);
	r->wanted -= slice.n;
	r->ends.response->ops->body(r->ends.response, slice, end);
}

static bool is_end_wanted(const struct olink_request *r)
{
	return r->attempt.response == RESPONSE_ENDED && !r->closed;
}

/* The end of the response is there; true when it is to be pushed. The connection may carry the next
 * request when nothing of this one is left on it, in either direction. */
static bool ended(struct olink_request *r, bool clean)
{
	bool tunnel = r->attempt.response == RESPONSE_TUNNEL;
	bool keep = clean && r->attempt.keep_alive && r->side == REQUEST_ENDED &&
		    stream_fault(request_stream(r)) == STREAM_FAULT_NONE &&
		    stream_is_drained(request_stream(r));

	request_set_response(r, RESPONSE_ENDED);
	if (tunnel) {
		request_tunnel_ended(r);
		return true;
	}
	request_report(r, true, REASON_DONE);
	request_over(r, keep);
	request_stop(r, REASON_DONE);
	return is_end_wanted(r);
}

static void push_end(struct olink_request *r, struct slice last, bool clean)
{
	struct http_fields *trailers = &r->attempt.content.trailers;
	struct flow_sink *sink = r->ends.response;

	if (!ended(r, clean))
		return;
	if (trailers->n == 0) {
		push_body(r, last, true);
		return;
	}
	if (last.n > 0)
		push_body(r, last, false);
	/* With what precedes them the sink may have lost interest. */
	if (is_end_wanted(r))
		sink->ops->trailers(sink, trailers);
}

/* Content */

/* `buf` is ours to change; its owner, if any, is held. */
static void take_content(struct olink_request *r, struct slice in)
{
	struct attempt *a = &r->attempt;
	struct span data;
	size_t used;
	enum h1_result result =
	    h1_body_decode(&a->content, (char *)in.p, in.n, r->wanted, &used, &data);
	struct slice piece = {data.p, data.n, in.owner};
	struct slice rest = {in.p + used, in.n - used, in.owner};

	if (result == H1_OK) {
		push_end(r, piece, rest.n == 0);
		return;
	}
	if (result == H1_MORE && !hold(r, rest))
		return;
	if (piece.n > 0) {
		push_body(r, piece, false);
		watch_restart(r);
	}
	if (result == H1_BAD && r->phase == REQUEST_OPEN)
		request_fail(r, REASON_ORIGIN_MALFORMED, a->content.why);
}

/* Heads */

/* Ready for a response head; false when the arena is full. */
static bool begin_head(struct olink_request *r)
{
	struct attempt *a = &r->attempt;
	bool answers_head = r->head->method_id == HTTP_METHOD_HEAD;

	/* One in the arena for each, so that an informational one outlives the next. */
	a->head = arena_alloc(&r->arena, sizeof(*a->head));
	if (!a->head)
		return false;
	http_head_init(a->head, &r->arena);
	h1_response_parser_init(&a->parser, &r->settings.limits, answers_head);
	return true;
}

/* 101: the tunnel that was asked for. */
static bool opens_tunnel(const struct olink_request *r)
{
	return r->side == REQUEST_ASKED &&
	       http_fields_find(&r->attempt.head->fields, SPAN("Upgrade"), NULL);
}

static void take_final_head(struct olink_request *r, struct slice rest)
{
	struct attempt *a = &r->attempt;
	struct flow_sink *sink = r->ends.response;
	struct span data;
	size_t used;

	REQUEST_TRACE(r, "status %d", a->head->status);
	request_set_response(r, RESPONSE_BODY);
	a->status = a->head->status;
	request_report(r, false, REASON_NONE);
	a->keep_alive = a->head->keep_alive;
	if (a->head->status == 101) {
		a->head->framing = HTTP_FRAMING_TUNNEL;
		request_set_response(r, RESPONSE_TUNNEL);
		request_set_side(r, REQUEST_TUNNEL);
	} else if (r->side == REQUEST_ASKED) {
		request_set_side(r, REQUEST_ENDED);
	}
	h1_body_init(&a->content, a->head, &r->settings.limits);
	if (h1_body_decode(&a->content, NULL, 0, 0, &used, &data) == H1_OK) {
		if (ended(r, rest.n == 0))
			sink->ops->head(sink, a->head, true);
		return;
	}
	sink->ops->head(sink, a->head, false);
	if (r->side == REQUEST_TUNNEL)
		send_tunnel(r);
	watch_restart(r);
	if (rest.n > 0 && r->phase == REQUEST_OPEN)
		take_content(r, rest);
}

/* True when the next one may follow. */
static bool take_informational(struct olink_request *r)
{
	struct attempt *a = &r->attempt;
	struct flow_sink *sink = r->ends.response;

	if (++a->n_informational > INFORMATIONAL_MAX ||
	    a->informational_bytes > r->settings.limits.head_bytes) {
		request_fail(r, REASON_ORIGIN_MALFORMED, "too many informational responses");
		return false;
	}
	REQUEST_TRACE(r, "informational status %d", a->head->status);
	a->leave_given |= a->head->status == 100;
	sink->ops->head(sink, a->head, false);
	if (r->phase != REQUEST_OPEN)
		return false;
	/* The origin is alive: its time begins anew. */
	watch_restart(r);
	a->head = NULL;
	return true;
}

static void take_heads(struct olink_request *r, struct slice in)
{
	struct attempt *a = &r->attempt;

	for (;;) {
		enum h1_result result;
		size_t used;

		if (!a->head && !begin_head(r)) {
			request_fail(r, REASON_LIMIT, "no memory for the head");
			return;
		}
		result = h1_head_parse(&a->parser, a->head, in.p, in.n, &used);
		in.p += used;
		in.n -= used;
		a->informational_bytes += used;
		if (result == H1_MORE) {
			hold(r, in);
			return;
		}
		if (result == H1_BAD) {
			request_fail(r, REASON_ORIGIN_MALFORMED, a->parser.why);
			return;
		}
		if (a->head->status == 101 && !opens_tunnel(r)) {
			request_fail(r, REASON_ORIGIN_MALFORMED, "another protocol, unasked");
			return;
		}
		if (a->head->status >= 200 || a->head->status == 101) {
			take_final_head(r, in);
			return;
		}
		if (!take_informational(r))
			return;
	}
}

/* Reading */

static bool is_read(const struct olink_request *r)
{
	return r->phase == REQUEST_OPEN && r->attempt.response <= RESPONSE_TUNNEL;
}

static void take(struct olink_request *r, struct slice in)
{
	if (r->attempt.response == RESPONSE_HEAD_AWAITED)
		take_heads(r, in);
	else
		take_content(r, in);
}

/* How much of the connection may be read now; 0: nothing. */
static size_t allowance(const struct olink_request *r)
{
	const struct attempt *a = &r->attempt;

	if (a->response == RESPONSE_HEAD_AWAITED)
		return HEAD_READ;
	if (h1_body_in_trailers(&a->content))
		return HEAD_READ;
	if (r->wanted > 0)
		return r->wanted;
	/* The end of what has a length shows with its last byte. */
	return a->content.framing == HTTP_FRAMING_LENGTH || a->held.n > 0 ? 0 : END_READ;
}

/* Whether what is held can be taken without more of it. */
static bool is_held_ready(const struct olink_request *r)
{
	return r->attempt.held.n > 0 && r->wanted > 0 &&
	       r->attempt.response != RESPONSE_HEAD_AWAITED &&
	       !h1_body_in_trailers(&r->attempt.content);
}

static void take_held(struct olink_request *r)
{
	struct slice in = r->attempt.held;

	r->attempt.held = (struct slice){0};
	take(r, in);
	slice_drop(&in);
}

/* The connection was closed, or it broke. */
static void connection_ended(struct olink_request *r, bool cleanly)
{
	struct attempt *a = &r->attempt;

	if (cleanly && a->response != RESPONSE_HEAD_AWAITED && h1_body_close_is_end(&a->content) &&
	    a->held.n == 0)
		push_end(r, (struct slice){0}, false);
	else
		request_died(r);
}

static void received(struct olink_request *r, char *buf, size_t n_held, size_t n)
{
	struct attempt *a = &r->attempt;

	if (a->received == 0)
		r->facts.response = mono_since(loop_now(request_loop(r)), r->opened);
	a->received += n;
	/* Nothing was asked: this is about something else, and so is what may follow. */
	if (a->given == GIVEN_NOTHING) {
		request_died(r);
		return;
	}
	slice_drop(&a->held);
	take(r, (struct slice){.p = buf, .n = n_held + n});
}

/* False when there is no more for now. */
static bool read_once(struct olink_request *r)
{
	struct attempt *a = &r->attempt;
	char *buf = r->worker->buffers->plain;
	size_t n_held = a->held.n;
	size_t max = allowance(r);
	ssize_t n;

	if (max == 0) {
		if (!a->paused)
			stream_pause(request_stream(r));
		a->paused = true;
		return false;
	}
	if (n_held > LINE_MAX) {
		request_fail(r, REASON_ORIGIN_MALFORMED, "line too long");
		return false;
	}
	if (n_held > 0)
		memcpy(buf, a->held.p, n_held);
	n = stream_read(request_stream(r), buf + n_held, MIN(max, STREAM_READ_MAX - n_held));
	if (n == STREAM_AGAIN)
		return false;
	if (n > 0) {
		received(r, buf, n_held, n);
		return true;
	}
	connection_ended(r, n == STREAM_EOF);
	return false;
}

void response_go_on(struct olink_request *r)
{
	bool more = true;

	while (more && is_read(r)) {
		if (is_held_ready(r))
			take_held(r);
		else
			more = read_once(r);
	}
	watch_update(r);
}
