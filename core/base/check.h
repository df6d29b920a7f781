/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Assertions and allocation for our own bugs and fixed sizes.
 *
 * CHECK stays on in release builds: it is for states that only a bug of ours can reach, never for
 * what a stranger sent. The x*alloc functions abort when memory is gone: use them for sizes that we
 * fix. What a stranger can make grow is capped and uses malloc, whose failure is handled.
 * Any thread may call everything here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK(expr)                                                                                \
	(__builtin_expect(!!(expr), 1) ? (void)0                                                   \
				       : check_failed(#expr, __FILE__, __LINE__, __func__))

_Noreturn void check_failed(const char *expr, const char *file, int line, const char *func);

/* Heap objects that come back through a `void *` carry a magic number as their first named field
 * `magic`; it is checked where they come back and overwritten where they are freed. */
#define MAGIC_CHECK(ptr, number) CHECK((ptr) != NULL && (ptr)->magic == (number))
#define MAGIC_DEAD 0xdeaddeadu

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* What `*pp` holds, which is NULL from now on. A function that consumes its argument begins with
 * it, so that nobody whom it calls meets an object that is half gone. */
#define TAKE(pp)                                                                                   \
	({                                                                                         \
		__typeof__(*(pp)) taken_ = *(pp);                                                  \
		*(pp) = NULL;                                                                      \
		taken_;                                                                            \
	})

/* What they do; for those who take memory in another way. */
_Noreturn void check_out_of_memory(size_t size);
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *ptr, size_t count, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
