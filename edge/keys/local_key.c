/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A key that this process has itself: read from its file, tried out, and handed to the library that
 * is to sign by it; or one on a token that this process asks. Any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "config/site.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/net/tls.h"
#include "edge/keys/keys_internal.h"

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

/* What `key` is, by its public half, and that it can be used; else it is gone. */
static int complete(struct edge_key **key, gnutls_pubkey_t half)
{
	size_t size = sizeof((*key)->id);
	int ret;

	(*key)->refs = 1;
	(*key)->algorithm = gnutls_pubkey_get_pk_algorithm(half, &(*key)->bits);
	ret = gnutls_pubkey_get_key_id(half, GNUTLS_KEYID_USE_SHA256, (*key)->id, &size);
	if (ret == 0)
		ret = prove(*key, half);
	if (ret != 0)
		edge_key_unref(key);
	return ret;
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

	if (key == NULL)
		key = gnutls_key_create(secret);
	*ret = complete(&key, half);
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

/* The token has the secret, and keeps it. */
static struct edge_key *find_on_token(const char *url, char **error)
{
	gnutls_privkey_t secret;
	struct edge_key *key = NULL;
	gnutls_pubkey_t half;
	int ret;

	CHECK(gnutls_privkey_init(&secret) == 0 && gnutls_pubkey_init(&half) == 0);
	ret = gnutls_privkey_import_url(secret, url, 0);
	if (ret == 0)
		ret = gnutls_pubkey_import_privkey(half, secret, 0, 0);
	if (ret == 0) {
		key = token_key_create(&secret);
		ret = complete(&key, half);
	}
	if (ret < 0)
		*error = xasprintf("is no key that can be used: %s", gnutls_strerror(ret));
	gnutls_pubkey_deinit(half);
	if (secret != NULL)
		gnutls_privkey_deinit(secret);
	return key;
}

struct edge_key *local_key_load(const char *path, char **error)
{
	struct edge_key *key;
	struct file file;

	*error = NULL;
	if (strncmp(path, CFG_PKCS11, strlen(CFG_PKCS11)) == 0)
		return find_on_token(path, error);
	*error = file_read(&file, path, TLS_PEM_MAX);
	if (*error != NULL)
		return NULL;
	key = import(&file, error);
	file_wipe(&file);
	return key;
}
