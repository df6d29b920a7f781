/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of origins: servers that differ, TLS that is whole, pools within limits.
 */
#include <stdlib.h>

#include "config/load/rules.h"
#include "config/types/types.h"
#include "config/units.h"
#include "core/base/check.h"
#include "core/http/regex.h"

/* Whether `key` can be judged: what could not be read as a boolean was complained about, and is
 * false. */
static bool is_boolean(const struct cfg_entry *map, const char *key)
{
	const struct cfg_entry *n = cfg_entry_get(map, key);
	bool value;

	return n == NULL ||
	       (n->kind == CFG_ENTRY_SCALAR && !n->broken && cfg_parse_bool(n->text, &value));
}

static void validate_tls(struct validator *v, const struct cfg_origin *o,
			 const struct cfg_entry *map)
{
	const struct cfg_entry *certificate = cfg_entry_get(map, "certificate");
	const struct cfg_entry *key = cfg_entry_get(map, "key");

	if (o->tls.enabled && certificate != NULL && key == NULL)
		diag_add(v->diag, certificate->place,
			 "origins.%s.tls: a certificate without its key", o->name);
	if (o->tls.enabled && certificate == NULL && key != NULL)
		diag_add(v->diag, key->place, "origins.%s.tls: a key without its certificate",
			 o->name);
	if (o->tls.enabled && o->tls.ca != NULL && !o->tls.verify && is_boolean(map, "verify"))
		diag_add(v->diag, cfg_place_of(map, "ca", o->place),
			 "origins.%s.tls.ca has no effect, since certificates are not verified",
			 o->name);
}

static void validate_pool(struct validator *v, const struct cfg_origin *o,
			  const struct cfg_entry *map)
{
	struct cfg_place place = cfg_place_of(map, "warm", o->place);

	/* What nobody has asked for is as many as may be. */
	if (cfg_entry_get(map, "warm") == NULL)
		return;
	if (o->pool.warm > o->pool.max_idle)
		diag_add(v->diag, place, "origins.%s.pool: warm is more than max_idle", o->name);
	if (o->limit.connections != 0 && o->pool.warm > o->limit.connections)
		diag_add(v->diag, place, "origins.%s.pool: warm is more than limit.connections",
			 o->name);
}

/* The least that Linux takes (TCP_MIN_MSS). */
#define MSS_MIN 88

static void validate_connection(struct validator *v, const struct cfg_origin *o,
				const struct cfg_entry *map)
{
	if (o->connection.fast_open && !o->tls.enabled)
		diag_add(v->diag, cfg_place_of(map, "fast_open", o->place),
			 "origins.%s.connection.fast_open: only with TLS: a request might arrive "
			 "twice",
			 o->name);
	if (o->connection.mss != 0 && o->connection.mss < MSS_MIN)
		diag_add(v->diag, cfg_place_of(map, "mss", o->place),
			 "origins.%s.connection.mss: 0 or at least %d", o->name, MSS_MIN);
}

/* A connection that begins with a PROXY header is one client's: requests cannot share it. And who
 * speaks HTTP/2 only would be down for ever. */
static void validate_protocol(struct validator *v, const struct cfg_origin *o,
			      const struct cfg_entry *map)
{
	struct cfg_place place = cfg_place_of(map, "protocol", o->place);

	if (o->protocol != CFG_ORIGIN_PROTOCOL_H2)
		return;
	if (o->proxy_protocol != CFG_PROXY_PROTOCOL_NONE)
		diag_add(v->diag, place,
			 "origins.%s: h2 is not possible with a PROXY protocol header", o->name);
	if (o->health.enabled &&
	    (o->health.check.kind == CFG_CHECK_HTTP || o->health.check.kind == CFG_CHECK_HTTPS))
		diag_add(
		    v->diag, place,
		    "origins.%s: servers that are asked by h2 only are checked by h2, grpc, tcp "
		    "or tls (health.check.kind)",
		    o->name);
}

/* `what` is what names the relay. */
static void validate_via(struct validator *v, const char *what, const struct cfg_edge *via,
			 struct cfg_place place)
{
	if (via == NULL)
		return;
	if (via->relay.listen.n == 0)
		diag_add(v->diag, place,
			 "%s: edge %s is no relay: edges.%s.relay.listen is not there", what,
			 via->name, via->name);
	else if (via->relay.address.host == NULL && via->addresses.n == 0)
		diag_add(
		    v->diag, place,
		    "%s: where others reach edge %s is not known: edges.%s has neither addresses "
		    "nor relay.address",
		    what, via->name, via->name);
}

