/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of zones and their steered names: that clients who are sent to an edge are served there,
 * and that a policy has what it goes by. What depends on nothing but the edges of a site and the
 * policy is said once, however many names have them.
 */
#include <stdlib.h>
#include <string.h>

#include "config/load/rules.h"
#include "config/types/domain_name.h"
#include "core/base/check.h"

/* A steered name that is looked at, with the edges of its site. */
struct name {
	const struct cfg_steered *steered;
	const struct cfg_zone *zone;
	const struct cfg_entry *entry;
	const struct cfg_edge *const *edges;
	unsigned n_edges;
	char *path; /* "zones.example.com.steered.www" */
};

enum aspect { POOL, NEEDS, ORDER };

/* What was looked at: lists are shared, so that equal ones are one pointer. */
struct looked_at {
	const void *edges, *order;
	enum aspect aspect;
	enum cfg_policy policy;
};

struct zones_validator {
	struct validator *v;
	struct cfg_hash looked_at; /* keys of their own, malloc'd */
	struct cfg_hash weighty;   /* unsigned, malloc'd, by the list of edges: count_weighty() */
	bool *complained;          /* by edge: of what it lacks */
};

static bool is_first(struct zones_validator *z, const struct name *n, enum aspect aspect)
{
	struct looked_at *key = xcalloc(1, sizeof(*key)); /* with what is between the members */

	key->edges = n->edges;
	key->order = aspect == ORDER ? n->steered->order : NULL;
	key->aspect = aspect;
	key->policy = aspect == POOL ? CFG_POLICY_NEAREST : n->steered->policy;
	if (cfg_hash_get(&z->looked_at, key, sizeof(*key)) != NULL) {
		free(key);
		return false;
	}
	cfg_hash_put(&z->looked_at, key, sizeof(*key), key);
	return true;
}

/* "www.example.com" under "example.com" would be www.example.com.example.com. */
static bool repeats_zone(const char *owner, const char *zone)
{
	size_t owner_len = strlen(owner), zone_len = strlen(zone);

	if (owner_len == zone_len)
		return strcmp(owner, zone) == 0;
	return owner_len > zone_len && owner[owner_len - zone_len - 1] == '.' &&
	       strcmp(owner + owner_len - zone_len, zone) == 0;
}

/* Whether a site that has `host` serves `name`: "*.b" serves all that is under b, and for "*.a.b"
 * all of that must be served. */
static bool host_serves(const char *host, const char *name)
{
	size_t host_len = strlen(host), name_len = strlen(name);

	if (strcmp(host, name) == 0)
		return true;
	return host[0] == '*' && name_len > host_len - 1 &&
	       strcmp(name + name_len - (host_len - 1), host + 1) == 0;
}

/* Whether `site` has `name` among its hosts, host by host: where hosts are there twice or wrong,
 * which was complained about, only this tells. */
static bool site_serves(const struct cfg_site *site, const char *name)
{
	for (unsigned i = 0; i < site->hosts.n; i++) {
		if (site->hosts.v[i] == NULL || host_serves(site->hosts.v[i], name))
			return true;
	}
	return false;
}

/* A site that serves `name`, `wanted` if it does; NULL when there is none. */
static const struct cfg_site *find_site(const struct validator *v, const char *name,
					const struct cfg_site *wanted)
{
	const struct cfg_site *first = cfg_hash_get(&v->hosts, name, strlen(name));

	if (first == wanted)
		return first;
	for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
		char *pattern = xasprintf("*%s", dot);
		const struct cfg_site *site = cfg_hash_get(&v->hosts, pattern, strlen(pattern));

		free(pattern);
		if (site == wanted)
			return site;
		if (first == NULL)
			first = site;
	}
	return first;
}

/* Clients that are sent to an edge ask it for that name. */
static void validate_host(struct validator *v, const struct name *n)
{
	const struct cfg_site *site = n->steered->site, *other;
	const char *owner = n->steered->owner;
	char *host, *hint;

	host = strcmp(owner, "@") == 0 ? xstrdup(n->zone->name)
				       : xasprintf("%s.%s", owner, n->zone->name);
	other = find_site(v, host, site);
	if (other != site && diag_has_room(v->diag) && !site_serves(site, host)) {
		hint = other != NULL ? xasprintf("; it is one of site \"%s\"", other->name)
				     : xstrdup("");
		diag_add(v->diag, cfg_place_of(n->entry, "site", n->steered->place),
			 "%s.site: %s is not among the hosts of site \"%s\": clients would get 421 "
			 "there%s",
			 n->path, host, site->name, hint);
		free(hint);
	}
	free(host);
}

