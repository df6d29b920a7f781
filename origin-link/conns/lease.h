/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A lease is the use of one connection to an origin by one request: from the pool or freshly
 * opened, and back into the pool or discarded. This is the only place that moves connections in
 * and out of the pool, and so the only place that moves their counters: at any time
 *   leases reused + leases fresh = active + leases ended, and idle = what is in the pool.
 * A lease belongs to the loop that took it.
 */
#pragma once

#include "core/net/stream.h"
#include "core/process/metrics.h"
#include "origin-link/conns/pool.h"

/* The idle connections of a program, with their counters. Any loop of the group. */
struct olink_pool {
	struct pool *idle;
	struct metrics *metrics;
};

/* How long and how many connections are kept. */
struct lease_terms {
	unsigned max_idle;
	duration idle_timeout;
};

struct origin_conn;

struct lease {
	struct olink_pool *pool;
	struct loop *loop;
	struct pool_key key;
	struct lease_terms terms;
	struct origin_conn *conn; /* NULL: nothing is leased */
};

/* The key's strings must outlive the lease. */
void lease_init(struct lease *lease, struct olink_pool *pool, struct loop *loop,
		const struct pool_key *key, const struct lease_terms *terms);
/* Takes an idle connection that is still alive; dead ones found on the way are discarded. False
 * when there is none. */
bool lease_take_idle(struct lease *lease, struct stream_buffers *b, const struct stream_ops *ops,
		     void *arg);
/* Takes a new connection; consumes fd. False when memory is gone. */
bool lease_take_fresh(struct lease *lease, struct stream_buffers *b, int fd,
		      const struct stream_ops *ops, void *arg);
struct stream *lease_stream(const struct lease *lease);
/* The only way out. `keep`: established, drained, and nothing of this exchange is left on it. Does
 * nothing when nothing is leased. Allowed inside the stream's callbacks. */
void lease_end(struct lease *lease, bool keep);

/* A connection opened ahead of need; consumes fd. */
void olink_pool_add_warm(struct olink_pool *pool, struct stream_buffers *b, int fd,
			 const struct pool_key *key, const struct lease_terms *terms);
/* Closes what the origin has closed of that key, so that it does not count as ready. Control loop. */
void olink_pool_sweep(struct olink_pool *pool, const struct loop *loop, const struct pool_key *key,
		      unsigned max_idle);
/* Closes what has been idle for too long. */
void olink_pool_expire(struct olink_pool *pool, const struct loop *loop, mono_time now);
/* Closes everything. */
void olink_pool_drain(struct olink_pool *pool, const struct loop *loop);
