/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which route a request takes: host to site, then the longest path prefix on segment borders.
 * Part of the snapshot: built by the job that loads it, then immutable and read by every worker.
 * With it stands what is compiled of the configuration of each site and each route, for who acts by
 * it.
 *
 * Paths are compared in normal form. A path that origins read in different ways must lead to the
 * same route in each of them, or it leads to none: nobody is to reach by one route what another is
 * there for. So of a path whose first part alone is the same to everybody no other route may be
 * found by what might follow that part; and what is left by ".." must be under the route that is
 * taken, or under one that the taken one is below.
 */
#pragma once

#include "core/http/path.h"
#include "edge/limit/buckets.h"

struct cfg_edge;
struct cfg_fleet;
struct cfg_route;
struct cfg_site;
struct edge_access;
struct edge_rules;
struct edge_routes;

/* One for each struct cfg_route. Whoever acts by a route has its compiled part here: made without
 * fail by edge_routes_create(), from a configuration that was found right. */
struct edge_route {
	const struct cfg_route *cfg;
	const struct edge_site *site;
	struct edge_rules *rules;     /* NULL: nothing is changed */
	struct edge_access *access;   /* NULL: everybody */
	struct edge_buckets *buckets; /* NULL: none */
};

/* One for each struct cfg_site that is served here; the same holds. */
struct edge_site {
	const struct cfg_site *cfg;
	struct edge_route *routes; /* in the order in which they are tried */
	unsigned n_routes;
	struct edge_rules *rules; /* of what no route is the reason of; NULL likewise */
	struct edge_access *access;
	struct edge_buckets *buckets;
};

/* Of the sites that `self` serves. `fleet` must outlive it. */
struct edge_routes *edge_routes_create(const struct cfg_fleet *fleet, const struct cfg_edge *self);
void edge_routes_destroy(struct edge_routes **routes);

/* Calls visit() for each limit of sites and routes: see edge_buckets_each(). */
void edge_routes_each_buckets(const struct edge_routes *routes, const struct edge_guard *guard,
			      edge_buckets_visit *visit, void *arg);

/* The authority's port and case do not matter. NULL: no such host here. */
const struct edge_site *edge_route_site(const struct edge_routes *routes, struct span authority);

enum edge_route_result {
	EDGE_ROUTE_FOUND,
	EDGE_ROUTE_NONE,   /* the site has nothing there */
	EDGE_ROUTE_UNSURE, /* it depends on who reads the path */
};
enum edge_route_result edge_route_path(const struct edge_site *site, const struct http_path *path,
				       const struct edge_route **route);
