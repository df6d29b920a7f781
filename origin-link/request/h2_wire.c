/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An attempt over HTTP/2: passes the request on to a stream of the lease's session, and tells the
 * attempt what the stream tells. A WebSocket is asked for by an extended CONNECT, and answered as
 * HTTP/1.1 has it (RFC 8441). Runs on the request's loop; owns the stream.
 */
#include "origin-link/request/h2_wire.h"

#include <string.h>

#include "core/base/check.h"
#include "origin-link/request/request_internal.h"

/* More than any origin sends; without a bound one of them could keep a client waiting for ever. */
#define INFORMATIONAL_MAX 32

static struct attempt *attempt_of(struct origin_h2_stream *s)
{
	return CONTAINER_OF(s, struct attempt, h2.stream);
}

/* Credit */

/* What the stream was granted is what the sink wants. */
static void grant(struct attempt *a)
{
	size_t wanted = a->request->wanted;
	size_t more = wanted - a->h2.granted;

	a->paused = a->status != 0 && wanted == 0;
	if (more == 0)
		return;
	a->h2.granted = wanted;
	origin_h2_stream_grant(&a->h2.stream, more);
}

static void wire_grant(struct attempt *a)
{
	bool was_paused = a->paused;

	if (!origin_h2_stream_is_open(&a->h2.stream))
		return;
	grant(a);
	if (was_paused)
		watch_update(a);
}

/* What comes back */

/* RFC 8441 section 5: what HTTP/1.1 would have said. */
static bool complete_websocket(struct attempt *a, struct http_head *head)
{
	char *accept = arena_alloc(head->arena, WEBSOCKET_ACCEPT);

	if (!accept || !websocket_accept(a->h2.key, accept))
		return false;
	head->status = 101;
	http_fields_remove(&head->fields, SPAN("Sec-WebSocket-Accept"));
	return http_fields_add(&head->fields, head->arena, SPAN("Upgrade"), SPAN("websocket")) &&
	       http_fields_add(&head->fields, head->arena, SPAN("Sec-WebSocket-Accept"),
			       (struct span){accept, WEBSOCKET_ACCEPT});
}

static void head_cb(struct origin_h2_stream *s, struct http_head *head, bool end)
{
	struct attempt *a = attempt_of(s);

	attempt_received(a, MAX(s->parser.bytes, (size_t)1));
	if (head->status < 200) {
		if (++a->n_informational > INFORMATIONAL_MAX)
			attempt_spoilt(a, REASON_ORIGIN_MALFORMED,
				       "too many informational responses");
		else
			attempt_informational(a, head);
		return;
	}
	if (head->framing == HTTP_FRAMING_TUNNEL && !complete_websocket(a, head)) {
		attempt_spoilt(a, REASON_LIMIT, "no memory for the head");
		return;
	}
	a->paused = a->request->wanted == 0;
	attempt_final(a, head, end ? RESPONSE_ENDS_CLEANLY : RESPONSE_GOES_ON);
}

static void content_cb(struct origin_h2_stream *s, struct slice slice, bool end)
{
	struct attempt *a = attempt_of(s);

	if (slice.n > 0)
		attempt_received(a, slice.n);
	a->h2.granted -= slice.n;
	a->paused = !end && a->request->wanted == slice.n;
	if (end)
		attempt_complete(a, slice, NULL, RESPONSE_ENDS_CLEANLY);
	else
		attempt_content(a, slice);
}

static void trailers_cb(struct origin_h2_stream *s, struct http_fields *trailers)
{
	attempt_complete(attempt_of(s), (struct slice){0}, trailers, RESPONSE_ENDS_CLEANLY);
}

static void drained_cb(struct origin_h2_stream *s)
{
	attempt_drained(attempt_of(s));
}

static void died_cb(struct origin_h2_stream *s, const struct origin_h2_death *death)
{
	struct attempt *a = attempt_of(s);
	const struct attempt_death told = {
	    .reason = death->reason,
	    .detail = death->detail,
	    /* Content that was given is not there to be given again. */
	    .unacted = death->unacted && (a->given != GIVEN_CONTENT || a->request->keeps),
	    .alone = death->alone,
	};

	if (death->spoilt)
		attempt_spoilt(a, death->reason, death->detail);
	else if (death->vanished)
		request_vanished(a->request, a, told.unacted);
	else
		attempt_died(a, &told);
}

