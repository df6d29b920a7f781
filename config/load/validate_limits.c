/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of access and limits, wherever they stand: each item of access says for whom, and none is
 * there in vain; limits that are called alike are alike.
 */
#include <stdlib.h>
#include <string.h>

#include "config/load/rules.h"
#include "core/base/check.h"
#include "core/http/regex.h"

/* Of a bucket: the times of edge/limit/rates.c stay far from their ends. */
#define REFILL_MAX DUR_S(30 * 86400).ns

static unsigned count(const struct cfg_clients *c)
{
	return c->networks.n + c->asns.n + c->countries.n + c->continents.n + c->ja4.n;
}

static void validate_item(struct validator *v, const struct cfg_access *item, const char *path)
{
	const struct cfg_clients *clients = count(&item->allow) > 0 ? &item->allow : &item->deny;

	if ((count(&item->allow) > 0) == (count(&item->deny) > 0)) {
		diag_add(v->diag, item->place,
			 "%s: either allow or deny was expected, with one of networks, asns, "
			 "countries, continents, ja4; not %s",
			 path, count(&item->allow) > 0 ? "both" : "none of them");
		return;
	}
	if (v->fleet->geo.databases.n == 0 && count(clients) > clients->networks.n + clients->ja4.n)
		diag_add(v->diag, item->place,
			 "%s never matches by asns, countries or continents: geo.database is "
			 "missing, which would tell them",
			 path);
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

/* Those that are called alike are one: `names` has the first of each. */
static void validate_limit(struct validator *v, const char *path, const struct cfg_limit *limit,
			   struct cfg_hash *names)
{
	duration full = {limit->rate.per.ns * (int64_t)limit->burst / MAX(limit->rate.count, 1)};
	const struct cfg_limit *first;

	if (limit->name == NULL || limit->key == NULL || limit->rate.per.ns == 0)
		return;
	if (full.ns > REFILL_MAX)
		diag_add(v->diag, limit->place,
			 "%s: with this rate it takes more than 30 days until a burst of %u is "
			 "there again",
			 path, limit->burst);
	first = cfg_hash_get(names, limit->name, strlen(limit->name));
	if (first == NULL)
		cfg_hash_put(names, limit->name, strlen(limit->name), limit);
	else if (first->rate.count != limit->rate.count || first->burst != limit->burst ||
		 first->rate.per.ns != limit->rate.per.ns || strcmp(first->key, limit->key) != 0)
		diag_add(v->diag, limit->place,
			 "%s: the rate, burst or key differs from that of the limit in line %u, "
			 "which is called \"%s\" too",
			 path, first->place.line, limit->name);
}

/* Of the map `map`; `captures`: by what stands there beside them. */
static void validate_limits(struct validator *v, const char *what, const struct cfg_limit *limits,
			    unsigned n, const struct cfg_entry *map, unsigned captures,
			    struct cfg_hash *names)
{
	const struct cfg_entry *item = cfg_first_item(map, "limits");

	for (unsigned i = 0; i < n; i++, item = item ? item->next : NULL) {
		char *path = xasprintf("%s.limits[%u]", what, i);
		char *when = xasprintf("%s.when", path), *key = xasprintf("%s.key", path);

		validate_limit(v, path, &limits[i], names);
		cfg_validate_text(v, key, limits[i].key,
				  cfg_captures_of(&limits[i].when, item, captures),
				  limits[i].place);
		cfg_validate_match(v, when, &limits[i].when, cfg_entry_get(item, "when"),
				   limits[i].place);
		free(key);
		free(when);
		free(path);
	}
}

static void validate_site(struct validator *v, const struct cfg_site *site,
			  const struct cfg_entry *map)
{
	const struct cfg_entry *item = cfg_first_item(map, "routes");
	char *path = xasprintf("sites.%s", site->name);
	char *routes = xasprintf("%s.routes.*", path);
	struct cfg_hash names = {0};

	validate_access(v, path, site->access, site->n_access);
	/* The route, which may have an expression, has been found by then. */
	validate_limits(v, path, site->limits, site->n_limits, map, REGEX_CAPTURES_MAX, &names);
	for (unsigned i = 0; i < site->n_routes; i++, item = item ? item->next : NULL) {
		const struct cfg_route *route = &site->routes[i];

		validate_access(v, routes, route->access, route->n_access);
		validate_limits(v, routes, route->limits, route->n_limits, item,
				cfg_captures_of(&route->when, item, 0), &names);
	}
	cfg_hash_fini(&names);
	free(routes);
	free(path);
}

void cfg_validate_limits(struct validator *v)
{
	const struct cfg_http *http = &v->fleet->http;
	const struct cfg_entry *site = cfg_first_thing(v, "sites");
	struct cfg_hash names = {0};

	validate_access(v, "http", http->access, http->n_access);
	validate_limits(v, "http", http->limits, http->n_limits, cfg_entry_get(v->root, "http"),
			REGEX_CAPTURES_MAX, &names);
	cfg_hash_fini(&names);
	for (unsigned s = 0; s < v->fleet->n_sites; s++, site = site->next)
		validate_site(v, &v->fleet->sites[s], site);
}
