/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which route a request takes: host to site, then the first route of the site, in their order
 * (config/site.h), whose path and conditions are met. A path is a prefix on segment borders, or
 * exact. Part of the snapshot: built by the job that loads it, then immutable and read by every
 * worker. With it stands what is compiled of the configuration of each site and each route, for who
 * acts by it.
 *
 * Paths are compared in normal form. A path that origins read in different ways must lead to the
 * same route in each of them, or it leads to none: nobody is to reach by one route what another is
 * there for. So of a path whose first part alone is the same to everybody no other route may be
 * found by what might follow that part; and what is left by ".." must be found by the route that is
 * taken. An expression for the path must hold, or not hold, whatever follows. The same goes for
 * conditions that hold for one reader and not for another (edge/facts/match.h): when one of those
 * routes comes before the one that is sure, none is taken.
 */
#pragma once

#include "core/http/path.h"
#include "edge/facts/template.h"
#include "edge/limit/buckets.h"
#include "edge/route/content.h"
#include "edge/route/split.h"

struct cfg_edge;
struct cfg_error_page;
struct cfg_fleet;
struct cfg_route;
struct cfg_site;
struct diag;
struct edge_access;
struct edge_facts;
struct edge_match;
struct edge_rules;
struct edge_routes;

struct edge_error_page {
	const struct cfg_error_page *cfg;
	struct edge_content content;
};

/* One for each struct cfg_route. Whoever acts by a route has its compiled part here, made by
 * edge_routes_create() from a configuration that was found right: nothing but a file can fail. */
struct edge_route {
	const struct cfg_route *cfg;
	const struct edge_site *site;
	struct span path;
	struct span name;        /* its own, or else its path */
	struct edge_match *when; /* NULL: nothing is asked */
	/* Of a split route; else NULL. */
	struct edge_split *split;
	struct edge_template *split_by;
	struct edge_template *redirect; /* where to; NULL: nowhere */
	struct edge_content content;    /* with cfg->n_respond > 0 */
	struct edge_error_page *errors; /* cfg->n_errors */
	struct edge_rules *rules;       /* NULL: nothing is changed */
	struct edge_access *access;     /* NULL: everybody */
	struct edge_buckets *buckets;   /* NULL: none */
};

/* One for each struct cfg_site that is served here; the same holds. */
struct edge_site {
	const struct cfg_site *cfg;
	struct edge_route *routes; /* in the order in which they are tried */
	unsigned n_routes;
	struct edge_error_page *errors; /* cfg->n_errors */
	struct edge_rules *rules;       /* of what no route is the reason of; NULL likewise */
	struct edge_access *access;
	struct edge_buckets *buckets;
};

/* Of the sites that `self` serves. `fleet` must outlive it. NULL, with the reasons in `diag`, when
 * a file cannot be read. Blocking. */
struct edge_routes *edge_routes_create(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				       struct diag *diag);
void edge_routes_destroy(struct edge_routes **routes);

/* Calls visit() for each limit of sites and routes: see edge_buckets_each(). */
void edge_routes_each_buckets(const struct edge_routes *routes, const struct edge_guard *guard,
			      edge_buckets_visit *visit, void *arg);

/* The authority's port and case do not matter. NULL: no such host here. */
const struct edge_site *edge_route_site(const struct edge_routes *routes, struct span authority);

enum edge_route_result {
	EDGE_ROUTE_FOUND,
	EDGE_ROUTE_NONE,   /* the site has nothing there */
	EDGE_ROUTE_UNSURE, /* it depends on who reads the request */
};
/* `facts` has the path; with EDGE_ROUTE_FOUND also what the route's expression has captured. */
enum edge_route_result edge_route_find(const struct edge_site *site, struct edge_facts *facts,
				       const struct edge_route **route);

/* Where a route with an origin, or with several, sends a request. NULL: it has none. */
const struct cfg_origin *edge_route_origin(const struct edge_route *route,
					   const struct edge_facts *facts, struct arena *arena);
/* Of an origin that has one for when none of its servers is up. */
const struct edge_content *edge_routes_page(const struct edge_routes *routes,
					    const struct cfg_origin *origin);
/* The page for an error of a request to the site; `route` is NULL where none was found, and `own`
 * false when an origin has given the response. NULL: none. */
const struct edge_content *edge_route_error_page(const struct edge_site *site,
						 const struct edge_route *route, int status,
						 bool own);
