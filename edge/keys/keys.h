/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The private keys of certificates: where they are, and who signs by them. A certificate holds a
 * struct edge_key, which may or may not have the secret itself; handshakes sign by the handles that
 * it gives out. That may block for as long as a signature takes. Any thread may call everything
 * here.
 */
#pragma once

#include <stdbool.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <jansson.h>

#include "config/tls.h"

/* The place where the keys are; lives as long as the process. */
struct edge_keys;
/* One private key. */
struct edge_key;

/* In this process, unless told otherwise before anything is loaded. */
struct edge_keys *edge_keys_create(void);
/* Keys are in the signer whose keeper that is (edge_signer_keep(); taken over), which makes so many
 * signatures at most, and loads what the file `config` names ("": whatever it is asked for). False,
 * and why in *error (malloc'd; goes on from "the signer"). Blocking. */
bool edge_keys_use_signer(struct edge_keys *keys, int keeper, struct cfg_rate rate,
			  const char *config, char **error);
/* Keys are on another machine, which the relay of that keeper asks. */
bool edge_keys_use_remote(struct edge_keys *keys, int keeper, const struct cfg_keys *remote,
			  char **error);
/* The same for a configuration that is only checked: no key is asked for. */
void edge_keys_leave_remote(struct edge_keys *keys);
/* Every key is gone before. */
void edge_keys_destroy(struct edge_keys **keys);

/* The key in the file of that name, in PEM, or with a PKCS #11 URL that on a token, which must be a
 * whole one: it has made a signature that its public half verifies. A new reference; or NULL, with
 * what is wrong in *error, malloc'd: in words that go on from the file's name. Blocking. */
struct edge_key *edge_keys_load(struct edge_keys *keys, const char *path, char **error);
/* Whether keys are asked for by their certificates, rather than loaded by their names. */
bool edge_keys_are_remote(const struct edge_keys *keys);
/* The key of that certificate, whose file is called so, then. NULL when there is none, with what is
 * wrong in *error as above; one that nobody could be asked about just now is taken to be there,
 * which the log says. Blocking, for seconds. */
struct edge_key *edge_keys_find(struct edge_keys *keys, gnutls_x509_crt_t crt,
				const char *certificate, char **error);
void edge_key_unref(struct edge_key **key);

/* Whether the certificate is for this key. */
bool edge_key_matches(const struct edge_key *key, gnutls_x509_crt_t crt);
/* For gnutls_certificate_set_key(): the caller's, and valid beyond the reference. Credentials that
 * take it must not try it out (GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH): not every place signs what
 * is no handshake. */
gnutls_privkey_t edge_key_handle(struct edge_key *key);

/* Whether a signature is waited for, rather than computed. */
bool edge_keys_are_elsewhere(const struct edge_keys *keys);

/* A descriptor that is readable when edge_keys_attend() is to be called, which does not block: it
 * says in the log that the signer died and another one was started. False: there will be no signer
 * any more. -1: there is none to attend to. */
int edge_keys_keeper(const struct edge_keys *keys);
bool edge_keys_attend(struct edge_keys *keys);
/* {"place": ..., what was asked of the signer}; a new reference. */
json_t *edge_keys_status(const struct edge_keys *keys);
