/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The memory of a fleet that is being loaded: all of it is freed together, and it is bounded, since
 * a file decides how much it takes. Running out is complained about once; then nothing more is
 * given, and whoever asked gives up. One thread.
 */
#pragma once

#include "config/diag.h"
#include "core/base/arena.h"

struct cfg_memory {
	struct arena arena;
	size_t max;
	struct diag *diag; /* NULL: nothing is taken any more */
	bool is_out;       /* and that was complained about */
};

void cfg_memory_init(struct cfg_memory *mem, size_t max, struct diag *diag);
void cfg_memory_fini(struct cfg_memory *mem);
/* Zeroed. NULL when there is no more; `place` is what it was for. */
void *cfg_alloc(struct cfg_memory *mem, size_t size, struct cfg_place place);
char *cfg_copy(struct cfg_memory *mem, const char *text, struct cfg_place place);
