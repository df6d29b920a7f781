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

#include <time.h>

#include <gnutls/gnutls.h>
#include <jansson.h>

#include "core/base/clock.h"
#include "core/http/message.h"

struct cfg_edge;
struct cfg_fleet;
struct cfg_site;
struct diag;
struct edge_cert_store;
struct edge_certs;
struct edge_client_auth;
struct edge_keys;
struct edge_tickets;
struct staple;
struct tls_server;

/* The certificates that were loaded last, so that those whose files are as they were need not be
 * loaded again. For one edge_certs_create() at a time. */
struct edge_cert_store *edge_cert_store_create(void);
void edge_cert_store_destroy(struct edge_cert_store **store);

/* What is wrong goes into `diag`, all of it: then NULL. But a certificate whose files are wrong now
 * and were right before (so `store`, which may be NULL, has it) stays as it was, with a warning.
 * Warns about certificates that clients may refuse, and about hosts that none covers. `fleet`,
 * `keys` and `tickets` (NULL: sessions are not resumed) must outlive it. Blocking. */
struct edge_certs *edge_certs_create(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				     struct edge_keys *keys, struct edge_cert_store *store,
				     const struct edge_tickets *tickets, wall_time now,
				     struct diag *diag);
void edge_certs_destroy(struct edge_certs **certs);

/* Complains in the same way, and keeps nothing. Without `self`: about the certificates of all
 * sites, and about every edge that has none. `whole`: none of them was left out of `fleet`, so that
 * what is missing is worth a word. Blocking. */
void edge_certs_check(const struct cfg_fleet *fleet, const struct cfg_edge *self, bool whole,
		      struct edge_keys *keys, wall_time now, struct diag *diag);

unsigned edge_certs_count(const struct edge_certs *certs);
/* Whom to ask about it; NULL: nobody. */
struct staple *edge_certs_staple(const struct edge_certs *certs, unsigned i);

/* For stream_start_tls_server(). */
const struct tls_server *edge_certs_tls(const struct edge_certs *certs);
/* What a client of that name is shown; NULL: what one without a name is. */
gnutls_certificate_credentials_t edge_certs_find(const struct edge_certs *certs, struct span name);
/* Whether whatever certificate a client is shown that names `sni` (empty: nobody) is for `host` as
 * well. So too when we have none for that host: another connection would be shown nothing better.
 */
bool edge_certs_allow(const struct edge_certs *certs, struct span sni, struct span host);
/* Whether clients that name that host are asked for a certificate; NULL: they are not. */
const struct edge_client_auth *edge_certs_client_auth(const struct edge_certs *certs,
						      struct span host);
/* The same of clients of a site. */
const struct edge_client_auth *edge_certs_site_client_auth(const struct edge_certs *certs,
							   const struct cfg_site *site);
/* Which part of its time it is in; its last third is when it should have been renewed. */
enum edge_cert_time { EDGE_CERT_NOT_YET, EDGE_CERT_VALID, EDGE_CERT_ENDING, EDGE_CERT_EXPIRED };
enum edge_cert_time edge_cert_time(time_t not_before, time_t not_after, time_t now);
/* Says in the log which certificates have come into the last third of their time, or have expired,
 * between the two. */
void edge_certs_tell_time(const struct edge_certs *certs, wall_time before, wall_time now);
/* How many are in the last third of their time, and how many have expired. */
struct edge_certs_times {
	unsigned ending, expired;
};
struct edge_certs_times edge_certs_times(const struct edge_certs *certs, wall_time now);

/* [{"names": [...], "key": "...", "not_after": "2026-01-02T03:04:05Z", "days_left": 12.5,
 * "warnings": [...]}]; a new reference. */
json_t *edge_certs_status(const struct edge_certs *certs, wall_time now);
/* Adds "edge_certificate_not_after_seconds{certificate=\"PATH\"}": since 1970, for those that end
 * first, a hundred at most. */
void edge_certs_metrics(const struct edge_certs *certs, json_t *counters);
