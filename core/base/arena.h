/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A bump allocator: what belongs to one exchange is freed together. It is capped, because
 * strangers decide how much is put into it; every allocation may return NULL. One thread at a time.
 */
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *next;
	size_t left;
	size_t used;  /* bytes taken from malloc */
	size_t first; /* of them for the first block */
	size_t cap;
};

void arena_init(struct arena *a, size_t cap);
void arena_fini(struct arena *a);
/* Empties it for the next use, and keeps a block for that. */
void arena_reset(struct arena *a, size_t cap);
/* Aligned to 8 bytes, not zeroed. NULL when the cap is reached or memory is gone. */
void *arena_alloc(struct arena *a, size_t size);
/* Unaligned copy, with a NUL after it that does not count. */
char *arena_copy(struct arena *a, const void *data, size_t len);
