/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See index.h. Sorting goes by eight octets of the names' keys at a time, as whole numbers; names
 * that are the same in those are sorted by the next eight.
 */
#include "dns/zone/index.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

struct sorted {
	uint64_t part;
	const struct dns_node *node;
};

static uint64_t key_part(const struct dns_node *node, unsigned apex_labels, unsigned from)
{
	uint8_t key[DNS_NAME_KEY + 8];
	struct dns_name name;
	unsigned len;
	uint64_t part;

	dns_name_init(&name, node->name);
	len = dns_name_key(&name, apex_labels, key);
	if (from >= len)
		return 0;
	memset(key + len, 0, 8);
	memcpy(&part, key + from, sizeof(part));
	return be64toh(part);
}

static int compare_parts(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	return (x->part > y->part) - (x->part < y->part);
}

/* `from` grows by 8 each time, up to the longest key. */
static void sort_from(struct sorted *v, size_t n, unsigned apex_labels, unsigned from)
{
	bool in_order = true;

	for (size_t i = 0; i < n; i++) {
		v[i].part = key_part(v[i].node, apex_labels, from);
		in_order = in_order && (i == 0 || v[i - 1].part <= v[i].part);
	}
	if (!in_order)
		qsort(v, n, sizeof(*v), compare_parts);
	for (size_t i = 0; i < n;) {
		size_t end = i + 1;

		while (end < n && v[end].part == v[i].part)
			end++;
		if (end - i > 1 && from + 8 < DNS_NAME_KEY)
			sort_from(v + i, end - i, apex_labels, from + 8);
		i = end;
	}
}

void dns_index_sort(const struct dns_node **nodes, size_t n, unsigned apex_labels)
{
	struct sorted *v = xreallocarray(NULL, n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i].node = nodes[i];
	sort_from(v, n, apex_labels, 0);
	for (size_t i = 0; i < n; i++)
		nodes[i] = v[i].node;
	free(v);
}

static int compare_nodes(const struct dns_node *a, const struct dns_node *b)
{
	uint8_t x[DNS_NAME_KEY], y[DNS_NAME_KEY];
	struct dns_name name;
	unsigned x_len, y_len;
	int order;

	dns_name_init(&name, a->name);
	x_len = dns_name_key(&name, 0, x);
	dns_name_init(&name, b->name);
	y_len = dns_name_key(&name, 0, y);
	order = memcmp(x, y, MIN(x_len, y_len));
	return order != 0 ? order : (int)x_len - (int)y_len;
}

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

		if (compare_nodes(base->nodes[middle], node) < 0)
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
		if (old < n_old && compare_nodes(base->nodes[old], fresh[i]) == 0)
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

static void fill_table(struct dns_zone *zone)
{
	size_t size = 8;

	while (size < zone->n_nodes + zone->n_nodes / 2)
		size *= 2;
	zone->table = xcalloc(size, sizeof(*zone->table));
	zone->table_mask = size - 1;
	for (size_t i = 0; i < zone->n_nodes; i++) {
		size_t at = zone->nodes[i]->hash & zone->table_mask;

		while (zone->table[at] != NULL)
			at = (at + 1) & zone->table_mask;
		zone->table[at] = zone->nodes[i];
		zone->has_wildcards |= knot_dname_is_wildcard(zone->nodes[i]->name);
	}
}

void dns_index_fill(struct dns_zone *zone, const struct dns_zone *base,
		    const struct dns_node **fresh, size_t n_fresh)
{
	size_t n = n_fresh + (base == NULL ? 0 : base->n_nodes);

	zone->nodes = xreallocarray(NULL, n, sizeof(*zone->nodes));
	n = merge(zone->nodes, base, fresh, n_fresh);
	zone->n_nodes = leave_out_empty(zone->nodes, n);
	zone->apex = zone->nodes[0];
	fill_table(zone);
}
