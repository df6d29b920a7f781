/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The idle connections of all workers, by reuse key: newest first, so that what is not needed ages
 * and expires. Pure: the time is a parameter, and what is kept is an embedded `struct pool_item`;
 * whether a connection is still alive is asked by the lease, outside the lock. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "core/base/addr.h"
#include "core/base/clock.h"

enum pool_scheme { POOL_HTTP, POOL_HTTPS };
enum pool_verify { POOL_VERIFY_NONE, POOL_VERIFY_FULL };

/* All that makes two connections interchangeable. Compared in full; strings are never NULL. */
struct pool_key {
	struct net_addr addr;
	enum pool_scheme scheme;
	enum pool_verify verify;
	unsigned client_certificate; /* id; 0: none */
	const char *sni;             /* "": none */
	const char *alpn;            /* "": none */
	const char *proxy_header;    /* the PROXY header it began with; "": none */
};

bool pool_key_equal(const struct pool_key *a, const struct pool_key *b);
/* A plain HTTP/1.1 connection to that address. */
struct pool_key pool_key_http(const struct net_addr *addr);

struct pool_item {
	TAILQ_ENTRY(pool_item) link;
	mono_time expires;
};
TAILQ_HEAD(pool_items, pool_item);

struct pool;

struct pool *pool_create(void);
/* Must be empty: pool_drain(). */
void pool_destroy(struct pool **pool);

/* The newest connection of that key that has not expired, now the caller's; NULL when there is
 * none. */
struct pool_item *pool_take(struct pool *pool, const struct pool_key *key, mono_time now);
/* The oldest of that key, expired or not; NULL when there is none. */
struct pool_item *pool_take_oldest(struct pool *pool, const struct pool_key *key);
/* Takes the item over. False when there are already max_idle of that key: it stays the caller's. */
bool pool_give(struct pool *pool, const struct pool_key *key, struct pool_item *item,
	       unsigned max_idle, mono_time expires);
/* Moves what has expired to `out`, which the caller then destroys; forgets keys without any. */
void pool_expire(struct pool *pool, mono_time now, struct pool_items *out);
/* The same with everything. */
void pool_drain(struct pool *pool, struct pool_items *out);
unsigned pool_count(struct pool *pool, const struct pool_key *key);
