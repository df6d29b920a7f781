/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names in canonical order (RFC 4034 section 6.1). Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct dns_ordered {
	const uint8_t *name; /* in lower case */
	uint64_t part;       /* what the sorting works with */
};

/* Sorts different names at or under an apex of so many labels. */
void dns_order(struct dns_ordered *names, size_t n, unsigned apex_labels);
/* Less than, equal to or greater than 0; names in lower case. */
int dns_order_compare(const uint8_t *a, const uint8_t *b);
