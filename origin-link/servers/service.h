/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The servers of a service that SRV records name (RFC 2782), kept up to date: each target is a name
 * that is looked up by itself. Control loop only.
 */
#pragma once

#include "origin-link/servers/resolver.h"

struct loop;
struct service;

/* More addresses of one service than this are left out, those of the highest priority last. */
#define SERVICE_ADDRS_MAX 64

/* What a weight of 1 is. One of 0 has "a very small chance" beside others (RFC 2782), which is a
 * tenth of that; and the addresses of a target share its weight. */
#define SERVICE_WEIGHT 10

struct service_address {
	struct net_addr addr;
	unsigned priority; /* the lowest is to be used first */
	unsigned weight;   /* its share beside others of that priority, in parts of 1: see below */
};

/* NAME_FOUND: these are its addresses, in an order that does not depend on that of records.
 * NAME_KEPT: those that were told before stay valid. NAME_EXPIRED: there are none any more. Told
 * when something may have changed, at the end of a turn of the loop. */
typedef void service_result(void *arg, enum resolver_news news, const struct service_address *v,
			    unsigned n);

/* `question->host` is the name of the records; its `port` does not matter. */
struct service *service_create(struct resolver *resolver, struct loop *control,
			       const struct resolver_question *question, service_result *on_result,
			       void *arg);
void service_destroy(struct service **service);
/* Of the records; for facts, and as the `before` of another question. */
const struct resolver_watch *service_watch(const struct service *service);
/* The records are known, or cannot be for now, and so is each target of them. */
bool service_is_settled(const struct service *service);
