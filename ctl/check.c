/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A configuration with all files that it names, loaded by the daemons' own code, so that what
 * passes here passes there: for the whole fleet what each of its nodes would say, or for one node
 * what that one would. What only the daemons may read (keys, most often) is named and passed over.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "config/node.h"
#include "core/base/check.h"
#include "ctl/perigeectl.h"
#include "dns/view/parts.h"
#include "edge/auth/passwords.h"
#include "edge/keys/keys.h"
#include "edge/relay/edges.h"
#include "edge/route/content.h"
#include "edge/tls/certs.h"
#include "edge/tls/tickets.h"
#include "origin-link/servers/origins.h"

/* What is checked: both are NULL for the whole fleet. */
struct scope {
	const struct cfg_edge *edge;
	const struct cfg_nameserver *nameserver;
};

static bool has_edges(const struct scope *scope)
{
	return scope->edge != NULL || scope->nameserver == NULL;
}

static bool has_nameservers(const struct scope *scope)
{
	return scope->nameserver != NULL || scope->edge == NULL;
}

static bool has_site(const struct scope *scope, const struct cfg_site *site)
{
	return has_edges(scope) &&
	       (scope->edge == NULL || cfg_site_is_served_by(site, scope->edge));
}

/* Files that may not be read */

/* NULL stands for a file that is not needed. */
static bool may_read(const char *path)
{
	if (path == NULL || access(path, R_OK) == 0 || errno != EACCES)
		return true;
	ctl_say(stderr, "not checked, since you may not read it: ", path);
	return false;
}

/* False: there were some. Keys that are `remote` are not read at all. */
static bool pass_over_certificates(struct cfg_site *site, bool remote)
{
	unsigned kept = 0, all = site->n_certificates;

	for (unsigned i = 0; i < all; i++) {
		struct cfg_certificate *c = &site->certificates[i];

		if (may_read(c->certificate) && (remote || may_read(c->key)))
			site->certificates[kept++] = *c;
	}
	site->n_certificates = kept;
	return kept == all;
}

/* What an edge answers itself is not looked at then. */
static void pass_over_pages(struct cfg_error_page *errors, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!may_read(errors[i].file))
			errors[i].file = NULL;
	}
}

static void pass_over_answers(struct cfg_site *site)
{
	pass_over_pages(site->errors, site->n_errors);
	for (unsigned i = 0; i < site->n_routes; i++) {
		struct cfg_route *route = &site->routes[i];

		pass_over_pages(route->errors, route->n_errors);
		if (route->n_respond > 0 && !may_read(route->respond->file))
			route->respond->file = NULL;
	}
}

static void pass_over_passwords(struct cfg_site *site)
{
	for (unsigned i = 0; i < site->n_routes; i++) {
		struct cfg_auth *auth = &site->routes[i].terms.auth;

		if (auth->n_basic > 0 && !may_read(auth->basic->file))
			auth->n_basic = 0;
	}
}

/* Keys of tickets, one of which may not be read, are not checked at all. */
static void pass_over_tickets(struct cfg_tickets *tickets)
{
	DIR *directory;
	struct dirent *entry;

	if (tickets->keys == NULL)
		return;
	directory = opendir(tickets->keys);
	while (tickets->keys != NULL && directory != NULL && (entry = readdir(directory)) != NULL) {
		char *path = xasprintf("%s/%s", tickets->keys, entry->d_name);

		if (!may_read(path))
			tickets->keys = NULL;
		free(path);
	}
	if (directory != NULL)
		closedir(directory);
	else if (!may_read(tickets->keys))
		tickets->keys = NULL;
}

static void pass_over_relay(struct cfg_edge_relay *relay)
{
	if (relay->certificate != NULL &&
	    !(may_read(relay->certificate) && may_read(relay->key) && may_read(relay->ca)))
		*relay = (struct cfg_edge_relay){.certificate = NULL};
}

