/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connections in and out of the pool. Whoever holds a lease owns its connection; the pool owns the
 * rest. See lease.h for what the counters promise.
 */
#include "origin-link/conns/lease.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/base/check.h"
#include "origin-link/conns/counters.h"

#define CONN_MAGIC 0xc0221801u

struct origin_conn {
	unsigned magic;
	struct pool_item item;
	struct stream *stream;
};

static void count(const struct olink_pool *pool, const struct loop *loop, enum olink_counter id,
		  int n)
{
	metrics_add(pool->metrics, loop, id, n);
}

/* NULL when memory is gone; fd is closed then. */
static struct origin_conn *conn_create(struct stream_buffers *b, int fd,
				       const struct stream_ops *ops, void *arg)
{
	struct origin_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		return NULL;
	}
	conn->magic = CONN_MAGIC;
	conn->stream = stream_create(b, fd, ops, arg);
	if (!conn->stream) {
		free(conn);
		return NULL;
	}
	return conn;
}

static struct origin_conn *conn_of(struct pool_item *item)
{
	struct origin_conn *conn = CONTAINER_OF(item, struct origin_conn, item);

	MAGIC_CHECK(conn, CONN_MAGIC);
	return conn;
}

static void parked_destroy(struct origin_conn *conn)
{
	stream_parked_destroy(&conn->stream);
	conn->magic = MAGIC_DEAD;
	free(conn);
}

/* Parks it and hands it to the pool. */
static void park(struct olink_pool *pool, const struct loop *loop, struct origin_conn *conn,
		 const struct pool_key *key, const struct lease_terms *terms)
{
	mono_time expires = mono_add(loop_now(loop), terms->idle_timeout);

	stream_park(conn->stream);
	/* Counted before it can be taken, so that the gauge is never seen below zero. */
	count(pool, loop, OLINK_IDLE, 1);
	if (!pool_give(pool->idle, key, &conn->item, terms->max_idle, expires)) {
		count(pool, loop, OLINK_IDLE, -1);
		count(pool, loop, OLINK_DISCARDED_FULL, 1);
		parked_destroy(conn);
	}
}

void lease_init(struct lease *lease, struct olink_pool *pool, struct loop *loop,
		const struct pool_key *key, const struct lease_terms *terms)
{
	*lease = (struct lease){.pool = pool, .loop = loop, .key = *key, .terms = *terms};
}

bool lease_take_idle(struct lease *lease, struct stream_buffers *b, const struct stream_ops *ops,
		     void *arg)
{
	struct olink_pool *pool = lease->pool;
	struct pool_item *item;

	CHECK(!lease->conn);
	while ((item = pool_take(pool->idle, &lease->key, loop_now(lease->loop)))) {
		struct origin_conn *conn = conn_of(item);

		count(pool, lease->loop, OLINK_IDLE, -1);
		if (!stream_parked_is_alive(conn->stream)) {
			count(pool, lease->loop, OLINK_DISCARDED_DEAD, 1);
			parked_destroy(conn);
			continue;
		}
		stream_unpark(conn->stream, b, ops, arg);
		lease->conn = conn;
		count(pool, lease->loop, OLINK_LEASES_REUSED, 1);
		count(pool, lease->loop, OLINK_ACTIVE, 1);
		return true;
	}
	return false;
}

bool lease_take_fresh(struct lease *lease, struct stream_buffers *b, int fd,
		      const struct stream_ops *ops, void *arg)
{
	CHECK(!lease->conn);
	lease->conn = conn_create(b, fd, ops, arg);
	if (!lease->conn)
		return false;
	count(lease->pool, lease->loop, OLINK_LEASES_FRESH, 1);
	count(lease->pool, lease->loop, OLINK_ACTIVE, 1);
	return true;
}

struct stream *lease_stream(const struct lease *lease)
{
	return lease->conn->stream;
}

void lease_end(struct lease *lease, bool keep)
{
	struct origin_conn *conn = lease->conn;

	if (!conn)
		return;
	lease->conn = NULL;
	count(lease->pool, lease->loop, OLINK_ACTIVE, -1);
	if (keep) {
		park(lease->pool, lease->loop, conn, &lease->key, &lease->terms);
	} else {
		stream_destroy(&conn->stream);
		conn->magic = MAGIC_DEAD;
		free(conn);
	}
}

void olink_pool_add_warm(struct olink_pool *pool, struct stream_buffers *b, int fd,
			 const struct pool_key *key, const struct lease_terms *terms)
{
	static const struct stream_ops none; /* parked before the loop can call anything */
	struct origin_conn *conn = conn_create(b, fd, &none, NULL);

	if (!conn)
		return;
	count(pool, b->loop, OLINK_WARM, 1);
	park(pool, b->loop, conn, key, terms);
}

void olink_pool_sweep(struct olink_pool *pool, const struct loop *loop, const struct pool_key *key,
		      unsigned max_idle)
{
	struct pool_item *item;

	/* From the old end to the new one, one at a time: after a whole round the order is as
	 * before, and the workers have never missed more than one. */
	for (unsigned n = pool_count(pool->idle, key); n > 0; n--) {
		item = pool_take_oldest(pool->idle, key);
		if (!item)
			break;
		if (!stream_parked_is_alive(conn_of(item)->stream)) {
			count(pool, loop, OLINK_IDLE, -1);
			count(pool, loop, OLINK_DISCARDED_DEAD, 1);
			parked_destroy(conn_of(item));
		} else if (!pool_give(pool->idle, key, item, max_idle, item->expires)) {
			count(pool, loop, OLINK_IDLE, -1);
			count(pool, loop, OLINK_DISCARDED_FULL, 1);
			parked_destroy(conn_of(item));
		}
	}
}

static void destroy_all(struct olink_pool *pool, const struct loop *loop, struct pool_items *items,
			enum olink_counter counter)
{
	struct pool_item *item;

	while ((item = TAILQ_FIRST(items))) {
		TAILQ_REMOVE(items, item, link);
		count(pool, loop, OLINK_IDLE, -1);
		count(pool, loop, counter, 1);
		parked_destroy(conn_of(item));
	}
}

void olink_pool_expire(struct olink_pool *pool, const struct loop *loop, mono_time now)
{
	struct pool_items items = TAILQ_HEAD_INITIALIZER(items);

	pool_expire(pool->idle, now, &items);
	destroy_all(pool, loop, &items, OLINK_EXPIRED);
}

void olink_pool_drain(struct olink_pool *pool, const struct loop *loop)
{
	struct pool_items items = TAILQ_HEAD_INITIALIZER(items);

	pool_drain(pool->idle, &items);
	destroy_all(pool, loop, &items, OLINK_EXPIRED);
}
