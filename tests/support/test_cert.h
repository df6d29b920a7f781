/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Certificates made at test time: self-signed, ECDSA P-256, their own CA, in memory.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

struct test_cert {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

/* `name` is the subject and the one DNS name. */
void test_cert_init(struct test_cert *cert, const char *name);
void test_cert_fini(struct test_cert *cert);
/* Credentials that show it; the caller frees. */
gnutls_certificate_credentials_t test_cert_server(const struct test_cert *cert);
/* Writes certificate and key in PEM; either path may be NULL. */
void test_cert_write(const struct test_cert *cert, const char *crt_path, const char *key_path);
