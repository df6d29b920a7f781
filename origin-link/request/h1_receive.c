/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What comes back for one attempt over HTTP/1.1: reads the connection into the loop's buffer, as
 * far as the sink of the response has granted, parses, and tells heads and one slice of content a
 * read. Runs on the request's loop. Holds what was received and cannot be told yet. What becomes of
 * it is response.c's, how the exchange ends is request.c's.
 */
#include <string.h>

#include "core/base/check.h"
#include "origin-link/request/h1_wire.h"
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

static struct stream *stream_of(const struct attempt *a)
{
	return lease_stream(&a->lease);
}

/* Ends */

enum reason h1_reason(const struct attempt *a)
{
	switch (stream_fault(stream_of(a))) {
	case STREAM_FAULT_NONE: /* a clean end in the wrong place */
	case STREAM_FAULT_CLOSED:
		return a->received == 0 ? REASON_ORIGIN_CLOSED : REASON_ORIGIN_TRUNCATED;
	case STREAM_FAULT_RESET:
		return REASON_ORIGIN_RESET;
	case STREAM_FAULT_MALFORMED:
	case STREAM_FAULT_HANDSHAKE:
	case STREAM_FAULT_CERTIFICATE:
		/* With TLS 1.3 a server refuses our certificate when we are long done, and think
		 * that it is content with us. */
		return lease_is_reused(&a->lease) || a->received > 0
			   ? REASON_ORIGIN_RESET
			   : REASON_ORIGIN_HANDSHAKE_FAILED;
	case STREAM_FAULT_TIMED_OUT:
		/* It was waited for in vain, only by TCP and not by us. */
		return a->h1.has_final ? REASON_ORIGIN_BODY_TIMEOUT : REASON_ORIGIN_HEAD_TIMEOUT;
	case STREAM_FAULT_STALLED:
		return REASON_ORIGIN_STALLED;
	case STREAM_FAULT_NO_MEMORY:
		break;
	}
	return REASON_LIMIT;
}

void h1_died(struct attempt *a)
{
	bool is_fault = stream_fault(stream_of(a)) != STREAM_FAULT_NONE;
	struct attempt_death death = {
	    .reason = h1_reason(a),
	    .detail = is_fault ? stream_fault_detail(stream_of(a)) : NULL,
	    .unacted = a->given == GIVEN_NOTHING || stream_sent(stream_of(a)) == a->h1.sent_before,
	};

	attempt_died(a, &death);
}

/* Whether the connection may carry the next request: when nothing of this one is left on it. */
static enum response_end end_of(const struct attempt *a, bool nothing_left)
{
	bool clean = nothing_left && a->h1.keep_alive &&
		     stream_fault(stream_of(a)) == STREAM_FAULT_NONE &&
		     stream_is_drained(stream_of(a));

	return clean ? RESPONSE_ENDS_CLEANLY : RESPONSE_ENDS;
}

/* Holding back */

/* False: memory is gone, and the request has failed. `rest` may be what is held already. */
static bool hold(struct attempt *a, struct slice rest)
{
	struct slice old = a->h1.held;

	a->h1.held = (struct slice){0};
	if (rest.n > 0) {
		if (!slice_keep(&rest)) {
			slice_drop(&old);
			attempt_spoilt(a, REASON_LIMIT, NULL);
			return false;
		}
		a->h1.held = rest;
	}
	slice_drop(&old);
	return true;
}

/* Content */

/* `buf` is ours to change; its owner, if any, is held. */
static void take_content(struct attempt *a, struct slice in)
{
	struct h1_wire *h1 = &a->h1;
	struct span data;
	size_t used;
	enum h1_result result =
	    h1_body_decode(&h1->content, (char *)in.p, in.n, a->request->wanted, &used, &data);
	struct slice piece = {data.p, data.n, in.owner};
	struct slice rest = {in.p + used, in.n - used, in.owner};

	if (result == H1_OK) {
		attempt_complete(a, piece,
				 h1->content.trailers.n > 0 ? &h1->content.trailers : NULL,
				 end_of(a, rest.n == 0));
		return;
	}
	if (result == H1_MORE && !hold(a, rest))
		return;
	if (piece.n > 0)
		attempt_content(a, piece);
	if (result == H1_BAD && a->state == ATTEMPT_OPEN)
		attempt_spoilt(a, REASON_ORIGIN_MALFORMED, h1->content.why);
}

/* Heads */

/* Ready for a response head; false when the arena is full. */
static bool begin_head(struct attempt *a)
{
	struct olink_request *r = a->request;
	bool answers_head = r->head->method_id == HTTP_METHOD_HEAD;

	/* One in the arena for each, so that an informational one outlives the next. */
	a->h1.head = arena_alloc(&r->arena, sizeof(*a->h1.head));
	if (!a->h1.head)
		return false;
	http_head_init(a->h1.head, &r->arena);
	h1_response_parser_init(&a->h1.parser, &r->settings.limits, answers_head);
	return true;
}

/* 101: the tunnel that was asked for. */
static bool opens_tunnel(const struct attempt *a)
{
	return a->request->side == REQUEST_ASKED &&
	       http_fields_find(&a->h1.head->fields, SPAN("Upgrade"), NULL);
}

