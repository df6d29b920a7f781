/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sessions with servers that a client may resume. Any thread.
 *
 * Kept by the server's address: servers that answer to one name mostly have no ticket key in
 * common, and a ticket shown to the wrong one is lost.
 */
#pragma once

#include <stdbool.h>

#include <gnutls/gnutls.h>

#include "core/base/addr.h"

struct tls_sessions;

struct tls_sessions *tls_sessions_create(void);
void tls_sessions_destroy(struct tls_sessions **sessions);
/* Consumes the data. What is too large is dropped, and so is the oldest when there are too many. */
void tls_sessions_put(struct tls_sessions *sessions, const struct net_addr *addr,
		      gnutls_datum_t *data);
/* The newest one of that address, which is forgotten here (RFC 8446, C.4: a ticket is for one
 * connection); the caller frees it by gnutls_free(). False: there is none. */
bool tls_sessions_take(struct tls_sessions *sessions, const struct net_addr *addr,
		       gnutls_datum_t *data);
