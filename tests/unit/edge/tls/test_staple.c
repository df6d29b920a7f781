/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a certificate says of its issuer's places is found in whichever order it names them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/tls/certs_internal.h"

#define NOTHING 0

static gnutls_x509_privkey_t key;

static int set_up(void **state)
{
	CHECK(gnutls_x509_privkey_init(&key) == 0);
	return gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
}

static int tear_down(void **state)
{
	gnutls_x509_privkey_deinit(key);
	return 0;
}

static void name_place(gnutls_x509_crt_t crt, int what)
{
	gnutls_datum_t url = {(unsigned char *)"http://ca.test/", 15};

	CHECK(gnutls_x509_crt_set_authority_info_access(crt, what, &url) == 0);
}

/* One that is only made has no names yet to be compared. */
static gnutls_x509_crt_t as_read(gnutls_x509_crt_t crt)
{
	gnutls_x509_crt_t read;
	gnutls_datum_t der;

	CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) == 0);
	CHECK(gnutls_x509_crt_init(&read) == 0);
	CHECK(gnutls_x509_crt_import(read, &der, GNUTLS_X509_FMT_DER) == 0);
	gnutls_free(der.data);
	gnutls_x509_crt_deinit(crt);
	return read;
}

static gnutls_x509_crt_t make(const char *name, gnutls_x509_crt_t issuer, int first, int second)
{
	const unsigned char serial = 1;
	gnutls_x509_crt_t crt;
	time_t now = time(NULL);

	CHECK(gnutls_x509_crt_init(&crt) == 0);
	CHECK(gnutls_x509_crt_set_version(crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(crt, &serial, 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(crt, now) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(crt, now + 86400) == 0);
	CHECK(gnutls_x509_crt_set_key(crt, key) == 0);
	CHECK(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					    (unsigned)strlen(name)) == 0);
	if (first != NOTHING)
		name_place(crt, first);
	if (second != NOTHING)
		name_place(crt, second);
	CHECK(gnutls_x509_crt_sign2(crt, issuer != NULL ? issuer : crt, key, GNUTLS_DIG_SHA256,
				    0) == 0);
	return as_read(crt);
}

static bool has_responder(int first, int second)
{
	gnutls_x509_crt_t issuer = make("issuer", NULL, NOTHING, NOTHING),
			  list[] = {make("leaf", issuer, first, second), issuer};
	struct staple *staple = staple_create("leaf", list, 2);
	bool has = staple != NULL;

	staple_unref(&staple);
	gnutls_x509_crt_deinit(list[0]);
	gnutls_x509_crt_deinit(issuer);
	return has;
}

static bool is_alone(int first, int second)
{
	gnutls_x509_crt_t issuer = make("issuer", NULL, NOTHING, NOTHING),
			  leaf = make("leaf", issuer, first, second);
	unsigned doubts = cert_doubts_of(&leaf, 1);

	gnutls_x509_crt_deinit(leaf);
	gnutls_x509_crt_deinit(issuer);
	return doubts & CERT_ALONE;
}

static void test_responder_is_found_after_the_issuers_place(void **state)
{
	assert_true(has_responder(GNUTLS_IA_OCSP_URI, GNUTLS_IA_CAISSUERS_URI));
	assert_true(has_responder(GNUTLS_IA_CAISSUERS_URI, GNUTLS_IA_OCSP_URI));
	assert_false(has_responder(GNUTLS_IA_CAISSUERS_URI, NOTHING));
	assert_false(has_responder(NOTHING, NOTHING));
}

static void test_issuers_place_is_found_after_the_responder(void **state)
{
	assert_true(is_alone(GNUTLS_IA_CAISSUERS_URI, GNUTLS_IA_OCSP_URI));
	assert_true(is_alone(GNUTLS_IA_OCSP_URI, GNUTLS_IA_CAISSUERS_URI));
	assert_false(is_alone(GNUTLS_IA_OCSP_URI, NOTHING));
	assert_false(is_alone(NOTHING, NOTHING));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_responder_is_found_after_the_issuers_place),
	    cmocka_unit_test(test_issuers_place_is_found_after_the_responder),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
