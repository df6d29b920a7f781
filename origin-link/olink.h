/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The link to the origins: what the edge asks for. One `struct olink` per program (resolver, pool,
 * server table, probes: control loop); one `struct olink_worker` per loop that sends requests.
 *
 * Servers (name, port) outlive snapshots: their health, addresses and connections are kept across
 * reloads as long as some snapshot names them.
 */
#pragma once

#include <jansson.h>

#include "config/fleet.h"
#include "core/http_io.h"
#include "core/loop.h"
#include "core/stream.h"

struct olink;
struct olink_worker;
struct olink_origins;
struct olink_request;

/* Control loop. */
struct olink *olink_create(struct loop_group *group, struct stream_buffers *control_buffers);
/* After the workers were joined and every olink_origins destroyed. */
void olink_destroy(struct olink **olink);
/* "counters" and "origins" (servers, addresses, state, cause, idle connections) into `status`. */
void olink_status(struct olink *olink, const struct olink_origins *origins, json_t *status);

/* The origins of one configuration; part of the program's snapshot. Starts resolving and probing
 * what is new. `fleet` must outlive it. Control loop. */
struct olink_origins *olink_origins_create(struct olink *olink, const struct cfg_fleet *fleet);
void olink_origins_destroy(struct olink_origins **origins);
/* True once every server's first resolution (and first probe, where there is one) has ended. */
bool olink_origins_settled(const struct olink_origins *origins);

/* One per worker; created before the worker starts, destroyed after it was joined. */
struct olink_worker *olink_worker_create(struct olink *olink, struct stream_buffers *buffers);
void olink_worker_destroy(struct olink_worker **worker);

/*
 * One request to an origin. Worker's loop only.
 *
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
