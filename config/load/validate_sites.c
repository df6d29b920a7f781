/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of sites: hosts and edges that differ, certificates of clients that can be valid, early
 * data that can come. Their routes have a file of their own.
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

/* Origins would get a field twice. */
static void validate_fields(struct validator *v, const struct cfg_site *s,
			    const struct cfg_entry *map)
{
	const struct cfg_uints *fields = &s->client_certificates.fields;
	unsigned told = 0;

	for (unsigned i = 0; i < fields->n; i++) {
		if (told & 1U << fields->v[i]) {
			diag_add(v->diag, cfg_place_of(map, "fields", s->place),
				 "sites.%s.client_certificates.fields: one is there twice",
				 s->name);
			return;
		}
		told |= 1U << fields->v[i];
	}
}

static void validate_client_certificates(struct validator *v, const struct cfg_site *s,
					 const struct cfg_entry *map)
{
	const struct cfg_client_certificates *clients = &s->client_certificates;

	if (clients->mode != CFG_CLIENT_CERTIFICATES_OFF && cfg_entry_get(map, "ca_file") == NULL)
		diag_add(v->diag, cfg_place_of(map, "mode", s->place),
			 "sites.%s.client_certificates.ca_file is missing: without it nobody's "
			 "certificate would be valid",
			 s->name);
	validate_fields(v, s, map);
}

/* It would be for nothing: early data comes with a ticket. */
static void validate_early_data(struct validator *v, const struct cfg_site *s)
{
	for (unsigned i = 0; v->fleet->tls.tickets.count == 0 && i < s->n_routes; i++) {
		if (s->routes[i].terms.early_data)
			diag_add(v->diag, s->routes[i].place,
				 "sites.%s.routes.*.early_data: none ever comes: tls.tickets.count "
				 "is 0",
				 s->name);
	}
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
		cfg_validate_routes(v, s, n);
		validate_client_certificates(v, s, cfg_entry_get(n, "client_certificates"));
		validate_early_data(v, s);
		if (cfg_hash_get(&lists, &s->edges, sizeof(s->edges)) != NULL)
			continue;
		cfg_hash_put(&lists, &s->edges, sizeof(s->edges), s);
		if (s->n_edges == 0 && v->fleet->n_edges > 0)
			diag_add(v->diag, s->place,
				 "sites.%s: no edge takes clients: edges.*.listen are all empty",
				 s->name);
		path = xasprintf("sites.%s.edges", s->name);
		cfg_validate_edge_list(v, s->edges, s->n_edges, cfg_entry_get(n, "edges"), s->place,
				       path);
		free(path);
	}
	cfg_claims_fini(&hosts);
	cfg_hash_fini(&lists);
}
