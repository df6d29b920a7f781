/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The certificates of all sites that this edge serves, and the choice among them by SNI. Part of
 * the snapshot: built by the job that loads it, then immutable and used by all workers' handshakes.
 *
 * A name may have certificates of several key types, be they for itself or for the wildcard above
 * it; which of them suits a client is left to GnuTLS, which sees them together in one set of
 * credentials. A client that names nobody, or nobody known, is shown the first of each type.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <jansson.h>

#include "core/base/clock.h"
#include "core/http/message.h"

struct cfg_edge;
struct cfg_fleet;
struct diag;
struct edge_certs;
struct edge_client_auths;
struct edge_keys;
struct tls_server;
struct tls_tickets;

/* What is wrong goes into `diag`, all of it: then NULL. Warns about certificates that have expired
 * and about hosts that no certificate covers. `fleet`, `keys` and `tickets` (NULL: none) must
 * outlive it. Blocking.
 */
struct edge_certs *edge_certs_create(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				     struct edge_keys *keys, const struct tls_tickets *tickets,
				     wall_time now, struct diag *diag);
void edge_certs_destroy(struct edge_certs **certs);

/* Complains in the same way, and keeps nothing. Without `self`: about the certificates of all
 * sites, and about every edge that has none. `whole`: none of them was left out of `fleet`, so that
 * what is missing is worth a word. Blocking. */
void edge_certs_check(const struct cfg_fleet *fleet, const struct cfg_edge *self, bool whole,
		      struct edge_keys *keys, wall_time now, struct diag *diag);

/* For stream_start_tls_server(). */
const struct tls_server *edge_certs_tls(const struct edge_certs *certs);
/* What a client of that name is shown; NULL: what one without a name is. */
gnutls_certificate_credentials_t edge_certs_find(const struct edge_certs *certs, struct span name);
/* Whether whatever certificate a client is shown that names `sni` (empty: nobody) is for `host` as
 * well. So too when we have none for that host: another connection would be shown nothing better.
 */
bool edge_certs_allow(const struct edge_certs *certs, struct span sni, struct span host);
/* What clients of a host are asked to show. */
const struct edge_client_auths *edge_certs_clients(const struct edge_certs *certs);
/* [{"names": [...], "key": "...", "not_after": "2026-01-02T03:04:05Z"}]; a new reference. */
json_t *edge_certs_status(const struct edge_certs *certs);
