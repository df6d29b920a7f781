/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Routing: a table of names over the sites of the configuration, whose routes are already sorted
 * with the longest path first.
 */
#include "edge/route/route.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/limit/access.h"
#include "edge/limit/buckets.h"
#include "edge/rules/rules.h"
#include "edge/tls/host_table.h"

struct edge_routes {
	struct edge_host_table *hosts;
	struct edge_site *sites;
	unsigned n_sites;
};

static void compile_site(struct edge_site *site, const struct cfg_site *cfg,
			 const struct cfg_http *http)
{
	*site = (struct edge_site){
	    .cfg = cfg,
	    .routes = xcalloc(cfg->n_routes, sizeof(*site->routes)),
	    .n_routes = cfg->n_routes,
	    .rules = edge_rules_create(http, cfg, NULL),
	};
	site->access = edge_access_create(cfg->access, cfg->n_access);
	site->buckets = edge_buckets_create(cfg->limits, cfg->n_limits, cfg->name);
	for (unsigned i = 0; i < cfg->n_routes; i++) {
		const struct cfg_route *route = &cfg->routes[i];

		site->routes[i] = (struct edge_route){
		    .cfg = route,
		    .site = site,
		    .rules = edge_rules_create(http, cfg, route),
		    .access = edge_access_create(route->access, route->n_access),
		    .buckets = edge_buckets_create(route->limits, route->n_limits, cfg->name),
		};
	}
}

static void free_site(struct edge_site *site)
{
	edge_rules_destroy(&site->rules);
	edge_access_destroy(&site->access);
	edge_buckets_destroy(&site->buckets);
	for (unsigned i = 0; i < site->n_routes; i++) {
		edge_rules_destroy(&site->routes[i].rules);
		edge_access_destroy(&site->routes[i].access);
		edge_buckets_destroy(&site->routes[i].buckets);
	}
	free(site->routes);
}

struct edge_routes *edge_routes_create(const struct cfg_fleet *fleet, const struct cfg_edge *self)
{
	struct edge_routes *routes = xcalloc(1, sizeof(*routes));

	routes->hosts = edge_host_table_create();
	routes->sites = xcalloc(fleet->n_sites, sizeof(*routes->sites));
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		const struct cfg_site *cfg = &fleet->sites[i];
		struct edge_site *site = &routes->sites[routes->n_sites];

		if (!cfg_site_is_served_by(cfg, self))
			continue;
		routes->n_sites++;
		compile_site(site, cfg, &fleet->http);
		for (unsigned h = 0; h < cfg->hosts.n; h++)
			edge_host_table_add(routes->hosts, span_of(cfg->hosts.v[h]), site);
	}
	return routes;
}

void edge_routes_destroy(struct edge_routes **routesp)
{
	struct edge_routes *routes = TAKE(routesp);

	if (routes == NULL)
		return;
	edge_host_table_destroy(&routes->hosts);
	for (unsigned i = 0; i < routes->n_sites; i++)
		free_site(&routes->sites[i]);
	free(routes->sites);
	free(routes);
}

void edge_routes_each_buckets(const struct edge_routes *routes, const struct edge_guard *guard,
			      edge_buckets_visit *visit, void *arg)
{
	for (unsigned i = 0; i < routes->n_sites; i++) {
		const struct edge_site *site = &routes->sites[i];

		edge_buckets_each(site->buckets, guard, visit, arg);
		for (unsigned r = 0; r < site->n_routes; r++)
			edge_buckets_each(site->routes[r].buckets, guard, visit, arg);
	}
}

static struct span without_port(struct span authority)
{
	const char *end = NULL;

	if (authority.n > 0 && authority.p[0] == '[') {
		end = memchr(authority.p, ']', authority.n);
		if (end != NULL)
			end++;
	} else if (authority.n > 0) {
		end = memchr(authority.p, ':', authority.n);
	}
	if (end != NULL)
		authority.n = (size_t)(end - authority.p);
	return authority;
}

const struct edge_site *edge_route_site(const struct edge_routes *routes, struct span authority)
{
	return edge_host_table_find(routes->hosts, without_port(authority),
				    EDGE_WILDCARD_ANY_LABELS);
}

static const struct edge_route *longest(const struct edge_site *site, struct span path)
{
	for (unsigned i = 0; i < site->n_routes; i++) {
		if (http_path_is_under(path, span_of(site->routes[i].cfg->path)))
			return &site->routes[i];
	}
	return NULL;
}

/* Whether somebody could read the path as one that is at `other` or below it, where only its first
 * part is sure. What follows is then no part of any route's path as we read it. */
static bool may_reach(const struct http_path *path, struct span other)
{
	size_t n = path->sure;

	if (other.n < n || memcmp(other.p, path->text.p, n) != 0)
		return false;
	if (other.n == n)
		return path->then == '/';
	/* After a slash a segment that may end at once may be left out as well. */
	return other.p[n] == path->then || (path->then == '/' && other.p[n - 1] == '/');
}

static bool is_sure(const struct edge_site *site, const struct http_path *path,
		    const struct edge_route *found)
{
	const struct edge_route *left = NULL;

	if (path->climbed.n > 0)
		left = longest(site, path->climbed);
	if (left && !http_path_is_under(span_of(found->cfg->path), span_of(left->cfg->path)))
		return false;
	for (unsigned i = 0; path->sure < path->text.n && i < site->n_routes; i++) {
		if (&site->routes[i] != found &&
		    may_reach(path, span_of(site->routes[i].cfg->path)))
			return false;
	}
	return true;
}

enum edge_route_result edge_route_path(const struct edge_site *site, const struct http_path *path,
				       const struct edge_route **route)
{
	*route = longest(site, path->text);
	if (!*route)
		return EDGE_ROUTE_NONE;
	return is_sure(site, path, *route) ? EDGE_ROUTE_FOUND : EDGE_ROUTE_UNSURE;
}
