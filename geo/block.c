/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Large blocks are mappings of their own, small ones are malloc'd; see block.h. Any thread.
 */
#include "geo/block.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/check.h"

/* From here on at most a sixteenth of the last page is wasted. */
#define LARGE ((size_t)64 << 10)

/* Elements of an array that has any. */
#define FIRST_ROOM 64

static bool is_large(size_t size)
{
	return size >= LARGE;
}

static void *map_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		check_out_of_memory(size);
	return p;
}

static void release(void *block, size_t size)
{
	if (is_large(size))
		CHECK(munmap(block, size) == 0);
	else
		free(block);
}

#ifdef __SANITIZE_THREAD__
/* ThreadSanitizer does not see mremap(): what another thread once wrote at the addresses that the
 * block is moved to would be a race to it. */
static void *remap(void *block, size_t old_size, size_t size)
{
	void *p = map_pages(size);

	memcpy(p, block, MIN(old_size, size));
	release(block, old_size);
	return p;
}
#else
static void *remap(void *block, size_t old_size, size_t size)
{
	void *p = mremap(block, old_size, size, MREMAP_MAYMOVE);

	if (p == MAP_FAILED)
		check_out_of_memory(size);
	return p;
}
#endif

void *geo_block_resize(void *block, size_t old_size, size_t size)
{
	void *to = NULL;

	if (is_large(old_size) && is_large(size))
		return remap(block, old_size, size);
	if (is_large(size))
		to = map_pages(size);
	else if (size > 0)
		to = xcalloc(1, size);
	if (MIN(old_size, size) > 0)
		memcpy(to, block, MIN(old_size, size));
	if (old_size > 0)
		release(block, old_size);
	return to;
}

static void set_room(struct geo_array *a, size_t size, size_t room)
{
	CHECK(room <= SIZE_MAX / 2 / size);
	a->v = geo_block_resize(a->v, a->room * size, room * size);
	a->room = room;
}

void geo_array_grow(struct geo_array *a, size_t size)
{
	set_room(a, size, a->room > 0 ? 2 * a->room : FIRST_ROOM);
}

void geo_array_trim(struct geo_array *a, size_t size)
{
	set_room(a, size, a->n);
}

void geo_array_free(struct geo_array *a, size_t size)
{
	set_room(a, size, 0);
	a->n = 0;
}
