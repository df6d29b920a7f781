/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See quota.h. Who gets a place that becomes free is sharing.c's.
 */
#include "origin-link/conns/quota.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "origin-link/conns/conns_internal.h"

struct quota *quota_take(struct conns_node *node, const char *name)
{
	size_t size = sizeof(struct quota) + node->n_loops * sizeof(struct quota_slot);
	unsigned bucket = (unsigned)(XXH3_64bits(name, strlen(name)) % QUOTA_BUCKETS);
	struct quota *q;

	LOOP_ASSERT_OWNER(node->group->control);
	LIST_FOREACH (q, &node->quotas[bucket], link) {
		if (strcmp(q->name, name) == 0)
			return q;
	}
	q = aligned_alloc(QUOTA_LINE, size);
	CHECK(q);
	memset(q, 0, size);
	q->name = xstrdup(name);
	LIST_INSERT_HEAD(&node->quotas[bucket], q, link);
	return q;
}

void quotas_free(struct conns_node *node)
{
	for (unsigned i = 0; i < QUOTA_BUCKETS; i++) {
		struct quota *q;

		while ((q = LIST_FIRST(&node->quotas[i]))) {
			CHECK(atomic_load(&q->open) == 0);
			LIST_REMOVE(q, link);
			free(q->name);
			free(q);
		}
	}
}

bool quota_reserve(struct quota *q, unsigned max)
{
	unsigned open;

	if (!q)
		return true;
	open = atomic_load(&q->open);
	while (open < max) {
		if (atomic_compare_exchange_weak(&q->open, &open, open + 1))
			return true;
	}
	return false;
}

void quota_release(struct quota *q)
{
	if (q)
		CHECK(atomic_fetch_sub(&q->open, 1) > 0);
}