static void take_final_head(struct attempt *a, struct slice rest)
{
	struct h1_wire *h1 = &a->h1;
	struct span data;
	size_t used;

	h1->has_final = true;
	h1->keep_alive = h1->head->keep_alive;
	if (h1->head->status == 101)
		h1->head->framing = HTTP_FRAMING_TUNNEL;
	h1_body_init(&h1->content, h1->head, &a->request->settings.limits);
	if (h1_body_decode(&h1->content, NULL, 0, 0, &used, &data) == H1_OK) {
		attempt_final(a, h1->head, end_of(a, rest.n == 0));
		return;
	}
	attempt_final(a, h1->head, RESPONSE_GOES_ON);
	if (rest.n > 0 && a->state == ATTEMPT_OPEN)
		take_content(a, rest);
}

/* True when the next one may follow. */
static bool take_informational(struct attempt *a)
{
	if (++a->n_informational > INFORMATIONAL_MAX ||
	    a->h1.informational_bytes > a->request->settings.limits.head_bytes) {
		attempt_spoilt(a, REASON_ORIGIN_MALFORMED, "too many informational responses");
		return false;
	}
	attempt_informational(a, a->h1.head);
	if (a->state != ATTEMPT_OPEN)
		return false;
	a->h1.head = NULL;
	return true;
}

static void take_heads(struct attempt *a, struct slice in)
{
	struct h1_wire *h1 = &a->h1;

	for (;;) {
		enum h1_result result;
		size_t used;

		if (!h1->head && !begin_head(a)) {
			attempt_spoilt(a, REASON_LIMIT, "no memory for the head");
			return;
		}
		result = h1_head_parse(&h1->parser, h1->head, in.p, in.n, &used);
		in.p += used;
		in.n -= used;
		h1->informational_bytes += used;
		if (result == H1_MORE) {
			hold(a, in);
			return;
		}
		if (result == H1_BAD) {
			attempt_spoilt(a, REASON_ORIGIN_MALFORMED, h1->parser.why);
			return;
		}
		if (h1->head->status == 101 && !opens_tunnel(a)) {
			attempt_spoilt(a, REASON_ORIGIN_MALFORMED, "another protocol, unasked");
			return;
		}
		if (h1->head->status >= 200 || h1->head->status == 101) {
			take_final_head(a, in);
			return;
		}
		if (!take_informational(a))
			return;
	}
}

/* Reading */

static void take(struct attempt *a, struct slice in)
{
	if (a->h1.has_final)
		take_content(a, in);
	else
		take_heads(a, in);
}

/* How much of the connection may be read now; 0: nothing. */
static size_t allowance(const struct attempt *a)
{
	size_t wanted = a->request->wanted;

	if (!a->h1.has_final || h1_body_in_trailers(&a->h1.content))
		return HEAD_READ;
	if (wanted > 0)
		return wanted;
	/* The end of what has a length shows with its last byte. */
	return a->h1.content.framing == HTTP_FRAMING_LENGTH || a->h1.held.n > 0 ? 0 : END_READ;
}

/* Whether what is held can be taken without more of it. */
static bool is_held_ready(const struct attempt *a)
{
	return a->h1.held.n > 0 && a->request->wanted > 0 && a->h1.has_final &&
	       !h1_body_in_trailers(&a->h1.content);
}

static void take_held(struct attempt *a)
{
	struct slice in = a->h1.held;

	a->h1.held = (struct slice){0};
	take(a, in);
	slice_drop(&in);
}

/* The connection was closed, or it broke. */
static void connection_ended(struct attempt *a, bool cleanly)
{
	struct h1_wire *h1 = &a->h1;

	if (cleanly && h1->has_final && h1_body_close_is_end(&h1->content) && h1->held.n == 0)
		attempt_complete(a, (struct slice){0}, NULL, RESPONSE_ENDS);
	else
		h1_died(a);
}

static void received(struct attempt *a, char *buf, size_t n_held, size_t n)
{
	attempt_received(a, n);
	/* Nothing was asked: this is about something else, and so is what may follow. */
	if (a->given == GIVEN_NOTHING) {
		h1_died(a);
		return;
	}
	slice_drop(&a->h1.held);
	take(a, (struct slice){.p = buf, .n = n_held + n});
}

/* False when there is no more for now. */
static bool read_once(struct attempt *a)
{
	char *buf = a->request->worker->buffers->plain;
	size_t n_held = a->h1.held.n;
	size_t max = allowance(a);
	ssize_t n;

	if (max == 0) {
		if (!a->paused)
			stream_pause(stream_of(a));
		a->paused = true;
		return false;
	}
	if (n_held > LINE_MAX) {
		attempt_spoilt(a, REASON_ORIGIN_MALFORMED, "line too long");
		return false;
	}
	if (n_held > 0)
		memcpy(buf, a->h1.held.p, n_held);
	n = stream_read(stream_of(a), buf + n_held, MIN(max, STREAM_READ_MAX - n_held));
	if (n == STREAM_AGAIN)
		return false;
	if (n > 0) {
		received(a, buf, n_held, n);
		return true;
	}
	connection_ended(a, n == STREAM_EOF);
	return false;
}

void h1_receive(struct attempt *a)
{
	bool more = true;

	while (more && attempt_is_read(a)) {
		if (is_held_ready(a))
			take_held(a);
		else
			more = read_once(a);
	}
	watch_update(a);
}
