/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The signer's whole life, see signer.h. The table of keys is shared by all channels' threads:
 * signing reads it, loading and dropping change it.
 */
#include "edge/keys/signer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/base/check.h"
#include "edge/keys/keys_internal.h"
#include "edge/keys/signer_channels.h"
#include "edge/keys/signer_files.h"
#include "edge/keys/signing/sign.h"

/* More than an edge has: old and new ones at a reload, several kinds for each site. */
#define KEYS_MAX (1 << 17)

struct slot {
	struct edge_key *key;
	gnutls_privkey_t handle;
};

static struct {
	pthread_rwlock_t lock;
	struct slot *slots; /* key N is slot N - 1 */
	uint32_t n_slots;
	uint32_t *unused; /* room for n_slots */
	uint32_t n_unused;
	struct signer_rate rate;
	/* Who loads or drops comes before who signs: those may leave no gap for minutes. */
} signer = {.lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP};

/* Keys */

/* 0: there are too many. */
static uint32_t put_locked(struct slot slot)
{
	if (signer.n_unused > 0) {
		uint32_t key = signer.unused[--signer.n_unused];

		signer.slots[key - 1] = slot;
		return key;
	}
	if (signer.n_slots == KEYS_MAX)
		return 0;
	signer.slots = xreallocarray(signer.slots, signer.n_slots + 1, sizeof(*signer.slots));
	signer.unused = xreallocarray(signer.unused, signer.n_slots + 1, sizeof(*signer.unused));
	signer.slots[signer.n_slots++] = slot;
	return signer.n_slots;
}

static struct slot *find_locked(uint32_t key)
{
	if (key > signer.n_slots || signer.slots[key - 1].key == NULL)
		return NULL;
	return &signer.slots[key - 1];
}

static void clear(struct slot *slot)
{
	gnutls_privkey_deinit(slot->handle);
	edge_key_unref(&slot->key);
}

static struct signer_response load(const struct signer_request *request, char **text)
{
	char path[SIGNER_PATH_MAX + 1] = {0};
	struct slot slot;
	uint32_t key;

	memcpy(path, request->content.p, request->content.n);
	if (!signer_files_allow(path))
		return signer_refuse(SIGNER_REFUSED, "is no key that the configuration names");
	slot.key = local_key_load(path, text);
	if (slot.key == NULL)
		return signer_refuse(SIGNER_FAILED, *text);
	if (slot.key->bits > SIGNER_SIGNATURE_MAX * 8) {
		edge_key_unref(&slot.key);
		return signer_refuse(SIGNER_FAILED, "is a key too large for the signer");
	}
	slot.handle = edge_key_handle(slot.key);
	pthread_rwlock_wrlock(&signer.lock);
	key = put_locked(slot);
	pthread_rwlock_unlock(&signer.lock);
	if (key == 0) {
		clear(&slot);
		return signer_refuse(SIGNER_FAILED, "is a key too many for the signer");
	}
	return (struct signer_response){
	    .key = key,
	    .algorithm = (uint16_t)slot.key->algorithm,
	    .bits = (uint16_t)slot.key->bits,
	    .id = slot.key->id,
	};
}

static struct signer_response drop(const struct signer_request *request)
{
	struct slot gone = {0}, *slot;

	pthread_rwlock_wrlock(&signer.lock);
	slot = find_locked(request->key);
	if (slot != NULL) {
		gone = *slot;
		*slot = (struct slot){0};
		signer.unused[signer.n_unused++] = request->key;
	}
	pthread_rwlock_unlock(&signer.lock);
	if (slot == NULL)
		return signer_refuse(SIGNER_UNKNOWN, "");
	clear(&gone);
	return (struct signer_response){.key = request->key};
}

static struct signer_response sign(const struct signer_request *request, gnutls_datum_t *signature)
{
	struct signer_response response = signer_refuse(SIGNER_UNKNOWN, "");
	const struct slot *slot;

	pthread_rwlock_rdlock(&signer.lock);
	slot = find_locked(request->key);
	if (slot != NULL)
		response = signer_sign(request, slot->key, slot->handle, &signer.rate, signature);
	pthread_rwlock_unlock(&signer.lock);
	return response;
}

/* All of it */

static size_t answer(const void *packet, size_t n, void *out)
{
	gnutls_datum_t signature = {0};
	struct signer_request request;
	struct signer_response response;
	char *text = NULL;
	size_t size;

	if (!signer_request_parse(&request, packet, n))
		return 0;
	if (request.verb == SIGNER_LOAD)
		response = load(&request, &text);
	else if (request.verb == SIGNER_DROP)
		response = drop(&request);
	else if (request.verb == SIGNER_SIGN)
		response = sign(&request, &signature);
	else
		return 0;
	size = signer_response_write(&response, request.verb, out);
	gnutls_free(signature.data);
	free(text);
	return size;
}

int edge_signer_main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	prctl(PR_SET_NAME, EDGE_SIGNER_NAME);
	signer_rate_init(&signer.rate, (uint32_t)strtoul(argv[2], NULL, 10),
			 (uint32_t)strtoul(argv[3], NULL, 10));
	signer_files_init(argv[4]);
	signer_protect();
	signer_channels_serve((int)strtol(argv[1], NULL, 10), answer);
	/* Threads may be in the middle of a signature. */
	_exit(0);
}
