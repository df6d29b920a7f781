/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See recent.h.
 */
#include "origin-link/recent/recent.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "core/base/check.h"
#include "core/loop/loop.h"

struct recent *recent_take(struct recents *all, const char *name, unsigned n_loops)
{
	struct recent_list *bucket =
	    &all->buckets[XXH3_64bits(name, strlen(name)) % RECENTS_BUCKETS];
	struct recent *recent;

	LIST_FOREACH (recent, bucket, link) {
		if (strcmp(recent->name, name) == 0)
			return recent;
	}
	recent = xcalloc(1, sizeof(*recent) + n_loops * sizeof(recent->slots[0]));
	recent->name = xstrdup(name);
	recent->n_loops = n_loops;
	LIST_INSERT_HEAD(bucket, recent, link);
	return recent;
}

void recents_free(struct recents *all)
{
	for (unsigned i = 0; i < RECENTS_BUCKETS; i++) {
		struct recent *recent;

		while ((recent = LIST_FIRST(&all->buckets[i]))) {
			LIST_REMOVE(recent, link);
			for (unsigned j = 0; j < recent->n_loops; j++)
				free(atomic_load(&recent->slots[j]));
			free(recent->name);
			free(recent);
		}
	}
}

struct recent_slot *recent_slot(struct recent *recent, const struct loop *loop)
{
	_Atomic(struct recent_slot *) *place = &recent->slots[loop_index(loop)];
	struct recent_slot *slot = atomic_load_explicit(place, memory_order_relaxed);

	if (!slot) {
		slot = xcalloc(1, sizeof(*slot));
		atomic_store_explicit(place, slot, memory_order_release);
	}
	return slot;
}

void recent_add_open(struct recent *recent, const struct loop *loop, int n)
{
	_Atomic unsigned *n_open = &recent_slot(recent, loop)->n_open;

	atomic_store_explicit(n_open, atomic_load_explicit(n_open, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

unsigned recent_open(const struct recent *recent)
{
	unsigned n = 0;

	for (unsigned i = 0; i < recent->n_loops; i++) {
		const struct recent_slot *slot =
		    atomic_load_explicit(&recent->slots[i], memory_order_acquire);

		if (slot)
			n += atomic_load_explicit(&slot->n_open, memory_order_relaxed);
	}
	return n;
}

bool recent_allows(const struct recent *recent, const struct budget_terms *terms, mono_time now)
{
	struct budget_sums sums = {0};

	for (unsigned i = 0; i < recent->n_loops; i++) {
		const struct recent_slot *slot =
		    atomic_load_explicit(&recent->slots[i], memory_order_acquire);

		if (slot)
			budget_sum(&slot->budget, now, &sums);
	}
	return budget_allows(terms, &sums);
}
