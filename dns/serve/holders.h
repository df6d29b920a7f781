/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Whose the TCP connections of one listener are, and which gives way to a newcomer. A holder is an
 * IPv4 address, or an IPv6 network of 64 bits: the least that one host has for itself alone. A
 * wider network would make a client answer for its neighbours in the same data centre; within a
 * narrower one a single host has as many addresses as it likes.
 *
 *  - A holder has a quarter of the places at most; its newcomer over that replaces its own
 *    connection that was quiet for longest.
 *  - When all places are taken, the largest holder, with the newcomer counted, loses the one that
 *    was quiet for longest; among holders of the same size it is the quietest of all. So whoever
 *    has few connections keeps them as long as another has more.
 *
 * Who has many networks is many holders: then the quietest goes. It only decides; what it says is
 * done by tcp.c. Time is a parameter. Worker's loop only.
 */
#pragma once

#include <sys/queue.h>

#include "core/base/addr.h"
#include "core/base/clock.h"

struct dns_holder;
struct dns_holders;

/* In a connection. */
struct dns_holding {
	TAILQ_ENTRY(dns_holding) link;
	struct dns_holder *holder;
	mono_time quiet_since;
};

/* For `max` connections, at least 1. */
struct dns_holders *dns_holders_create(unsigned max);
/* Empty. */
void dns_holders_destroy(struct dns_holders **holders);

/* The connection that must be removed before `newcomer` has a place; NULL: none. */
struct dns_holding *dns_holders_give_way(struct dns_holders *holders,
					 const struct net_addr *newcomer);
/* There is a place for it. */
void dns_holders_add(struct dns_holders *holders, struct dns_holding *holding,
		     const struct net_addr *remote, mono_time now);
/* It was answered: it is quiet since now, which is no earlier than what was said before. */
void dns_holders_renew(struct dns_holding *holding, mono_time now);
void dns_holders_remove(struct dns_holders *holders, struct dns_holding *holding);
