/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What TLS streams need to know of GnuTLS: priorities, credentials, tickets. Immutable after build.
 */
#pragma once

#include <stdbool.h>

#include <gnutls/gnutls.h>

/* Short, with AES-128-GCM-SHA256 first: a third cheaper handshakes than NORMAL (measured; mostly
 * SHA-256 in place of SHA-384 in the key schedule). */
#define TLS_PRIORITY                                                                               \
	"NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:-CIPHER-ALL:"           \
	"+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:"        \
	"%SERVER_PRECEDENCE"

struct tls_server {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	gnutls_datum_t ticket_key; /* shared by all workers; data == NULL: no tickets */
	const gnutls_datum_t *alpn;
	unsigned n_alpn;
	/* May be NULL. Called when the ClientHello was read, before the cipher suite is chosen
	 * (gnutls_handshake_set_post_client_hello_function): may replace the session's credentials
	 * by SNI, so that GnuTLS itself finds the key type that suits the client. */
	int (*client_hello)(gnutls_session_t session);
	void *user; /* for callbacks: tls_session_server(session)->user */
};

struct tls_client {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	bool verify; /* chain and host name */
};

/* The tls_server that a session was started with, for GnuTLS's callbacks; NULL once the handshake
 * is done, and for clients. */
const struct tls_server *tls_session_server(gnutls_session_t session);
/* A client for probes and origins. NULL with *error (malloc'd) on failure. */
struct tls_client *tls_client_create(bool verify, char **error);
void tls_client_destroy(struct tls_client **client);
