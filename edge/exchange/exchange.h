/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request and its response: the only meeting place of the client's side and the origin's.
 * Decides who answers (an origin by route, or the edge itself), rewrites the heads, turns failures
 * into responses, counts, and writes the access log. Knows nothing of any client protocol: each
 * drives it through the operations of core/http/flow.h. Worker's loop only.
 */
#pragma once

#include "edge/conn/conn.h"

/* The path that perigee-dns and others ask, on any host. */
#define EDGE_HEALTH_PATH "/.well-known/perigee/health"

struct edge_exchange;

/*
 * `view` is pinned by the caller until the exchange is finished. `request` and all that the
 * exchange needs live in request->arena. `body` is told to resume or stop the request's content;
 * `response` is pushed the answer. `began`: when the first byte of the request came. NULL: no room.
 *
 * Then either edge_exchange_start() or edge_exchange_refuse(), which may push at once.
 */
struct edge_exchange *edge_exchange_create(struct edge_worker *worker, struct edge_view *view,
					   const struct edge_client *client,
					   struct http_head *request, struct http_source *body,
					   struct http_sink *response, mono_time began);
/* `end`: the request has no content. */
void edge_exchange_start(struct edge_exchange *x, bool end);
/* The request cannot be served as it is: answers with `status`. */
void edge_exchange_refuse(struct edge_exchange *x, int status, enum reason reason);

/* For the request's content. Its reset() says that the client failed to deliver the rest. */
struct http_sink *edge_exchange_sink(struct edge_exchange *x);
/* To resume or stop the response. */
struct http_source *edge_exchange_source(struct edge_exchange *x);
/* Ends it, whatever its state. `reason` counts if nothing else was the reason before. */
void edge_exchange_finish(struct edge_exchange **x, enum reason reason);
