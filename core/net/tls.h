/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What TLS streams are started with. Immutable after build, but for the references to a tls_client.
 */
#pragma once

#include <stdbool.h>

#include <gnutls/gnutls.h>

#include "core/tls/early.h"

/* RFC 9325: forward secrecy and authenticated encryption only, no SHA-1. Short, with
 * AES-128-GCM-SHA256 first: a third cheaper handshakes than NORMAL (measured; mostly SHA-256 in
 * place of SHA-384 in the key schedule). `first_groups`: "+GROUP-NAME:" for each, or "". */
#define TLS_PRIORITY_OF(versions, first_groups)                                                    \
	"NORMAL:-VERS-ALL:" versions ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"                           \
	"-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:"                 \
	"-GROUP-ALL:" first_groups "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"              \
	"-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE"

/* Of clients; for servers see tls_profile.h. */
#define TLS_PRIORITY TLS_PRIORITY_OF("+VERS-TLS1.3:+VERS-TLS1.2", "")

/* The most that a PEM file may hold. Debian's store of 144 certificates has 220 KiB, a chain of
 * RSA-4096 certificates 16 KiB. */
#define TLS_PEM_MAX (4 << 20)

/* How the sessions of a server are resumed: by tickets (RFC 8446 section 4.6.1, RFC 5077). Shared
 * by all handshakes: the functions may be called by several threads at once. */
struct tls_tickets {
	/* Before the handshake: gives the session the key that its tickets are encrypted with. 0 or
	 * an error of GnuTLS. */
	int (*start)(const struct tls_tickets *tickets, gnutls_session_t session);
	/* May be NULL. With the ClientHello, before anything of it is looked at: may give the
	 * session another key (gnutls_session_ticket_enable_server), for the ticket in there. */
	void (*choose)(const struct tls_tickets *tickets, gnutls_session_t session,
		       const gnutls_datum_t *hello);
	/* Gives the session a key that is made of the one in use and of `mark`: its tickets open
	 * nothing but sessions with the same mark. Before a ticket is looked at; 0 or an error. */
	int (*mark)(const struct tls_tickets *tickets, gnutls_session_t session,
		    const gnutls_datum_t *mark);
	unsigned count; /* that a client of TLS 1.3 is given, 1 or more; with TLS 1.2 it is one */
};

struct tls_server {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	const struct tls_tickets *tickets; /* NULL: none, no session is resumed */
	/* NULL: no early data is taken. It outlives the streams. The most that is taken of one
	 * connection: 1 to TLS_EARLY_MAX bytes. */
	struct tls_early *early;
	uint32_t early_max;
	/* In order of preference. A client that names others, and only those, is refused. */
	const gnutls_datum_t *alpn;
	unsigned n_alpn;
	/* In order of preference; those that the library has (RFC 8879). */
	const gnutls_compression_method_t *compressions;
	unsigned n_compressions;
	/* May be NULL. Called when the ClientHello was read, before the cipher suite is chosen
	 * (gnutls_handshake_set_post_client_hello_function): may replace the session's credentials
	 * by SNI, so that GnuTLS itself finds the key type that suits the client. After a
	 * HelloRetryRequest on a thread for handshakes, else on the loop. */
	int (*client_hello)(gnutls_session_t session);
	/* May be NULL. Called when a client has sent its certificate and CertificateVerify, before
	 * the signature in there is verified: what that costs depends on a key that a stranger has
	 * chosen, and with TLS 1.3 GnuTLS calls its function for verifying certificates only
	 * afterwards. 0, or an error as of finished(). */
	int (*certificate_verify)(gnutls_session_t session);
	/* May be NULL. Called when the handshake is done, before established(): 0, or a GnuTLS
	 * error of which it fails after all. GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR, from here and
	 * from GnuTLS's function for verifying certificates, means that the alert was sent. */
	int (*finished)(gnutls_session_t session);
	/* A signature is waited for (another process, a token), whatever the algorithm: handshakes
	 * that need one go to the threads for handshakes. Those by RSA always do. */
	bool slow_keys;
	void *user; /* for callbacks: tls_session_server(session)->user */
};

/* Who holds a server for one handshake: what the session's pointer (gnutls_session_set_ptr()) leads
 * to as long as that lasts. */
struct tls_use {
	const struct tls_server *server;
	void (*release)(void *arg); /* the server is not looked at any more; may be NULL */
	void *arg;
	bool verifies; /* the client's certificate is verified, which may come late and costs */
};

/* For GnuTLS's callbacks: what the session was started with. NULL once the handshake is done, and
 * for clients. */
const struct tls_server *tls_session_server(gnutls_session_t session);
void *tls_session_arg(gnutls_session_t session);
/* From a callback: see verifies. */
void tls_session_verifies(gnutls_session_t session);

/* What is asked of a server's certificate. */
enum tls_verify {
	TLS_VERIFY_NONE, /* any will do */
	TLS_VERIFY_ALL,  /* chain, time and host */
	/* The same of a chain that ends at one whom we trust; another is private, and will do. */
	TLS_VERIFY_TRUSTED,
};

/* How to be a client of one server (or of several that are the same). Only looked at by
 * tls_client_create(). */
struct tls_client_config {
	const char *host; /* SNI unless it is an address, and the name to verify; NULL: neither */
	enum tls_verify verify;
	bool always_full;    /* no session is resumed: each handshake is to show the certificate */
	bool background;     /* nobody waits for its handshakes: they take their turn with others */
	const char *ca_file; /* whom to trust, in PEM; NULL: the system's */
	const char *certificate_file, *key_file; /* to show when asked, in PEM; NULL: none */
	const char *const *alpn;                 /* in order of preference */
	unsigned n_alpn;
};

/* For probes and origins, shared by as many streams as need it, of any thread. */
struct tls_client;
/* Reads the files, so it may take a while. NULL with *error (malloc'd; names the file) on failure.
 */
struct tls_client *tls_client_create(const struct tls_client_config *config, char **error);
struct tls_client *tls_client_ref(struct tls_client *client);
/* Any thread; the last one frees it. */
void tls_client_unref(struct tls_client **client);
