/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stream that nobody reads: a reset is told all the same, an end in good order is not.
 */
#include "core/base/check.h"
#include "tests/unit/core/net/stream_sides.h"

/* A request and the first byte of the next, then a reset, while the server waits for its origin. */
static void reset_while_paused(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	server.on_readable = side_read_some;
	side_write(&client, "request");
	wait_len(&server, 7);
	stream_pause(server.s);
	side_write(&client, "G");
	run_turns(3);
	stream_abort(&client.s);
	run_until(side_failed, &server);
	assert_int_equal(stream_fault(server.s), STREAM_FAULT_RESET);
	assert_string_equal(stream_fault_detail(server.s), "Connection reset by peer");
	assert_int_equal(server.len, 7);
	/* What had come before can still be read, and then that it is over. */
	server.on_readable = NULL;
	stream_resume(server.s);
	run_until(side_ended, &server);
	assert_int_equal(server.len, 8);
	assert_int_equal(server.end, STREAM_ERROR);
	assert_int_equal(server.failed, 1);
	side_fini(&server);
	side_fini(&client);
}

static void test_a_reset_is_told(void **state)
{
	for (enum kind kind = PLAIN; kind <= TLS13; kind++)
		reset_while_paused(kind);
}

/* More than are asked with one system call; some are resumed or gone by then. */
static void test_many_are_watched(void **state)
{
	enum { N = 300 };
	struct side clients[N], servers[N];

	for (int i = 0; i < N; i++) {
		sides_connect(&clients[i], &servers[i], PLAIN);
		stream_pause(servers[i].s);
		side_write(&clients[i], "unread");
	}
	run_turns(20);
	for (int i = 0; i < N; i++) {
		if (i % 10 == 0)
			stream_resume(servers[i].s);
		else if (i % 10 == 1)
			side_fini(&servers[i]);
		else if (i % 10 == 2)
			continue;
		stream_abort(&clients[i].s);
	}
	for (int i = 0; i < N; i++) {
		if (i % 10 == 0)
			run_until(side_ended, &servers[i]);
		else if (i % 10 > 2)
			run_until(side_failed, &servers[i]);
		if (i % 10 == 2)
			assert_int_equal(servers[i].failed, 0);
		side_fini(&clients[i]);
		side_fini(&servers[i]);
	}
}

static bool time_has_come(void *arg)
{
	return mono_reached(*(mono_time *)arg, clock_mono());
}

/* Both have ended, but one has not read what the other had sent before: nothing is wrong. */
static void test_an_end_in_good_order_is_no_failure(void **state)
{
	struct side client, server;
	mono_time later;

	sides_connect(&client, &server, PLAIN);
	stream_pause(server.s);
	side_write(&client, "request");
	stream_end_writing(client.s);
	side_write(&server, "response");
	stream_end_writing(server.s);
	run_until(side_ended, &client);
	side_fini(&client);
	later = mono_add(clock_mono(), DUR_MS(2500));
	run_until(time_has_come, &later);
	assert_int_equal(server.failed, 0);
	stream_resume(server.s);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_EOF);
	assert_int_equal(server.len, 7);
	side_fini(&server);
}

/* Its request was whole; then it went away altogether. */
static void test_a_reset_after_the_end_is_told(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, PLAIN);
	stream_end_writing(client.s);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_EOF);
	stream_abort(&client.s);
	run_until(side_failed, &server);
	assert_true(stream_fault(server.s) == STREAM_FAULT_RESET ||
		    stream_fault(server.s) == STREAM_FAULT_CLOSED);
	side_fini(&server);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(a_reset_is_told),
	    RUN(many_are_watched),
	    RUN(an_end_in_good_order_is_no_failure),
	    RUN(a_reset_after_the_end_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
