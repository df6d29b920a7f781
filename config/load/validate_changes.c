/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of what is changed in requests and responses: what excludes each other, and what cannot be.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/load/rules.h"
#include "core/base/check.h"
#include "core/http/path.h"
#include "core/http/regex.h"

/* Their members are divided by something else than a comma, or not at all. */
static bool is_no_list(const char *name)
{
	return strcasecmp(name, "Cookie") == 0 || strcasecmp(name, "Set-Cookie") == 0;
}

static void validate_fields(struct validator *v, const char *what, const char *key,
			    const struct cfg_field_rule *rules, unsigned n,
			    const struct cfg_entry *map, unsigned route_captures)
{
	const struct cfg_entry *item = cfg_first_item(map, key);

	for (unsigned i = 0; i < n; i++) {
		char *at = xasprintf("%s.%s[%u]", what, key, i);
		char *path = xasprintf("%s.when", at);

		cfg_validate_text(v, at, rules[i].value,
				  cfg_captures_of(&rules[i].when, item, route_captures),
				  rules[i].place);
		if (rules[i].name && rules[i].action == CFG_FIELD_APPEND &&
		    is_no_list(rules[i].name))
			diag_add(v->diag, rules[i].place,
				 "%s.%s[%u]: %s is no list that could be appended to; use add or "
				 "set",
				 what, key, i, rules[i].name);
		cfg_validate_match(v, path, &rules[i].when, cfg_entry_get(item, "when"),
				   rules[i].place);
		free(path);
		free(at);
		item = item ? item->next : NULL;
	}
}

/* Whether a route of that path can be asked for anything below the prefix. */
static bool can_strip(const char *prefix, const char *path)
{
	return http_path_is_under(span_of(path), span_of(prefix)) ||
	       http_path_is_under(span_of(prefix), span_of(path));
}

static void validate_rewrite(struct validator *v, const char *what, const struct cfg_route *route,
			     const struct cfg_entry *map, unsigned route_captures,
			     struct cfg_place place)
{
	const struct cfg_rewrite *rewrite = &route->rewrite;
	/* Also when it was written wrong, which was complained about. */
	bool has_regex = rewrite->regex || cfg_entry_get(map, "regex");
	bool has_to = rewrite->to || cfg_entry_get(map, "to");
	char *at = xasprintf("%s.rewrite", what);

	cfg_validate_text(v, at, rewrite->path, route_captures, place);
	cfg_validate_text(v, at, rewrite->to, cfg_captures_by(rewrite->regex, REGEX_CAPTURES_MAX),
			  place);
	cfg_validate_text(v, at, rewrite->host, route_captures, place);
	free(at);
	if (rewrite->strip_prefix && route->path && !can_strip(rewrite->strip_prefix, route->path))
		diag_add(v->diag, place,
			 "%s.rewrite.strip_prefix: \"%s\" never matches: the route is for %s", what,
			 rewrite->strip_prefix, route->path);
	if ((rewrite->strip_prefix != NULL) + (rewrite->path != NULL) + (rewrite->regex != NULL) >
	    1)
		diag_add(v->diag, place,
			 "%s.rewrite: one of strip_prefix, path, regex was expected, not several",
			 what);
	if (has_regex != has_to)
		diag_add(v->diag, place, "%s.rewrite: %s is missing, which goes with %s", what,
			 has_regex ? "to" : "regex", has_regex ? "regex" : "to");
}

static void validate_split_by(struct validator *v, const char *what, const struct cfg_route *route,
			      unsigned route_captures, struct cfg_place place)
{
	char *at = xasprintf("%s.split_by", what);

	cfg_validate_text(v, at, route->split_by, route_captures, place);
	free(at);
}

static bool has_any(const struct cfg_strings *strings)
{
	for (unsigned i = 0; i < strings->n; i++) {
		if (strings->v[i] && strcmp(strings->v[i], "*") == 0)
			return true;
	}
	return false;
}

static void validate_cors(struct validator *v, const char *what, const struct cfg_cors *cors,
			  struct cfg_place place)
{
	if (cors->credentials &&
	    (has_any(&cors->origins) || has_any(&cors->fields) || has_any(&cors->expose)))
		diag_add(v->diag, place,
			 "%s.cors: \"*\" does not go with credentials: any page could act in the "
			 "user's name; write a list",
			 what);
}

static void validate_route(struct validator *v, const struct cfg_site *site,
			   const struct cfg_route *route, const struct cfg_entry *map)
{
	char *what = xasprintf("sites.%s.routes.*", site->name);
	unsigned captures = cfg_captures_of(&route->when, map, 0);

	validate_fields(v, what, "request_fields", route->request_fields, route->n_request_fields,
			map, captures);
	validate_fields(v, what, "response_fields", route->response_fields,
			route->n_response_fields, map, captures);
	validate_split_by(v, what, route, captures, cfg_place_of(map, "split_by", route->place));
	validate_rewrite(v, what, route, cfg_entry_get(map, "rewrite"), captures,
			 cfg_place_of(map, "rewrite", route->place));
	for (unsigned i = 0; i < route->n_redirect; i++) {
		char *at = xasprintf("%s.redirect.to", what);

		cfg_validate_text(v, at, route->redirect[i].to, captures, route->redirect[i].place);
		free(at);
	}
	validate_cors(v, what, &route->cors, cfg_place_of(map, "cors", route->place));
	free(what);
}

static void validate_hsts(struct validator *v, const struct cfg_site *site,
			  const struct cfg_entry *map)
{
	const struct cfg_hsts *hsts = &site->hsts;
	/* What the list of browsers asks for. */
	bool is_listed = hsts->subdomains && hsts->max_age.ns >= DUR_S(365 * 86400).ns;

	if (hsts->preload && !is_listed)
		diag_add(v->diag, cfg_place_of(map, "hsts", site->place),
			 "sites.%s.hsts: preload needs subdomains and a max_age of 365d at least",
			 site->name);
}

void cfg_validate_changes(struct validator *v)
{
	const struct cfg_entry *entry = cfg_first_thing(v, "sites");

	for (unsigned i = 0; i < v->fleet->n_sites; i++, entry = entry->next) {
		const struct cfg_site *site = &v->fleet->sites[i];
		const struct cfg_entry *item = cfg_first_item(entry, "routes");

		validate_hsts(v, site, entry);
		for (unsigned r = 0; r < site->n_routes; r++, item = item ? item->next : NULL)
			validate_route(v, site, &site->routes[r], item);
	}
}
