/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What keys that are elsewhere share (edge/keys/signer_key.c, edge/keys/remote/remote_key.c): to
 * show what is to be signed, and to take the answer. In a handshake's thread.
 */
#pragma once

#include <gnutls/gnutls.h>

#include "edge/keys/signer_message.h"

/* What the handshake at hand is about to have signed goes into the request. The digest alone would
 * not do: whoever signs wants to see what. False: that is nothing of a handshake's. */
bool signer_ask_what(struct signer_request *request);
/* The signature, if that is the answer; else why not goes into the log, by the name of the key's
 * file or certificate. 0, or an error of GnuTLS. */
int signer_ask_take(const char *name, const struct signer_response *response,
		    gnutls_datum_t *signature);