static void validate_vias(struct validator *v, const struct cfg_origin *o,
			  const struct cfg_entry *map)
{
	char *path = xasprintf("origins.%s.via", o->name);

	validate_via(v, path, o->via, cfg_place_of(map, "via", o->place));
	free(path);
	path = xasprintf("origins.%s.servers", o->name);
	for (unsigned s = 0; s < o->n_servers; s++)
		validate_via(v, path, o->servers[s].via, o->servers[s].place);
	free(path);
}

static void validate_resolve(struct validator *v, const struct cfg_origin *o,
			     const struct cfg_entry *map)
{
	if (o->resolve.ttl_min.ns > o->resolve.ttl_max.ns)
		diag_add(v->diag, cfg_place_of(map, "ttl_min", o->place),
			 "origins.%s.resolve: ttl_min is more than ttl_max", o->name);
}

/* Each once, and each known by one thing. */
static void validate_servers(struct validator *v, const struct cfg_origin *o,
			     const struct cfg_entry *map)
{
	const struct cfg_entry *item = cfg_first_item(map, "servers");
	char *path = xasprintf("origins.%s.servers", o->name);
	struct cfg_claims servers = {0};

	for (unsigned s = 0; s < o->n_servers; s++, item = item ? item->next : NULL) {
		const struct cfg_origin_server *server = &o->servers[s];
		bool is_map = item != NULL && item->kind == CFG_ENTRY_MAP;
		bool has_address = is_map && cfg_entry_get(item, "address") != NULL;
		bool has_srv = is_map && cfg_entry_get(item, "srv") != NULL;
		char *text = NULL;

		if (is_map && has_address == has_srv)
			diag_add(v->diag, server->place, "%s[%u]: %s", path, s,
				 has_srv ? "address and srv exclude each other"
					 : "address or srv is missing");
		if (server->address.host != NULL)
			text = cfg_type_origin_server.format(NULL, &server->address);
		else if (server->srv != NULL)
			text = xstrdup(server->srv);
		if (text != NULL)
			cfg_claim(v, &servers, text, path, server->place);
		free(text);
	}
	cfg_claims_fini(&servers);
	free(path);
}

/* Whole seconds are what a cookie can say, and "none" needs secure by what browsers do. */
static void validate_balance(struct validator *v, const struct cfg_origin *o,
			     const struct cfg_entry *map)
{
	const struct cfg_sticky *sticky = &o->balance.sticky;
	struct cfg_place place = cfg_place_of(map, "sticky", o->place);
	const struct cfg_entry *cookie = cfg_entry_get(map, "sticky");
	char *path = xasprintf("origins.%s.balance.hash.by", o->name);

	/* Routes that lead here may have expressions that capture. */
	cfg_validate_text(v, path, o->balance.hash.by, REGEX_CAPTURES_MAX,
			  cfg_place_of(cfg_entry_get(map, "hash"), "by", o->place));
	free(path);
	if (sticky->max_age.ns % DUR_S(1).ns != 0)
		diag_add(v->diag, cfg_place_of(cookie, "max_age", place),
			 "origins.%s.balance.sticky.max_age: cookies know whole seconds only",
			 o->name);
	if (sticky->enabled && v->fleet->n_edges > 1 && v->fleet->tls.tickets.keys == NULL)
		diag_warn(v->diag, place,
			  "origins.%s.balance.sticky: each edge understands its own cookies only: "
			  "tls.tickets.keys is missing",
			  o->name);
	if (sticky->enabled && sticky->same_site == CFG_SAME_SITE_NONE && !sticky->secure)
		diag_add(v->diag, cfg_place_of(cookie, "same_site", place),
			 "origins.%s.balance.sticky: same_site none needs secure: browsers leave "
			 "out the cookie else",
			 o->name);
}

void cfg_validate_origins(struct validator *v)
{
	const struct cfg_entry *n = cfg_first_thing(v, "origins");

	for (unsigned i = 0; i < v->fleet->n_origins; i++, n = n->next) {
		const struct cfg_origin *o = &v->fleet->origins[i];
		char *path;

		validate_servers(v, o, n);
		path = xasprintf("origins.%s.health.check", o->name);
		cfg_validate_check(v, path, &o->health.check,
				   cfg_entry_get(cfg_entry_get(n, "health"), "check"), o->place);
		free(path);
		validate_vias(v, o, n);
		path = xasprintf("origins.%s.retries", o->name);
		cfg_validate_retries(v, path, &o->retries, cfg_entry_get(n, "retries"), o->place);
		free(path);
		validate_tls(v, o, cfg_entry_get(n, "tls"));
		validate_connection(v, o, cfg_entry_get(n, "connection"));
		validate_protocol(v, o, n);
		validate_pool(v, o, cfg_entry_get(n, "pool"));
		cfg_validate_fallback(v, o, n);
		validate_resolve(v, o, cfg_entry_get(n, "resolve"));
		validate_balance(v, o, cfg_entry_get(n, "balance"));
	}
}
