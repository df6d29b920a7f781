/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of access, wherever it stands: each item says for whom, and none is there in vain.
 */
#include <stdlib.h>

#include "config/load/rules.h"
#include "core/base/check.h"

static unsigned count(const struct cfg_clients *c)
{
	return c->networks.n + c->asns.n + c->countries.n + c->continents.n;
}

static void validate_networks(struct validator *v, const struct cfg_prefixes *networks,
			      const char *path, struct cfg_place place)
{
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < networks->n; i++) {
		if (networks->v[i].family != 0 && cfg_network_is_carrier(&networks->v[i]))
			diag_add(v->diag, place,
				 "%s: %s never matches: clients there are looked at by the IPv4 "
				 "address that is in theirs; write its network",
				 path, net_prefix_format(&networks->v[i], text));
	}
}

static void validate_item(struct validator *v, const struct cfg_access *item, const char *path)
{
	const struct cfg_clients *clients = count(&item->allow) > 0 ? &item->allow : &item->deny;

	if ((count(&item->allow) > 0) == (count(&item->deny) > 0)) {
		diag_add(v->diag, item->place,
			 "%s: either allow or deny was expected, with one of networks, asns, "
			 "countries, continents; not %s",
			 path, count(&item->allow) > 0 ? "both" : "none of them");
		return;
	}
	if (v->fleet->geo.databases.n == 0 && count(clients) > clients->networks.n)
		diag_add(v->diag, item->place,
			 "%s never matches by asns, countries or continents: geo.database is "
			 "missing, which would tell them",
			 path);
	validate_networks(v, &clients->networks, path, item->place);
}

/* `what`: whose list it is. */
static void validate_access(struct validator *v, const char *what, const struct cfg_access *items,
			    unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *path = xasprintf("%s.access[%u]", what, i);

		validate_item(v, &items[i], path);
		free(path);
	}
}

static void validate_route(struct validator *v, const struct cfg_site *site,
			   const struct cfg_route *route)
{
	char *path = xasprintf("sites.%s.routes.*", site->name);

	validate_access(v, path, route->access, route->n_access);
	free(path);
}

void cfg_validate_limits(struct validator *v)
{
	const struct cfg_fleet *fleet = v->fleet;

	validate_access(v, "http", fleet->http.access, fleet->http.n_access);
	for (unsigned s = 0; s < fleet->n_sites; s++) {
		const struct cfg_site *site = &fleet->sites[s];
		char *path = xasprintf("sites.%s", site->name);

		validate_access(v, path, site->access, site->n_access);
		free(path);
		for (unsigned r = 0; r < site->n_routes; r++)
			validate_route(v, site, &site->routes[r]);
	}
}
