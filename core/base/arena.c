/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The bump allocator of an exchange: blocks from malloc, filled from the front, freed together.
 * Called by the thread that owns the exchange.
 */
#include "core/base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A request and its response with some twenty fields each fit into one block. */
#define BLOCK_SIZE 4096
#define ALIGNMENT 8

struct arena_block {
	struct arena_block *older;
	char data[];
};

void arena_init(struct arena *a, size_t cap)
{
	*a = (struct arena){.cap = cap};
}

void arena_fini(struct arena *a)
{
	struct arena_block *older;

	for (struct arena_block *b = a->blocks; b; b = older) {
		older = b->older;
		free(b);
	}
	arena_init(a, a->cap);
}

void arena_reset(struct arena *a, size_t cap)
{
	struct arena_block *b = a->blocks;

	/* The oldest is the one of ordinary size: what did not fit into it came later. */
	while (b && b->older) {
		struct arena_block *older = b->older;

		free(b);
		b = older;
	}
	if (b && a->first != BLOCK_SIZE) {
		free(b);
		b = NULL;
	}
	*a = (struct arena){.cap = cap};
	if (b) {
		*a = (struct arena){.cap = cap,
				    .blocks = b,
				    .next = b->data,
				    .left = BLOCK_SIZE - sizeof(*b),
				    .used = BLOCK_SIZE,
				    .first = BLOCK_SIZE};
	}
}

/* Makes room for `size` bytes; what is left of the current block is given up. */
static bool add_block(struct arena *a, size_t size)
{
	struct arena_block *b;
	size_t room = a->cap - a->used;
	size_t total = size + sizeof(*b);

	if (total < size || total > room)
		return false;
	if (total < BLOCK_SIZE)
		total = room < BLOCK_SIZE ? room : BLOCK_SIZE;
	b = malloc(total);
	if (!b)
		return false;
	b->older = a->blocks;
	if (!b->older)
		a->first = total;
	a->blocks = b;
	a->next = b->data;
	a->left = total - sizeof(*b);
	a->used += total;
	return true;
}

static void *take(struct arena *a, size_t pad, size_t size)
{
	char *p;

	if (!a->blocks || pad > a->left || size > a->left - pad) {
		if (!add_block(a, size))
			return NULL;
		/* Aligned as malloc aligns. */
		pad = 0;
	}
	p = a->next + pad;
	a->next = p + size;
	a->left -= pad + size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return take(a, -(uintptr_t)a->next % ALIGNMENT, size);
}

char *arena_copy(struct arena *a, const void *data, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = take(a, 0, len + 1);
	if (!copy)
		return NULL;
	if (len > 0)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}
