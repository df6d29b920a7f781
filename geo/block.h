/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Memory of which a lot is needed for a short time, while a database is compiled. malloc() keeps
 * what is freed on another thread than the first, or after the first large block was freed; the
 * pages of a large block here go back to the kernel at once. Any thread.
 */
#pragma once

#include <stddef.h>

/* A block of another size with the contents of the old one; aborts without memory, like xmalloc().
 * The sizes are in bytes: 0 is no block, which is NULL, and what is made from none is zero. Growing
 * a large block by doubling costs nothing: pages that nobody has touched are not there, and none is
 * copied. */
void *geo_block_resize(void *block, size_t old_size, size_t size);

/* An array in such a block, that grows by doubling. All zero: empty. */
struct geo_array {
	void *v;
	size_t n, room; /* elements */
};

void geo_array_grow(struct geo_array *a, size_t size);
/* Room for one more element; its place, which is not counted in yet. */
static inline void *geo_array_next(struct geo_array *a, size_t size)
{
	if (a->n == a->room)
		geo_array_grow(a, size);
	return (char *)a->v + a->n * size;
}
/* Gives back the room behind the last element. */
void geo_array_trim(struct geo_array *a, size_t size);
void geo_array_free(struct geo_array *a, size_t size);
