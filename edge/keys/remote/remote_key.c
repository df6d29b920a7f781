/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A key on another machine. All that the edge knows of it is in its certificate: what kind it is,
 * and the digest of its public half, by which it is asked for. So the edge needs nobody to start,
 * and nothing is to be said again to a perigee-keys that was started anew, or to another one.
 */
#define LOG_MODULE LOG_TLS
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/keys/keys_internal.h"
#include "edge/keys/signer_ask.h"
#include "edge/keys/signer_link.h"

struct remote_key {
	struct edge_key key;
	struct signer_link *link; /* NULL: it is not asked for anything */
	char *certificate;
};

/* The response points into `packet`, of SIGNER_MESSAGE_MAX bytes. False: the relay is gone. */
static bool ask(const struct remote_key *self, struct signer_request *request, void *packet,
		struct signer_response *response)
{
	uint32_t generation = 0; /* any: nobody has to have known it before */

	request->id = self->key.id;
	return self->link != NULL && signer_link_ask(self->link, request, &generation, packet,
						     response) == SIGNER_ANSWERED;
}

static int sign(const struct edge_key *key, gnutls_sign_algorithm_t algorithm,
		const gnutls_datum_t *input, gnutls_datum_t *signature)
{
	const struct remote_key *self = CONTAINER_OF(key, struct remote_key, key);
	struct signer_request request = {.verb = SIGNER_SIGN_BY_ID};
	unsigned char packet[SIGNER_MESSAGE_MAX];
	struct signer_response response;

	if (!signer_ask_what(&request) || !ask(self, &request, packet, &response))
		return GNUTLS_E_PK_SIGN_FAILED;
	return signer_ask_take(self->certificate, &response, signature);
}

static void free_key(struct edge_key *key)
{
	struct remote_key *self = CONTAINER_OF(key, struct remote_key, key);

	free(self->certificate);
	free(self);
}

static const struct edge_key_ops ops = {sign, free_key};

/* Whether it may be there. One that nobody can be asked about may be. */
static bool may_be_there(const struct remote_key *self, char **error)
{
	struct signer_request request = {.verb = SIGNER_FIND};
	unsigned char packet[SIGNER_MESSAGE_MAX];
	struct signer_response response;

	if (self->link == NULL)
		return true;
	if (!ask(self, &request, packet, &response)) {
		LOG_LIMITED(LOG_LEVEL_WARN, "the key of %s could not be asked for: no answer",
			    self->certificate);
		return true;
	}
	if (response.status == SIGNER_UNKNOWN) {
		*error = xasprintf("has a key that the server of keys does not have%s%.*s",
				   response.content.n > 0 ? ": " : "", (int)response.content.n,
				   response.content.p);
		return false;
	}
	if (response.status != SIGNER_OK)
		LOG_LIMITED(LOG_LEVEL_WARN, "the key of %s could not be asked for: %.*s",
			    self->certificate, (int)response.content.n, response.content.p);
	return true;
}

/* False: it is of a kind that GnuTLS does not know. */
static bool read_kind(struct edge_key *key, gnutls_x509_crt_t crt)
{
	size_t size = sizeof(key->id);
	int algorithm = gnutls_x509_crt_get_pk_algorithm(crt, &key->bits);

	key->algorithm = (gnutls_pk_algorithm_t)algorithm;
	return algorithm > 0 &&
	       gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, key->id, &size) == 0;
}

struct edge_key *remote_key_find(struct signer_link *link, gnutls_x509_crt_t crt,
				 const char *certificate, char **error)
{
	struct remote_key *self = xcalloc(1, sizeof(*self));
	struct edge_key *key = &self->key;

	*error = NULL;
	self->key.refs = 1;
	self->key.ops = &ops;
	self->link = link;
	self->certificate = xstrdup(certificate);
	if (!read_kind(key, crt))
		*error = xstrdup("has a key of an unknown kind");
	else if (may_be_there(self, error))
		return key;
	edge_key_unref(&key);
	return NULL;
}
