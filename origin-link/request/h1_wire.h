/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * HTTP/1.1 for an attempt: h1_wire.c sends, h1_receive.c receives. The connection is the attempt's
 * alone, from its head to the end of the response.
 */
#pragma once

#include "core/http/h1.h"
#include "core/net/stream.h"
#include "origin-link/request/wire.h"

struct h1_wire {
	uint64_t sent_before; /* by the connection, before the head was given to it */
	uint64_t sent;        /* bytes given to the stream, in all */
	bool has_final;       /* the head that content follows, or bytes of a tunnel */
	/* response head */
	struct h1_head_parser parser;
	struct http_head *head; /* in the request's arena; NULL: none begun */
	size_t informational_bytes;
	/* response content */
	bool keep_alive; /* what the head said; its sink may have changed it since */
	struct h1_body content;
	/* Received and not taken yet: a line that is not whole, or what there is no credit for. */
	struct slice held;
};

extern const struct wire_ops h1_wire_ops;
/* For the lease: its `arg` is the attempt. */
extern const struct stream_ops h1_wire_stream_ops;

/* h1_receive.c */

/* Takes what is there, as far as it is wanted. */
void h1_receive(struct attempt *a);
/* What the fault of the connection is called, when it has cost us the response. */
enum reason h1_reason(const struct attempt *a);
/* Tells that the connection ended or broke before the response did. */
void h1_died(struct attempt *a);
