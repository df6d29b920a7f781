/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Copies of requests to other origins, of which nobody sees the response. A copy is made while the
 * request passes, whole in memory, and sent when it is; it lives for itself from then on. So it can
 * neither slow the request nor fail it, and ends when its origin has answered, or takes too long.
 * Worker's loop only.
 *
 * Bounded: a worker has at most EDGE_MIRRORS_MAX copies at a time, each with what the option `body`
 * lets in (1 MiB at most). A request that does not fit goes without a copy, which is counted.
 */
#pragma once

#include "core/http/flow.h"

struct cfg_mirror;
struct edge_mirror;
struct edge_view;
struct edge_worker;
struct olink_affinity;
struct proxy_parties;

#define EDGE_MIRRORS_MAX 128

/* `head`, `affinity` and `client`, with its TLVs, are copied. NULL: there is no room for one. */
struct edge_mirror *edge_mirror_open(struct edge_worker *worker, const struct cfg_mirror *mirror,
				     const struct http_head *head,
				     const struct olink_affinity *affinity,
				     const struct proxy_parties *client);
/* Content of the request; when it is too much the copy is gone, and *mirror NULL. */
void edge_mirror_body(struct edge_mirror **mirror, const struct slice *slice);
/* The request was whole: the copy goes out. Trailers do not go with it. */
void edge_mirror_send(struct edge_mirror **mirror, const struct edge_view *view);
/* It was not: there is no copy. */
void edge_mirror_drop(struct edge_mirror **mirror);

/* All that are left, when the worker ends. */
void edge_mirrors_end(struct edge_worker *worker);
