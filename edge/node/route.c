/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Routing: a table of names over the sites of the configuration, whose routes are already sorted
 * with the longest path first.
 */
#include "edge/node/route.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "edge/tls/host_table.h"

struct edge_routes {
	struct edge_host_table *hosts;
};

struct edge_routes *edge_routes_create(const struct cfg_fleet *fleet, const struct cfg_edge *self)
{
	struct edge_routes *routes = xcalloc(1, sizeof(*routes));

	routes->hosts = edge_host_table_create();
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		const struct cfg_site *site = &fleet->sites[i];

		if (!cfg_site_is_served_by(site, self))
			continue;
		for (unsigned h = 0; h < site->hosts.n; h++)
			edge_host_table_add(routes->hosts, span_of(site->hosts.v[h]), site);
	}
	return routes;
}

void edge_routes_destroy(struct edge_routes **routesp)
{
	struct edge_routes *routes = TAKE(routesp);

	if (routes == NULL)
		return;
	edge_host_table_destroy(&routes->hosts);
	free(routes);
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

const struct cfg_site *edge_route_site(const struct edge_routes *routes, struct span authority)
{
	return edge_host_table_find(routes->hosts, without_port(authority),
				    EDGE_WILDCARD_ANY_LABELS);
}

/* True when `path` is `prefix` or goes on below it. */
static bool is_under(struct span path, struct span prefix)
{
	if (path.n < prefix.n || memcmp(path.p, prefix.p, prefix.n) != 0)
		return false;
	return path.n == prefix.n || prefix.p[prefix.n - 1] == '/' || path.p[prefix.n] == '/';
}

const struct cfg_route *edge_route_path(const struct cfg_site *site, struct span target)
{
	const char *query = memchr(target.p, '?', target.n);
	struct span path = {target.p, query != NULL ? (size_t)(query - target.p) : target.n};

	/* "OPTIONS *" asks about the server as a whole: that is who serves the root. */
	if (span_equal(path, SPAN("*")))
		path = SPAN("/");
	for (unsigned i = 0; i < site->n_routes; i++) {
		if (is_under(path, span_of(site->routes[i].path)))
			return &site->routes[i];
	}
	return NULL;
}
