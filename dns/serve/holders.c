/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See holders.h. A holder is a slot of a fixed table, in which it is looked for from end to end:
 * for 256 places that is a twentieth of what it costs to accept a connection.
 */
#include "dns/serve/holders.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define IPV6_NETWORK 64

/* A resolver that asks in earnest needs a few connections (RFC 7766, 6.2.2); a quarter of the
 * places leaves three for the others without anybody being replaced. */
#define SHARE 4

TAILQ_HEAD(holding_list, dns_holding);

struct dns_holder {
	struct net_prefix network;
	unsigned n;               /* 0: the slot is free, and the rest means nothing */
	struct holding_list list; /* quiet for longest first */
};

struct dns_holders {
	unsigned max, each_max, n;
	struct dns_holder slots[]; /* `max` */
};

struct dns_holders *dns_holders_create(unsigned max)
{
	struct dns_holders *h;

	CHECK(max > 0);
	h = xcalloc(1, sizeof(*h) + max * sizeof(h->slots[0]));
	h->max = max;
	h->each_max = MAX(max / SHARE, 1);
	return h;
}

void dns_holders_destroy(struct dns_holders **holders)
{
	struct dns_holders *h = TAKE(holders);

	if (h == NULL)
		return;
	CHECK(h->n == 0);
	free(h);
}

static struct net_prefix network_of(const struct net_addr *remote)
{
	struct net_prefix p = net_prefix_of(remote);

	if (p.family == AF_INET6) {
		p.len = IPV6_NETWORK;
		memset(p.bytes + IPV6_NETWORK / 8, 0, sizeof(p.bytes) - IPV6_NETWORK / 8);
	}
	return p;
}

static bool is_of(const struct dns_holder *holder, const struct net_prefix *network)
{
	return holder->n > 0 && holder->network.family == network->family &&
	       memcmp(holder->network.bytes, network->bytes, sizeof(network->bytes)) == 0;
}

static struct dns_holder *find(struct dns_holders *h, const struct net_prefix *network)
{
	for (unsigned i = 0; i < h->max; i++) {
		if (is_of(&h->slots[i], network))
			return &h->slots[i];
	}
	return NULL;
}

static struct dns_holder *free_slot(struct dns_holders *h)
{
	for (unsigned i = 0; i < h->max; i++) {
		if (h->slots[i].n == 0)
			return &h->slots[i];
	}
	return NULL;
}

static mono_time quiet_since(const struct dns_holder *holder)
{
	return TAILQ_FIRST(&holder->list)->quiet_since;
}

/* `own` counts as one more than it is. */
static struct dns_holder *largest(struct dns_holders *h, const struct dns_holder *own)
{
	struct dns_holder *found = NULL;
	unsigned most = 0;

	for (unsigned i = 0; i < h->max; i++) {
		struct dns_holder *holder = &h->slots[i];
		unsigned n = holder->n + (holder == own ? 1 : 0);

		if (n > most ||
		    (n > 0 && n == most && quiet_since(holder).ns < quiet_since(found).ns)) {
			found = holder;
			most = n;
		}
	}
	return found;
}

struct dns_holding *dns_holders_give_way(struct dns_holders *h, const struct net_addr *newcomer)
{
	struct net_prefix network = network_of(newcomer);
	struct dns_holder *own = find(h, &network);

	if (own != NULL && own->n == h->each_max)
		return TAILQ_FIRST(&own->list);
	return h->n < h->max ? NULL : TAILQ_FIRST(&largest(h, own)->list);
}

void dns_holders_add(struct dns_holders *h, struct dns_holding *holding,
		     const struct net_addr *remote, mono_time now)
{
	struct net_prefix network = network_of(remote);
	struct dns_holder *holder = find(h, &network);

	if (holder == NULL) {
		holder = free_slot(h);
		CHECK(holder != NULL);
		holder->network = network;
		TAILQ_INIT(&holder->list);
	}
	CHECK(holder->n < h->each_max);
	holder->n++;
	h->n++;
	holding->holder = holder;
	holding->quiet_since = now;
	TAILQ_INSERT_TAIL(&holder->list, holding, link);
}

void dns_holders_renew(struct dns_holding *holding, mono_time now)
{
	struct holding_list *list = &holding->holder->list;

	holding->quiet_since = now;
	TAILQ_REMOVE(list, holding, link);
	TAILQ_INSERT_TAIL(list, holding, link);
}

void dns_holders_remove(struct dns_holders *h, struct dns_holding *holding)
{
	TAILQ_REMOVE(&holding->holder->list, holding, link);
	holding->holder->n--;
	holding->holder = NULL;
	h->n--;
}
