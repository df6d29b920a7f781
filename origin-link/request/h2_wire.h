/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * HTTP/2 for an attempt: its request and response are a stream of a session that it shares with
 * others.
 */
#pragma once

#include "core/http/websocket.h"
#include "origin-link/conns/lease.h"
#include "origin-link/h2/h2.h"
#include "origin-link/request/wire.h"

struct h2_wire {
	struct origin_h2_stream stream;
	size_t granted;          /* of the response's content, and not told yet */
	char key[WEBSOCKET_KEY]; /* of a WebSocket that is asked for */
};

extern const struct wire_ops h2_wire_ops;

/* What a connection for that request has to speak. */
enum lease_protocol h2_wire_protocol(const struct http_head *head);
