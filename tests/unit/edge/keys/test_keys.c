/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys of every kind, made here and written to a file: what is loaded, what it signs, which
 * certificates it is taken for, and what is said of those that cannot be used.
 */
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/keys/keys_internal.h"

static char path[] = "/tmp/perigee-key-XXXXXX";
static struct edge_keys *keys;

static int set_up(void **state)
{
	int fd = mkstemp(path);

	keys = edge_keys_create();
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	edge_keys_destroy(&keys);
	return unlink(path);
}

static void write_text(const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static gnutls_x509_privkey_t make(gnutls_pk_algorithm_t type, unsigned bits)
{
	gnutls_x509_privkey_t key;

	CHECK(gnutls_x509_privkey_init(&key) == 0);
	CHECK(gnutls_x509_privkey_generate(key, type, bits, 0) == 0);
	return key;
}

static void write_key(gnutls_x509_privkey_t key, bool pkcs8)
{
	gnutls_datum_t pem;

	CHECK((pkcs8 ? gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							 GNUTLS_PKCS_PLAIN, &pem)
		     : gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem)) == 0);
	write_text(pem.data, pem.size);
	gnutls_free(pem.data);
}

static gnutls_x509_crt_t certificate_of(gnutls_x509_privkey_t key)
{
	const unsigned char serial = 1;
	gnutls_x509_crt_t crt;

	CHECK(gnutls_x509_crt_init(&crt) == 0);
	CHECK(gnutls_x509_crt_set_version(crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(crt, &serial, 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(crt, time(NULL)) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 60) == 0);
	CHECK(gnutls_x509_crt_set_key(crt, key) == 0);
	return crt;
}

static struct edge_key *load(void)
{
	char *error = NULL;
	struct edge_key *key = edge_keys_load(keys, path, &error);

	if (error != NULL)
		print_error("%s\n", error);
	assert_non_null(key);
	assert_null(error);
	return key;
}

/* What the handle signs, beyond the key's own end, the public half must verify. */
static void check_signature(struct edge_key *key, gnutls_x509_crt_t crt,
			    gnutls_sign_algorithm_t algorithm)
{
	const gnutls_datum_t text = {(unsigned char *)"to be signed", 12};
	gnutls_privkey_t handle = edge_key_handle(key);
	gnutls_datum_t signature;
	gnutls_pubkey_t half;

	edge_key_unref(&key);
	CHECK(gnutls_pubkey_init(&half) == 0);
	CHECK(gnutls_pubkey_import_x509(half, crt, 0) == 0);
	assert_int_equal(gnutls_privkey_sign_data2(handle, algorithm, 0, &text, &signature), 0);
	assert_true(gnutls_pubkey_verify_data2(half, algorithm, 0, &text, &signature) >= 0);
	gnutls_free(signature.data);
	gnutls_pubkey_deinit(half);
	gnutls_privkey_deinit(handle);
}

static void check_kind(gnutls_pk_algorithm_t type, unsigned bits, bool pkcs8,
		       gnutls_sign_algorithm_t algorithm)
{
	gnutls_x509_privkey_t secret = make(type, bits), stranger = make(type, bits);
	gnutls_x509_crt_t crt = certificate_of(secret), other = certificate_of(stranger);
	struct edge_key *key;

	write_key(secret, pkcs8);
	key = load();
	assert_true(edge_key_matches(key, crt));
	assert_false(edge_key_matches(key, other));
	check_signature(key, crt, algorithm);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_crt_deinit(other);
	gnutls_x509_privkey_deinit(secret);
	gnutls_x509_privkey_deinit(stranger);
}

static void test_every_kind_of_key(void **state)
{
	const unsigned p256 = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	const unsigned p384 = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1);
	const unsigned p521 = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1);
	const unsigned ed25519 = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519);

	check_kind(GNUTLS_PK_RSA, 2048, false, GNUTLS_SIGN_RSA_SHA256);
	check_kind(GNUTLS_PK_RSA, 2048, true, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256);
	check_kind(GNUTLS_PK_RSA_PSS, 2048, true, GNUTLS_SIGN_RSA_PSS_SHA384);
	check_kind(GNUTLS_PK_ECDSA, p256, false, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256);
	check_kind(GNUTLS_PK_ECDSA, p256, true, GNUTLS_SIGN_ECDSA_SHA512);
	check_kind(GNUTLS_PK_ECDSA, p384, false, GNUTLS_SIGN_ECDSA_SECP384R1_SHA384);
	check_kind(GNUTLS_PK_ECDSA, p521, true, GNUTLS_SIGN_ECDSA_SECP521R1_SHA512);
	check_kind(GNUTLS_PK_EDDSA_ED25519, ed25519, true, GNUTLS_SIGN_EDDSA_ED25519);
}

