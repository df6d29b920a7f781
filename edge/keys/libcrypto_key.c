/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A key in this process that signs by libcrypto: RSA-2048 costs it less than half of what it costs
 * GnuTLS, ECDSA on P-256 about half. Nothing else of libcrypto is used; its configuration is not
 * read.
 */
#include <config.h>

#include "edge/keys/keys_internal.h"

#ifdef HAVE_LIBCRYPTO

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "core/base/check.h"

struct libcrypto_key {
	struct edge_key key;
	EVP_PKEY *secret;
};

static const EVP_MD *digest_of(gnutls_sign_algorithm_t algorithm)
{
	switch (algorithm) {
	case GNUTLS_SIGN_RSA_PSS_RSAE_SHA256:
		return EVP_sha256();
	case GNUTLS_SIGN_RSA_PSS_RSAE_SHA384:
		return EVP_sha384();
	case GNUTLS_SIGN_RSA_PSS_RSAE_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* For RSA; RFC 8446 section 4.2.3: the salt of PSS is as long as the digest. */
static bool set_padding(EVP_PKEY_CTX *operation, gnutls_sign_algorithm_t algorithm)
{
	const EVP_MD *digest = digest_of(algorithm);

	if (algorithm == GNUTLS_SIGN_RSA_RAW)
		return EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PADDING) > 0;
	return digest != NULL &&
	       EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PSS_PADDING) > 0 &&
	       EVP_PKEY_CTX_set_signature_md(operation, digest) > 0 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, RSA_PSS_SALTLEN_DIGEST) > 0;
}

static bool sign_by(EVP_PKEY_CTX *operation, const struct libcrypto_key *self,
		    gnutls_sign_algorithm_t algorithm, const gnutls_datum_t *input,
		    gnutls_datum_t *signature)
{
	size_t size = (size_t)EVP_PKEY_get_size(self->secret);

	if (EVP_PKEY_sign_init(operation) <= 0)
		return false;
	if (self->key.algorithm == GNUTLS_PK_RSA && !set_padding(operation, algorithm))
		return false;
	signature->data = gnutls_malloc(size);
	if (signature->data == NULL)
		return false;
	if (EVP_PKEY_sign(operation, signature->data, &size, input->data, input->size) <= 0) {
		gnutls_free(signature->data);
		return false;
	}
	signature->size = (unsigned)size;
	return true;
}

static int sign(const struct edge_key *key, gnutls_sign_algorithm_t algorithm,
		const gnutls_datum_t *input, gnutls_datum_t *signature)
{
	const struct libcrypto_key *self = CONTAINER_OF(key, struct libcrypto_key, key);
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(self->secret, NULL);
	bool ok = operation != NULL && sign_by(operation, self, algorithm, input, signature);

	EVP_PKEY_CTX_free(operation);
	if (!ok)
		ERR_clear_error();
	return ok ? 0 : GNUTLS_E_PK_SIGN_FAILED;
}

static void free_key(struct edge_key *key)
{
	struct libcrypto_key *self = CONTAINER_OF(key, struct libcrypto_key, key);

	EVP_PKEY_free(self->secret); /* overwrites it */
	free(self);
}

static const struct edge_key_ops ops = {sign, free_key};

static EVP_PKEY *convert(gnutls_x509_privkey_t secret)
{
	const unsigned char *at;
	gnutls_datum_t der;
	EVP_PKEY *key;

	if (gnutls_x509_privkey_export2_pkcs8(secret, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN,
					      &der) != 0)
		return NULL;
	at = der.data;
	key = d2i_AutoPrivateKey(NULL, &at, der.size);
	gnutls_memset(der.data, 0, der.size);
	gnutls_free(der.data);
	ERR_clear_error();
	return key;
}

struct edge_key *libcrypto_key_create(gnutls_x509_privkey_t *secret)
{
	int algorithm = gnutls_x509_privkey_get_pk_algorithm(*secret);
	struct libcrypto_key *self;
	EVP_PKEY *key = NULL;

	/* It is used until the very end of the process, by threads that may be left behind. */
	CHECK(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1);
	if (algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_ECDSA)
		key = convert(*secret);
	if (key == NULL)
		return NULL;
	gnutls_x509_privkey_deinit(TAKE(secret));
	self = xcalloc(1, sizeof(*self));
	self->key.ops = &ops;
	self->secret = key;
	return &self->key;
}

#else

struct edge_key *libcrypto_key_create(gnutls_x509_privkey_t *secret)
{
	return NULL;
}

#endif
