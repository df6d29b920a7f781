/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a stream needs of its tls_server and its tls_client. Nobody else includes this.
 */
#pragma once

#include "core/net/tls.h"

/* Releases the server, unless that was done. */
void tls_use_end(struct tls_use *use);

/* Makes a new session one of this client; a GnuTLS error when that fails. The session must not
 * outlive the client. */
int tls_client_set_up(struct tls_client *client, gnutls_session_t session);
/* What is wrong with the certificate that the server has shown, gnutls_certificate_status_t; or a
 * GnuTLS error. */
int tls_client_verify(const struct tls_client *client, gnutls_session_t session, unsigned *status);
/* Before the handshake: tries to resume a session with the server that `fd` is connected to. */
void tls_client_resume(struct tls_client *client, gnutls_session_t session, int fd);
/* Its handshake is done (TLS 1.2), or a ticket has come (TLS 1.3): it can be resumed. */
void tls_client_remember(struct tls_client *client, gnutls_session_t session, int fd);
/* Whether its handshakes are background tasks. */
bool tls_client_in_background(const struct tls_client *client);
/* Whom the streams of this client talk to, for the log. */
const char *tls_client_host(const struct tls_client *client);
