/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules about several values together: things that must differ, order of limits, and what steering
 * needs to know of an edge. Reads the filled fleet; the tree is for places only.
 */
#include "config/validate.h"

#include <stdlib.h>
#include <string.h>

#include "config/domain_name.h"
#include "config/limits.h"
#include "config/types.h"
#include "config/units.h"
#include "core/base/check.h"

struct validator {
	const struct cfg_fleet *fleet;
	const struct cfg_entry *root;
	struct diag *diag;
	bool all_edges_seen; /* as edges that clients are sent to */
};

/* A text that may be there once, where it was written, and what that place is called. */
struct claim {
	char *text;       /* malloc'd */
	const char *path; /* borrowed */
	struct cfg_place place;
	unsigned position;
};

struct claims {
	struct claim *v;
	unsigned n, room;
};

/* Takes over `text`; `path` must live until the claims are settled. */
static void claim(struct claims *c, char *text, const char *path, struct cfg_place place)
{
	if (c->n == c->room) {
		c->room = MAX(16, c->room * 2);
		c->v = xreallocarray(c->v, c->room, sizeof(*c->v));
	}
	c->v[c->n] = (struct claim){.text = text, .path = path, .place = place, .position = c->n};
	c->n++;
}

static int compare_claims(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	int order = strcmp(a->text, b->text);

	return order != 0 ? order : a->position < b->position ? -1 : 1;
}

/* Complains about each text after its first. Empties it. */
static void settle_claims(struct validator *v, struct claims *c)
{
	unsigned first = 0;

	if (c->n > 0)
		qsort(c->v, c->n, sizeof(*c->v), compare_claims);
	for (unsigned i = 1; i < c->n; i++) {
		const struct cfg_place *at = &c->v[first].place;

		if (strcmp(c->v[first].text, c->v[i].text) != 0)
			first = i;
		else
			diag_add(v->diag, c->v[i].place,
				 "%s: \"%s\" is there twice; first at %s:%u:%u", c->v[i].path,
				 c->v[i].text, at->file, at->line, at->column);
	}
	for (unsigned i = 0; i < c->n; i++)
		free(c->v[i].text);
	free(c->v);
	*c = (struct claims){0};
}

/* Where `key` of a thing was written, or else where the thing was. */
static struct cfg_place place_of(const struct cfg_entry *map, const char *key,
				 struct cfg_place otherwise)
{
	const struct cfg_entry *n = cfg_entry_get(map, key);

	return n != NULL ? n->place : otherwise;
}

/* The first item of the list under `key`; a single value is a list of itself. */
static const struct cfg_entry *first_item(const struct cfg_entry *map, const char *key)
{
	const struct cfg_entry *n = cfg_entry_get(map, key);

	return n != NULL && n->kind == CFG_ENTRY_LIST ? n->first : n;
}

/* Places of the items of a list, one after the other. */
struct item_places {
	const struct cfg_entry *next;
	struct cfg_place otherwise;
};

static struct item_places places_of_items(const struct cfg_entry *map, const char *key,
					  struct cfg_place otherwise)
{
	return (struct item_places){.next = first_item(map, key), .otherwise = otherwise};
}

static struct cfg_place next_place(struct item_places *p)
{
	const struct cfg_entry *n = p->next;

	if (n == NULL)
		return p->otherwise;
	p->next = n->next;
	return n->place;
}

/* The i-th thing of a section was filled from its i-th child. */
static const struct cfg_entry *first_thing(const struct validator *v, const char *section)
{
	const struct cfg_entry *n = cfg_entry_get(v->root, section);

	return n != NULL ? n->first : NULL;
}

static void validate_check(struct validator *v, const char *path, const struct cfg_check *check,
			   const struct cfg_entry *map, struct cfg_place place)
{
	if (check->interval.ns == 0 || check->timeout.ns <= check->interval.ns)
		return;
	place = place_of(map, "timeout", place_of(map, "interval", place));
	diag_add(v->diag, place, "%s: the timeout is longer than the interval", path);
}

/* Addresses that `thing` has under the last part of `path`. */
static void claim_addrs(struct claims *c, const struct cfg_addrs *addrs, bool port,
			const struct cfg_entry *thing, const char *path, struct cfg_place place)
{
	struct item_places places = places_of_items(thing, strrchr(path, '.') + 1, place);
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < addrs->n; i++) {
		place = next_place(&places);
		if (addrs->v[i].sa.sa_family == AF_UNSPEC)
			continue;
		if (port && net_addr_port(&addrs->v[i]) == 0)
			continue; /* any free port: differs each time */
		claim(c,
		      xstrdup(port ? net_addr_format(&addrs->v[i], text)
				   : net_addr_format_ip(&addrs->v[i], text)),
		      path, place);
	}
}

