/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See early.h. Tickets are kept as keyed hashes of 64 bits, in buckets of a cache line. Who
 * wants to have a ticket that was used taken for another that was not would have to choose tickets,
 * and they are encrypted by us.
 */
#include "core/tls/early.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>

#include "core/base/check.h"
#include "core/base/siphash.h"

/* RFC 7301 section 3.1. */
#define ALPN_MAX 255
#define BUCKET 8
#define BUCKETS (TLS_EARLY_TICKETS / BUCKET)

struct tls_early {
	/* Immutable. */
	struct siphash_seed seed;
	gnutls_anti_replay_t anti_replay;
	/* 0: free. */
	_Atomic uint64_t tickets[TLS_EARLY_TICKETS];
};

/* GnuTLS asks it after its own checks: that the ticket is not older than the process and not from
 * the future. Whether it was used before was asked when it was taken. */
static int allow(void *ptr, time_t expires, const gnutls_datum_t *key, const gnutls_datum_t *data)
{
	return 0;
}

struct tls_early *tls_early_create(void)
{
	struct tls_early *early = xcalloc(1, sizeof(*early));

	CHECK(gnutls_rnd(GNUTLS_RND_NONCE, &early->seed, sizeof(early->seed)) == 0);
	CHECK(gnutls_anti_replay_init(&early->anti_replay) == 0);
	gnutls_anti_replay_set_add_function(early->anti_replay, allow);
	/* When a window is over the library begins another one, and then takes no ticket that is
	 * older than that; without a lock. So there is but one: 49 days would have to pass between
	 * a client's reckoning and ours for it to matter. */
	gnutls_anti_replay_set_window(early->anti_replay, UINT_MAX);
	return early;
}

void tls_early_destroy(struct tls_early **earlyp)
{
	struct tls_early *early = TAKE(earlyp);

	if (!early)
		return;
	gnutls_anti_replay_deinit(early->anti_replay);
	free(early);
}

uint64_t tls_early_key(const struct tls_early *early, const void *ticket, size_t n,
		       const gnutls_datum_t *alpn)
{
	uint64_t key = siphash(&early->seed, ticket, n);
	uint8_t both[sizeof(key) + ALPN_MAX];

	if (alpn) {
		CHECK(alpn->size <= ALPN_MAX);
		memcpy(both, &key, sizeof(key));
		memcpy(both + sizeof(key), alpn->data, alpn->size);
		key = siphash(&early->seed, both, sizeof(key) + alpn->size);
	}
	return key != 0 ? key : 1;
}

static _Atomic uint64_t *bucket_of(struct tls_early *early, uint64_t key)
{
	return &early->tickets[key % BUCKETS * BUCKET];
}

void tls_early_put(struct tls_early *early, uint64_t key)
{
	_Atomic uint64_t *bucket = bucket_of(early, key);

	for (unsigned i = 0; i < BUCKET; i++) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&bucket[i], &none, key))
			return;
	}
	/* Another gives way, whichever: its client only loses a round trip. */
	atomic_store(&bucket[(key >> 56) % BUCKET], key);
}

bool tls_early_take(struct tls_early *early, uint64_t key)
{
	_Atomic uint64_t *bucket = bucket_of(early, key);

	for (unsigned i = 0; i < BUCKET; i++) {
		uint64_t there = key;

		if (atomic_compare_exchange_strong(&bucket[i], &there, 0))
			return true;
	}
	return false;
}

gnutls_anti_replay_t tls_early_anti_replay(const struct tls_early *early)
{
	return early->anti_replay;
}
