/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Routing: a table of names over the sites of the configuration, whose routes are already in their
 * order.
 */
#include "edge/route/route.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/http/regex.h"
#include "edge/facts/client.h"
#include "edge/facts/facts.h"
#include "edge/facts/match.h"
#include "edge/limit/access.h"
#include "edge/limit/buckets.h"
#include "edge/rules/rules.h"
#include "edge/tls/host_table.h"

struct edge_routes {
	struct edge_host_table *hosts;
	struct edge_files *files;
	struct edge_content *pages; /* of origins, by their ids; only of those that have one */
	struct edge_site *sites;
	unsigned n_sites;
};

/* Compiling */

/* What is needed for it beside the site. */
struct compiler {
	const struct cfg_http *http;
	const struct edge_files *files;
};

static struct edge_error_page *compile_errors(const struct cfg_error_page *cfg, unsigned n,
					      const struct edge_files *files)
{
	struct edge_error_page *errors = n > 0 ? xcalloc(n, sizeof(*errors)) : NULL;

	for (unsigned i = 0; i < n; i++)
		errors[i] = (struct edge_error_page){
		    .cfg = &cfg[i],
		    .content = edge_content_of(files, cfg[i].text, cfg[i].file, cfg[i].type),
		};
	return errors;
}

static void compile_route(struct edge_route *route, const struct cfg_route *cfg,
			  const struct edge_site *site, const struct compiler *with)
{
	*route = (struct edge_route){
	    .cfg = cfg,
	    .site = site,
	    .path = span_of(cfg->path),
	    .name = span_of(cfg->name && *cfg->name != '\0' ? cfg->name : cfg->path),
	    .when = edge_match_create(&cfg->when),
	    .split = edge_split_create(cfg, site->cfg->name),
	    .errors = compile_errors(cfg->errors, cfg->n_errors, with->files),
	    .rules = edge_rules_create(with->http, site->cfg, cfg),
	    .access = edge_access_create(cfg->access, cfg->n_access),
	    .buckets = edge_buckets_create(cfg->limits, cfg->n_limits, site->cfg->name),
	};
	if (route->split)
		route->split_by = edge_template_create(cfg->split_by, EDGE_TEXT_KEY);
	if (cfg->n_redirect > 0)
		route->redirect = edge_template_create(cfg->redirect->to, EDGE_TEXT_TARGET);
	if (cfg->n_respond > 0)
		route->content = edge_content_of(with->files, cfg->respond->text,
						 cfg->respond->file, cfg->respond->type);
}

static void free_route(struct edge_route *route)
{
	edge_rules_destroy(&route->rules);
	edge_access_destroy(&route->access);
	edge_buckets_destroy(&route->buckets);
	edge_match_destroy(&route->when);
	edge_split_destroy(&route->split);
	edge_template_destroy(&route->split_by);
	edge_template_destroy(&route->redirect);
	free(route->errors);
}

static void compile_site(struct edge_site *site, const struct cfg_site *cfg,
			 const struct compiler *with)
{
	*site = (struct edge_site){
	    .cfg = cfg,
	    .routes = xcalloc(cfg->n_routes, sizeof(*site->routes)),
	    .n_routes = cfg->n_routes,
	    .errors = compile_errors(cfg->errors, cfg->n_errors, with->files),
	    .rules = edge_rules_create(with->http, cfg, NULL),
	};
	site->access = edge_access_create(cfg->access, cfg->n_access);
	site->buckets = edge_buckets_create(cfg->limits, cfg->n_limits, cfg->name);
	for (unsigned i = 0; i < cfg->n_routes; i++)
		compile_route(&site->routes[i], &cfg->routes[i], site, with);
}

static void free_site(struct edge_site *site)
{
	edge_rules_destroy(&site->rules);
	edge_access_destroy(&site->access);
	edge_buckets_destroy(&site->buckets);
	for (unsigned i = 0; i < site->n_routes; i++)
		free_route(&site->routes[i]);
	free(site->routes);
	free(site->errors);
}

static struct edge_content *compile_pages(const struct cfg_fleet *fleet,
					  const struct edge_files *files)
{
	struct edge_content *pages = xcalloc(fleet->n_origins + 1, sizeof(*pages));

	for (unsigned i = 0; i < fleet->n_origins; i++) {
		const struct cfg_origin *o = &fleet->origins[i];

		if (o->n_page > 0)
			pages[i] =
			    edge_content_of(files, o->page->text, o->page->file, o->page->type);
	}
	return pages;
}

const struct edge_content *edge_routes_page(const struct edge_routes *routes,
					    const struct cfg_origin *origin)
{
	return &routes->pages[origin->id];
}

struct edge_routes *edge_routes_create(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				       struct diag *diag)
{
	struct edge_files *files = edge_files_load(fleet, self, diag);
	struct compiler with = {.http = &fleet->http, .files = files};
	struct edge_routes *routes;

	if (!files)
		return NULL;
	routes = xcalloc(1, sizeof(*routes));
	routes->files = files;
	routes->pages = compile_pages(fleet, files);
	routes->hosts = edge_host_table_create();
	routes->sites = xcalloc(fleet->n_sites, sizeof(*routes->sites));
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		const struct cfg_site *cfg = &fleet->sites[i];
		struct edge_site *site = &routes->sites[routes->n_sites];