/* With TLS and without it: one socket cannot be both. */
static void validate_listens(struct validator *v, const struct cfg_edge *e,
			     const struct cfg_entry *entry)
{
	char *path = xasprintf("edges.%s.listen", e->name);
	char *plain_path = xasprintf("edges.%s.listen_plain", e->name);
	struct claims listens = {0};

	claim_addrs(&listens, &e->listen, true, entry, path, e->place);
	claim_addrs(&listens, &e->listen_plain, true, entry, plain_path, e->place);
	settle_claims(v, &listens);
	free(plain_path);
	free(path);
}

static void validate_nodes(struct validator *v)
{
	const struct cfg_fleet *fleet = v->fleet;
	const struct cfg_entry *n = first_thing(v, "edges");
	struct claims addresses = {0}, listens = {0};

	if (fleet->n_edges > CFG_EDGES_MAX)
		diag_add(v->diag, fleet->edges[CFG_EDGES_MAX].place, "edges: more than %d",
			 CFG_EDGES_MAX);
	for (unsigned i = 0; i < fleet->n_edges; i++, n = n->next) {
		const struct cfg_edge *e = &fleet->edges[i];
		char *path = xasprintf("edges.%s.check", e->name);

		claim_addrs(&addresses, &e->addresses, false, n, "edges.*.addresses", e->place);
		validate_listens(v, e, n);
		validate_check(v, path, &e->check, cfg_entry_get(n, "check"), e->place);
		free(path);
	}
	settle_claims(v, &addresses);
	n = first_thing(v, "nameservers");
	for (unsigned i = 0; i < fleet->n_nameservers; i++, n = n->next) {
		const struct cfg_nameserver *s = &fleet->nameservers[i];
		char *path = xasprintf("nameservers.%s.listen", s->name);

		claim_addrs(&listens, &s->listen, true, n, path, s->place);
		settle_claims(v, &listens);
		free(path);
	}
}

static void validate_http(struct validator *v)
{
	const struct cfg_http *http = &v->fleet->http;
	const struct cfg_entry *limit = cfg_entry_get(cfg_entry_get(v->root, "http"), "limit");

	if (http->limit.head_bytes != 0 && http->limit.target_bytes > http->limit.head_bytes)
		diag_add(
		    v->diag,
		    place_of(limit, "target_bytes", place_of(limit, "head_bytes", v->root->place)),
		    "http.limit: target_bytes is more than head_bytes, of which it is a part");
}

/* Whether `key` can be judged: what could not be read as a boolean was complained about, and is
 * false. */
static bool is_boolean(const struct cfg_entry *map, const char *key)
{
	const struct cfg_entry *n = cfg_entry_get(map, key);
	bool value;

	return n == NULL ||
	       (n->kind == CFG_ENTRY_SCALAR && !n->broken && cfg_parse_bool(n->text, &value));
}

/* What was said of TLS where there is none: it would be silently without effect. */
static void validate_no_tls(struct validator *v, const struct cfg_origin *o,
			    const struct cfg_entry *map)
{
	static const char *const keys[] = {"verify", "ca", "name", "certificate", "key"};
	/* A dump says "true" and "" too. */
	const bool said[ARRAY_SIZE(keys)] = {
	    !o->tls.verify && is_boolean(map, "verify"),
	    o->tls.ca != NULL,
	    o->tls.name != NULL && *o->tls.name != '\0',
	    o->tls.certificate != NULL,
	    o->tls.key != NULL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (said[i])
			diag_add(v->diag, place_of(map, keys[i], o->place),
				 "origins.%s.tls.%s has no effect, since tls is not enabled",
				 o->name, keys[i]);
	}
}

static void validate_tls(struct validator *v, const struct cfg_origin *o,
			 const struct cfg_entry *map)
{
	const struct cfg_entry *certificate = cfg_entry_get(map, "certificate");
	const struct cfg_entry *key = cfg_entry_get(map, "key");

	if (!o->tls.enabled && is_boolean(map, "enabled"))
		validate_no_tls(v, o, map);
	if (certificate != NULL && key == NULL)
		diag_add(v->diag, certificate->place,
			 "origins.%s.tls: a certificate without its key", o->name);
	if (certificate == NULL && key != NULL)
		diag_add(v->diag, key->place, "origins.%s.tls: a key without its certificate",
			 o->name);
	if (o->tls.enabled && o->tls.ca != NULL && !o->tls.verify && is_boolean(map, "verify"))
		diag_add(v->diag, place_of(map, "ca", o->place),
			 "origins.%s.tls.ca has no effect, since certificates are not verified",
			 o->name);
}

