/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The idle connections of all workers. Any thread may call; a shard's mutex is held for a few list
 * operations and never across I/O. A shard is picked by the hash of the key's address, and within
 * it the bucket of a key is found by comparing keys in full. The pool owns the buckets and, while
 * they are in it, the items; what an item is embedded in is the lease's business.
 */
#include "origin-link/conns/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* A power of two well above the number of workers, so that two of them seldom want one mutex
 * unless they talk to the same address. */
#define N_SHARDS 32

struct bucket {
	LIST_ENTRY(bucket) link;
	struct pool_key key;     /* strings owned */
	struct pool_items items; /* newest first */
	unsigned n;
};

struct shard {
	pthread_mutex_t lock;
	LIST_HEAD(, bucket) buckets; /* under lock */
} __attribute__((aligned(64)));

struct pool {
	struct shard shards[N_SHARDS];
};

bool pool_key_equal(const struct pool_key *a, const struct pool_key *b)
{
	return net_addr_equal(&a->addr, &b->addr) && a->scheme == b->scheme &&
	       a->verify == b->verify && a->client_certificate == b->client_certificate &&
	       strcmp(a->sni, b->sni) == 0 && strcmp(a->alpn, b->alpn) == 0 &&
	       strcmp(a->proxy_header, b->proxy_header) == 0;
}

struct pool_key pool_key_http(const struct net_addr *addr)
{
	return (struct pool_key){
	    .addr = *addr,
	    .scheme = POOL_HTTP,
	    .verify = POOL_VERIFY_NONE,
	    .sni = "",
	    .alpn = "",
	    .proxy_header = "",
	};
}

static struct shard *shard_of(struct pool *pool, const struct pool_key *key)
{
	return &pool->shards[net_addr_hash(&key->addr) % N_SHARDS];
}

static struct bucket *find_locked(struct shard *shard, const struct pool_key *key)
{
	struct bucket *b;

	LIST_FOREACH (b, &shard->buckets, link) {
		if (pool_key_equal(&b->key, key))
			return b;
	}
	return NULL;
}

static struct bucket *add_locked(struct shard *shard, const struct pool_key *key)
{
	struct bucket *b = xcalloc(1, sizeof(*b));

	b->key = *key;
	b->key.sni = xstrdup(key->sni);
	b->key.alpn = xstrdup(key->alpn);
	b->key.proxy_header = xstrdup(key->proxy_header);
	TAILQ_INIT(&b->items);
	LIST_INSERT_HEAD(&shard->buckets, b, link);
	return b;
}

static void bucket_destroy(struct bucket *b)
{
	LIST_REMOVE(b, link);
	free((char *)b->key.sni);
	free((char *)b->key.alpn);
	free((char *)b->key.proxy_header);
	free(b);
}

struct pool *pool_create(void)
{
	struct pool *pool = aligned_alloc(64, sizeof(*pool));

	CHECK(pool);
	for (unsigned i = 0; i < N_SHARDS; i++) {
		pthread_mutex_init(&pool->shards[i].lock, NULL);
		LIST_INIT(&pool->shards[i].buckets);
	}
	return pool;
}

void pool_destroy(struct pool **poolp)
{
	struct pool *pool = *poolp;

	*poolp = NULL;
	if (!pool)
		return;
	for (unsigned i = 0; i < N_SHARDS; i++) {
		struct shard *shard = &pool->shards[i];
		struct bucket *b;

		while ((b = LIST_FIRST(&shard->buckets))) {
			CHECK(b->n == 0);
			bucket_destroy(b);
		}
		pthread_mutex_destroy(&shard->lock);
	}
	free(pool);
}

struct pool_item *pool_take(struct pool *pool, const struct pool_key *key, mono_time now)
{
	struct shard *shard = shard_of(pool, key);
	struct pool_item *item = NULL;

	pthread_mutex_lock(&shard->lock);
	struct bucket *b = find_locked(shard, key);

	if (b) {
		/* Nearly always the first: only a reload that shortened the idle timeout can put an
		 * expired one before others. */
		TAILQ_FOREACH (item, &b->items, link) {
			if (!mono_reached(item->expires, now)) {
				TAILQ_REMOVE(&b->items, item, link);
				b->n--;
				break;
			}
		}
	}
	pthread_mutex_unlock(&shard->lock);
	return item;
}

struct pool_item *pool_take_oldest(struct pool *pool, const struct pool_key *key)
{
	struct shard *shard = shard_of(pool, key);
	struct pool_item *item = NULL;

	pthread_mutex_lock(&shard->lock);
	struct bucket *b = find_locked(shard, key);

	if (b && b->n > 0) {
		item = TAILQ_LAST(&b->items, pool_items);
		TAILQ_REMOVE(&b->items, item, link);
		b->n--;
	}
	pthread_mutex_unlock(&shard->lock);
	return item;
}

bool pool_give(struct pool *pool, const struct pool_key *key, struct pool_item *item,
	       unsigned max_idle, mono_time expires)
{
	struct shard *shard = shard_of(pool, key);
	bool taken = false;

	pthread_mutex_lock(&shard->lock);
	struct bucket *b = find_locked(shard, key);

	if (!b)
		b = add_locked(shard, key);
	if (b->n < max_idle) {
		item->expires = expires;
		TAILQ_INSERT_HEAD(&b->items, item, link);
		b->n++;
		taken = true;
	}
	pthread_mutex_unlock(&shard->lock);
	return taken;
}

static void move_expired_locked(struct bucket *b, const mono_time *now, struct pool_items *out)
{
	struct pool_item *item, *next;

	for (item = TAILQ_FIRST(&b->items); item; item = next) {
		next = TAILQ_NEXT(item, link);
		if (now && !mono_reached(item->expires, *now))
			continue;
		TAILQ_REMOVE(&b->items, item, link);
		b->n--;
		TAILQ_INSERT_TAIL(out, item, link);
	}
}

/* now == NULL: everything. */
static void move_out(struct pool *pool, const mono_time *now, struct pool_items *out)
{
	for (unsigned i = 0; i < N_SHARDS; i++) {
		struct shard *shard = &pool->shards[i];
		struct bucket *b, *next;

		pthread_mutex_lock(&shard->lock);
		for (b = LIST_FIRST(&shard->buckets); b; b = next) {
			next = LIST_NEXT(b, link);
			move_expired_locked(b, now, out);
			if (b->n == 0)
				bucket_destroy(b);
		}
		pthread_mutex_unlock(&shard->lock);
	}
}

void pool_expire(struct pool *pool, mono_time now, struct pool_items *out)
{
	move_out(pool, &now, out);
}

void pool_drain(struct pool *pool, struct pool_items *out)
{
	move_out(pool, NULL, out);
}

unsigned pool_count(struct pool *pool, const struct pool_key *key)
{
	struct shard *shard = shard_of(pool, key);

	pthread_mutex_lock(&shard->lock);
	struct bucket *b = find_locked(shard, key);
	unsigned n = b ? b->n : 0;

	pthread_mutex_unlock(&shard->lock);
	return n;
}
