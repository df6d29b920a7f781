/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The arena: alignment, contents, and that its cap holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/arena.h"

static void test_alloc_is_aligned_after_copies(void **state)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	for (size_t n = 0; n < 300; n++) {
		char *copy = arena_copy(&a, "xyz", n % 4);
		char *p = arena_alloc(&a, n);

		assert_non_null(copy);
		assert_int_equal(copy[n % 4], '\0');
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 8, 0);
		memset(p, 'p', n);
		assert_memory_equal(copy, "xyz", n % 4);
	}
	arena_fini(&a);
}

static void test_contents_survive_new_blocks(void **state)
{
	struct arena a;
	char *copies[1000];
	char text[64];

	arena_init(&a, 1 << 20);
	memset(text, 0, sizeof(text));
	for (size_t i = 0; i < 1000; i++) {
		memset(text, 'a' + i % 26, 50);
		copies[i] = arena_copy(&a, text, 50);
		assert_non_null(copies[i]);
	}
	for (size_t i = 0; i < 1000; i++) {
		memset(text, 'a' + i % 26, 50);
		assert_string_equal(copies[i], text);
	}
	arena_fini(&a);
	assert_int_equal(a.used, 0);
	assert_non_null(arena_copy(&a, "again", 5));
	arena_fini(&a);
}

static void test_a_reset_arena_begins_anew(void **state)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	arena_reset(&a, 100000);
	assert_int_equal(a.used, 0);
	/* The first block is kept when it is an ordinary one, whatever came after it. */
	for (int i = 0; i < 3; i++) {
		size_t used;

		assert_non_null(arena_alloc(&a, 100));
		used = a.used;
		assert_non_null(arena_alloc(&a, 50000));
		arena_reset(&a, 100000);
		assert_int_equal(a.used, used);
		assert_int_equal(a.cap, 100000);
		memset(arena_alloc(&a, used / 2), 'x', used / 2);
		arena_reset(&a, 100000);
	}
	/* A large one is not. */
	arena_fini(&a);
	arena_init(&a, 1 << 20);
	assert_non_null(arena_alloc(&a, 50000));
	arena_reset(&a, 0);
	assert_int_equal(a.used, 0);
	assert_null(arena_alloc(&a, 1));
	arena_fini(&a);
}

static void test_cap_holds(void **state)
{
	for (size_t cap = 0; cap < 20000; cap += 37) {
		struct arena a;
		size_t got = 0;

		arena_init(&a, cap);
		while (arena_alloc(&a, 96)) {
			got += 96;
			assert_true(got <= cap);
			assert_true(a.used <= cap);
		}
		/* No more than a block's tail is lost to each block. */
		assert_true(cap < 4096 ? got + 200 > cap : got > cap / 10 * 9);
		arena_fini(&a);
	}
}

static void test_absurd_sizes_fail(void **state)
{
	struct arena a;

	arena_init(&a, SIZE_MAX);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 4));
	assert_null(arena_copy(&a, "x", SIZE_MAX));
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 0));
	assert_string_equal(arena_copy(&a, NULL, 0), "");
	arena_fini(&a);
}

static void test_larger_than_a_block(void **state)
{
	struct arena a;
	char *p;

	arena_init(&a, 100000);
	p = arena_alloc(&a, 50000);
	assert_non_null(p);
	memset(p, 1, 50000);
	assert_null(arena_alloc(&a, 60000));
	assert_non_null(arena_alloc(&a, 40000));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alloc_is_aligned_after_copies),
	    cmocka_unit_test(test_contents_survive_new_blocks),
	    cmocka_unit_test(test_a_reset_arena_begins_anew),
	    cmocka_unit_test(test_cap_holds),
	    cmocka_unit_test(test_absurd_sizes_fail),
	    cmocka_unit_test(test_larger_than_a_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
