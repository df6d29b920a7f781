/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a signer does with a key, whoever has asked and by which way: it looks at what is to be
 * signed, and how often it has signed, before it signs. Any thread.
 */
#pragma once

#include <gnutls/abstract.h>

#include "edge/keys/keys.h"
#include "edge/keys/signer_message.h"
#include "edge/keys/signing/rate.h"

struct signer_response signer_refuse(enum signer_status status, const char *why);

/* `handle` is of `key`. The response points into *signature, which the caller frees (gnutls_free())
 * in any case. */
struct signer_response signer_sign(const struct signer_request *request, const struct edge_key *key,
				   gnutls_privkey_t handle, struct signer_rate *rate,
				   gnutls_datum_t *signature);
