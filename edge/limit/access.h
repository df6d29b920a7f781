/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whom a list of `access` lets in: the first of its items counts that a client is in. Built with
 * the view, immutable; the networks of an item are looked up by halving. Any thread.
 *
 * A JA4 fingerprint is known once the client has said something: until then an item that goes by
 * one, and whatever comes after it, decides nothing.
 *
 * Addresses are what they are, not what geo/ranges.h takes them for; but who has an IPv6 address
 * that carries an IPv4 address (6to4, Teredo, NAT64) is denied by either.
 */
#pragma once

#include <stdbool.h>

#include "config/limit.h"

struct geo_place;

struct edge_access;

/* NULL for an empty list. The items must live as long. */
struct edge_access *edge_access_create(const struct cfg_access *items, unsigned n);
void edge_access_destroy(struct edge_access **access);

/* By what a client was found in the item that denies it. */
enum edge_access_verdict {
	EDGE_ACCESS_GRANTED,
	EDGE_ACCESS_DENIED_NETWORK,
	EDGE_ACCESS_DENIED_ASN,
	EDGE_ACCESS_DENIED_COUNTRY,
	EDGE_ACCESS_DENIED_CONTINENT,
	EDGE_ACCESS_DENIED_JA4,
};
/* `place` NULL: not known. `ja4` NULL: not known yet; "": it has none. `access` NULL: granted. */
enum edge_access_verdict edge_access_ask(const struct edge_access *access,
					 const struct net_prefix *client,
					 const struct geo_place *place, const char *ja4);
/* Whether a place matters to it. */
bool edge_access_needs_place(const struct edge_access *access);
/* Whether a fingerprint does. */
bool edge_access_needs_ja4(const struct edge_access *access);