		if (!cfg_site_is_served_by(cfg, self))
			continue;
		routes->n_sites++;
		compile_site(site, cfg, &with);
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
	free(routes->pages);
	edge_files_destroy(&routes->files);
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

/* Finding */

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

static bool is_for(const struct edge_route *route, struct span path)
{
	return route->cfg->exact ? span_equal(path, route->path)
				 : http_path_is_under(path, route->path);
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

/* What a route's expression says of all paths with that beginning. */
static enum regex_result judge_beginning(const struct edge_route *route, struct span beginning)
{
	const struct regex *regex = edge_match_path(route->when);

	return regex ? regex_match_beginning(regex, beginning) : REGEX_YES;
}

/* What a route has to do with a path that is read in another way than we do. */
enum other_reading {
	OTHER_NEVER,  /* it is not for it */
	OTHER_ALWAYS, /* it is, whatever way that is */
	OTHER_MAYBE,
};

/* Its first part is the same to everybody, and anything may follow. */
static enum other_reading read_further(const struct edge_route *route, const struct http_path *path)
{
	struct span sure = {path->text.p, path->sure};
	bool holds = !route->cfg->exact && http_path_is_under(sure, route->path);

	if (!holds && !may_reach(path, route->path))
		return OTHER_NEVER;
	switch (judge_beginning(route, sure)) {
	case REGEX_NO:
		return OTHER_NEVER;
	case REGEX_YES:
		return holds ? OTHER_ALWAYS : OTHER_MAYBE;
	case REGEX_UNSURE:
		break;
	}
	return OTHER_MAYBE;
}

/* Its ".." is the name of a segment. */
static enum other_reading read_climbing(const struct edge_route *route, struct span climbed)
{
	if (route->cfg->exact || !http_path_is_under(climbed, route->path))
		return OTHER_NEVER;
	switch (judge_beginning(route, climbed)) {
	case REGEX_NO:
		return OTHER_NEVER;
	case REGEX_YES:
		return OTHER_ALWAYS;
	case REGEX_UNSURE:
		break;
	}
	return OTHER_MAYBE;
}

/* Whether `found` is what every reader finds, of whom each takes the path in another way, but all
 * the other conditions as they are. */
static bool is_found_by_all(const struct edge_site *site, const struct edge_facts *facts,
			    const struct edge_route *found, bool climbing)
{
	const struct http_path *path = facts->path;

	for (unsigned i = 0; i < site->n_routes; i++) {
		const struct edge_route *route = &site->routes[i];
		enum other_reading other =
		    climbing ? read_climbing(route, path->climbed) : read_further(route, path);

		if (other == OTHER_NEVER)
			continue;
		if (route == found && other == OTHER_ALWAYS)
			return true;
		if (route == found || edge_match_judge_rest(route->when, facts) != EDGE_MATCH_NO)
			return false;
	}
	return false;
}

static bool is_sure(const struct edge_site *site, const struct edge_facts *facts,
		    const struct edge_route *found)
{
	const struct http_path *path = facts->path;

	return (path->sure == path->text.n || is_found_by_all(site, facts, found, false)) &&
	       (path->climbed.n == 0 || is_found_by_all(site, facts, found, true));
}

enum edge_route_result edge_route_find(const struct edge_site *site, struct edge_facts *facts,
				       const struct edge_route **found)
{
	for (unsigned i = 0; i < site->n_routes; i++) {
		const struct edge_route *route = &site->routes[i];

		if (!is_for(route, facts->path->text))
			continue;
		switch (edge_match_judge(route->when, facts)) {
		case EDGE_MATCH_NO:
			continue;
		case EDGE_MATCH_UNSURE:
			return EDGE_ROUTE_UNSURE;
		case EDGE_MATCH_YES:
			break;
		}
		*found = route;
		return is_sure(site, facts, route) ? EDGE_ROUTE_FOUND : EDGE_ROUTE_UNSURE;
	}
	return EDGE_ROUTE_NONE;
}

/* Acting */

const struct cfg_origin *edge_route_origin(const struct edge_route *route,
					   const struct edge_facts *facts, struct arena *arena)
{
	struct span key;

	if (!route->split)
		return route->cfg->origin;
	/* Without a value all clients would go the same way. */
	if (!edge_template_expand(route->split_by, facts, arena, &key) || key.n == 0)
		key = span_of(facts->client->ip);
	return edge_split_choose(route->split, key);
}

static const struct edge_content *find_page(const struct edge_error_page *errors, unsigned n,
					    int status, bool own)
{
	for (unsigned i = 0; i < n; i++) {
		const struct cfg_error_page *cfg = errors[i].cfg;

		for (unsigned s = 0; s < cfg->statuses.n; s++) {
			if (status >= cfg->statuses.v[s].low && status <= cfg->statuses.v[s].high &&
			    (own || cfg->of == CFG_ERRORS_OF_ALL))
				return &errors[i].content;
		}
	}
	return NULL;
}

const struct edge_content *edge_route_error_page(const struct edge_site *site,
						 const struct edge_route *route, int status,
						 bool own)
{
	const struct edge_content *page = NULL;

	if (status < 400)
		return NULL;
	if (route)
		page = find_page(route->errors, route->cfg->n_errors, status, own);
	return page ? page : find_page(site->errors, site->cfg->n_errors, status, own);
}
