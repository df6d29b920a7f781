/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which requests go to the same server of an origin, by its `balance`: the texts that hashes are
 * made of, and the cookies that keep clients at a server. Part of the view; used by exchanges on
 * any worker.
 */
#pragma once

#include "core/http/message.h"
#include "origin-link/olink.h"

struct arena;
struct cfg_fleet;
struct cfg_origin;
struct edge_affinities;
struct edge_facts;
struct edge_sticky;
struct edge_tickets;

/* Both must outlive them. */
struct edge_affinities *edge_affinities_create(const struct cfg_fleet *fleet,
					       const struct edge_tickets *tickets);
void edge_affinities_destroy(struct edge_affinities **affinities);

/* What a request's cookie has said; all zero where none is wanted. */
struct edge_stick {
	const struct edge_sticky *sticky; /* the view's */
	bool is_set, is_current;          /* by a cookie, by one that need not be made anew */
	uint64_t server;
};

/* Of a request that goes to `origin`. `stick`: to be given to edge_affinity_keep() when it is
 * answered; NULL: cookies are not for this one. */
struct olink_affinity edge_affinity_of(const struct edge_affinities *affinities,
				       const struct cfg_origin *origin,
				       const struct edge_facts *facts, struct arena *arena,
				       wall_time now, struct edge_stick *stick);
/* Takes what is between the client and us out of a request. False: no room. */
bool edge_affinity_strip(const struct edge_affinities *affinities, struct http_fields *fields,
			 struct arena *arena);
/* `server` has given the response: the client is told to come back to it, if it does not know that.
 * Not in what caches may give to others. False: no room. */
bool edge_affinity_keep(const struct edge_stick *stick, const struct net_addr *server,
			wall_time now, struct http_head *response);
