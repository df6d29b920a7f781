/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which origin a request goes to: host to site, then the longest path prefix on segment borders.
 * Part of the snapshot: built by the control thread, then immutable and read by every worker.
 *
 * Paths are compared as they were sent, without decoding or removing dot segments: a route chooses
 * a server, it does not guard one.
 */
#pragma once

#include "core/http/message.h"

struct cfg_edge;
struct cfg_fleet;
struct cfg_route;
struct cfg_site;
struct edge_routes;

/* Of the sites that `self` serves. `fleet` must outlive it. */
struct edge_routes *edge_routes_create(const struct cfg_fleet *fleet, const struct cfg_edge *self);
void edge_routes_destroy(struct edge_routes **routes);

/* The authority's port and case do not matter. NULL: no such host here. */
const struct cfg_site *edge_route_site(const struct edge_routes *routes, struct span authority);
/* `target` in origin form, or "*". NULL: the site has nothing there. */
const struct cfg_route *edge_route_path(const struct cfg_site *site, struct span target);
