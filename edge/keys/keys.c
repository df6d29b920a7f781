/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys in the process itself, by GnuTLS. Each handle is a copy of the key of its own.
 */
#include "edge/keys/keys.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/file.h"
#include "core/net/tls.h"

#define KEY_ID_SIZE 32 /* SHA-256 of the public key */

struct edge_keys {
	char unused;
};

struct edge_key {
	atomic_uint refs;
	gnutls_x509_privkey_t secret;
	unsigned char id[KEY_ID_SIZE];
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

	if (key == NULL || atomic_fetch_sub(&key->refs, 1) > 1)
		return;
	gnutls_x509_privkey_deinit(key->secret);
	free(key);
}

gnutls_privkey_t edge_key_handle(struct edge_key *key)
{
	gnutls_privkey_t handle;

	CHECK(gnutls_privkey_init(&handle) == 0);
	CHECK(gnutls_privkey_import_x509(handle, key->secret, GNUTLS_PRIVKEY_IMPORT_COPY) == 0);
	return handle;
}

/* A key whose halves do not belong together would fail every handshake. */
static int prove(struct edge_key *key)
{
	gnutls_datum_t text = {(unsigned char *)"perigee", 7}, signature = {0};
	gnutls_privkey_t handle = edge_key_handle(key);
	gnutls_digest_algorithm_t digest;
	gnutls_sign_algorithm_t algorithm;
	gnutls_pubkey_t half;
	int ret;

	CHECK(gnutls_pubkey_init(&half) == 0);
	ret = gnutls_pubkey_import_privkey(half, handle, 0, 0);
	if (ret == 0)
		ret = gnutls_pubkey_get_preferred_hash_algorithm(half, &digest, NULL);
	algorithm = ret == 0 ? gnutls_pk_to_sign(gnutls_pubkey_get_pk_algorithm(half, NULL), digest)
			     : GNUTLS_SIGN_UNKNOWN;
	if (ret == 0)
		ret = gnutls_privkey_sign_data2(handle, algorithm, 0, &text, &signature);
	if (ret == 0)
		ret = gnutls_pubkey_verify_data2(half, algorithm, 0, &text, &signature);
	gnutls_free(signature.data);
	gnutls_pubkey_deinit(half);
	gnutls_privkey_deinit(handle);
	return ret < 0 ? ret : 0;
}

static struct edge_key *import(const struct file *file, char **error)
{
	const gnutls_datum_t pem = {(unsigned char *)file->data, (unsigned)file->len};
	struct edge_key *key = xcalloc(1, sizeof(*key));
	size_t size = sizeof(key->id);
	int ret;

	key->refs = 1;
	CHECK(gnutls_x509_privkey_init(&key->secret) == 0);
	ret = gnutls_x509_privkey_import2(key->secret, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (ret == 0)
		ret = gnutls_x509_privkey_get_key_id(key->secret, GNUTLS_KEYID_USE_SHA256, key->id,
						     &size);
	if (ret < 0) {
		*error = xasprintf("is not a private key in PEM: %s", gnutls_strerror(ret));
		edge_key_unref(&key);
		return NULL;
	}
	ret = prove(key);
	if (ret < 0) {
		*error =
		    xasprintf("is a private key that cannot be used: %s", gnutls_strerror(ret));
		edge_key_unref(&key);
	}
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
