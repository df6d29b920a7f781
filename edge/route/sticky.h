/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The cookie that keeps a client at a server of an origin. It names the server by a number that
 * nobody but the edges of the fleet can read or make: encrypted and signed with keys that are made
 * from those of tickets (edge/tls/tickets.h), for each origin others. Immutable; any thread.
 */
#pragma once

#include "config/fleet.h"
#include "core/http/message.h"

struct edge_sticky;
struct edge_tickets;

/* `origin` and `tickets` must outlive it. */
struct edge_sticky *edge_sticky_create(const struct cfg_origin *origin,
				       const struct edge_tickets *tickets);
void edge_sticky_destroy(struct edge_sticky **sticky);

/* The server that the cookie of a request names. False: it has none of ours. *current: it was made
 * with the key that is in use now. */
bool edge_sticky_read(const struct edge_sticky *s, const struct http_fields *fields, wall_time now,
		      uint64_t *server, bool *current);
/* Adds to a response what makes the client have such a cookie. False: no room. */
bool edge_sticky_write(const struct edge_sticky *s, uint64_t server, wall_time now,
		       struct http_head *response);
