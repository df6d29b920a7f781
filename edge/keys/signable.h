/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a private key may sign that serves TLS and nothing else: the server's CertificateVerify of
 * TLS 1.3 (RFC 8446 section 4.4.3), and its ServerKeyExchange by ECDHE of TLS 1.2 (RFC 8422 section
 * 5.4). Whoever has a signer sign by it gets signatures that are worth something in a handshake
 * only: no certificate request, no token, no mail. Pure.
 */
#pragma once

#include <stdint.h>

#include <gnutls/gnutls.h>

#include "core/http/message.h"

/* The largest that may be signed: two randoms, curve type, group, and a point on P-521. */
#define SIGNABLE_MAX (32 + 32 + 1 + 2 + 1 + 133)

/* NULL: it may be signed by that SignatureScheme. Else why not. */
const char *signable_refuse(uint16_t scheme, struct span data);

/* The SignatureScheme of RFC 8446 section 4.2.3, for both versions; 0: none of a handshake. */
uint16_t signable_scheme(gnutls_sign_algorithm_t algorithm);
/* GNUTLS_SIGN_UNKNOWN: there is none such. */
gnutls_sign_algorithm_t signable_algorithm(uint16_t scheme);