static void validate_owner(struct validator *v, const struct name *n)
{
	const struct cfg_steered *st = n->steered;

	if (repeats_zone(st->owner, n->zone->name))
		diag_add(v->diag, st->place,
			 "%s: an owner is relative to its zone: leave out \"%s\"", n->path,
			 n->zone->name);
	else if (strlen(st->owner) + 1 + strlen(n->zone->name) > CFG_DOMAIN_MAX)
		diag_add(v->diag, st->place, "%s: longer than a name may be", n->path);
	else if (st->site != NULL)
		validate_host(v, n);
	if (st->ttl.ns % 1000000000 != 0)
		diag_add(v->diag, cfg_place_of(n->entry, "ttl", st->place),
			 "%s.ttl: DNS knows whole seconds only", n->path);
}

static bool has_family(const struct cfg_edge *e, int family)
{
	for (unsigned i = 0; i < e->addresses.n; i++) {
		if (e->addresses.v[i].sa.sa_family == family)
			return true;
	}
	return false;
}

/* An edge that has no address of a family is passed over for clients that ask for one. */
static void warn_of_families(struct validator *v, const struct name *n)
{
	const struct cfg_edge *without = NULL;
	unsigned n4 = 0, n6 = 0;

	for (unsigned i = 0; i < n->n_edges; i++) {
		n4 += has_family(n->edges[i], AF_INET);
		n6 += has_family(n->edges[i], AF_INET6);
	}
	if (n4 == 0)
		diag_warn(v->diag, n->steered->place,
			  "%s: none of its edges has an IPv4 address: clients that have no IPv6 "
			  "cannot reach it",
			  n->path);
	for (unsigned f = 0; f < 2; f++) {
		int family = f == 0 ? AF_INET : AF_INET6;
		unsigned with = f == 0 ? n4 : n6;

		if (with == 0 || with == n->n_edges)
			continue;
		for (unsigned i = 0; without == NULL && i < n->n_edges; i++)
			without = has_family(n->edges[i], family) ? NULL : n->edges[i];
		diag_warn(v->diag, n->steered->place,
			  "%s: %u of its %u edges have an IPv%u address, \"%s\" has none: who asks "
			  "for one is sent to the others",
			  n->path, with, n->n_edges, f == 0 ? 4 : 6, without->name);
		without = NULL;
	}
}

/* Each edge is named once, for the first name that lacks something of it. */
static void complain_lack(struct zones_validator *z, const struct name *n, const struct cfg_edge *e,
			  const char *option, const char *why)
{
	bool *complained = &z->complained[e - z->v->fleet->edges];

	if (!*complained)
		diag_add(z->v->diag, e->place, "edges.%s.%s is missing: %s %s", e->name, option,
			 n->path, why);
	*complained = true;
}

static void validate_pool(struct zones_validator *z, const struct name *n)
{
	bool whole = n->n_edges > 0;

	if (n->n_edges == 0)
		diag_add(z->v->diag, n->steered->place, "%s: there are no edges to send clients to",
			 n->path);
	for (unsigned i = 0; i < n->n_edges; i++) {
		whole &= n->edges[i] != NULL && n->edges[i]->addresses.n > 0;
		if (n->edges[i] != NULL && n->edges[i]->addresses.n == 0)
			complain_lack(z, n, n->edges[i], "addresses", "sends clients there");
	}
	if (whole)
		warn_of_families(z->v, n);
}

/* What the policy goes by, of each edge. */
static void validate_needs(struct zones_validator *z, const struct name *n)
{
	enum cfg_policy policy = n->steered->policy;
	bool by_continent = policy == CFG_POLICY_CONTINENT;
	bool by_distance = policy == CFG_POLICY_NEAREST || by_continent;

	for (unsigned i = 0; i < n->n_edges; i++) {
		const struct cfg_edge *e = n->edges[i];

		if (e == NULL)
			continue;
		if (by_distance && !e->location.set && z->v->fleet->geo.databases.n > 0)
			complain_lack(z, n, e, "location", "goes by distance");
		if (by_continent && e->continent != NULL && *e->continent == '\0')
			complain_lack(z, n, e, "continent", "goes by continent");
	}
	if (by_continent && z->v->fleet->geo.databases.n == 0)
		diag_warn(
		    z->v->diag, cfg_place_of(n->entry, "policy", n->steered->place),
		    "%s.policy: without geo.database nobody's continent is known: everybody is "
		    "sent by the order",
		    n->path);
}

static void complain_stranger(struct validator *v, const struct name *n, const char *option,
			      const struct cfg_edge *e, struct cfg_place place)
{
	if (cfg_edge_takes_clients(e))
		diag_add(
		    v->diag, place,
		    "%s.%s: edge \"%s\" does not serve site \"%s\": leave it out, or add it to "
		    "sites.%s.edges",
		    n->path, option, e->name, n->steered->site->name, n->steered->site->name);
	else
		diag_add(
		    v->diag, place,
		    "%s.%s: edge \"%s\" takes no clients: leave it out, or give edges.%s.listen "
		    "an address",
		    n->path, option, e->name, e->name);
}

