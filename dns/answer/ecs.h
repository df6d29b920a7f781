/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The EDNS client subnet option (RFC 7871) as an authoritative server meets it. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"

struct dns_ecs {
	uint16_t family; /* as in the option: 0, 1 (IPv4) or 2 (IPv6) */
	/* The client's network; len 0: the resolver keeps it to itself, so its own address counts.
	 */
	struct net_prefix source;
};

/* False when the option is not what section 6 and 7.1.2 allow in a query: a FORMERR. */
bool dns_ecs_parse(struct dns_ecs *ecs, const uint8_t *data, unsigned len);

/* The largest option's data: family, two lengths, an IPv6 address. */
#define DNS_ECS_MAX 20

/* Octets of the option's data in a response, and the data: the query's, with a scope. Returns
 * dns_ecs_size(). */
unsigned dns_ecs_size(const struct dns_ecs *ecs);
unsigned dns_ecs_write(const struct dns_ecs *ecs, uint8_t scope, uint8_t out[DNS_ECS_MAX]);
