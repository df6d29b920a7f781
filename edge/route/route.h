/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which origin a request goes to: host to site, then the longest path prefix on segment borders.
 * Part of the snapshot: built by the job that loads it, then immutable and read by every worker.
 *
 * Paths are compared in normal form. A path that origins read in different ways must lead to the
 * same route in each of them, or it leads to none: nobody is to reach by one route what another is
 * there for. So of a path whose first part alone is the same to everybody no other route may be
 * found by what might follow that part; and what is left by ".." must be under the route that is
 * taken, or under one that the taken one is below.
 */
#pragma once

#include "core/http/path.h"

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

enum edge_route_result {
	EDGE_ROUTE_FOUND,
	EDGE_ROUTE_NONE,   /* the site has nothing there */
	EDGE_ROUTE_UNSURE, /* it depends on who reads the path */
};
enum edge_route_result edge_route_path(const struct cfg_site *site, const struct http_path *path,
				       const struct cfg_route **route);
