/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request to an origin. Worker's loop only.
 */
#pragma once

#include "config/fleet.h"
#include "core/http/flow.h"
#include "core/net/stream.h"
#include "origin-link/servers/origins.h"

struct olink_worker;
struct olink_request;

/* One per worker; created before the worker starts, destroyed after it was joined. */
struct olink_worker *olink_worker_create(struct olink *olink, struct stream_buffers *buffers);
void olink_worker_destroy(struct olink_worker **worker);

/*
 * Sends `head` (already rewritten for forwarding; it and its arena must live until the request is
 * over) over a pooled or new connection, takes the body through olink_request_sink(), and pushes
 * the response into `response`. `body` is told resume/stop about the request's body; NULL when
 * `end`. Response heads are parsed into `response_arena`. head->keep_alive is about the connection
 * that the request came by, and is not looked at.
 *
 * Nothing is pushed before this returns. On failure before a response head, response->reset() is
 * called with REASON_ORIGIN_*. A reused connection that died before any response byte is replaced
 * by a fresh one, once, when the request has no body and its method is idempotent, or when nothing
 * of it was sent.
 *
 * When the response ends before the request body does, also by reset(), the body is stopped and the
 * connection not reused. After the body's source has reset the request, nothing more is pushed. The
 * object lives until olink_request_finish(); the configuration (`origins`) must live as long.
 */
struct olink_request *olink_request_start(struct olink_worker *worker,
					  const struct olink_origins *origins,
					  const struct cfg_origin *origin,
					  const struct http_head *head, bool end,
					  struct http_source *body, struct http_sink *response,
					  struct arena *response_arena);
struct http_sink *olink_request_sink(struct olink_request *request);
struct http_source *olink_request_source(struct olink_request *request);

/* For the access log and the Server-Timing of tests. */
struct olink_facts {
	bool reused; /* sent over a connection that was already open */
	bool retried;
	struct net_addr addr;                /* family AF_UNSPEC: never got that far */
	duration connect;                    /* zero when reused */
	duration first_byte;                 /* from start to the first byte of the response */
	uint64_t bytes_sent, bytes_received; /* on the wire */
};
struct olink_facts olink_request_facts(const struct olink_request *request);
/* Ends it, whatever its state; the connection goes back to the pool when it is clean. */
void olink_request_finish(struct olink_request **request);
