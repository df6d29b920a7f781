/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The networks of all items become ranges whose value is the number of the first item, plus one;
 * what is known of a place is looked for in the items before that one.
 */
#include "edge/limit/access.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "geo/places.h"
#include "geo/ranges.h"

struct edge_access {
	const struct cfg_access *items;
	unsigned n;
	struct geo_ranges *networks;
	bool by_place;
};

static bool denies(const struct cfg_access *item)
{
	const struct cfg_clients *c = &item->deny;

	return c->networks.n + c->asns.n + c->countries.n + c->continents.n > 0;
}

static const struct cfg_clients *clients_of(const struct cfg_access *item)
{
	return denies(item) ? &item->deny : &item->allow;
}

/* Building */

/* Those that lie in others come after them. */
static int compare(const void *va, const void *vb)
{
	const struct net_prefix *a = va, *b = vb;
	geo_bits x = geo_bits_of(a), y = geo_bits_of(b);

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (x != y)
		return x < y ? -1 : 1;
	return a->len - b->len;
}

/* Ranges that are `value` in the networks and 0 elsewhere. */
static struct geo_ranges *ranges_of(const struct cfg_prefixes *networks, uint32_t value)
{
	struct net_prefix *sorted = xcalloc(networks->n + 1, sizeof(*sorted));
	const struct net_prefix *last = NULL;
	struct geo_builder *b = geo_builder_create();

	if (networks->n > 0)
		memcpy(sorted, networks->v, networks->n * sizeof(*sorted));
	qsort(sorted, networks->n, sizeof(*sorted), compare);
	for (unsigned i = 0; i < networks->n; i++) {
		const struct net_prefix *p = &sorted[i];
		unsigned width = p->family == AF_INET ? 32 : 128;
		geo_bits end;

		if (last != NULL && net_prefix_covers(last, p))
			continue;
		last = p;
		geo_builder_add(b, p->family, geo_bits_of(p), value);
		if (p->len == 0)
			continue;
		end = geo_bits_of(p) + ((geo_bits)1 << (width - p->len));
		if (end != 0 && (p->family == AF_INET6 || end <= UINT32_MAX))
			geo_builder_add(b, p->family, end, 0);
	}
	free(sorted);
	return geo_builder_finish(&b);
}

static uint32_t first_of(void *arg, uint32_t a, uint32_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static void add_networks(struct edge_access *a, const struct cfg_prefixes *networks, uint32_t value)
{
	struct geo_ranges *more = ranges_of(networks, value), *joined;

	joined = geo_ranges_join(a->networks, more, first_of, NULL);
	geo_ranges_free(&a->networks);
	geo_ranges_free(&more);
	a->networks = joined;
}

struct edge_access *edge_access_create(const struct cfg_access *items, unsigned n)
{
	const struct cfg_prefixes none = {0};
	struct edge_access *a;

	if (n == 0)
		return NULL;
	a = xcalloc(1, sizeof(*a));
	a->items = items;
	a->n = n;
	a->networks = ranges_of(&none, 0);
	for (unsigned i = 0; i < n; i++) {
		const struct cfg_clients *c = clients_of(&items[i]);

		if (c->networks.n > 0)
			add_networks(a, &c->networks, i + 1);
		a->by_place |= c->asns.n + c->countries.n + c->continents.n > 0;
	}
	return a;
}

void edge_access_destroy(struct edge_access **ap)
{
	struct edge_access *a = TAKE(ap);

	if (a == NULL)
		return;
	geo_ranges_free(&a->networks);
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

enum edge_access_verdict edge_access_ask(const struct edge_access *a,
					 const struct net_prefix *client,
					 const struct geo_place *place)
{
	uint32_t number;

	if (a == NULL)
		return EDGE_ACCESS_GRANTED;
	number = geo_ranges_find(a->networks, client).value;
	for (unsigned i = 0; a->by_place && place != NULL && i < (number > 0 ? number - 1 : a->n);
	     i++) {
		enum edge_access_verdict by = find_place(clients_of(&a->items[i]), place);

		if (by != EDGE_ACCESS_GRANTED)
			return denies(&a->items[i]) ? by : EDGE_ACCESS_GRANTED;
	}
	return number > 0 && denies(&a->items[number - 1]) ? EDGE_ACCESS_DENIED_NETWORK
							   : EDGE_ACCESS_GRANTED;
}

bool edge_access_needs_place(const struct edge_access *a)
{
	return a != NULL && a->by_place;
}
