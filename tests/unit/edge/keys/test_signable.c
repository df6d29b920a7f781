/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What may be signed, and what is like it but for one thing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/keys/signable.h"

#define ECDSA_P256 0x0403
#define RSA_PKCS1 0x0401
#define RSA_PSS 0x0804
#define SERVER "TLS 1.3, server CertificateVerify"

static char bytes[512];

static struct span certificate_verify(const char *context, unsigned hash)
{
	size_t n = strlen(context) + 1;

	memset(bytes, ' ', 64);
	memcpy(bytes + 64, context, n);
	memset(bytes + 64 + n, 0xa5, hash);
	return (struct span){bytes, 64 + n + hash};
}

static struct span server_key_exchange(unsigned type, unsigned group, unsigned said, unsigned point,
				       unsigned first)
{
	memset(bytes, 0x5a, sizeof(bytes));
	bytes[64] = (char)type;
	bytes[65] = (char)(group >> 8);
	bytes[66] = (char)group;
	bytes[67] = (char)said;
	bytes[68] = (char)first;
	return (struct span){bytes, 68 + point};
}

static void assert_may(uint16_t scheme, struct span data)
{
	assert_null(signable_refuse(scheme, data));
}

static void assert_may_not(uint16_t scheme, struct span data)
{
	assert_non_null(signable_refuse(scheme, data));
}

static void test_certificate_verify(void **state)
{
	struct span data;

	assert_may(ECDSA_P256, certificate_verify(SERVER, 32));
	assert_may(RSA_PSS, certificate_verify(SERVER, 48));
	assert_may_not(ECDSA_P256, certificate_verify("TLS 1.3, client CertificateVerify", 32));
	for (unsigned hash = 0; hash < 100; hash++) {
		if (hash != 32 && hash != 48)
			assert_may_not(ECDSA_P256, certificate_verify(SERVER, hash));
	}
	/* RFC 8446 section 4.2.3: not by PKCS #1. */
	assert_may_not(RSA_PKCS1, certificate_verify(SERVER, 32));
	data = certificate_verify(SERVER, 32);
	for (size_t i = 0; i < 64 + sizeof(SERVER); i++) {
		bytes[i] ^= 1;
		assert_may_not(ECDSA_P256, data);
		bytes[i] ^= 1;
	}
	assert_may(ECDSA_P256, data);
}

static void test_server_key_exchange(void **state)
{
	static const struct {
		unsigned group, size, first;
	} groups[] = {{23, 65, 4}, {24, 97, 4}, {25, 133, 4}, {29, 32, 0}, {30, 56, 0xff}};

	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		unsigned group = groups[i].group, size = groups[i].size, first = groups[i].first;

		assert_may(ECDSA_P256, server_key_exchange(3, group, size, size, first));
		assert_may(RSA_PKCS1, server_key_exchange(3, group, size, size, first));
		assert_may(RSA_PSS, server_key_exchange(3, group, size, size, first));
		assert_may_not(ECDSA_P256, server_key_exchange(3, group, size, size + 1, first));
		assert_may_not(ECDSA_P256, server_key_exchange(3, group, size, size - 1, first));
		assert_may_not(ECDSA_P256, server_key_exchange(3, group, size - 1, size, first));
		assert_may_not(ECDSA_P256, server_key_exchange(2, group, size, size, first));
		assert_may_not(ECDSA_P256, server_key_exchange(1, group, size, size, first));
	}
	/* Compressed points, groups that nobody speaks, and finite fields. */
	assert_may_not(ECDSA_P256, server_key_exchange(3, 23, 33, 33, 2));
	assert_may_not(ECDSA_P256, server_key_exchange(3, 23, 65, 65, 2));
	assert_may_not(ECDSA_P256, server_key_exchange(3, 22, 65, 65, 4));
	assert_may_not(ECDSA_P256, server_key_exchange(3, 256, 65, 65, 4));
}

static void test_other_things(void **state)
{
	static const char request[] = "\x30\x82\x01\x22 a certificate request, a token, a mail";

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		memset(bytes, 0, sizeof(bytes));
		assert_may_not(ECDSA_P256, (struct span){bytes, n});
		memset(bytes, ' ', sizeof(bytes));
		assert_may_not(ECDSA_P256, (struct span){bytes, n});
	}
	assert_may_not(ECDSA_P256, (struct span){request, sizeof(request)});
}

static void test_schemes(void **state)
{
	static const unsigned others[] = {0,      0x0201, 0x0203, 0x0301,
					  0x0402, 0x0704, 0x081a, 0xffff};

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(signable_algorithm((uint16_t)others[i]), GNUTLS_SIGN_UNKNOWN);
		assert_may_not((uint16_t)others[i], certificate_verify(SERVER, 32));
		assert_may_not((uint16_t)others[i], server_key_exchange(3, 29, 32, 32, 0));
	}
	assert_int_equal(signable_scheme(GNUTLS_SIGN_RSA_SHA1), 0);
	assert_int_equal(signable_scheme(GNUTLS_SIGN_RSA_RAW), 0);
	assert_int_equal(signable_scheme(GNUTLS_SIGN_ECDSA_SECP256R1_SHA256), ECDSA_P256);
	assert_int_equal(signable_scheme(GNUTLS_SIGN_ECDSA_SHA256), ECDSA_P256);
	assert_int_equal(signable_algorithm(0x0807), GNUTLS_SIGN_EDDSA_ED25519);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_certificate_verify),
	    cmocka_unit_test(test_server_key_exchange),
	    cmocka_unit_test(test_other_things),
	    cmocka_unit_test(test_schemes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
