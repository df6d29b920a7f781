/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of sites: hosts, routes and edges that differ.
 */
#include <stdlib.h>
#include <string.h>

#include "config/load/rules.h"
#include "core/base/check.h"

static void claim_hosts(struct validator *v, const struct cfg_site *s,
			const struct cfg_entry *entry, struct cfg_claims *hosts)
{
	struct cfg_item_places places = cfg_places_of_items(entry, "hosts", s->place);

	for (unsigned i = 0; i < s->hosts.n; i++) {
		struct cfg_place place = cfg_next_place(&places);
		const char *host = s->hosts.v[i];

		if (host == NULL)
			continue;
		cfg_claim(v, hosts, host, "sites.*.hosts", place);
		cfg_hash_put(&v->hosts, host, strlen(host), s);
	}
}

static void validate_auth(struct validator *v, const struct cfg_auth *auth, const char *path)
{
	if (auth->n_basic > 1)
		diag_add(v->diag, auth->basic[1].place, "%s.auth.basic: there may be one only",
			 path);
	if (auth->n_forward > 1)
		diag_add(v->diag, auth->forward[1].place, "%s.auth.forward: there may be one only",
			 path);
}

static void validate_routes(struct validator *v, const struct cfg_site *s)
{
	char *path = xasprintf("sites.%s.routes", s->name);
	struct cfg_claims paths = {0};

	for (unsigned i = 0; i < s->n_routes; i++) {
		validate_auth(v, &s->routes[i].terms.auth, path);
		if (s->routes[i].path != NULL)
			cfg_claim(v, &paths, s->routes[i].path, path, s->routes[i].place);
	}
	cfg_claims_fini(&paths);
	free(path);
}

void cfg_validate_sites(struct validator *v)
{
	const struct cfg_entry *n = cfg_first_thing(v, "sites");
	struct cfg_claims hosts = {0};
	struct cfg_hash lists = {0}; /* of edges, that were looked at */

	for (unsigned i = 0; i < v->fleet->n_sites; i++, n = n->next) {
		const struct cfg_site *s = &v->fleet->sites[i];
		char *path;

		claim_hosts(v, s, n, &hosts);
		validate_routes(v, s);
		if (cfg_hash_get(&lists, &s->edges, sizeof(s->edges)) != NULL)
			continue;
		cfg_hash_put(&lists, &s->edges, sizeof(s->edges), s);
		path = xasprintf("sites.%s.edges", s->name);
		cfg_validate_edge_list(v, s->edges, s->n_edges, cfg_entry_get(n, "edges"), s->place,
				       path);
		free(path);
	}
	cfg_claims_fini(&hosts);
	cfg_hash_fini(&lists);
}
