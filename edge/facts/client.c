/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See client.h.
 */
#include "edge/facts/client.h"

#include <string.h>

#include "geo/ranges.h"

/* What a provider gives to a customer at least (RFC 6177), who may use any address in it. */
#define ONE_CLIENT 64

const struct geo_place *edge_client_place(struct edge_client *client,
					  const struct geo_places *places)
{
	struct net_prefix address;
	uint32_t number;

	if (places == NULL)
		return NULL;
	if (client->looked_up != geo_places_generation(places)) {
		address = net_prefix_of(&client->addr);
		number = geo_ranges_find(geo_places_ranges(places), &address).value;
		client->place = *geo_places_get(places, number);
		client->looked_up = geo_places_generation(places);
	}
	return &client->place;
}

struct net_prefix edge_client_network(const struct net_addr *addr)
{
	struct net_prefix network = net_prefix_of(addr);

	if (network.family == AF_INET6) {
		memset(network.bytes + ONE_CLIENT / 8, 0, sizeof(network.bytes) - ONE_CLIENT / 8);
		network.len = ONE_CLIENT;
	}
	return network;
}