static void validate_pool(struct validator *v, const struct cfg_origin *o,
			  const struct cfg_entry *map)
{
	struct cfg_place place = place_of(map, "warm", o->place);

	if (o->pool.warm > o->pool.max_idle)
		diag_add(v->diag, place, "origins.%s.pool: warm is more than max_idle", o->name);
	if (o->limit.connections != 0 && o->pool.warm > o->limit.connections)
		diag_add(v->diag, place, "origins.%s.pool: warm is more than limit.connections",
			 o->name);
}

static void validate_origins(struct validator *v)
{
	const struct cfg_entry *n = first_thing(v, "origins");
	struct claims servers = {0};

	for (unsigned i = 0; i < v->fleet->n_origins; i++, n = n->next) {
		const struct cfg_origin *o = &v->fleet->origins[i];
		char *path = xasprintf("origins.%s.servers", o->name);

		for (unsigned s = 0; s < o->n_servers; s++) {
			if (o->servers[s].host != NULL)
				claim(&servers, cfg_type_server.format(NULL, &o->servers[s]), path,
				      o->servers[s].place);
		}
		settle_claims(v, &servers);
		free(path);
		path = xasprintf("origins.%s.health.check", o->name);
		validate_check(v, path, &o->health.check,
			       cfg_entry_get(cfg_entry_get(n, "health"), "check"), o->place);
		free(path);
		validate_tls(v, o, cfg_entry_get(n, "tls"));
		validate_pool(v, o, cfg_entry_get(n, "pool"));
	}
}

static void validate_response_fields(struct validator *v, const struct cfg_site *s,
				     const struct cfg_entry *site)
{
	const struct cfg_entry *route = first_item(site, "routes");

	for (unsigned r = 0; r < s->n_routes; r++, route = route->next) {
		const struct cfg_entry *item = first_item(route, "response_fields");

		for (unsigned i = 0; i < s->routes[r].n_response_fields; i++, item = item->next) {
			const struct cfg_field_rule *rule = &s->routes[r].response_fields[i];

			if (rule->action != CFG_FIELD_REMOVE || rule->value == NULL ||
			    *rule->value == '\0')
				continue;
			diag_add(v->diag, place_of(item, "value", rule->place),
				 "sites.%s.routes[%u].response_fields[%u]: a field that is removed "
				 "has no value",
				 s->name, r, i);
		}
	}
}

static void validate_sites(struct validator *v)
{
	const struct cfg_entry *n = first_thing(v, "sites");
	struct claims hosts = {0}, paths = {0}, edges = {0};

	for (unsigned i = 0; i < v->fleet->n_sites; i++, n = n->next) {
		const struct cfg_site *s = &v->fleet->sites[i];
		struct item_places places = places_of_items(n, "hosts", s->place);
		char *path = xasprintf("sites.%s.routes", s->name);

		for (unsigned h = 0; h < s->hosts.n; h++) {
			struct cfg_place place = next_place(&places);

			if (s->hosts.v[h] != NULL)
				claim(&hosts, xstrdup(s->hosts.v[h]), "sites.*.hosts", place);
		}
		for (unsigned r = 0; r < s->n_routes; r++) {
			if (s->routes[r].path != NULL)
				claim(&paths, xstrdup(s->routes[r].path), path, s->routes[r].place);
		}
		settle_claims(v, &paths);
		free(path);
		validate_response_fields(v, s, n);
		path = xasprintf("sites.%s.edges", s->name);
		places = places_of_items(n, "edges", s->place);
		for (unsigned e = 0; e < s->n_edges; e++) {
			struct cfg_place place = next_place(&places);

			if (s->edges[e] != NULL)
				claim(&edges, xstrdup(s->edges[e]->name), path, place);
		}
		settle_claims(v, &edges);
		free(path);
	}
	settle_claims(v, &hosts);
}

