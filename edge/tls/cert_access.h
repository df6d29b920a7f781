/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a certificate says of where its issuer can be asked (RFC 5280, 4.2.2.1). Any thread.
 */
#pragma once

#include <gnutls/x509.h>

/* The first URL for that, GNUTLS_IA_OCSP_URI or GNUTLS_IA_CAISSUERS_URI, wherever it stands among
 * the others. malloc'd; NULL: there is none. */
char *cert_access_url(gnutls_x509_crt_t crt, int what);
