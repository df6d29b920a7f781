/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A table of things by keys of bytes, which may be names or lists. One thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct cfg_hash_slot {
	const void *key; /* NULL: empty */
	size_t len;
	uint64_t hash;
	const void *value;
};

/* All zero: empty. */
struct cfg_hash {
	struct cfg_hash_slot *slots;
	unsigned n, size; /* size: a power of two, or 0 */
};

void cfg_hash_fini(struct cfg_hash *h);
/* The key stays the caller's and must live as long as the table. What was there by the same key is
 * replaced. */
void cfg_hash_put(struct cfg_hash *h, const void *key, size_t len, const void *value);
/* NULL when there is none. */
const void *cfg_hash_get(const struct cfg_hash *h, const void *key, size_t len);
