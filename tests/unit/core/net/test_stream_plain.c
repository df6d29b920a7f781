/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plain streams over loopback TCP.
 */
#include <errno.h>
#include <unistd.h>

#include "tests/unit/core/net/stream_sides.h"

#define CASE(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		case_##name(PLAIN);                                                                \
	}
CASE(echo)
CASE(bulk_both_ways)
CASE(slow_reader)
CASE(pause)
CASE(half_close)
CASE(hand_over)
CASE(reset)
CASE(write_to_closed)
CASE(destroy_in_callbacks)
CASE(park)
CASE(park_dead)
CASE(park_in_callback)

/* What the other side had sent before it reset the connection is not lost on who was writing. */
static void test_read_after_failed_write(void **state)
{
	struct side client, server;
	char buf[64];

	sides_open(&client, &server, PLAIN);
	stream_pause(client.s);
	side_write(&server, "too large");
	run_turns(1);
	stream_abort(&server.s);
	side_write(&client, "a body that nobody wants");
	run_until(side_failed, &client);
	assert_int_equal(stream_read(client.s, buf, sizeof(buf)), 9);
	assert_int_equal(stream_read(client.s, buf, sizeof(buf)), STREAM_AGAIN);
	side_fini(&client);
	side_fini(&server);
}

static void test_no_descriptor_leaks_without_tls(void **state)
{
	struct side client, server;
	int fd;

	sides_open(&client, &server, PLAIN);
	fd = stream_fd(client.s);
	assert_null(stream_tls_session(client.s));
	assert_int_equal(stream_handshake_time(client.s).ns, 0);
	side_fini(&client);
	assert_int_equal(close(fd), -1);
	assert_int_equal(errno, EBADF);
	side_fini(&server);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(echo),
	    RUN(bulk_both_ways),
	    RUN(slow_reader),
	    RUN(pause),
	    RUN(half_close),
	    RUN(hand_over),
	    RUN(reset),
	    RUN(write_to_closed),
	    RUN(destroy_in_callbacks),
	    RUN(park),
	    RUN(park_dead),
	    RUN(park_in_callback),
	    RUN(read_after_failed_write),
	    RUN(no_descriptor_leaks_without_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
