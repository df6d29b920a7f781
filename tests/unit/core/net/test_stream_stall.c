/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who is cut off when those who do not read hold too much memory: the order, then real streams.
 */
#include <string.h>

#include "core/base/check.h"
#include "core/net/stream_stall.h"
#include "tests/unit/core/net/stream_sides.h"

static void test_order_and_sums(void **state)
{
	struct stream_budget budget = {.limit = 100};
	struct stalls stalls, other;
	struct stall a = {0}, b = {0}, c = {0}, d = {0};

	stalls_init(&stalls);
	stalls_init(&other);
	stall_set_held(&stalls, &a, 30);
	/* What is held already counts from here on. */
	stalls_set_budget(&stalls, &budget);
	stalls_set_budget(&other, &budget);
	assert_int_equal(budget.queued, 30);
	stall_set_held(&stalls, &b, 30);
	stall_set_held(&stalls, &c, 40);
	assert_int_equal(budget.queued, 100);
	assert_null(stalls_to_cut(&stalls, &c));

	/* One of another loop takes the node over the limit: that loop has only this one to cut. */
	stall_set_held(&other, &d, 1);
	assert_ptr_equal(stalls_to_cut(&other, &d), &d);
	assert_ptr_equal(stalls_to_cut(&stalls, &c), &a);
	assert_ptr_equal(stalls_to_cut(&stalls, &a), &b);
	stall_progressed(&stalls, &a);
	assert_ptr_equal(stalls_to_cut(&stalls, &c), &b);
	stall_progressed(&stalls, &d); /* it is in no danger here */

	/* More or less of it is no progress. */
	stall_set_held(&stalls, &b, 60);
	stall_set_held(&stalls, &b, 50);
	assert_ptr_equal(stalls_to_cut(&stalls, &c), &b);
	stall_set_held(&stalls, &b, 0);
	assert_int_equal(budget.queued, 71);
	assert_null(stalls_to_cut(&stalls, &c));
	stall_progressed(&stalls, &b); /* holds nothing: nothing */

	budget.limit = 1;
	assert_ptr_equal(stalls_to_cut(&stalls, &c), &a);
	stall_set_held(&stalls, &a, 0);
	assert_ptr_equal(stalls_to_cut(&stalls, &c), &c);
	stall_set_held(&stalls, &c, 0);
	assert_null(stalls_to_cut(&stalls, &c));
	budget.limit = 0;
	assert_null(stalls_to_cut(&other, &d));
	stalls_set_budget(&other, NULL);
	assert_int_equal(budget.queued, 0);
	stall_set_held(&other, &d, 0);
}

static struct stream_budget budget;

static int setup(void **state)
{
	streams_setup(state);
	memset(&budget, 0, sizeof(budget));
	stream_buffers_set_budget(test_buffers, &budget);
	return 0;
}

/* `n` bytes that the other side does not take. */
static void stall_on(struct side *writer, struct side *reader, size_t n)
{
	stream_pause(reader->s);
	side_write_pattern(writer, n);
	assert_true(stream_queued(writer->s) > 0);
}

static bool one_has_failed(void *sides)
{
	struct side *writers = sides;

	return writers[0].failed + writers[1].failed + writers[2].failed + writers[3].failed > 0;
}

/* Which of the first three is not certain: the kernel may take a little more of any of them. */
static void test_another_stalled_one_is_cut_off(void **state)
{
	struct side writers[4], readers[4];
	int cut = 0;

	for (int i = 0; i < 4; i++)
		sides_connect(&writers[i], &readers[i], i % 2 == 0 ? PLAIN : TLS13);
	budget.limit = 7000000;
	for (int i = 0; i < 3; i++)
		stall_on(&writers[i], &readers[i], 2000000);
	assert_in_range(budget.queued, 3 * 1000000, 7000000);
	assert_int_equal(budget.cut, 0);

	stall_on(&writers[3], &readers[3], 2000000);
	assert_int_equal(budget.cut, 1);
	assert_false(one_has_failed(writers)); /* not from inside stream_write() */
	run_until(one_has_failed, writers);
	while (!writers[cut].failed)
		cut++;
	assert_true(cut < 3);
	assert_int_equal(stream_fault(writers[cut].s), STREAM_FAULT_STALLED);
	assert_int_equal(stream_queued(writers[cut].s), 0);
	assert_false(side_write(&writers[cut], "more"));
	run_turns(3);
	assert_true(budget.queued <= budget.limit);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(writers[i].failed, i == cut);
		side_fini(&writers[i]);
		side_fini(&readers[i]);
	}
	assert_int_equal(budget.queued, 0);
}

static void test_whoever_alone_is_too_much_is_cut_off(void **state)
{
	struct side writer, reader;

	sides_connect(&writer, &reader, TLS13);
	stream_pause(reader.s);
	budget.limit = 1000000;
	assert_false(side_write_pattern(&writer, 3000000));
	assert_int_equal(budget.cut, 1);
	assert_int_equal(budget.queued, 0);
	run_until(side_failed, &writer);
	assert_int_equal(stream_fault(writer.s), STREAM_FAULT_STALLED);
	side_fini(&writer);
	side_fini(&reader);
}

/* What closes holds memory like any other, and is cut off without anybody to be told. */
static void test_what_closes_is_cut_off_too(void **state)
{
	struct side writers[2], readers[2];

	for (int i = 0; i < 2; i++)
		sides_connect(&writers[i], &readers[i], PLAIN);
	budget.limit = 5000000;
	stall_on(&writers[0], &readers[0], 4000000);
	stream_close(&writers[0].s, DUR_S(20));
	assert_true(budget.queued > 3000000);
	stall_on(&writers[1], &readers[1], 4000000);
	assert_int_equal(budget.cut, 1);
	run_until(nothing_closes, NULL);
	assert_true(budget.queued > 3000000);
	assert_int_equal(writers[1].failed, 0);
	for (int i = 0; i < 2; i++) {
		side_fini(&writers[i]);
		side_fini(&readers[i]);
	}
	assert_int_equal(budget.queued, 0);
}

static void test_what_is_taken_is_given_back(void **state)
{
	struct side writer, reader;

	sides_connect(&writer, &reader, TLS12);
	for (int i = 1; i <= 3; i++) {
		reader.len = 0;
		stall_on(&writer, &reader, 1000000);
		assert_in_range(budget.queued, 900000, 2200000);
		stream_resume(reader.s);
		run_until(side_drained, &writer);
		assert_int_equal(budget.queued, 0);
		wait_len(&reader, 1000000);
	}
	side_fini(&writer);
	side_fini(&reader);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, setup, streams_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_and_sums),     RUN(another_stalled_one_is_cut_off),
	    RUN(whoever_alone_is_too_much_is_cut_off), RUN(what_closes_is_cut_off_too),
	    RUN(what_is_taken_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
