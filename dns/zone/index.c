/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/zone/index.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "dns/zone/order.h"

static const struct dns_node *ref(const struct dns_node *node)
{
	atomic_fetch_add_explicit(&((struct dns_node *)node)->refs, 1, memory_order_relaxed);
	return node;
}

void dns_node_unref(const struct dns_node *node)
{
	struct dns_node *mine = (struct dns_node *)node;

	if (atomic_fetch_sub(&mine->refs, 1) == 1)
		free(mine);
}

/* Index of the first of base's nodes, from `low` on, that is not before `node`. */
static size_t first_not_before(const struct dns_zone *base, size_t low, const struct dns_node *node)
{
	size_t high = base->n_nodes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (dns_order_compare(base->nodes[middle]->name, node->name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Both lists as one; of two that are of one name, the fresh one. */
static size_t merge(const struct dns_node **to, const struct dns_zone *base,
		    const struct dns_node **fresh, size_t n_fresh)
{
	size_t n = 0, old = 0, n_old = base == NULL ? 0 : base->n_nodes;

	for (size_t i = 0; i < n_fresh; i++) {
		size_t next = base == NULL ? 0 : first_not_before(base, old, fresh[i]);

		while (old < next)
			to[n++] = ref(base->nodes[old++]);
		if (old < n_old && dns_order_compare(base->nodes[old]->name, fresh[i]->name) == 0)
			old++;
		to[n++] = fresh[i];
	}
	while (old < n_old)
		to[n++] = ref(base->nodes[old++]);
	return n;
}

/* From the end, so that the names below one have been looked at before it. */
static size_t leave_out_empty(const struct dns_node **nodes, size_t n)
{
	size_t kept = n;

	for (size_t i = n; i-- > 0;) {
		const struct dns_node *node = nodes[i];
		bool below = kept < n && knot_dname_in_bailiwick(nodes[kept]->name, node->name) > 0;

		if (i == 0 || node->n_rrsets > 0 || node->steered != 0 || below)
			nodes[--kept] = node;
		else
			dns_node_unref(node);
	}
	memmove(nodes, nodes + kept, (n - kept) * sizeof(*nodes));
	return n - kept;
}

static bool fill_table(struct dns_zone *zone)
{
	size_t size = 8;

	while (size < zone->n_nodes + zone->n_nodes / 2)
		size *= 2;
	zone->table = calloc(size, sizeof(*zone->table));
	if (zone->table == NULL)
		return false;
	zone->table_mask = size - 1;
	for (size_t i = 0; i < zone->n_nodes; i++) {
		size_t at = zone->nodes[i]->hash & zone->table_mask;

		while (zone->table[at] != NULL)
			at = (at + 1) & zone->table_mask;
		zone->table[at] = zone->nodes[i];
		zone->has_dnames |= zone->nodes[i]->dname;
		zone->has_wildcards |= knot_dname_is_wildcard(zone->nodes[i]->name);
	}
	return true;
}

bool dns_index_fill(struct dns_zone *zone, const struct dns_zone *base,
		    const struct dns_node **fresh, size_t n_fresh)
{
	size_t n = n_fresh + (base == NULL ? 0 : base->n_nodes);

	zone->nodes = reallocarray(NULL, n, sizeof(*zone->nodes));
	if (zone->nodes == NULL) {
		while (n_fresh > 0)
			dns_node_unref(fresh[--n_fresh]);
		return false;
	}
	n = merge(zone->nodes, base, fresh, n_fresh);
	zone->n_nodes = leave_out_empty(zone->nodes, n);
	zone->apex = zone->nodes[0];
	return fill_table(zone);
}
