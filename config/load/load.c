/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loading a fleet: files to tree, tree to structs, rules, and what follows from the rest. Owns the
 * fleet's memory, all of it in one piece.
 */
#include "config/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "config/hash.h"
#include "config/limits.h"
#include "config/load/fill.h"
#include "config/load/validate.h"
#include "config/syntax/tree.h"
#include "core/base/check.h"

/* RFC 9110 sections 4.2.1 and 4.2.2. */
#define HTTP_PORT 80
#define HTTPS_PORT 443

struct cfg_private {
	struct cfg_memory mem;
};

/* Longest path first, so that the first that matches is the one. */
static int compare_routes(const void *left, const void *right)
{
	const struct cfg_route *a = left, *b = right;
	size_t a_len = strlen(a->path), b_len = strlen(b->path);

	if (a_len != b_len)
		return a_len > b_len ? -1 : 1;
	if (strcmp(a->path, b->path) != 0)
		return strcmp(a->path, b->path);
	if (a->exact != b->exact)
		return a->exact ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

static void sort_routes(struct cfg_site *s)
{
	for (unsigned i = 0; i < s->n_routes; i++)
		s->routes[i].number = i;
	qsort(s->routes, s->n_routes, sizeof(*s->routes), compare_routes);
}

/* Sites without a list of edges share the one of all that take clients: a list for each would take
 * edges times sites. False when memory is out. */
static bool give_edges(struct cfg_fleet *fleet, struct cfg_place place)
{
	const struct cfg_edge **all = cfg_alloc(
	    &fleet->private->mem, fleet->n_edges * sizeof(const struct cfg_edge *), place);

	unsigned n = 0;

	if (all == NULL)
		return false;
	for (unsigned i = 0; i < fleet->n_edges; i++) {
		if (cfg_edge_takes_clients(&fleet->edges[i]))
			all[n++] = &fleet->edges[i];
	}
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		struct cfg_site *s = &fleet->sites[i];

		if (s->n_edges == 0) {
			s->edges = all;
			s->n_edges = n;
		}
	}
	return true;
}

/* Names that go by an order and have none share that of their site. */
static void give_orders(struct cfg_zone *zone)
{
	for (unsigned i = 0; i < zone->n_steered; i++) {
		struct cfg_steered *s = &zone->steered[i];

		if (s->n_order > 0 || s->policy == CFG_POLICY_NEAREST ||
		    s->policy == CFG_POLICY_WEIGHTED)
			continue;
		s->order = s->site->edges;
		s->n_order = s->site->n_edges;
	}
}

/* The site's to routes that say nothing of it. */
static void give_compression(struct cfg_site *s)
{
	for (unsigned i = 0; i < s->n_routes; i++) {
		if (s->routes[i].compression.place.file == NULL)
			s->routes[i].compression = s->compression;
	}
}

/* To servers without a port; before the rules, which compare servers. */
static void give_ports(struct cfg_fleet *fleet)
{
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		struct cfg_origin *o = &fleet->origins[i];

		for (unsigned s = 0; s < o->n_servers; s++) {
			struct cfg_server *address = &o->servers[s].address;

			if (address->port == 0)
				address->port = o->tls.enabled ? HTTPS_PORT : HTTP_PORT;
		}
	}
	for (unsigned s = 0; s < fleet->tls.keys.n_servers; s++) {
		if (fleet->tls.keys.servers[s].port == 0)
			fleet->tls.keys.servers[s].port = CFG_KEYS_PORT;
	}
}

static int compare_ids(const void *left, const void *right)
{
	return *(const uint16_t *)left - *(const uint16_t *)right;
}

/* The ids of the site's edges in order; NULL when memory is out. */
static const uint16_t *sort_ids(struct cfg_fleet *fleet, const struct cfg_site *s)
{
	uint16_t *ids = cfg_alloc(&fleet->private->mem, s->n_edges * sizeof(*ids), s->place);

	if (ids == NULL)
		return NULL;
	/* The last number is of no edge: for references that were complained about. */
	for (unsigned i = 0; i < s->n_edges; i++)
		ids[i] = s->edges[i] != NULL ? (uint16_t)s->edges[i]->id : UINT16_MAX;
	qsort(ids, s->n_edges, sizeof(*ids), compare_ids);
	return ids;
}

