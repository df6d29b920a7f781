/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What stream_handshake.c needs of a tls_client. Nobody else includes this.
 */
#pragma once

#include "core/net/tls.h"

/* Makes a new session one of this client; a GnuTLS error when that fails. The session must not
 * outlive the client. */
int tls_client_set_up(struct tls_client *client, gnutls_session_t session);
/* Whom the streams of this client talk to, for the log. */
const char *tls_client_host(const struct tls_client *client);
