/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the files of edge/keys/keys.h share: a key as its place has made it. Immutable once loaded.
 */
#pragma once

#include <stdatomic.h>

#include "edge/keys/keys.h"

#define KEY_ID_SIZE 32 /* SHA-256 of the public key (gnutls_x509_crt_get_key_id()) */

struct edge_key_ops {
	/* `input` as GnuTLS gives it to those who sign for it: what is to be signed for EdDSA; its
	 * DigestInfo for GNUTLS_SIGN_RSA_RAW; else its digest. *signature by gnutls_malloc(). 0, or
	 * an error of GnuTLS. Any thread. */
	int (*sign)(const struct edge_key *key, gnutls_sign_algorithm_t algorithm,
		    const gnutls_datum_t *input, gnutls_datum_t *signature);
	void (*free)(struct edge_key *key);
};

struct edge_key {
	atomic_uint refs;
	const struct edge_key_ops *ops;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
	unsigned char id[KEY_ID_SIZE];
};

/* A key in this process, as edge_keys_load() has it. */
struct edge_key *local_key_load(const char *path, char **error);

/* What it is made of. Each takes over what it is made of when it can be used, and is NULL when
 * not. */

/* By GnuTLS; any kind. */
struct edge_key *gnutls_key_create(gnutls_x509_privkey_t *secret);
/* By GnuTLS, which asks the token. */
struct edge_key *token_key_create(gnutls_privkey_t *secret);
/* By libcrypto: RSA and ECDSA, for which it is faster. NULL too when it was not built in. */
struct edge_key *libcrypto_key_create(gnutls_x509_privkey_t *secret);

struct signer_link;
/* A key that the signer has; `link` outlives it. As edge_keys_load() has it. */
struct edge_key *signer_key_load(struct signer_link *link, const char *path, char **error);
/* One on another machine, asked for by way of `link`, which outlives it; NULL: it is not asked for
 * anything. As edge_keys_find() has it. */
struct edge_key *remote_key_find(struct signer_link *link, gnutls_x509_crt_t crt,
				 const char *certificate, char **error);
