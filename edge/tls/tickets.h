/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How clients' sessions are resumed: the keys of tickets, and which of them is for whom. Part of
 * the snapshot: built by the job that loads it, then used by all handshakes, on any thread.
 *
 * The newest key whose time has come encrypts; tickets of all others that are there, those whose
 * time is still to come too (another edge's clock may be ahead), are understood. A session that is
 * resumed under an older key gets its next ticket under that one as well, but no later end: a key
 * is of use to nobody once it has been replaced for as long as a ticket lives.
 *
 * Without a directory of the fleet's keys, and until one of them is to be used, a key that only
 * this process has takes their place.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <jansson.h>

#include "core/base/clock.h"

struct cfg_fleet;
struct diag;
struct edge_tickets;
struct tls_early;
struct tls_server;

/* What the process has, through all reloads. */
struct edge_resumption {
	gnutls_datum_t own; /* a key of tickets */
	struct tls_early *early;
};
void edge_resumption_init(struct edge_resumption *resumption);
/* No stream may be left. */
void edge_resumption_fini(struct edge_resumption *resumption);

/* What is wrong goes into `diag`, all of it: then NULL. The key is copied, the register of early
 * data must outlive all streams. Blocking. */
struct edge_tickets *edge_tickets_create(const struct cfg_fleet *fleet,
					 const struct edge_resumption *resumption, wall_time now,
					 struct diag *diag);
void edge_tickets_destroy(struct edge_tickets **tickets);
/* Complains in the same way, and keeps nothing. Blocking. */
void edge_tickets_check(const struct cfg_fleet *fleet, wall_time now, struct diag *diag);

/* Makes a server resume sessions, and take early data where a route does. It may live as long as
 * they. */
void edge_tickets_serve(const struct edge_tickets *tickets, struct tls_server *server);
/* Keys for something else that all edges are to understand, `label` says what: one is made of each
 * key of tickets, which nobody can tell from it. How many there are, which one is in use, and the
 * i-th. */
#define EDGE_TICKETS_DERIVED 64
unsigned edge_tickets_count(const struct edge_tickets *tickets);
unsigned edge_tickets_in_use(const struct edge_tickets *tickets, wall_time now);
void edge_tickets_derive(const struct edge_tickets *tickets, unsigned i, const char *label,
			 uint8_t out[EDGE_TICKETS_DERIVED]);
/* {"keys": [{"name": "...", "from": "2026-01-02T03:04:05Z", "in_use": true}], "lifetime": 86400};
 * the process's own is called "own" and has no "from". A new reference. */
json_t *edge_tickets_status(const struct edge_tickets *tickets, wall_time now);