static void validate_order(struct validator *v, const struct name *n)
{
	const struct cfg_steered *st = n->steered;
	struct cfg_item_places places = cfg_places_of_items(n->entry, "order", st->place);
	char *path = xasprintf("%s.order", n->path);

	for (unsigned i = 0; i < st->n_order; i++) {
		const struct cfg_edge *e = st->order[i];
		struct cfg_place place = cfg_next_place(&places);

		if (e != NULL && cfg_edge_takes_clients(e) && !cfg_site_is_served_by(st->site, e))
			complain_stranger(v, n, "order", e, place);
	}
	cfg_validate_edge_list(v, st->order, st->n_order, cfg_entry_get(n->entry, "order"),
			       st->place, path);
	free(path);
}

/* How many edges of the name's site have a weight of their own. They are counted once for each list
 * of edges: many names may have a long one. */
static unsigned count_weighty(struct zones_validator *z, const struct name *n)
{
	const unsigned *known = cfg_hash_get(&z->weighty, &n->edges, sizeof(n->edges));
	unsigned *count;

	if (known != NULL)
		return *known;
	count = xcalloc(1, sizeof(*count));
	for (unsigned i = 0; i < n->n_edges; i++)
		*count += n->edges[i] == NULL || n->edges[i]->weight > 0;
	cfg_hash_put(&z->weighty, &n->steered->site->edges, sizeof(n->edges), count);
	return *count;
}

static void validate_weights(struct zones_validator *z, const struct name *n)
{
	const struct cfg_steered *st = n->steered;
	unsigned own = count_weighty(z, n); /* of the edges that the name gives no weight */
	bool any = n->n_edges == 0;

	for (unsigned i = 0; i < st->n_weights; i++) {
		const struct cfg_weight *w = &st->weights[i];

		any |= w->edge == NULL || w->weight > 0;
		if (w->edge != NULL && !cfg_site_is_served_by(st->site, w->edge))
			complain_stranger(z->v, n, "weights", w->edge, w->place);
		else if (w->edge != NULL && w->edge->weight > 0 && own > 0)
			own--;
	}
	if (!any && own == 0)
		diag_add(z->v->diag, cfg_place_of(n->entry, "weights", st->place),
			 "%s.weights: all of its edges have weight 0: give one of them more",
			 n->path);
}

static void validate_steered(struct zones_validator *z, const struct name *n)
{
	validate_owner(z->v, n);
	if (n->steered->site == NULL)
		return;
	if (is_first(z, n, POOL))
		validate_pool(z, n);
	if (is_first(z, n, NEEDS))
		validate_needs(z, n);
	if (n->steered->n_order > 0 && is_first(z, n, ORDER))
		validate_order(z->v, n);
	if (n->steered->policy == CFG_POLICY_WEIGHTED)
		validate_weights(z, n);
}

static void validate_zone(struct zones_validator *z, const struct cfg_zone *zone,
			  const struct cfg_entry *entry)
{
	char *path = xasprintf("zones.%s.steered", zone->name);
	struct cfg_claims owners = {0};

	entry = entry != NULL ? entry->first : NULL;
	for (unsigned i = 0; i < zone->n_steered; i++, entry = entry->next) {
		const struct cfg_steered *st = &zone->steered[i];
		struct name n = {.steered = st, .zone = zone, .entry = entry};

		if (st->site != NULL)
			n.edges = st->site->edges, n.n_edges = st->site->n_edges;
		n.path = xasprintf("%s.%s", path, st->owner);
		cfg_claim(z->v, &owners, st->owner, path, st->place);
		validate_steered(z, &n);
		free(n.path);
	}
	cfg_claims_fini(&owners);
	free(path);
}

void cfg_validate_zones(struct validator *v)
{
	const struct cfg_fleet *fleet = v->fleet;
	const struct cfg_entry *n = cfg_first_thing(v, "zones");
	struct zones_validator z = {
	    .v = v,
	    .complained = xcalloc(fleet->n_edges + 1, sizeof(*z.complained)),
	};
	struct cfg_claims names = {0};

	for (unsigned i = 0; i < fleet->n_zones; i++, n = n->next) {
		cfg_claim(v, &names, fleet->zones[i].name, "zones", fleet->zones[i].place);
		validate_zone(&z, &fleet->zones[i], cfg_entry_get(n, "steered"));
	}
	cfg_claims_fini(&names);
	for (unsigned i = 0; i < z.looked_at.size; i++)
		free((void *)z.looked_at.slots[i].key);
	cfg_hash_fini(&z.looked_at);
	for (unsigned i = 0; i < z.weighty.size; i++)
		free((void *)z.weighty.slots[i].value);
	cfg_hash_fini(&z.weighty);
	free(z.complained);
}
