/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Dials on the control loop whose connections go straight into the pool. Owns the dials under way.
 * When to top up, and which addresses, is the caller's.
 */
#include "origin-link/conns/warm.h"

#include <stdlib.h>

#include "core/base/check.h"
#include "origin-link/conns/dial.h"

struct warm_dial {
	LIST_ENTRY(warm_dial) link;
	struct warm *warm;
	struct pool_key key;
	struct lease_terms terms;
	struct dial dial;
};

static void end(struct warm_dial *d)
{
	dial_cancel(&d->dial);
	LIST_REMOVE(d, link);
	free(d);
}

static void connected(struct dial *dial, int fd, enum reason reason)
{
	struct warm_dial *d = CONTAINER_OF(dial, struct warm_dial, dial);

	if (reason == REASON_NONE)
		olink_pool_add_warm(d->warm->pool, d->warm->buffers, fd, &d->key, &d->terms);
	end(d);
}

static unsigned under_way(const struct warm *warm, const struct pool_key *key)
{
	const struct warm_dial *d;
	unsigned n = 0;

	LIST_FOREACH (d, &warm->dials, link)
		n += pool_key_equal(&d->key, key);
	return n;
}

void warm_init(struct warm *warm, struct olink_pool *pool, struct stream_buffers *buffers)
{
	warm->pool = pool;
	warm->buffers = buffers;
	LIST_INIT(&warm->dials);
}

void warm_top_up(struct warm *warm, const struct pool_key *key, const struct lease_terms *terms,
		 unsigned want, duration timeout)
{
	unsigned have = pool_count(warm->pool->idle, key) + under_way(warm, key);

	for (want = MIN(want, terms->max_idle); have < want; have++) {
		struct warm_dial *d = xcalloc(1, sizeof(*d));

		d->warm = warm;
		d->key = *key;
		d->terms = *terms;
		LIST_INSERT_HEAD(&warm->dials, d, link);
		dial_init(&d->dial, warm->buffers->loop, connected);
		dial_start(&d->dial, &key->addr, timeout);
	}
}

void warm_fini(struct warm *warm)
{
	struct warm_dial *d;

	while ((d = LIST_FIRST(&warm->dials)))
		end(d);
}
