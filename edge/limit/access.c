/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The networks of each item are sorted, and those left out that lie in others of it: the last that
 * begins at an address or before is the only one that may have it.
 */
#include "edge/limit/access.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "geo/places.h"
#include "geo/ranges.h"

struct item {
	const struct cfg_clients *clients;
	bool denies;
	struct net_prefix *networks;
	unsigned n;
	const char **ja4; /* sorted */
};

struct edge_access {
	bool by_place, by_ja4;
	unsigned n;
	struct item items[];
};

/* Building */

/* Those that lie in others come after them. */
static int compare(const void *va, const void *vb)
{
	const struct net_prefix *a = va, *b = vb;
	int order = memcmp(a->bytes, b->bytes, sizeof(a->bytes));

	if (a->family != b->family)
		return a->family - b->family;
	return order != 0 ? order : a->len - b->len;
}

static void take_networks(struct item *item, const struct cfg_prefixes *networks)
{
	struct net_prefix *all = xcalloc(networks->n + 1, sizeof(*all));

	for (unsigned i = 0; i < networks->n; i++)
		all[i] = networks->v[i];
	qsort(all, networks->n, sizeof(*all), compare);
	item->networks = all;
	for (unsigned i = 0; i < networks->n; i++) {
		if (item->n == 0 || !net_prefix_covers(&all[item->n - 1], &all[i]))
			all[item->n++] = all[i];
	}
}

static int compare_ja4(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void take_ja4(struct item *item, const struct cfg_strings *ja4)
{
	item->ja4 = xcalloc(ja4->n + 1, sizeof(*item->ja4));
	for (unsigned i = 0; i < ja4->n; i++)
		item->ja4[i] = ja4->v[i];
	qsort(item->ja4, ja4->n, sizeof(*item->ja4), compare_ja4);
}

static bool tells_place(const struct cfg_clients *c)
{
	return c->asns.n + c->countries.n + c->continents.n > 0;
}

struct edge_access *edge_access_create(const struct cfg_access *items, unsigned n)
{
	struct edge_access *a;

	if (n == 0)
		return NULL;
	a = xcalloc(1, sizeof(*a) + n * sizeof(a->items[0]));
	a->n = n;
	for (unsigned i = 0; i < n; i++) {
		const struct cfg_clients *deny = &items[i].deny;
		struct item *item = &a->items[i];

		item->denies = deny->networks.n > 0 || deny->ja4.n > 0 || tells_place(deny);
		item->clients = item->denies ? deny : &items[i].allow;
		take_networks(item, &item->clients->networks);
		take_ja4(item, &item->clients->ja4);
		a->by_place |= tells_place(item->clients);
		a->by_ja4 |= item->clients->ja4.n > 0;
	}
	return a;
}

void edge_access_destroy(struct edge_access **ap)
{
	struct edge_access *a = TAKE(ap);

	for (unsigned i = 0; a != NULL && i < a->n; i++) {
		free(a->items[i].networks);
		free(a->items[i].ja4);
	}
	free(a);
}

/* Asking */

static bool has_code(const struct cfg_strings *codes, const char *code)
{
	for (unsigned i = 0; i < codes->n; i++) {
		if (strcmp(codes->v[i], code) == 0)
			return true;
	}
	return false;
}

static bool has_asn(const struct cfg_uints *asns, uint32_t asn)
{
	for (unsigned i = 0; i < asns->n; i++) {
		if (asns->v[i] == asn)
			return true;
	}
	return false;
}

/* By what the place is among the clients; GRANTED: it is not. */
static enum edge_access_verdict find_place(const struct cfg_clients *c,
					   const struct geo_place *place)
{
	if (has_asn(&c->asns, place->asn))
		return EDGE_ACCESS_DENIED_ASN;
	if (has_code(&c->countries, place->country))
		return EDGE_ACCESS_DENIED_COUNTRY;
	if (has_code(&c->continents, place->continent))
		return EDGE_ACCESS_DENIED_CONTINENT;
	return EDGE_ACCESS_GRANTED;
}

static bool has_network(const struct item *item, const struct net_prefix *client)
{
	unsigned from = 0, to = item->n;

	while (from < to) {
		unsigned middle = from + (to - from) / 2;

		if (compare(&item->networks[middle], client) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from > 0 && net_prefix_covers(&item->networks[from - 1], client);
}

static bool has_ja4(const struct item *item, const char *ja4)
{
	return bsearch(&ja4, item->ja4, item->clients->ja4.n, sizeof(*item->ja4), compare_ja4) !=
	       NULL;
}

/* By what a client is in an item; GRANTED: it is not. `carried`: the IPv4 address in its own, or
 * that itself. It is a reason to deny, but whoever has such an address need not have the other. */
static enum edge_access_verdict find(const struct item *item, const struct net_prefix *client,
				     const struct net_prefix *carried,
				     const struct geo_place *place, const char *ja4)
{
	if (has_network(item, client))
		return EDGE_ACCESS_DENIED_NETWORK;
	if (item->denies && carried->family != client->family && has_network(item, carried))
		return EDGE_ACCESS_DENIED_NETWORK;
	if (ja4 != NULL && has_ja4(item, ja4))
		return EDGE_ACCESS_DENIED_JA4;
	return place != NULL ? find_place(item->clients, place) : EDGE_ACCESS_GRANTED;
}

enum edge_access_verdict edge_access_ask(const struct edge_access *a,
					 const struct net_prefix *client,
					 const struct geo_place *place, const char *ja4)
{
	struct net_prefix carried;
	unsigned before;

	if (a == NULL)
		return EDGE_ACCESS_GRANTED;
	carried = geo_unwrap(client, &before);
	for (unsigned i = 0; i < a->n; i++) {
		const struct item *item = &a->items[i];
		enum edge_access_verdict by = find(item, client, &carried, place, ja4);

		if (by != EDGE_ACCESS_GRANTED)
			return item->denies ? by : EDGE_ACCESS_GRANTED;
		if (ja4 == NULL && item->clients->ja4.n > 0)
			return EDGE_ACCESS_GRANTED; /* for now */
	}
	return EDGE_ACCESS_GRANTED;
}

bool edge_access_needs_place(const struct edge_access *a)
{
	return a != NULL && a->by_place;
}

bool edge_access_needs_ja4(const struct edge_access *a)
{
	return a != NULL && a->by_ja4;
}