static const struct origin_h2_stream_ops stream_ops = {
    .head = head_cb,
    .content = content_cb,
    .trailers = trailers_cb,
    .drained = drained_cb,
    .died = died_cb,
};

/* What goes out */

static const struct http_field *key_of(const struct http_head *head)
{
	const struct http_field *key = http_fields_only(&head->fields, SPAN("Sec-WebSocket-Key"));

	return key && key->value.n == WEBSOCKET_KEY ? key : NULL;
}

enum lease_protocol h2_wire_protocol(const struct http_head *head)
{
	const struct http_field *upgrade;

	if (head->framing != HTTP_FRAMING_TUNNEL)
		return LEASE_ANY;
	upgrade = http_fields_only(&head->fields, SPAN("Upgrade"));
	return head->method_id == HTTP_METHOD_GET && upgrade && key_of(head) &&
		       span_equal_nocase(upgrade->value, SPAN("websocket"))
		   ? LEASE_WEBSOCKET
		   : LEASE_H1;
}

static bool open_stream(struct attempt *a, const struct wire_piece *piece, bool bare)
{
	struct olink_request *r = a->request;
	bool tunnel = r->side == REQUEST_ASKED;
	const struct http_field *key = tunnel ? key_of(r->head) : NULL;
	/* A server that knows nothing else than HTTP/2 may be asked for what it does not take. */
	struct origin_h2_order order = {
	    .head = r->head,
	    .end = bare,
	    .connect = tunnel,
	    .refused = tunnel && h2_wire_protocol(r->head) != LEASE_WEBSOCKET,
	    .arena = &r->arena,
	    .limits = &r->settings.limits,
	};

	origin_h2_stream_init(&a->h2.stream, &stream_ops);
	if (key)
		memcpy(a->h2.key, key->value.p, WEBSOCKET_KEY);
	if (!origin_h2_stream_open(lease_h2(&a->lease), &a->h2.stream, &order))
		return false;
	grant(a);
	return true;
}

static enum wire_sent wire_send(struct attempt *a, const struct wire_piece *piece)
{
	struct origin_h2_stream *s = &a->h2.stream;
	bool has_trailers = piece->end && piece->trailers && piece->trailers->n > 0;
	bool bare = piece->end && piece->data.n == 0 && !has_trailers, more = true;

	if (piece->head && !open_stream(a, piece, bare))
		return WIRE_NO_MEMORY;
	if (piece->head && bare)
		return WIRE_SENT;
	if (piece->data.n > 0 || (piece->end && !has_trailers))
		more = origin_h2_stream_send(s, piece->data, piece->end && !has_trailers);
	if (has_trailers)
		origin_h2_stream_send_trailers(s, piece->trailers);
	return more ? WIRE_SENT : WIRE_QUEUED;
}

static void wire_go_on(struct attempt *a)
{
	/* The session tells by itself what is kept. */
}

static bool wire_is_drained(const struct attempt *a)
{
	return !origin_h2_stream_is_open(&a->h2.stream) || origin_h2_stream_is_sent(&a->h2.stream);
}

static uint64_t wire_progress(const struct attempt *a)
{
	return origin_h2_stream_is_open(&a->h2.stream) ? origin_h2_stream_progress(&a->h2.stream)
						       : 0;
}

static int wire_socket(const struct attempt *a)
{
	return -1; /* the session looks at it for all */
}

static void wire_end(struct attempt *a, enum attempt_end how)
{
	origin_h2_stream_close(&a->h2.stream);
}

const struct wire_ops h2_wire_ops = {
    .name = "HTTP/2",
    .send = wire_send,
    .grant = wire_grant,
    .go_on = wire_go_on,
    .is_drained = wire_is_drained,
    .progress = wire_progress,
    .socket = wire_socket,
    .end = wire_end,
};
