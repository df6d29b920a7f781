/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Certificates of clients (mutual TLS): which sites ask for them, and whether one is valid. Part of
 * the snapshot: built by the job that loads it, then immutable; asked by handshakes on any thread.
 *
 * A connection is for the site whose host its ClientHello names, and is asked what that site asks:
 *
 * - by "required" the handshake fails without a valid certificate, with the alert that says why;
 * - by "optional" it goes on, and the verdict is known;
 * - a session that is resumed brings its certificate along in the ticket, and it is judged again,
 * by what holds now: it may have expired, or been revoked, since. Tickets are sealed by a key of
 * the site's own, made of the fleet's and of the contents of its files: one of another site, or of
 *   before a reload with other files, opens nothing, and a whole handshake follows.
 *
 * What is judged is the client's alone to choose until it has proven that it has the key, which it
 * does later in TLS 1.2: the verdict counts once the handshake is done.
 */
#pragma once

#include "core/base/clock.h"
#include "edge/clients/client_cert.h"

struct cfg_edge;
struct cfg_fleet;
struct cfg_site;
struct diag;
struct edge_client_auth;
struct edge_client_auths;
struct tls_tickets;

/* Of the sites that `self` serves; without it, of all. NULL with the reasons in `diag` when a file
 * is of no use. `fleet` must outlive it. Blocking. */
struct edge_client_auths *edge_client_auths_create(const struct cfg_fleet *fleet,
						   const struct cfg_edge *self, wall_time now,
						   struct diag *diag);
void edge_client_auths_destroy(struct edge_client_auths **auths);
/* In the order of the sites, of which most have none. */
unsigned edge_client_auths_count(const struct edge_client_auths *auths);
const struct edge_client_auth *edge_client_auths_get(const struct edge_client_auths *auths,
						     unsigned index);
/* NULL: that one has none. */
const struct edge_client_auth *edge_client_auths_of(const struct edge_client_auths *auths,
						    const struct cfg_site *site);

unsigned edge_client_auth_index(const struct edge_client_auth *auth);
const struct cfg_site *edge_client_auth_site(const struct edge_client_auth *auth);
/* Whether it asks for no more than is in order without a certificate. */
bool edge_client_auth_is_optional(const struct edge_client_auth *auth);
/* The authorities' names go with the request by these credentials. A GnuTLS error, or 0. */
int edge_client_auth_name_authorities(const struct edge_client_auth *auth,
				      gnutls_certificate_credentials_t credentials);

/* What is found out in one handshake. */
struct edge_client_handshake {
	bool hello_seen;
	const struct edge_client_auth *auth; /* NULL: no certificate is asked for */
	struct edge_client_cert *cert;       /* NULL: none was shown, or not yet */
	enum edge_client_verdict verdict;    /* EDGE_CLIENT_NONE: likewise */
};

/* From the callback on each ClientHello: the session is to ask, unless `auth` is NULL, and
 * `verify`, which is to call edge_client_auth_verify(), to be its function for that. `tickets`
 * NULL: there are none. A GnuTLS error, or 0. */
int edge_client_auth_begin(const struct edge_client_auth *auth, gnutls_session_t session,
			   const struct tls_tickets *tickets,
			   gnutls_certificate_verify_function *verify,
			   struct edge_client_handshake *handshake);
/* What was shown is judged, once, which may be nothing. Before the key that stands in there is
 * used, as a key may be made to cost as much as it can: the caller calls it when CertificateVerify
 * comes, too. 0 when the handshake may go on; else an error as struct tls_server has it. */
int edge_client_auth_verify(gnutls_session_t session, struct edge_client_handshake *handshake);
/* When the handshake is done, before anybody is told; likewise. */
int edge_client_auth_finish(gnutls_session_t session, struct edge_client_handshake *handshake);

/* Whether the certificate was judged by these rules, and has not expired since. */
bool edge_client_auth_knows(const struct edge_client_auth *auth,
			    const struct edge_client_cert *cert);
/* Judges the certificate by these rules, whatever others have said of it. It takes as long as some
 * signatures take to verify. */
void edge_client_auth_judge(const struct edge_client_auth *auth, struct edge_client_cert *cert);
