/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Content that is kept: what goes in comes out in order, and crumbs cost no more than they count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/http/h2_queue.h"

/* A client's window. */
#define MANY 65535

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + i / 256);
}

static void put(struct h2_queue *q, size_t from, size_t n, struct slice_owner *owner)
{
	char bytes[5000];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)byte_at(from + i);
	assert_true(h2_queue_put(q, (struct slice){bytes, n, owner}));
}

/* Takes at most `max` bytes, which are those from `from`. */
static size_t take(struct h2_queue *q, size_t from, size_t max)
{
	struct slice slice = h2_queue_take(q, max);
	size_t n = slice.n;

	assert_in_range(n, 1, max);
	for (size_t i = 0; i < n; i++)
		assert_int_equal((uint8_t)slice.p[i], byte_at(from + i));
	slice_drop(&slice);
	return n;
}

static void never(struct slice_owner *owner)
{
	fail();
}

/* Each was a piece of its own: 80 bytes to keep one. */
static void crumbs(struct slice_owner *owner)
{
	struct h2_queue q;
	unsigned pieces = 0;
	size_t taken = 0;

	h2_queue_init(&q);
	for (size_t i = 0; i < MANY; i++)
		put(&q, i, 1, owner);
	assert_int_equal(q.bytes, MANY);
	for (; q.bytes > 0; pieces++)
		taken += take(&q, taken, MANY);
	assert_int_equal(taken, MANY);
	assert_in_range(pieces, 1, 40);
}

static void test_crumbs_are_kept_together(void **state)
{
	crumbs(NULL);
}

static void test_crumbs_of_an_owner_do_not_hold_it(void **state)
{
	struct slice_owner owner = {1, never};

	crumbs(&owner);
	assert_int_equal(owner.refs, 1);
}

static void test_order_whatever_the_sizes(void **state)
{
	static const size_t sizes[] = {1, 3, 5000, 2, 40, 4095, 1, 1, 64, 700, 4097, 9};
	size_t in = 0, out = 0;
	struct h2_queue q;

	h2_queue_init(&q);
	for (unsigned i = 0; i < 2000; i++) {
		size_t n = sizes[i % ARRAY_SIZE(sizes)];

		put(&q, in, n, NULL);
		in += n;
		while (i % 3 == 0 && q.bytes > 100)
			out += take(&q, out, 1 + i % 2999);
		assert_int_equal(q.bytes, in - out);
	}
	h2_queue_clear(&q);
	assert_int_equal(q.bytes, 0);
}

static void test_what_has_an_owner_is_not_copied(void **state)
{
	struct slice_owner owner = {1, never};
	struct slice slice;
	static char bytes[5000];
	struct h2_queue q;

	h2_queue_init(&q);
	assert_true(h2_queue_put(&q, (struct slice){bytes, sizeof(bytes), &owner}));
	assert_int_equal(owner.refs, 2);
	slice = h2_queue_take(&q, sizeof(bytes));
	assert_ptr_equal(slice.p, bytes);
	slice_drop(&slice);
	assert_int_equal(owner.refs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_crumbs_are_kept_together),
	    cmocka_unit_test(test_crumbs_of_an_owner_do_not_hold_it),
	    cmocka_unit_test(test_order_whatever_the_sizes),
	    cmocka_unit_test(test_what_has_an_owner_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
