/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One request and its response: the only meeting place of the client's side and the origin's.
 * Asks who answers (dispatch.h), rewrites the heads, turns failures into responses, counts, and
 * writes the access log. Knows nothing of any client protocol: each
 * opens it as a leg (core/http/flow.h) and drives it by that. Worker's loop only.
 *
 * It owns all that belongs to the request: the arena, the head as received and the one that is
 * forwarded, and the pin of the view. A tunnel lets the view go when it begins.
 */
#pragma once

#include "core/http/flow.h"

struct edge_client;
struct edge_view;
struct edge_worker;

/* An answer of the edge's own that is no larger is pushed at once, whatever has been granted. */
#define EDGE_OWN_CONTENT_MAX 1024

struct edge_exchange;

/*
 * At the first byte of a request. `client` and `ends` must live as long. The request's head is
 * parsed into edge_exchange_head(), then pushed into leg->request. NULL: memory is gone.
 */
struct edge_exchange *edge_exchange_open(struct edge_worker *worker, struct edge_client *client,
					 struct flow_ends ends, struct flow_leg *leg);
/* To be parsed into; it lives in the exchange's arena, with all that it points to. */
struct http_head *edge_exchange_head(struct edge_exchange *x);
/* Valid until the end of the turn. */
const struct edge_view *edge_exchange_view(const struct edge_exchange *x);
/* Instead of pushing the head: the request cannot be read, and is answered with `status`. */
void edge_exchange_refuse(struct edge_exchange *x, int status, enum reason reason);
/* Ends it, whatever its state. `reason` counts if nothing else was the reason before. */
void edge_exchange_close(struct edge_exchange **x, enum reason reason);

/* When the worker ends: what was kept for the next ones. */
void edge_exchange_free_spares(struct edge_worker *worker);
