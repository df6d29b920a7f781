/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The seam between the two sides of an exchange. Whoever reads a message (the source) pushes it
 * into whoever takes it (the sink), then waits to be told to go on. Client protocols, the exchange,
 * filters and origin protocols all speak these operations, so that any of them can be neighbours.
 *
 * Rules:
 *  - One thread: a message lives and dies on one loop.
 *  - Order: head (informational)*, head, body*, then one end: `end` true on head or body, or
 *    trailers(), or reset(). Nothing follows an end.
 *  - A sink takes all that is pushed, even after it answered "wait"; what it holds is bounded by
 *    what its source reads at once (STREAM_READ_MAX).
 *  - After body() returned false the source stops reading until resume().
 *  - stop() tells the source that the sink wants no more; the source then pushes nothing further,
 *    and no reset().
 *  - Operations may call back into the neighbour; objects are destroyed at the end of the loop's
 *    turn, never inside a call.
 */
#pragma once

#include "core/base/reason.h"
#include "core/http/message.h"

struct http_sink {
	const struct http_sink_ops *ops;
};

struct http_sink_ops {
	/* An informational response has status < 200 and end == false. */
	void (*head)(struct http_sink *sink, struct http_head *head, bool end);
	/* True: go on. False: wait for resume(). */
	bool (*body)(struct http_sink *sink, const void *data, size_t len, bool end);
	void (*trailers)(struct http_sink *sink, const struct http_fields *trailers);
	void (*reset)(struct http_sink *sink, enum reason reason);
};

struct http_source {
	const struct http_source_ops *ops;
};

struct http_source_ops {
	void (*resume)(struct http_source *source);
	void (*stop)(struct http_source *source, enum reason reason);
};