struct kind {
	gnutls_pk_algorithm_t type;
	unsigned bits;
	gnutls_sign_algorithm_t algorithms[8];
};

/* All that TLS 1.2 and 1.3 may ask of keys that two libraries can sign by. */
static const struct kind two_ways[] = {
    {GNUTLS_PK_RSA,
     2048,
     {GNUTLS_SIGN_RSA_SHA256, GNUTLS_SIGN_RSA_SHA384, GNUTLS_SIGN_RSA_SHA512,
      GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384,
      GNUTLS_SIGN_RSA_PSS_RSAE_SHA512}},
    {GNUTLS_PK_RSA, 3072, {GNUTLS_SIGN_RSA_SHA256, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256}},
    {GNUTLS_PK_ECDSA,
     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
     {GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_SIGN_ECDSA_SHA384,
      GNUTLS_SIGN_ECDSA_SHA512}},
    {GNUTLS_PK_ECDSA,
     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1),
     {GNUTLS_SIGN_ECDSA_SECP384R1_SHA384, GNUTLS_SIGN_ECDSA_SHA384}},
    {GNUTLS_PK_ECDSA,
     GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1),
     {GNUTLS_SIGN_ECDSA_SECP521R1_SHA512, GNUTLS_SIGN_ECDSA_SHA512}},
};

/* A handle on a key in memory, which has only that reference. */
static gnutls_privkey_t handle_on(struct edge_key *key, const struct kind *kind)
{
	gnutls_privkey_t handle;

	assert_non_null(key);
	key->refs = 1;
	key->algorithm = kind->type;
	key->bits = kind->bits;
	handle = edge_key_handle(key);
	edge_key_unref(&key);
	return handle;
}

static gnutls_datum_t sign(gnutls_privkey_t handle, gnutls_sign_algorithm_t algorithm,
			   gnutls_x509_crt_t crt)
{
	const gnutls_datum_t text = {(unsigned char *)"to be signed", 12};
	gnutls_datum_t signature;
	gnutls_pubkey_t half;

	CHECK(gnutls_pubkey_init(&half) == 0 && gnutls_pubkey_import_x509(half, crt, 0) == 0);
	assert_int_equal(gnutls_privkey_sign_data2(handle, algorithm, 0, &text, &signature), 0);
	assert_true(gnutls_pubkey_verify_data2(half, algorithm, 0, &text, &signature) >= 0);
	gnutls_pubkey_deinit(half);
	return signature;
}

static bool is_determined(gnutls_sign_algorithm_t algorithm)
{
	return algorithm == GNUTLS_SIGN_RSA_SHA256 || algorithm == GNUTLS_SIGN_RSA_SHA384 ||
	       algorithm == GNUTLS_SIGN_RSA_SHA512;
}

