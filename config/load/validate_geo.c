/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rules of geo: overrides say for whom and what, and none is there in vain.
 */
#include <stdlib.h>
#include <string.h>

#include "config/load/rules.h"
#include "core/base/check.h"

static void validate_whole(struct validator *v, const struct cfg_override *o,
			   const struct cfg_entry *entry, const char *path)
{
	bool location = cfg_entry_get(entry, "location") != NULL;
	char *list = xasprintf("%s.edges", path);

	if (o->networks.n + o->asns.n + o->countries.n + o->continents.n == 0)
		diag_add(v->diag, o->place,
			 "%s: for whom? one of networks, asns, countries, continents is missing",
			 path);
	if (location == (o->n_edges > 0))
		diag_add(v->diag, o->place, "%s: either location or edges was expected, not %s",
			 path, location ? "both" : "none of them");
	cfg_validate_edge_list(v, o->edges, o->n_edges, cfg_entry_get(entry, "edges"), o->place,
			       list);
	free(list);
}

/* Addresses that have an IPv4 address in them are looked at by that one. */
static bool is_carrier(const struct net_prefix *p)
{
	static const char *const carriers[] = {"2002::/16", "2001::/32", "64:ff9b::/96"};
	struct net_prefix carrier;

	for (size_t i = 0; i < ARRAY_SIZE(carriers); i++) {
		CHECK(net_prefix_parse(carriers[i], &carrier));
		if (net_prefix_covers(&carrier, p))
			return true;
	}
	return false;
}

static void claim_networks(struct validator *v, struct cfg_claims *networks,
			   const struct cfg_override *o, const struct cfg_entry *entry)
{
	struct cfg_item_places places = cfg_places_of_items(entry, "networks", o->place);

	for (unsigned i = 0; i < o->networks.n; i++) {
		struct cfg_place place = cfg_next_place(&places);
		char text[NET_ADDR_TEXT];

		if (o->networks.v[i].family == 0)
			continue;
		net_prefix_format(&o->networks.v[i], text);
		if (cfg_claim(v, networks, text, "geo.overrides.*.networks", place) &&
		    is_carrier(&o->networks.v[i]))
			diag_add(
			    v->diag, place,
			    "geo.overrides.*.networks: %s never matches: clients there are "
			    "looked at by the IPv4 address that is in theirs; write its network",
			    text);
	}
}

static void claim_texts(struct validator *v, struct cfg_claims *claims,
			const struct cfg_strings *texts, const struct cfg_entry *entry,
			const char *path, struct cfg_place otherwise)
{
	struct cfg_item_places places =
	    cfg_places_of_items(entry, strrchr(path, '.') + 1, otherwise);

	for (unsigned i = 0; i < texts->n; i++) {
		struct cfg_place place = cfg_next_place(&places);

		if (texts->v[i] != NULL)
			cfg_claim(v, claims, texts->v[i], path, place);
	}
}

static void claim_asns(struct validator *v, struct cfg_claims *asns, const struct cfg_override *o,
		       const struct cfg_entry *entry)
{
	struct cfg_item_places places = cfg_places_of_items(entry, "asns", o->place);
	char text[16];

	for (unsigned i = 0; i < o->asns.n; i++) {
		struct cfg_place place = cfg_next_place(&places);

		if (o->asns.v[i] == 0)
			continue;
		snprintf(text, sizeof(text), "%u", o->asns.v[i]);
		cfg_claim(v, asns, text, "geo.overrides.*.asns", place);
	}
}

/* Only a database knows more of a client than its network. */
static void validate_known(struct validator *v, const struct cfg_override *o,
			   const struct cfg_entry *entry, const char *path)
{
	const struct {
		const char *key;
		unsigned n;
	} lists[] = {
	    {"asns", o->asns.n}, {"countries", o->countries.n}, {"continents", o->continents.n}};

	for (size_t i = 0; i < ARRAY_SIZE(lists) && v->fleet->geo.databases.n == 0; i++) {
		if (lists[i].n > 0)
			diag_add(v->diag, cfg_place_of(entry, lists[i].key, o->place),
				 "%s.%s never matches: geo.database is missing, which would tell "
				 "them",
				 path, lists[i].key);
	}
}

void cfg_validate_geo(struct validator *v)
{
	const struct cfg_geo *geo = &v->fleet->geo;
	const struct cfg_entry *map = cfg_entry_get(v->root, "geo");
	const struct cfg_entry *n = cfg_first_item(map, "overrides");
	struct cfg_claims networks = {0}, asns = {0}, countries = {0}, continents = {0},
			  files = {0};

	claim_texts(v, &files, &geo->databases, map, "geo.database", geo->place);
	for (unsigned i = 0; i < geo->n_overrides; i++, n = n->next) {
		const struct cfg_override *o = &geo->overrides[i];
		char *path = xasprintf("geo.overrides[%u]", i);

		validate_whole(v, o, n, path);
		validate_known(v, o, n, path);
		claim_networks(v, &networks, o, n);
		claim_asns(v, &asns, o, n);
		claim_texts(v, &countries, &o->countries, n, "geo.overrides.*.countries", o->place);
		claim_texts(v, &continents, &o->continents, n, "geo.overrides.*.continents",
			    o->place);
		free(path);
	}
	/* The first counts: what is there again never does. */
	cfg_claims_fini(&networks);
	cfg_claims_fini(&asns);
	cfg_claims_fini(&countries);
	cfg_claims_fini(&continents);
	cfg_claims_fini(&files);
}
