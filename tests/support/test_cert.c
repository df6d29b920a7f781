/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Certificates made at test time. Failures abort: a test cannot go on without.
 */
#include "tests/support/test_cert.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/check.h"

static void make_key(struct test_cert *cert, gnutls_pk_algorithm_t algorithm, unsigned bits)
{
	CHECK(gnutls_x509_privkey_init(&cert->key) == 0);
	CHECK(gnutls_x509_privkey_generate(cert->key, algorithm, bits, 0) == 0);
}

/* Of its key. issuer: NULL: itself. */
static void certify(struct test_cert *cert, const char *name, const struct test_cert *issuer,
		    time_t from, time_t until)
{
	const unsigned char serial = 1;

	CHECK(gnutls_x509_crt_init(&cert->crt) == 0);
	CHECK(gnutls_x509_crt_set_version(cert->crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(cert->crt, &serial, 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(cert->crt, from) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(cert->crt, until) == 0);
	CHECK(gnutls_x509_crt_set_key(cert->crt, cert->key) == 0);
	CHECK(gnutls_x509_crt_set_dn_by_oid(cert->crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					    strlen(name)) == 0);
	CHECK(gnutls_x509_crt_set_subject_alt_name(cert->crt, GNUTLS_SAN_DNSNAME, name,
						   strlen(name), GNUTLS_FSAN_SET) == 0);
	CHECK(gnutls_x509_crt_set_basic_constraints(cert->crt, issuer == NULL, -1) == 0);
	CHECK(gnutls_x509_crt_set_key_usage(cert->crt, GNUTLS_KEY_DIGITAL_SIGNATURE |
							   GNUTLS_KEY_KEY_CERT_SIGN) == 0);
	if (issuer == NULL)
		issuer = cert;
	CHECK(gnutls_x509_crt_sign2(cert->crt, issuer->crt, issuer->key, GNUTLS_DIG_SHA256, 0) ==
	      0);
}

static void create(struct test_cert *cert, const char *name, const struct test_cert *issuer,
		   time_t from, time_t until)
{
	make_key(cert, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1));
	certify(cert, name, issuer, from, until);
}

void test_cert_init_rsa(struct test_cert *cert, const char *name)
{
	time_t now = time(NULL);

	make_key(cert, GNUTLS_PK_RSA, 2048);
	certify(cert, name, NULL, now - 3600, now + 86400);
}

void test_cert_init(struct test_cert *cert, const char *name)
{
	time_t now = time(NULL);

	create(cert, name, NULL, now - 3600, now + 86400);
}

void test_cert_init_expired(struct test_cert *cert, const char *name)
{
	time_t now = time(NULL);

	create(cert, name, NULL, now - 2 * 86400, now - 86400);
}

void test_cert_issue(struct test_cert *cert, const char *name, const struct test_cert *issuer,
		     bool expired)
{
	time_t now = time(NULL);

	create(cert, name, issuer, now - 2 * 86400, expired ? now - 86400 : now + 86400);
}

void test_cert_fini(struct test_cert *cert)
{
	gnutls_x509_crt_deinit(cert->crt);
	gnutls_x509_privkey_deinit(cert->key);
}

gnutls_certificate_credentials_t test_cert_server(const struct test_cert *cert)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_x509_crt_t chain[] = {cert->crt};

	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	CHECK(gnutls_certificate_set_x509_key(credentials, chain, 1, cert->key) >= 0);
	return credentials;
}

static void write_file(const char *path, gnutls_datum_t *pem)
{
	FILE *f = fopen(path, "we");

	CHECK(f && fwrite(pem->data, 1, pem->size, f) == pem->size && fclose(f) == 0);
	gnutls_free(pem->data);
}

void test_cert_write(const struct test_cert *cert, const char *crt_path, const char *key_path)
{
	gnutls_datum_t pem;

	if (crt_path) {
		CHECK(gnutls_x509_crt_export2(cert->crt, GNUTLS_X509_FMT_PEM, &pem) == 0);
		write_file(crt_path, &pem);
	}
	if (key_path) {
		CHECK(gnutls_x509_privkey_export2(cert->key, GNUTLS_X509_FMT_PEM, &pem) == 0);
		write_file(key_path, &pem);
	}
}