/* False: there were certificates of our own among them. */
static bool pass_over_edge_files(struct cfg_fleet *fleet, const struct scope *scope)
{
	bool remote = fleet->tls.keys.place == CFG_KEYS_REMOTE;
	bool whole = true;

	pass_over_tickets(&fleet->tls.tickets);
	if (scope->edge != NULL)
		pass_over_relay(&fleet->edges[scope->edge->id].relay);
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		struct cfg_origin_tls *tls = &fleet->origins[i].tls;

		tls->enabled = tls->enabled && may_read(tls->ca) && may_read(tls->certificate) &&
			       may_read(tls->key);
		if (fleet->origins[i].n_page > 0 && !may_read(fleet->origins[i].page->file))
			fleet->origins[i].n_page = 0;
	}
	for (unsigned i = 0; i < fleet->n_sites; i++) {
		if (!has_site(scope, &fleet->sites[i]))
			continue;
		whole &= pass_over_certificates(&fleet->sites[i], remote);
		pass_over_answers(&fleet->sites[i]);
		pass_over_passwords(&fleet->sites[i]);
	}
	return whole;
}

static void pass_over_dns_files(struct cfg_fleet *fleet)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < fleet->n_zones; i++) {
		if (may_read(fleet->zones[i].file))
			fleet->zones[kept++] = fleet->zones[i];
	}
	fleet->n_zones = kept;
	for (unsigned i = 0; i < fleet->geo.databases.n; i++) {
		if (!may_read(fleet->geo.databases.v[i]))
			fleet->geo.databases.n = 0;
	}
}

/* Checks */

/* What an edge's view is made of: edge/node/view.c. */
static void check_edge_files(struct cfg_fleet *fleet, const struct scope *scope, struct diag *diag)
{
	bool whole = pass_over_edge_files(fleet, scope);
	struct edge_tls_edges *edges = NULL;
	struct olink_here here = olink_nowhere;
	struct olink_origins *origins;
	struct edge_files *files = edge_files_load(fleet, scope->edge, diag);
	struct edge_passwords *passwords = edge_passwords_load(fleet, scope->edge, diag);
	struct edge_keys *keys = edge_keys_create();

	here.edge = scope->edge;
	origins = olink_origins_load(fleet, &here, diag);
	if (scope->edge != NULL)
		edge_tls_edges_load(fleet, scope->edge, &edges, diag);
	edge_tls_edges_destroy(&edges);
	edge_files_destroy(&files);
	edge_passwords_destroy(&passwords);
	olink_origins_destroy(&origins);
	if (fleet->tls.keys.place == CFG_KEYS_REMOTE) {
		edge_keys_leave_remote(keys);
		ctl_say(stderr, "not checked, as they are on another machine: ",
			"private keys; see perigee-keys --check");
	}
	edge_certs_check(fleet, scope->edge, whole, keys, clock_wall(), diag);
	edge_tickets_check(fleet, clock_wall(), diag);
	edge_keys_destroy(&keys);
}

/* Consumes *fleet. */
static void check_dns_files(struct cfg_fleet **fleet, struct diag *diag)
{
	struct dns_parts *parts = dns_parts_load(fleet, NULL, diag);

	dns_parts_unref(&parts);
}

/* Consumes *fleet. */
static void check(struct cfg_fleet **fleet, const char *node, struct diag *diag)
{
	struct scope scope = {0};

	if (node != NULL) {
		struct cfg_node named = cfg_expect_node(*fleet, node, diag);

		scope = (struct scope){named.edge, named.nameserver};
	}
	if (node != NULL && scope.edge == NULL && scope.nameserver == NULL) {
		cfg_fleet_destroy(fleet);
		return;
	}
	if (node != NULL)
		ctl_check_machine(*fleet, scope.edge, scope.nameserver, diag);
	if (has_edges(&scope))
		check_edge_files(*fleet, &scope, diag);
	if (has_nameservers(&scope)) {
		pass_over_dns_files(*fleet);
		check_dns_files(fleet, diag);
	}
	cfg_fleet_destroy(fleet);
}

int ctl_check(const char *file, const char *node)
{
	struct diag *diag = diag_create();
	struct cfg_fleet *fleet = cfg_load(file, diag);
	bool good;

	if (fleet != NULL)
		check(&fleet, node, diag);
	diag_print(diag, stderr);
	good = diag_count(diag) == 0;
	if (good)
		good = puts("ok") >= 0 && fflush(stdout) == 0;
	diag_destroy(&diag);
	return good ? CTL_OK : CTL_BAD;
}