/* To edges and sites; sites that share a list of edges share its ids. Before the rules, which ask
 * who serves a site. False when memory is out. */
static bool give_ids(struct cfg_fleet *fleet)
{
	struct cfg_hash lists = {0};
	bool ok = true;

	for (unsigned i = 0; i < fleet->n_edges; i++)
		fleet->edges[i].id = i;
	for (unsigned i = 0; ok && i < fleet->n_sites; i++) {
		struct cfg_site *s = &fleet->sites[i];

		s->edge_ids = cfg_hash_get(&lists, &s->edges, sizeof(s->edges));
		if (s->edge_ids == NULL) {
			s->edge_ids = sort_ids(fleet, s);
			ok = s->edge_ids != NULL;
			cfg_hash_put(&lists, &s->edges, sizeof(s->edges), s->edge_ids);
		}
	}
	cfg_hash_fini(&lists);
	return ok;
}

/* To each of the fleet's sets of passwords. */
static void number_passwords(const struct cfg_site *s, unsigned *n)
{
	for (unsigned i = 0; i < s->n_routes; i++) {
		const struct cfg_auth *auth = &s->routes[i].terms.auth;

		for (unsigned b = 0; b < auth->n_basic; b++)
			auth->basic[b].id = (*n)++;
	}
}

/* What follows from a fleet that is right. */
static void finish(struct cfg_fleet *fleet, const struct cfg_entry *root)
{
	const struct cfg_entry *geo = cfg_entry_get(root, "geo");
	unsigned n_passwords = 0;

	for (unsigned i = 0; i < fleet->n_edges; i++) {
		struct cfg_edge *e = &fleet->edges[i];

		if (e->check.port == 0 && cfg_edge_takes_clients(e))
			e->check.port = net_addr_port(&e->listen.v[0]);
	}
	for (unsigned i = 0; i < fleet->n_origins; i++)
		fleet->origins[i].id = i;
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		struct cfg_site *s = &fleet->sites[i];

		s->id = i;
		give_compression(s);
		sort_routes(s);
		number_passwords(s, &n_passwords);
	}
	for (unsigned i = 0; i < fleet->n_zones; i++)
		give_orders(&fleet->zones[i]);
	fleet->geo.place = geo != NULL ? geo->key_place : root->place;
}

struct cfg_fleet *cfg_load(const char *file, struct diag *diag)
{
	struct cfg_private *private = xcalloc(1, sizeof(*private));
	struct cfg_fleet *fleet;
	const struct cfg_entry *root;
	unsigned before = diag_count(diag);

	cfg_memory_init(&private->mem, CFG_MEMORY_MAX, diag);
	fleet = cfg_alloc(&private->mem, sizeof(*fleet), (struct cfg_place){.file = file});
	CHECK(fleet != NULL); /* the first of a fixed size */
	fleet->private = private;
	fleet->file = cfg_copy(&private->mem, file, (struct cfg_place){.file = file});
	root = cfg_tree_load(&private->mem, file, diag);
	if (root != NULL)
		cfg_fill(fleet, root, &private->mem, diag);
	/* A fleet that was cut short makes no sense. */
	if (root != NULL && !private->mem.is_out && give_edges(fleet, root->place) &&
	    give_ids(fleet)) {
		give_ports(fleet);
		cfg_find_fallbacks(fleet, root, diag);
		cfg_validate(fleet, root, diag);
	}
	if (diag_count(diag) != before) {
		cfg_fleet_destroy(&fleet);
		return NULL;
	}
	finish(fleet, root);
	private->mem.diag = NULL;
	return fleet;
}

void cfg_fleet_destroy(struct cfg_fleet **fleetp)
{
	struct cfg_fleet *fleet = TAKE(fleetp);
	struct cfg_private *private;

	if (fleet == NULL)
		return;
	private = fleet->private;
	cfg_memory_fini(&private->mem); /* the fleet is in it */
	free(private);
}
