/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A key that the signer has. The edge knows what kind it is, a number by which to ask for
 * signatures, and its file's name: a signer that was started anew is told to load it again, when
 * the first signature by it is wanted.
 */
#define LOG_MODULE LOG_TLS
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/keys/keys_internal.h"
#include "edge/keys/signer_ask.h"
#include "edge/keys/signer_link.h"

/* Signers may die one after the other; a handshake waits for that many. */
#define TRIES 3

struct signer_key {
	struct edge_key key;
	struct signer_link *link;
	char *path;
	pthread_mutex_t lock;
	/* Under the lock: its number, and whose. */
	uint32_t number;
	uint32_t generation;
};

/* What the signer knows; the kind goes to *loaded. A text, malloc'd, when it cannot be loaded. */
static char *ask_to_load(struct signer_key *self, struct signer_key *loaded)
{
	const struct signer_request request = {.verb = SIGNER_LOAD, .content = span_of(self->path)};
	unsigned char packet[SIGNER_MESSAGE_MAX];
	struct signer_response response;

	loaded->generation = 0;
	if (signer_link_ask(self->link, &request, &loaded->generation, packet, &response) !=
	    SIGNER_ANSWERED)
		return xstrdup("cannot be loaded: the signer does not answer");
	if (response.status != SIGNER_OK)
		return xasprintf("%.*s", (int)response.content.n, response.content.p);
	loaded->number = response.key;
	loaded->key.algorithm = response.algorithm;
	loaded->key.bits = response.bits;
	memcpy(loaded->key.id, response.id, sizeof(loaded->key.id));
	return NULL;
}

static void drop(struct signer_link *link, uint32_t number, uint32_t generation)
{
	const struct signer_request request = {.verb = SIGNER_DROP, .key = number};
	unsigned char packet[SIGNER_MESSAGE_MAX];
	struct signer_response response;

	signer_link_ask(link, &request, &generation, packet, &response);
}

/* Of a signer that replaced the one that knew it. */
static bool load_again_locked(struct signer_key *self)
{
	struct signer_key loaded;
	char *error = ask_to_load(self, &loaded);

	if (error == NULL && memcmp(loaded.key.id, self->key.id, sizeof(self->key.id)) != 0) {
		drop(self->link, loaded.number, loaded.generation);
		error = xstrdup("is another key by now, which a reload would find");
	}
	if (error != NULL) {
		LOG_LIMITED(LOG_LEVEL_ERROR, "key %s %s", self->path, error);
		free(error);
		return false;
	}
	self->number = loaded.number;
	self->generation = loaded.generation;
	return true;
}

/* Its number for that signer; 0: the signer does not have it. */
static uint32_t number_for(struct signer_key *self, uint32_t unknown_to, uint32_t *generation)
{
	uint32_t number = 0;

	pthread_mutex_lock(&self->lock);
	if (self->generation != unknown_to || load_again_locked(self)) {
		number = self->number;
		*generation = self->generation;
	}
	pthread_mutex_unlock(&self->lock);
	return number;
}

static int ask_to_sign(struct signer_key *self, struct signer_request *request,
		       gnutls_datum_t *signature)
{
	unsigned char packet[SIGNER_MESSAGE_MAX];
	struct signer_response response;
	uint32_t unknown_to = 0;

	for (unsigned tries = 0; tries < TRIES; tries++) {
		uint32_t generation = 0;
		enum signer_call call;

		request->key = number_for(self, unknown_to, &generation);
		if (request->key == 0)
			break;
		call = signer_link_ask(self->link, request, &generation, packet, &response);
		if (call == SIGNER_ANSWERED)
			return signer_ask_take(self->path, &response, signature);
		if (call == SIGNER_NO_ANSWER)
			break;
		unknown_to = generation;
	}
	return GNUTLS_E_PK_SIGN_FAILED;
}

static int sign(const struct edge_key *key, gnutls_sign_algorithm_t algorithm,
		const gnutls_datum_t *input, gnutls_datum_t *signature)
{
	struct signer_key *self = CONTAINER_OF((struct edge_key *)key, struct signer_key, key);
	struct signer_request request = {.verb = SIGNER_SIGN};

	if (!signer_ask_what(&request))
		return GNUTLS_E_PK_SIGN_FAILED;
	return ask_to_sign(self, &request, signature);
}

static void free_key(struct edge_key *key)
{
	struct signer_key *self = CONTAINER_OF(key, struct signer_key, key);

	if (self->number != 0)
		drop(self->link, self->number, self->generation);
	pthread_mutex_destroy(&self->lock);
	free(self->path);
	free(self);
}

static const struct edge_key_ops ops = {sign, free_key};

struct edge_key *signer_key_load(struct signer_link *link, const char *path, char **error)
{
	struct signer_key *self = xcalloc(1, sizeof(*self)), loaded = {0};

	self->key.refs = 1;
	self->key.ops = &ops;
	self->link = link;
	self->path = xstrdup(path);
	CHECK(pthread_mutex_init(&self->lock, NULL) == 0);
	*error = ask_to_load(self, &loaded);
	if (*error != NULL) {
		struct edge_key *key = &self->key;

		edge_key_unref(&key);
		return NULL;
	}
	self->key.algorithm = loaded.key.algorithm;
	self->key.bits = loaded.key.bits;
	memcpy(self->key.id, loaded.key.id, sizeof(self->key.id));
	self->number = loaded.number;
	self->generation = loaded.generation;
	return &self->key;
}
