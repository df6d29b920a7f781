/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two forms, byte for byte but for what is random in them. Neither can be taken for the other:
 * where TLS 1.2 has its curve type, TLS 1.3 has the first letter of its context string.
 */
#include "edge/keys/signable.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/check.h"

/* The first of a code point is what the signer uses: a digest and a kind of key. */
static const struct {
	uint16_t scheme;
	bool of_tls13;
	gnutls_sign_algorithm_t algorithm;
} schemes[] = {
    {0x0401, false, GNUTLS_SIGN_RSA_SHA256},
    {0x0501, false, GNUTLS_SIGN_RSA_SHA384},
    {0x0601, false, GNUTLS_SIGN_RSA_SHA512},
    {0x0403, true, GNUTLS_SIGN_ECDSA_SHA256},
    {0x0403, true, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256},
    {0x0503, true, GNUTLS_SIGN_ECDSA_SHA384},
    {0x0503, true, GNUTLS_SIGN_ECDSA_SECP384R1_SHA384},
    {0x0603, true, GNUTLS_SIGN_ECDSA_SHA512},
    {0x0603, true, GNUTLS_SIGN_ECDSA_SECP521R1_SHA512},
    {0x0804, true, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256},
    {0x0805, true, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384},
    {0x0806, true, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512},
    {0x0807, true, GNUTLS_SIGN_EDDSA_ED25519},
    {0x0808, true, GNUTLS_SIGN_EDDSA_ED448},
    {0x0809, true, GNUTLS_SIGN_RSA_PSS_SHA256},
    {0x080a, true, GNUTLS_SIGN_RSA_PSS_SHA384},
    {0x080b, true, GNUTLS_SIGN_RSA_PSS_SHA512},
};

/* The groups of RFC 8422 that are in use, and the size of their points; those of P- curves are
 * uncompressed (4). */
static const struct {
	uint16_t group;
	unsigned char size;
	bool uncompressed;
} points[] = {
    {23, 65, true},  /* secp256r1 */
    {24, 97, true},  /* secp384r1 */
    {25, 133, true}, /* secp521r1 */
    {29, 32, false}, /* x25519 */
    {30, 56, false}, /* x448 */
};

uint16_t signable_scheme(gnutls_sign_algorithm_t algorithm)
{
	for (unsigned i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (schemes[i].algorithm == algorithm)
			return schemes[i].scheme;
	}
	return 0;
}

gnutls_sign_algorithm_t signable_algorithm(uint16_t scheme)
{
	for (unsigned i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (schemes[i].scheme == scheme)
			return schemes[i].algorithm;
	}
	return GNUTLS_SIGN_UNKNOWN;
}

static bool is_of_tls13(uint16_t scheme)
{
	for (unsigned i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (schemes[i].scheme == scheme)
			return schemes[i].of_tls13;
	}
	return false;
}

#define CONTEXT "TLS 1.3, server CertificateVerify" /* and the NUL behind it */
#define N_SPACES 64

/* With the digest of the transcript, by SHA-256 or SHA-384: the suites have no other. */
static bool is_certificate_verify(struct span data)
{
	size_t before = N_SPACES + sizeof(CONTEXT);

	if (data.n != before + 32 && data.n != before + 48)
		return false;
	for (unsigned i = 0; i < N_SPACES; i++) {
		if (data.p[i] != ' ')
			return false;
	}
	return memcmp(data.p + N_SPACES, CONTEXT, sizeof(CONTEXT)) == 0;
}

#define RANDOMS 64
#define NAMED_CURVE 3

static bool is_server_key_exchange(struct span data)
{
	const unsigned char *at = (const unsigned char *)data.p + RANDOMS;

	if (data.n < RANDOMS + 5 || at[0] != NAMED_CURVE)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(points); i++) {
		if (points[i].group == (at[1] << 8 | at[2]))
			return at[3] == points[i].size && data.n == RANDOMS + 4u + at[3] &&
			       (!points[i].uncompressed || at[4] == 4);
	}
	return false;
}

const char *signable_refuse(uint16_t scheme, struct span data)
{
	if (signable_algorithm(scheme) == GNUTLS_SIGN_UNKNOWN)
		return "not a signature scheme of TLS";
	if (is_server_key_exchange(data))
		return NULL;
	if (!is_certificate_verify(data))
		return "neither CertificateVerify of TLS 1.3 nor ServerKeyExchange of TLS 1.2";
	return is_of_tls13(scheme) ? NULL : "not a signature scheme of TLS 1.3";
}
