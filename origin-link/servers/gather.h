/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is used of the answer to a question for a name, whatever a name server puts into it. Looks
 * at the machine's routes; keeps nothing.
 */
#pragma once

#include "config/origin.h"
#include "core/base/addr.h"
#include "core/base/clock.h"

struct ares_addrinfo;

/* More addresses than this of one name are left out. */
#define RESOLVER_ADDRS_MAX 16

/* How long to use what a name server gives with that time to live, in seconds. */
duration gather_ttl(int seconds, const struct cfg_resolve *terms);
/* By family, address and port. */
int gather_order(const struct net_addr *x, const struct net_addr *y);
bool gather_is_of(const struct net_addr *addr, enum cfg_family family);
/* Returns how many addresses it has put into `out`: sorted, without doubles, each with that port.
 * Left out are those of another family than `terms` say, those that nobody can have (unspecified,
 * broadcast, multicast), and those that this machine has no route to while it has one to others.
 * *ttl (always set): how long to use them. */
unsigned gather_addrs(const struct ares_addrinfo *answer, uint16_t port,
		      const struct cfg_resolve *terms, struct net_addr out[RESOLVER_ADDRS_MAX],
		      duration *ttl);
