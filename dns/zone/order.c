/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See order.h. Sorting goes by eight octets of the names' keys at a time, as whole numbers; names
 * that are the same in those are sorted by the next eight.
 */
#include "dns/zone/order.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "dns/zone/name.h"

static uint64_t key_part(const uint8_t *wire, unsigned apex_labels, unsigned from)
{
	uint8_t key[DNS_NAME_KEY + 8];
	unsigned len = dns_name_key(wire, apex_labels, key);
	uint64_t part;

	if (from >= len)
		return 0;
	memset(key + len, 0, 8);
	memcpy(&part, key + from, sizeof(part));
	return be64toh(part);
}

static int compare_parts(const void *a, const void *b)
{
	const struct dns_ordered *x = a, *y = b;

	return (x->part > y->part) - (x->part < y->part);
}

/* `from` grows by 8 each time, up to the longest key. */
static void sort_from(struct dns_ordered *v, size_t n, unsigned apex_labels, unsigned from)
{
	bool in_order = true;

	for (size_t i = 0; i < n; i++) {
		v[i].part = key_part(v[i].name, apex_labels, from);
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

void dns_order(struct dns_ordered *names, size_t n, unsigned apex_labels)
{
	sort_from(names, n, apex_labels, 0);
}

int dns_order_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t x[DNS_NAME_KEY], y[DNS_NAME_KEY];
	unsigned x_len = dns_name_key(a, 0, x), y_len = dns_name_key(b, 0, y);
	int order = memcmp(x, y, MIN(x_len, y_len));

	return order != 0 ? order : (int)x_len - (int)y_len;
}