/* What is needed of an edge that `zone` may send clients to; each edge is named once for each. */
static void validate_steered_edge(struct validator *v, const struct cfg_edge *e,
				  const struct cfg_zone *zone, const struct cfg_steered *st,
				  bool *complained)
{
	if (*complained)
		return;
	if (e->addresses.n == 0) {
		diag_add(v->diag, e->place,
			 "edges.%s.addresses is missing: zones.%s.steered.%s sends clients there",
			 e->name, zone->name, st->owner);
		*complained = true;
	}
	if (!e->location.set && v->fleet->geo.databases.n > 0) {
		diag_add(v->diag, e->place,
			 "edges.%s.location is missing: zones.%s.steered.%s goes by distance",
			 e->name, zone->name, st->owner);
		*complained = true;
	}
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

static void validate_steered(struct validator *v, const struct cfg_zone *zone,
			     const struct cfg_steered *st, const struct cfg_entry *entry,
			     bool *complained)
{
	const struct cfg_fleet *fleet = v->fleet;
	bool all;

	if (repeats_zone(st->owner, zone->name))
		diag_add(v->diag, st->place,
			 "zones.%s.steered.%s: an owner is relative to its zone: leave out \"%s\"",
			 zone->name, st->owner, zone->name);
	else if (strlen(st->owner) + 1 + strlen(zone->name) > CFG_DOMAIN_MAX)
		diag_add(v->diag, st->place, "zones.%s.steered.%s: longer than a name may be",
			 zone->name, st->owner);
	if (st->ttl.ns % 1000000000 != 0)
		diag_add(v->diag, place_of(entry, "ttl", st->place),
			 "zones.%s.steered.%s.ttl: DNS knows whole seconds only", zone->name,
			 st->owner);
	all = st->site != NULL && st->site->n_edges == 0;
	if (st->site == NULL || (all && v->all_edges_seen))
		return;
	v->all_edges_seen |= all;
	if (fleet->n_edges == 0)
		diag_add(v->diag, st->place,
			 "zones.%s.steered.%s: there are no edges to send clients to", zone->name,
			 st->owner);
	for (unsigned i = 0; i < (all ? fleet->n_edges : st->site->n_edges); i++) {
		const struct cfg_edge *e = all ? &fleet->edges[i] : st->site->edges[i];

		if (e != NULL)
			validate_steered_edge(v, e, zone, st, &complained[e - fleet->edges]);
	}
}

static void validate_zones(struct validator *v)
{
	const struct cfg_fleet *fleet = v->fleet;
	const struct cfg_entry *n = first_thing(v, "zones");
	bool *complained = xcalloc(fleet->n_edges + 1, sizeof(*complained));
	struct claims names = {0}, owners = {0};

	for (unsigned i = 0; i < fleet->n_zones; i++, n = n->next) {
		const struct cfg_zone *zone = &fleet->zones[i];
		const struct cfg_entry *steered = cfg_entry_get(n, "steered");
		char *path = xasprintf("zones.%s.steered", zone->name);

		claim(&names, xstrdup(zone->name), "zones", zone->place);
		steered = steered != NULL ? steered->first : NULL;
		for (unsigned s = 0; s < zone->n_steered; s++, steered = steered->next) {
			claim(&owners, xstrdup(zone->steered[s].owner), path,
			      zone->steered[s].place);
			validate_steered(v, zone, &zone->steered[s], steered, complained);
		}
		settle_claims(v, &owners);
		free(path);
	}
	settle_claims(v, &names);
	free(complained);
}

static void validate_overrides(struct validator *v)
{
	const struct cfg_geo *geo = &v->fleet->geo;
	const struct cfg_entry *n = first_item(cfg_entry_get(v->root, "geo"), "overrides");

	for (unsigned i = 0; i < geo->n_overrides; i++, n = n->next) {
		const struct cfg_override *o = &geo->overrides[i];
		bool location = cfg_entry_get(n, "location") != NULL;

		if (o->networks.n + o->asns.n + o->countries.n + o->continents.n == 0)
			diag_add(v->diag, o->place,
				 "geo.overrides[%u]: for whom? one of networks, asns, countries, "
				 "continents is missing",
				 i);
		if (location == (o->n_edges > 0))
			diag_add(v->diag, o->place,
				 "geo.overrides[%u]: either location or edges was expected, not %s",
				 i, location ? "both" : "none of them");
	}
}

void cfg_validate(const struct cfg_fleet *fleet, const struct cfg_entry *root, struct diag *diag)
{
	struct validator v = {.fleet = fleet, .root = root, .diag = diag};

	if (root->n == 0)
		diag_add(diag, root->place, "nothing is configured");
	validate_http(&v);
	validate_nodes(&v);
	validate_origins(&v);
	validate_sites(&v);
	validate_zones(&v);
	validate_overrides(&v);
}
