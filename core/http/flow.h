/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The flow of messages: the seam between all that takes part in an exchange. Whoever reads a
 * message (its source) pushes it into whoever takes it (its sink), as far as the sink has granted.
 * Client protocols, the exchange, filters and origin protocols all speak these operations, so that
 * any of them can be neighbours.
 *
 * Opening something that answers requests (an origin, one day a cache) takes the opener's two ends
 * and returns a leg: the sink that the request is pushed into, head and all, and the source of the
 * response. A filter stands between two neighbours with the same operations and is opened in the
 * same way, so that what is in front of it and behind it need not know.
 *
 * Rules:
 *  - One thread: a message lives and dies on one loop.
 *  - Order: head (informational)*, head, body*, then one end: `end` true on head or body, or
 *    trailers(), or reset(). Nothing follows an end.
 *  - Credit: a source pushes no more bytes of content than its sink has granted in sum; it begins
 *    with none. Heads, trailers, ends and resets need none. What was granted and not yet pushed is
 *    the most that a sink may still have to take.
 *  - grant() never pushes: the source goes on later in the turn, or when it returns to the loop
 * that it is in. stop() may come inside a push, and a push may lead to any other operation of
 * either neighbour; so whoever pushes looks at its own state again afterwards.
 *  - stop() tells a source that its sink wants no more: it pushes nothing further, no reset()
 * either. REASON_DONE: nothing is wrong, the rest is just of no interest.
 *  - A head with HTTP_FRAMING_TUNNEL: a request that asks for another protocol (Upgrade, CONNECT).
 *    Its content begins when the response's head has HTTP_FRAMING_TUNNEL too; then both directions
 *    carry bytes until each ends by itself (half-close). With any other final head the request has
 *    ended with its own.
 *  - Slices: see struct slice. Objects are destroyed at the end of the loop's turn, never inside a
 *    call.
 */
#pragma once

#include "core/base/reason.h"
#include "core/http/message.h"

/* Bytes of content with the one who keeps them. Without an owner they are valid during the call
 * that passes them, no longer: whoever needs them for longer calls slice_keep(). */
struct slice_owner {
	unsigned refs;
	void (*release)(struct slice_owner *owner); /* of the last reference */
};
struct slice {
	const char *p;
	size_t n;
	struct slice_owner *owner; /* NULL: borrowed */
};
/* Takes a reference, or makes a copy that has an owner. False when memory is gone: unchanged. */
bool slice_keep(struct slice *slice);
/* Gives a kept slice back; it is empty then. */
void slice_drop(struct slice *slice);

struct flow_sink {
	const struct flow_sink_ops *ops;
};
struct flow_sink_ops {
	/* An informational response has status < 200 and end == false; 101 is a final one. The head
	 * lives until the exchange ends, and belongs to the sink from now on. */
	void (*head)(struct flow_sink *sink, struct http_head *head, bool end);
	/* slice.n may be 0 only with `end`. */
	void (*body)(struct flow_sink *sink, struct slice slice, bool end);
	/* They live until the exchange ends. */
	void (*trailers)(struct flow_sink *sink, struct http_fields *trailers);
	void (*reset)(struct flow_sink *sink, enum reason reason);
};

struct flow_source {
	const struct flow_source_ops *ops;
};
struct flow_source_ops {
	void (*grant)(struct flow_source *source, size_t n);
	void (*stop)(struct flow_source *source, enum reason reason);
};

/* What something is opened with: the source of the request, and where the response goes. */
struct flow_ends {
	struct flow_source *request;
	struct flow_sink *response;
};
/* What opening it returns. */
struct flow_leg {
	struct flow_sink *request;
	struct flow_source *response;
};

/* One message's way through a filter: a sink for the neighbour before, a source for the one after.
 * The first member of a filter's own struct; its operations are the filter's, or flow_pass_*. */
struct flow_filter {
	struct flow_sink sink;
	struct flow_source source;
	struct flow_source *before; /* of what is pushed into `sink` */
	struct flow_sink *after;    /* where it goes on to */
};
void flow_pass_head(struct flow_sink *sink, struct http_head *head, bool end);
void flow_pass_body(struct flow_sink *sink, struct slice slice, bool end);
void flow_pass_trailers(struct flow_sink *sink, struct http_fields *trailers);
void flow_pass_reset(struct flow_sink *sink, enum reason reason);
void flow_pass_grant(struct flow_source *source, size_t n);
void flow_pass_stop(struct flow_source *source, enum reason reason);
