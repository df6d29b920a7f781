/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How much one stream may read while others are ready too.
 */
#include <string.h>

#include "core/base/check.h"
#include "tests/unit/core/net/stream_sides.h"

enum { MANY = 100 };

static uint64_t first_turn;
/* What the readers took in the first turn that they were ready in, and in the one after it. */
static size_t in_turn[2], most[2];

static void read_in_turns(struct side *side)
{
	uint64_t turn;
	size_t before = side->len;

	if (first_turn == 0)
		first_turn = loop_turn(test_loop);
	turn = loop_turn(test_loop) - first_turn;
	side_read_all(side);
	if (turn < 2) {
		in_turn[turn] += side->len - before;
		most[turn] = MAX(most[turn], side->len - before);
	}
}

static void fill(struct side *side, size_t len)
{
	static char zeros[100000];
	struct iovec iov = {zeros, len};

	stream_write(side->s, &iov, 1);
}

/* libevent learns of 32 ready sockets at once to begin with, and of more when there were so many.
 */
static void make_libevent_see_all(struct side *writers, struct side *readers)
{
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++) {
			readers[i].len = 0;
			fill(&writers[i], 1);
		}
		for (int i = 0; i < MANY; i++)
			wait_len(&readers[i], 1);
	}
}

/* Each has 40,000 bytes to read; the share of a hundred is less than the smallest there is. */
static void shares_of_many(enum kind kind)
{
	struct side writers[MANY], readers[MANY];
	/* With TLS, a record that has begun in one turn comes out of the next. */
	size_t rest = kind == PLAIN ? 0 : 16384;

	for (int i = 0; i < MANY; i++)
		sides_connect(&writers[i], &readers[i], kind);
	make_libevent_see_all(writers, readers);
	for (int i = 0; i < MANY; i++) {
		readers[i].len = 0;
		stream_pause(readers[i].s);
		fill(&writers[i], 40000);
	}
	run_turns(10);
	first_turn = 0;
	memset(in_turn, 0, sizeof(in_turn));
	memset(most, 0, sizeof(most));
	for (int i = 0; i < MANY; i++) {
		readers[i].on_readable = read_in_turns;
		stream_resume(readers[i].s);
	}
	for (int i = 0; i < MANY; i++)
		wait_len(&readers[i], 40000);
	/* How many there are is only known at the end of the first turn. */
	assert_true(most[0] > 30000);
	assert_true(in_turn[0] < MANY * 40000);
	assert_in_range(most[1], 15000, 16384 + rest);
	for (int i = 0; i < MANY; i++) {
		side_fini(&writers[i]);
		side_fini(&readers[i]);
	}
}

static void test_many_ready_streams_share_a_turn(void **state)
{
	shares_of_many(PLAIN);
	shares_of_many(TLS13);
}

static void test_one_ready_stream_has_the_whole_turn(void **state)
{
	struct side writer, reader;

	sides_connect(&writer, &reader, PLAIN);
	stream_pause(reader.s);
	fill(&writer, 40000);
	run_turns(10);
	first_turn = 0;
	memset(most, 0, sizeof(most));
	reader.on_readable = read_in_turns;
	stream_resume(reader.s);
	wait_len(&reader, 40000);
	assert_int_equal(most[0], 40000);
	side_fini(&writer);
	side_fini(&reader);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(many_ready_streams_share_a_turn),
	    RUN(one_ready_stream_has_the_whole_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
