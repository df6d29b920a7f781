/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The certificates of all sites that this edge serves, and the choice among them by SNI. Part of
 * the snapshot: built by the control thread, then immutable and used by every worker's handshakes.
 *
 * A name may have certificates of several key types; which of them suits a client is left to
 * GnuTLS, which sees them together in one set of credentials.
 */
#pragma once

#include <jansson.h>

#include "config/fleet.h"
#include "core/http/message.h"
#include "core/net/tls.h"

struct edge_certs;

/* What is wrong goes into `diag`, all of it: then NULL. Warns in the log about certificates that
 * have expired and about hosts that no certificate covers. `fleet` and `ticket_key`
 * must outlive it. Blocking. */
struct edge_certs *edge_certs_create(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				     const gnutls_datum_t *ticket_key, wall_time now,
				     struct diag *diag);
void edge_certs_destroy(struct edge_certs **certs);

/* Complains about the certificates of all sites in the same way, and keeps none. Blocking. */
void edge_certs_check(const struct cfg_fleet *fleet, wall_time now, struct diag *diag);

/* For stream_create_tls_server(). */
const struct tls_server *edge_certs_tls(const struct edge_certs *certs);
/* Exact, then wildcard; NULL when only the default is left. */
gnutls_certificate_credentials_t edge_certs_find(const struct edge_certs *certs, struct span name);
/* [{"names": [...], "key": "...", "not_after": "2026-01-02T03:04:05Z"}]; a new reference. */
json_t *edge_certs_status(const struct edge_certs *certs);
