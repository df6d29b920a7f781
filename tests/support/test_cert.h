/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Certificates made at test time: ECDSA P-256, self-signed and a CA or issued by such a one, in
 * memory.
 */
#pragma once

#include <stdbool.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

struct test_cert {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
};

/* `name` is the subject and the one DNS name. */
void test_cert_init(struct test_cert *cert, const char *name);
/* The same with a key of RSA, 2048 bits. */
void test_cert_init_rsa(struct test_cert *cert, const char *name);
/* The same as the first, valid until yesterday. */
void test_cert_init_expired(struct test_cert *cert, const char *name);
/* Issued by `issuer`; expired or not. */
void test_cert_issue(struct test_cert *cert, const char *name, const struct test_cert *issuer,
		     bool expired);
void test_cert_fini(struct test_cert *cert);
/* Credentials that show it; the caller frees. */
gnutls_certificate_credentials_t test_cert_server(const struct test_cert *cert);
/* Writes certificate and key in PEM; either path may be NULL. */
void test_cert_write(const struct test_cert *cert, const char *crt_path, const char *key_path);
