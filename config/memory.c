/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The bounded memory of config/memory.h: an arena that says in words when it has no more.
 */
#include "config/memory.h"

#include <string.h>

void cfg_memory_init(struct cfg_memory *mem, size_t max, struct diag *diag)
{
	*mem = (struct cfg_memory){.max = max, .diag = diag};
	arena_init(&mem->arena, max);
}

void cfg_memory_fini(struct cfg_memory *mem)
{
	arena_fini(&mem->arena);
}

static void complain(struct cfg_memory *mem, struct cfg_place place)
{
	if (mem->is_out)
		return;
	mem->is_out = true;
	diag_add(mem->diag, place, "too large: here it takes more than %zu MiB of memory",
		 mem->max >> 20);
}

void *cfg_alloc(struct cfg_memory *mem, size_t size, struct cfg_place place)
{
	void *p = mem->is_out ? NULL : arena_alloc(&mem->arena, size);

	if (p == NULL) {
		complain(mem, place);
		return NULL;
	}
	return memset(p, 0, size);
}

char *cfg_copy(struct cfg_memory *mem, const char *text, struct cfg_place place)
{
	char *copy = mem->is_out ? NULL : arena_copy(&mem->arena, text, strlen(text));

	if (copy == NULL)
		complain(mem, place);
	return copy;
}
