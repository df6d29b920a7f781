/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What GnuTLS is about to have signed, before it is digested. Whoever signs elsewhere must be shown
 * what it is, and GnuTLS gives its sign callbacks a digest only: so the program has a
 * gnutls_privkey_sign_data2() of its own, which every handshake of GnuTLS comes through, keeps hold
 * of the argument and calls GnuTLS's. Where a GnuTLS is linked in a way that it does not come
 * through there, nothing is found here: signed_data_works() tries it with real handshakes.
 */
#pragma once

#include <stdbool.h>

#include <gnutls/gnutls.h>

struct signed_data {
	gnutls_sign_algorithm_t algorithm;
	const gnutls_datum_t *data;
};

/* In a sign callback; NULL: it is not known. */
const struct signed_data *signed_data_now(void);

/* Whether handshakes of TLS 1.2 and 1.3 have what is to be signed found here: some milliseconds. */
bool signed_data_works(void);
