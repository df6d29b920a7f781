/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See overrides.h. Networks that lie in each other are swept in the order of addresses with a stack
 * of those that are open. One thread.
 */
#include "geo/overrides.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "geo/ranges.h"

struct as {
	uint32_t number, item;
};

#define CODES (26 * 26)

struct geo_overrides {
	struct as *as; /* sorted */
	uint32_t n_as;
	uint32_t countries[CODES], continents[CODES];
};

/* Of two upper-case letters; CODES for anything else. */
static unsigned code_index(const char *code)
{
	for (unsigned i = 0; i < 2; i++) {
		if (code[i] < 'A' || code[i] > 'Z')
			return CODES;
	}
	return (unsigned)(code[0] - 'A') * 26 + (unsigned)(code[1] - 'A');
}

static void add_codes(uint32_t *items, const struct cfg_strings *codes, uint32_t item)
{
	for (unsigned i = 0; i < codes->n; i++) {
		unsigned at = code_index(codes->v[i]);

		if (at < CODES && items[at] == 0)
			items[at] = item;
	}
}

static int compare_as(const void *va, const void *vb)
{
	const struct as *a = va, *b = vb;

	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return (a->item > b->item) - (a->item < b->item);
}

struct geo_overrides *geo_overrides_create(const struct cfg_geo *geo)
{
	struct geo_overrides *o = xcalloc(1, sizeof(*o));
	size_t n = 0;

	for (unsigned i = 0; i < geo->n_overrides; i++)
		n += geo->overrides[i].asns.n;
	o->as = xcalloc(n + 1, sizeof(*o->as));
	for (unsigned i = 0; i < geo->n_overrides; i++) {
		const struct cfg_override *item = &geo->overrides[i];

		for (unsigned k = 0; k < item->asns.n; k++)
			o->as[o->n_as++] = (struct as){(uint32_t)item->asns.v[k], i + 1};
		add_codes(o->countries, &item->countries, i + 1);
		add_codes(o->continents, &item->continents, i + 1);
	}
	qsort(o->as, o->n_as, sizeof(*o->as), compare_as);
	return o;
}

void geo_overrides_destroy(struct geo_overrides **op)
{
	struct geo_overrides *o = TAKE(op);

	free(o->as);
	free(o);
}

static uint32_t match_as(const struct geo_overrides *o, uint32_t number)
{
	uint32_t from = 0, to = o->n_as;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (o->as[middle].number < number)
			from = middle + 1;
		else
			to = middle;
	}
	return from < o->n_as && o->as[from].number == number ? o->as[from].item : 0;
}

uint32_t geo_overrides_match(const struct geo_overrides *o, uint32_t asn, const char *country,
			     const char *continent)
{
	unsigned at_country = code_index(country), at_continent = code_index(continent);
	uint32_t item = match_as(o, asn);

	if (item == 0 && at_country < CODES)
		item = o->countries[at_country];
	if (item == 0 && at_continent < CODES)
		item = o->continents[at_continent];
	return item;
}

/* A network of an item, as the addresses from `first` to `last`. */
struct network {
	int family;
	geo_bits first, last;
	uint32_t item;
};

/* By family and address, the wider before what lies in it, and the first of the file before its
 * equals. */
static int compare_networks(const void *va, const void *vb)
{
	const struct network *a = va, *b = vb;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	if (a->last != b->last)
		return a->last > b->last ? -1 : 1;
	return (a->item > b->item) - (a->item < b->item);
}

/* False for networks of IPv6 addresses that carry IPv4 addresses: clients there are looked up by
 * those. */
static bool may_count(const struct net_prefix *prefix)
{
	unsigned before;

	return geo_unwrap(prefix, &before).family == prefix->family || prefix->len < before;
}

static bool add_network(struct network *to, const struct cfg_override *item, uint32_t number,
			const struct net_prefix *prefix, struct diag *diag)
{
	char text[NET_ADDR_TEXT];
	unsigned width;

	if (!may_count(prefix)) {
		diag_add(diag, item->place,
			 "network %s never counts: clients with such addresses are taken to be "
			 "where the IPv4 address in them is",
			 net_prefix_format(prefix, text));
		return false;
	}
	width = prefix->family == AF_INET ? 32 : 128;
	*to = (struct network){prefix->family, geo_bits_of(prefix), geo_bits_of(prefix), number};
	if (prefix->len < width)
		to->last |= ~(geo_bits)0 >> (128 - width + prefix->len);
	return true;
}

static bool collect(const struct cfg_geo *geo, struct network *to, struct diag *diag)
{
	bool good = true;

	for (unsigned i = 0; i < geo->n_overrides; i++) {
		const struct cfg_override *item = &geo->overrides[i];

		for (unsigned k = 0; k < item->networks.n; k++) {
			if (!add_network(to++, item, i + 1, &item->networks.v[k], diag))
				good = false;
		}
	}
	return good;
}

/* Ends the open networks that lie before `next`, or all for NULL; what is around them goes on. */
static unsigned close_networks(struct geo_builder *b, const struct network *const *open, unsigned n,
			       const struct network *next)
{
	for (; n > 0; n--) {
		const struct network *top = open[n - 1];
		geo_bits end = top->family == AF_INET ? UINT32_MAX : ~(geo_bits)0;

		if (next != NULL && next->family == top->family && next->first <= top->last)
			break;
		if (top->last < end)
			geo_builder_add(b, top->family, top->last + 1,
					n > 1 ? open[n - 2]->item : 0);
	}
	return n;
}

static struct geo_ranges *sweep(const struct network *networks, size_t n)
{
	/* No deeper than an address is long: equal ones after the first are passed over. */
	const struct network *open[129];
	struct geo_builder *b = geo_builder_create();
	unsigned depth = 0;

	for (size_t i = 0; i < n; i++) {
		const struct network *next = &networks[i];

		depth = close_networks(b, open, depth, next);
		if (depth > 0 && open[depth - 1]->first == next->first &&
		    open[depth - 1]->last == next->last)
			continue;
		geo_builder_add(b, next->family, next->first, next->item);
		open[depth++] = next;
	}
	close_networks(b, open, depth, NULL);
	return geo_builder_finish(&b);
}

struct geo_ranges *geo_overrides_networks(const struct cfg_geo *geo, struct diag *diag)
{
	struct geo_ranges *ranges = NULL;
	struct network *networks;
	size_t n = 0;

	for (unsigned i = 0; i < geo->n_overrides; i++)
		n += geo->overrides[i].networks.n;
	if (n == 0)
		return NULL;
	networks = xcalloc(n, sizeof(*networks));
	if (collect(geo, networks, diag)) {
		qsort(networks, n, sizeof(*networks), compare_networks);
		ranges = sweep(networks, n);
	}
	free(networks);
	return ranges;
}
