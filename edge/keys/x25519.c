/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See x25519.h. Any thread, in the middle of a handshake. When libcrypto fails, be it for want of
 * memory, nettle's function does it. So that has the last word where the result is all zeros, which
 * libcrypto calls a failure: GnuTLS looks at the result, and ends the handshake (RFC 8446 section
 * 7.4.2).
 */
#include <config.h>

#include "edge/keys/x25519.h"

#ifdef X25519_BY_LIBCRYPTO

#define LOG_MODULE LOG_TLS
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <nettle/curve25519.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "core/base/check.h"
#include "core/base/log.h"

#define SIZE CURVE25519_SIZE

typedef void (*mul_fn)(uint8_t *q, const uint8_t *n, const uint8_t *p);

static atomic_bool proven;

/* A key of libcrypto's. Nobody looks whether its halves belong together. */
static EVP_PKEY *key_of(const uint8_t *secret, const uint8_t *public)
{
	OSSL_PARAM halves[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)secret, SIZE),
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)public, SIZE),
	    OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
	EVP_PKEY *key = NULL;

	if (operation != NULL && EVP_PKEY_fromdata_init(operation) > 0)
		EVP_PKEY_fromdata(operation, &key, EVP_PKEY_KEYPAIR, halves);
	EVP_PKEY_CTX_free(operation);
	return key;
}

/* The secret of one key and the public half of another are all that it takes: here one key has
 * both. With a key of its own for each, libcrypto would compute the secret's public half first,
 * which takes longer than this. */
static bool multiply(uint8_t *q, const uint8_t *n, const uint8_t *p)
{
	EVP_PKEY *key = key_of(n, p);
	EVP_PKEY_CTX *operation = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	size_t size = SIZE;
	bool ok = operation != NULL && EVP_PKEY_derive_init(operation) > 0 &&
		  EVP_PKEY_derive_set_peer_ex(operation, key, 0) > 0 &&
		  EVP_PKEY_derive(operation, q, &size) > 0;

	EVP_PKEY_CTX_free(operation);
	EVP_PKEY_free(key); /* overwrites it */
	if (!ok)
		ERR_clear_error();
	return ok;
}

void nettle_curve25519_mul(uint8_t *q, const uint8_t *n, const uint8_t *p)
{
	mul_fn nettles;

	if (atomic_load_explicit(&proven, memory_order_relaxed) && multiply(q, n, p))
		return;
	nettles = (mul_fn)dlsym(RTLD_NEXT, "nettle_curve25519_mul");
	CHECK(nettles != NULL);
	nettles(q, n, p);
}

/* The proof */

/* RFC 7748, sections 5.2, with the first of its iterations, and 6.1. */
#define BASE "0900000000000000000000000000000000000000000000000000000000000000"
#define ALICE "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
#define ALICES_PUBLIC "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
#define BOB "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
#define BOBS_PUBLIC "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
#define SHARED "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"

static const struct vector {
	const char *n, *p, *q;
} vectors[] = {
    {"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
     "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
    {"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
     "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
     "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
    {BASE, BASE, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"},
    {ALICE, BASE, ALICES_PUBLIC},
    {BOB, BASE, BOBS_PUBLIC},
    {ALICE, BOBS_PUBLIC, SHARED},
    {BOB, ALICES_PUBLIC, SHARED},
};

static void decode(const char *hex, uint8_t bytes[SIZE])
{
	for (size_t i = 0; i < SIZE; i++)
		CHECK(sscanf(hex + 2 * i, "%2hhx", &bytes[i]) == 1);
}

static bool holds(const struct vector *v)
{
	uint8_t n[SIZE], p[SIZE], q[SIZE], found[SIZE];

	decode(v->n, n);
	decode(v->p, p);
	decode(v->q, q);
	return multiply(found, n, p) && memcmp(found, q, SIZE) == 0;
}

bool edge_x25519_start(void)
{
	CHECK(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1);
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		if (!holds(&vectors[i])) {
			log_warn("libcrypto does not compute X25519 as RFC 7748 has it: it is left "
				 "to nettle, which is slower");
			return false;
		}
	}
	atomic_store(&proven, true);
	return true;
}

#else

bool edge_x25519_start(void)
{
	return false;
}

#endif
