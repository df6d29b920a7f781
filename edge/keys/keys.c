/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loading keys, and lending them to GnuTLS: a handle is a key of GnuTLS's that has nothing but a
 * reference to ours, which signs.
 */
#include "edge/keys/keys.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/net/tls.h"
#include "edge/keys/keys_internal.h"

struct edge_keys {
	char unused;
};

struct edge_keys *edge_keys_create(void)
{
	return xcalloc(1, sizeof(struct edge_keys));
}

void edge_keys_destroy(struct edge_keys **keysp)
{
	free(TAKE(keysp));
}

void edge_key_unref(struct edge_key **keyp)
{
	struct edge_key *key = TAKE(keyp);

	if (key != NULL && atomic_fetch_sub(&key->refs, 1) == 1)
		key->ops->free(key);
}

/* Handles */

static int sign(gnutls_privkey_t handle, gnutls_sign_algorithm_t algorithm, void *arg,
		unsigned flags, const gnutls_datum_t *input, gnutls_datum_t *signature)
{
	const struct edge_key *key = arg;

	return key->ops->sign(key, algorithm, input, signature);
}

static int tell(gnutls_privkey_t handle, unsigned flags, void *arg)
{
	const struct edge_key *key = arg;

	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return key->algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)key->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return gnutls_sign_supports_pk_algorithm(GNUTLS_FLAGS_TO_SIGN_ALGO(flags),
							 key->algorithm) != 0;
	return -1;
}

static void let_go(gnutls_privkey_t handle, void *arg)
{
	struct edge_key *key = arg;

	edge_key_unref(&key);
}

gnutls_privkey_t edge_key_handle(struct edge_key *key)
{
	gnutls_privkey_t handle;

	atomic_fetch_add(&key->refs, 1);
	CHECK(gnutls_privkey_init(&handle) == 0);
	CHECK(gnutls_privkey_import_ext4(handle, key, sign, sign, NULL, let_go, tell, 0) == 0);
	return handle;
}

/* Loading */

/* A key whose halves do not belong together would fail every handshake. */
static int prove(struct edge_key *key, gnutls_pubkey_t half)
{
	const gnutls_datum_t text = {(unsigned char *)"perigee", 7};
	gnutls_privkey_t handle = edge_key_handle(key);
	gnutls_datum_t signature = {0};
	gnutls_digest_algorithm_t digest;
	gnutls_sign_algorithm_t algorithm;
	int ret = gnutls_pubkey_get_preferred_hash_algorithm(half, &digest, NULL);

	if (ret == 0) {
		algorithm = gnutls_pk_to_sign(key->algorithm, digest);
		ret = gnutls_privkey_sign_data2(handle, algorithm, 0, &text, &signature);
	}
	if (ret == 0)
		ret = gnutls_pubkey_verify_data2(half, algorithm, 0, &text, &signature);
	gnutls_free(signature.data);
	gnutls_privkey_deinit(handle);
	return ret < 0 ? ret : 0;
}

static int public_half(gnutls_x509_privkey_t secret, gnutls_pubkey_t half)
{
	gnutls_privkey_t key;
	int ret;

	CHECK(gnutls_privkey_init(&key) == 0);
	ret = gnutls_privkey_import_x509(key, secret, 0);
	if (ret == 0)
		ret = gnutls_pubkey_import_privkey(half, key, 0, 0);
	gnutls_privkey_deinit(key);
	return ret;
}

/* Consumes *secret, whose public half it is. NULL with the error of GnuTLS in *ret. */
static struct edge_key *create(gnutls_x509_privkey_t *secret, gnutls_pubkey_t half, int *ret)
{
	struct edge_key *key = libcrypto_key_create(secret);
	size_t size = sizeof(key->id);

	if (key == NULL)
		key = gnutls_key_create(secret);
	key->refs = 1;
	key->algorithm = gnutls_pubkey_get_pk_algorithm(half, &key->bits);
	*ret = gnutls_pubkey_get_key_id(half, GNUTLS_KEYID_USE_SHA256, key->id, &size);
	if (*ret == 0)
		*ret = prove(key, half);
	if (*ret != 0)
		edge_key_unref(&key);
	return key;
}

static struct edge_key *import(const struct file *file, char **error)
{
	const gnutls_datum_t pem = {(unsigned char *)file->data, (unsigned)file->len};
	gnutls_x509_privkey_t secret;
	struct edge_key *key = NULL;
	gnutls_pubkey_t half;
	int ret;

	CHECK(gnutls_x509_privkey_init(&secret) == 0 && gnutls_pubkey_init(&half) == 0);
	ret = gnutls_x509_privkey_import2(secret, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (ret == 0)
		ret = public_half(secret, half);
	if (ret < 0) {
		*error = xasprintf("is not a private key in PEM: %s", gnutls_strerror(ret));
	} else {
		key = create(&secret, half, &ret);
		if (key == NULL)
			*error = xasprintf("is a private key that cannot be used: %s",
					   gnutls_strerror(ret));
	}
	gnutls_pubkey_deinit(half);
	gnutls_x509_privkey_deinit(secret);
	return key;
}

struct edge_key *edge_keys_load(struct edge_keys *keys, const char *path, char **error)
{
	struct edge_key *key;
	struct file file;

	*error = file_read(&file, path, TLS_PEM_MAX);
	if (*error != NULL)
		return NULL;
	key = import(&file, error);
	file_wipe(&file);
	return key;
}

bool edge_key_matches(const struct edge_key *key, gnutls_x509_crt_t crt)
{
	unsigned char id[KEY_ID_SIZE];
	size_t size = sizeof(id);

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, id, &size) == 0 &&
	       memcmp(id, key->id, sizeof(id)) == 0;
}
