/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of edges and name servers: addresses and listeners that differ.
 */
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "config/load/rules.h"
#include "core/base/check.h"

/* Addresses that `thing` has under the last part of `path`. */
static void claim_addrs(struct validator *v, struct cfg_claims *c, const struct cfg_addrs *addrs,
			bool port, const struct cfg_entry *thing, const char *path,
			struct cfg_place place)
{
	struct cfg_item_places places = cfg_places_of_items(thing, strrchr(path, '.') + 1, place);
	char text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < addrs->n; i++) {
		place = cfg_next_place(&places);
		if (addrs->v[i].sa.sa_family == AF_UNSPEC)
			continue;
		if (port && net_addr_port(&addrs->v[i]) == 0)
			continue; /* any free port: differs each time */
		cfg_claim(v, c,
			  port ? net_addr_format(&addrs->v[i], text)
			       : net_addr_format_ip(&addrs->v[i], text),
			  path, place);
	}
}

/* With TLS and without it: one socket cannot be both. */
static void validate_listens(struct validator *v, const struct cfg_edge *e,
			     const struct cfg_entry *entry)
{
	char *path = xasprintf("edges.%s.listen", e->name);
	char *plain_path = xasprintf("edges.%s.listen_plain", e->name);
	char *relay_path = xasprintf("edges.%s.relay.listen", e->name);
	struct cfg_claims listens = {0};

	claim_addrs(v, &listens, &e->listen, true, entry, path, e->place);
	claim_addrs(v, &listens, &e->listen_plain, true, entry, plain_path, e->place);
	claim_addrs(v, &listens, &e->relay.listen, true, cfg_entry_get(entry, "relay"), relay_path,
		    e->place);
	cfg_claims_fini(&listens);
	free(relay_path);
	free(plain_path);
	free(path);
}

/* Nobody is let in without a certificate of an authority that is known: not by mistake either. */
static void validate_relay(struct validator *v, const struct cfg_edge *e,
			   const struct cfg_entry *entry)
{
	const struct cfg_edge_relay *r = &e->relay;
	struct cfg_place place = cfg_place_of(entry, "relay", e->place);
	bool any = r->listen.n > 0 || r->certificate || r->key || r->ca;

	if (!any || (r->certificate && r->key && r->ca))
		return;
	if (r->listen.n > 0)
		diag_add(v->diag, place,
			 "edges.%s.relay: listens, so it needs certificate, key and ca", e->name);
	else
		diag_add(v->diag, place, "edges.%s.relay: certificate, key and ca belong together",
			 e->name);
}

/* An edge that is only a relay. */
static void validate_clients(struct validator *v, const struct cfg_edge *e,
			     const struct cfg_entry *entry)
{
	if (cfg_edge_takes_clients(e))
		return;
	if (e->relay.listen.n == 0)
		diag_add(
		    v->diag, cfg_place_of(entry, "listen", e->place),
		    "edges.%s.listen is empty: only a relay, with relay.listen, may do without "
		    "clients",
		    e->name);
	if (e->listen_plain.n > 0)
		diag_add(v->diag, cfg_place_of(entry, "listen_plain", e->place),
			 "edges.%s.listen_plain: clients cannot come by it alone, as "
			 "edges.%s.listen is empty",
			 e->name, e->name);
	if (e->addresses.n > 0)
		diag_add(v->diag, cfg_place_of(entry, "addresses", e->place),
			 "edges.%s.addresses: no client is sent there, as edges.%s.listen is "
			 "empty; where other edges reach it is relay.address",
			 e->name, e->name);
}

static bool is_loopback(const struct net_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
	return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

/* `all` gets its addresses when they differ. */
static void validate_addresses(struct validator *v, const struct cfg_edge *e,
			       const struct cfg_entry *entry, struct cfg_claims *all)
{
	char *path = xasprintf("edges.%s.addresses", e->name);
	unsigned before = diag_count(v->diag);
	struct cfg_claims own = {0};

	if (e->addresses.n > CFG_ADDRESSES_MAX) {
		diag_add(
		    v->diag, cfg_place_of_item(entry, "addresses", CFG_ADDRESSES_MAX, e->place),
		    "%s: more than %d: DNS answers them in one message", path, CFG_ADDRESSES_MAX);
		free(path);
		return;
	}
	claim_addrs(v, &own, &e->addresses, false, entry, path, e->place);
	cfg_claims_fini(&own);
	if (diag_count(v->diag) == before)
		claim_addrs(v, all, &e->addresses, false, entry, "edges.*.addresses", e->place);
	for (unsigned i = 0; i < e->addresses.n; i++) {
		char text[NET_ADDR_TEXT];

		if (is_loopback(&e->addresses.v[i]))
			diag_warn(v->diag, cfg_place_of_item(entry, "addresses", i, e->place),
				  "%s: %s is a loopback address: only this machine reaches it",
				  path, net_addr_format_ip(&e->addresses.v[i], text));
	}
	free(path);
}

void cfg_validate_edges(struct validator *v)
{
	const struct cfg_fleet *fleet = v->fleet;
	const struct cfg_entry *n = cfg_first_thing(v, "edges");
	struct cfg_claims addresses = {.softly = true};

	if (fleet->n_edges > CFG_EDGES_MAX)
		diag_add(v->diag, fleet->edges[CFG_EDGES_MAX].place, "edges: more than %d",
			 CFG_EDGES_MAX);
	for (unsigned i = 0; i < fleet->n_edges; i++, n = n->next) {
		const struct cfg_edge *e = &fleet->edges[i];
		char *path = xasprintf("edges.%s.check", e->name);

		validate_addresses(v, e, n, &addresses);
		validate_listens(v, e, n);
		validate_relay(v, e, n);
		validate_clients(v, e, n);
		cfg_validate_check(v, path, &e->check, cfg_entry_get(n, "check"), e->place);
		free(path);
	}
	/* Two edges behind one address: an odd thing, but some have it. */
	cfg_claims_fini(&addresses);
}

void cfg_validate_nameservers(struct validator *v)
{
	const struct cfg_entry *n = cfg_first_thing(v, "nameservers");
	struct cfg_claims listens = {0};

	for (unsigned i = 0; i < v->fleet->n_nameservers; i++, n = n->next) {
		const struct cfg_nameserver *s = &v->fleet->nameservers[i];
		char *path = xasprintf("nameservers.%s.listen", s->name);

		claim_addrs(v, &listens, &s->listen, true, n, path, s->place);
		cfg_claims_fini(&listens);
		free(path);
	}
}
