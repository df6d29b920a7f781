/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A key that signs by GnuTLS: in this process, or on a token that GnuTLS asks by PKCS #11.
 */
#include <stdlib.h>

#include "core/base/check.h"
#include "edge/keys/keys_internal.h"

struct gnutls_key {
	struct edge_key key;
	gnutls_privkey_t secret;
};

static int sign(const struct edge_key *key, gnutls_sign_algorithm_t algorithm,
		const gnutls_datum_t *input, gnutls_datum_t *signature)
{
	gnutls_privkey_t secret = CONTAINER_OF(key, struct gnutls_key, key)->secret;

	if (algorithm == GNUTLS_SIGN_RSA_RAW)
		return gnutls_privkey_sign_hash2(secret, GNUTLS_SIGN_UNKNOWN,
						 GNUTLS_PRIVKEY_SIGN_FLAG_TLS1_RSA, input,
						 signature);
	if (algorithm == GNUTLS_SIGN_EDDSA_ED25519 || algorithm == GNUTLS_SIGN_EDDSA_ED448)
		return gnutls_privkey_sign_data2(secret, algorithm, 0, input, signature);
	return gnutls_privkey_sign_hash2(secret, algorithm, 0, input, signature);
}

static void free_key(struct edge_key *key)
{
	struct gnutls_key *self = CONTAINER_OF(key, struct gnutls_key, key);

	gnutls_privkey_deinit(self->secret);
	free(self);
}

static const struct edge_key_ops ops = {sign, free_key};

struct edge_key *token_key_create(gnutls_privkey_t *secret)
{
	struct gnutls_key *self = xcalloc(1, sizeof(*self));

	self->key.ops = &ops;
	self->secret = TAKE(secret);
	return &self->key;
}

struct edge_key *gnutls_key_create(gnutls_x509_privkey_t *secret)
{
	gnutls_privkey_t taken;

	CHECK(gnutls_privkey_init(&taken) == 0);
	CHECK(gnutls_privkey_import_x509(taken, TAKE(secret), GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE) ==
	      0);
	return token_key_create(&taken);
}