static void compare_ways(const struct kind *kind)
{
	gnutls_x509_privkey_t secret = make(kind->type, kind->bits), copy;
	gnutls_x509_crt_t crt = certificate_of(secret);
	gnutls_privkey_t by_gnutls, by_libcrypto;

	CHECK(gnutls_x509_privkey_init(&copy) == 0);
	CHECK(gnutls_x509_privkey_cpy(copy, secret) == 0);
	by_gnutls = handle_on(gnutls_key_create(&secret), kind);
	by_libcrypto = handle_on(libcrypto_key_create(&copy), kind);
	assert_null(secret);
	assert_null(copy);
	for (unsigned i = 0; kind->algorithms[i] != GNUTLS_SIGN_UNKNOWN; i++) {
		gnutls_datum_t a = sign(by_gnutls, kind->algorithms[i], crt);
		gnutls_datum_t b = sign(by_libcrypto, kind->algorithms[i], crt);

		if (is_determined(kind->algorithms[i])) {
			assert_int_equal(a.size, b.size);
			assert_memory_equal(a.data, b.data, a.size);
		}
		gnutls_free(a.data);
		gnutls_free(b.data);
	}
	gnutls_privkey_deinit(by_gnutls);
	gnutls_privkey_deinit(by_libcrypto);
	gnutls_x509_crt_deinit(crt);
}

/* The signatures of both verify by GnuTLS; where nothing is random they are the same. */
static void test_libcrypto_signs_what_gnutls_signs(void **state)
{
#ifndef HAVE_LIBCRYPTO
	skip();
#endif
	for (unsigned i = 0; i < ARRAY_SIZE(two_ways); i++)
		compare_ways(&two_ways[i]);
}

static void test_libcrypto_is_not_asked_for_what_it_is_not_meant_for(void **state)
{
	static const struct kind others[] = {
	    {GNUTLS_PK_RSA_PSS, 2048, {0}},
	    {GNUTLS_PK_EDDSA_ED25519, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519), {0}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		gnutls_x509_privkey_t secret = make(others[i].type, others[i].bits);

		assert_null(libcrypto_key_create(&secret));
		assert_non_null(secret);
		gnutls_x509_privkey_deinit(secret);
	}
}

static void assert_refused(const char *reason)
{
	char *error = NULL;

	assert_null(edge_keys_load(keys, path, &error));
	assert_non_null(error);
	if (strstr(error, reason) == NULL)
		fail_msg("\"%s\" and not \"%s\"", error, reason);
	free(error);
}

static void test_what_is_no_key(void **state)
{
	write_text("", 0);
	assert_refused("is not a private key in PEM");
	write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 60);
	assert_refused("is not a private key in PEM");
	assert_int_equal(unlink(path), 0);
	assert_refused("cannot be read: No such file or directory");
}

/* The public half of one key, the secret of another: nobody could verify what it signs. */
static void test_halves_that_do_not_belong_together(void **state)
{
	const unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	gnutls_x509_privkey_t key = make(GNUTLS_PK_ECDSA, bits);
	gnutls_datum_t der, secret;
	gnutls_ecc_curve_t curve;
	unsigned char *at;

	CHECK(gnutls_x509_privkey_export_ecc_raw(key, &curve, NULL, NULL, &secret) == 0);
	CHECK(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_DER, &der) == 0);
	at = memmem(der.data, der.size, secret.data, secret.size);
	assert_non_null(at);
	at[secret.size - 1] ^= 1;
	gnutls_x509_privkey_deinit(key);
	CHECK(gnutls_x509_privkey_init(&key) == 0);
	assert_int_equal(gnutls_x509_privkey_import(key, &der, GNUTLS_X509_FMT_DER), 0);
	write_key(key, false);
	assert_refused("is a private key that cannot be used");
	gnutls_x509_privkey_deinit(key);
	gnutls_free(der.data);
	gnutls_free(secret.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_kind_of_key),
	    cmocka_unit_test(test_libcrypto_signs_what_gnutls_signs),
	    cmocka_unit_test(test_libcrypto_is_not_asked_for_what_it_is_not_meant_for),
	    cmocka_unit_test(test_what_is_no_key),
	    cmocka_unit_test(test_halves_that_do_not_belong_together),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
