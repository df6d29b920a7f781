/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Open addressing with linear probing, at most half full. One thread.
 */
#include "config/hash.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/check.h"

/* The slot of the key, or the empty one where it would be. */
static struct cfg_hash_slot *find(const struct cfg_hash *h, const void *key, size_t len,
				  uint64_t hash)
{
	for (unsigned i = hash & (h->size - 1);; i = (i + 1) & (h->size - 1)) {
		struct cfg_hash_slot *s = &h->slots[i];

		if (s->key == NULL ||
		    (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0))
			return s;
	}
}

static void grow(struct cfg_hash *h)
{
	struct cfg_hash old = *h;

	h->size = MAX(16, old.size * 2);
	h->slots = xcalloc(h->size, sizeof(*h->slots));
	for (unsigned i = 0; i < old.size; i++) {
		const struct cfg_hash_slot *s = &old.slots[i];

		if (s->key != NULL)
			*find(h, s->key, s->len, s->hash) = *s;
	}
	free(old.slots);
}

void cfg_hash_fini(struct cfg_hash *h)
{
	free(h->slots);
	*h = (struct cfg_hash){0};
}

void cfg_hash_put(struct cfg_hash *h, const void *key, size_t len, const void *value)
{
	struct cfg_hash_slot new = {key, len, XXH3_64bits(key, len), value}, *slot;

	if (h->n >= h->size / 2)
		grow(h);
	slot = find(h, key, len, new.hash);
	h->n += slot->key == NULL;
	*slot = new;
}

const void *cfg_hash_get(const struct cfg_hash *h, const void *key, size_t len)
{
	return h->n > 0 ? find(h, key, len, XXH3_64bits(key, len))->value : NULL;
}
