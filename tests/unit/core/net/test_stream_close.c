/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The orderly end, and the half-close: what was written arrives whatever the other side still
 * sends, and nobody is waited for without bound.
 */
#include <linux/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "tests/unit/core/net/stream_sides.h"

#define LINGER DUR_S(20)
#define RESPONSE_LEN 500000

static void respond_and_close(struct side *side)
{
	side_read_some(side);
	side_write_pattern(side, RESPONSE_LEN);
	stream_close(&side->s, LINGER);
	assert_null(side->s);
}

/* The server has far more to read than it cares for; the response arrives all the same. */
static void lingers(enum kind kind, size_t request_len)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	server.on_readable = respond_and_close;
	side_write_pattern(&client, request_len);
	run_until(side_ended, &client);
	assert_int_equal(client.end, STREAM_EOF);
	side_assert_pattern(&client, RESPONSE_LEN);
	assert_int_equal(client.failed, 0);
	assert_int_equal(test_buffers->n_closing, 1);
	run_until(side_drained, &client);
	stream_destroy(&client.s);
	run_until(nothing_closes, NULL);
	side_fini(&client);
	side_fini(&server);
}

/* One that looks for the response only when all of its request has left: the response must not be
 * lost to a reset meanwhile. */
static void uploads_first(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	server.on_readable = respond_and_close;
	stream_pause(client.s);
	side_write_pattern(&client, 5000000);
	run_until(side_drained, &client);
	assert_int_equal(client.failed, 0);
	stream_resume(client.s);
	run_until(side_ended, &client);
	assert_int_equal(client.end, STREAM_EOF);
	side_assert_pattern(&client, RESPONSE_LEN);
	side_fini(&client);
	run_until(nothing_closes, NULL);
	side_fini(&server);
}

static void test_the_response_arrives(void **state)
{
	for (enum kind kind = PLAIN; kind <= TLS13; kind++) {
		lingers(kind, 200000);
		lingers(kind, 5000000);
		uploads_first(kind);
	}
}

static void write_on(struct side *side)
{
	static char piece[1000000];
	struct iovec iov = {piece, sizeof(piece)};

	side->sent += sizeof(piece);
	stream_write(side->s, &iov, 1);
}

static void test_no_more_is_read_away_than_64_mib(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, PLAIN);
	client.on_drained = write_on;
	stream_close(&server.s, LINGER);
	write_on(&client);
	run_until(side_failed, &client);
	assert_in_range(client.sent, 67000000, 70000000);
	assert_int_equal(test_buffers->n_closing, 0);
	side_fini(&client);
}

static void neither_reads_nor_closes(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	stream_pause(client.s);
	side_write_pattern(&server, 2000000);
	stream_close(&server.s, DUR_MS(1));
	assert_int_equal(test_buffers->n_closing, 1);
	run_until(nothing_closes, NULL);
	side_fini(&client);
}

static void reads_but_does_not_close(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	stream_close(&server.s, DUR_MS(1));
	run_until(side_ended, &client);
	assert_int_equal(client.end, STREAM_EOF);
	run_until(nothing_closes, NULL);
	side_fini(&client);
}

static void resets_meanwhile(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	side_write_pattern(&server, 2000000);
	stream_close(&server.s, LINGER);
	stream_abort(&client.s);
	run_until(nothing_closes, NULL);
}

static void test_nobody_is_waited_for_without_bound(void **state)
{
	for (enum kind kind = PLAIN; kind <= TLS13; kind++) {
		neither_reads_nor_closes(kind);
		reads_but_does_not_close(kind);
		resets_meanwhile(kind);
	}
}

static bool time_has_come(void *arg)
{
	return mono_reached(*(mono_time *)arg, clock_mono());
}

/* Slow, but not dead: the time begins anew with each progress. */
static void test_progress_is_waited_for(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, PLAIN);
	side_write_pattern(&server, 3000000);
	stream_close(&server.s, DUR_S(2));
	/* The pauses are shorter than that, and all of them together longer. */
	for (int i = 0; i < 6; i++) {
		mono_time end = mono_add(clock_mono(), DUR_MS(500));

		stream_pause(client.s);
		run_until(time_has_come, &end);
		stream_resume(client.s);
		wait_len(&client, client.len + 100000);
	}
	run_until(side_ended, &client);
	side_assert_pattern(&client, 3000000);
	side_fini(&client);
	run_until(nothing_closes, NULL);
}

static void test_what_still_closes_ends_with_the_buffers(void **state)
{
	struct side client, server;

	for (enum kind kind = PLAIN; kind <= TLS13; kind++) {
		sides_connect(&client, &server, kind);
		side_write_pattern(&server, 2000000);
		stream_close(&server.s, LINGER);
		stream_close(&client.s, LINGER);
	}
	assert_int_equal(test_buffers->n_closing, 6);
	/* The teardown ends them. */
}

static bool owed(void *arg)
{
	return stream_closing_is_owed(test_buffers);
}

static bool not_owed(void *arg)
{
	return !stream_closing_is_owed(test_buffers);
}

/* A program that ended waited for clients that had all, and only did not close. */
static void test_who_has_all_and_says_nothing_is_owed_nothing(void **state)
{
	struct side client, server;

	for (enum kind kind = PLAIN; kind <= TLS13; kind++) {
		sides_connect(&client, &server, kind);
		side_write(&server, "response");
		stream_close(&server.s, LINGER);
		assert_int_equal(test_buffers->n_closing, 1);
		assert_false(stream_closing_is_owed(test_buffers));
		/* One that goes on sending is. */
		side_write(&client, "upload");
		run_until(owed, NULL);
		side_fini(&client);
		run_until(nothing_closes, NULL);
	}
}

static void test_what_the_kernel_has_not_taken_is_owed(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, PLAIN);
	stream_pause(client.s);
	side_write_pattern(&server, 20000000);
	stream_close(&server.s, LINGER);
	assert_true(stream_closing_is_owed(test_buffers));
	stream_resume(client.s);
	run_until(not_owed, NULL);
	side_fini(&client);
	run_until(nothing_closes, NULL);
}

/* Each keeps a descriptor, for as long as whoever is at the other end likes. */
static void test_those_that_linger_are_within_the_budget(void **state)
{
	struct stream_budget budget = {.closing = 2};
	struct side client[4], server;

	stream_buffers_set_budget(test_buffers, &budget);
	for (unsigned i = 0; i < ARRAY_SIZE(client); i++) {
		sides_connect(&client[i], &server, PLAIN);
		stream_close(&server.s, LINGER);
		assert_int_equal(test_buffers->n_closing, MIN(i + 1, 2));
	}
	/* Less is allowed now: the next one makes it so. */
	atomic_store(&budget.closing, 1);
	side_fini(&client[0]);
	sides_connect(&client[0], &server, PLAIN);
	stream_close(&server.s, LINGER);
	assert_int_equal(test_buffers->n_closing, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(client); i++)
		side_fini(&client[i]);
	stream_buffers_set_budget(test_buffers, NULL);
}

/* Packets that came in, of any kind. */
static unsigned packets(const struct side *side)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(stream_fd(side->s), IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_segs_in;
}

/* The last bytes of a response, close_notify and FIN. */
static void test_the_last_packet_has_it_all(void **state)
{
	struct side client, server;
	unsigned before;

	for (enum kind kind = PLAIN; kind <= TLS13; kind++) {
		sides_connect(&client, &server, kind);
		/* Nothing that would have to be acknowledged, or would be told later. */
		side_write(&client, "request");
		wait_len(&server, 7);
		side_write(&server, "early");
		wait_len(&client, 5);
		before = packets(&client);
		side_write(&server, "response");
		stream_close(&server.s, LINGER);
		run_until(side_ended, &client);
		assert_int_equal(client.end, STREAM_EOF);
		assert_int_equal(packets(&client) - before, 1);

		/* The other side has ended before: there is nothing to wait for. */
		stream_close(&client.s, LINGER);
		assert_int_equal(test_buffers->n_closing, 1);
		run_until(nothing_closes, NULL);
		side_fini(&client);
		side_fini(&server);
	}
}

static void test_close_after_half_close(void **state)
{
	struct side client, server;

	for (enum kind kind = PLAIN; kind <= TLS13; kind++) {
		sides_connect(&client, &server, kind);
		stream_pause(server.s);
		assert_false(side_write_pattern(&client, 1000000));
		stream_end_writing(client.s);
		stream_end_writing(client.s);
		run_turns(3);
		stream_resume(server.s);
		run_until(side_ended, &server);
		assert_int_equal(server.end, STREAM_EOF);
		side_assert_pattern(&server, 1000000);
		run_until(side_drained, &client);
		assert_int_equal(client.drained, 1);
		side_write(&server, "response");
		wait_len(&client, 8);
		stream_close(&client.s, LINGER);
		stream_close(&server.s, LINGER);
		run_until(nothing_closes, NULL);
		side_fini(&client);
		side_fini(&server);
	}
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(the_response_arrives),
	    RUN(no_more_is_read_away_than_64_mib),
	    RUN(nobody_is_waited_for_without_bound),
	    RUN(progress_is_waited_for),
	    RUN(what_still_closes_ends_with_the_buffers),
	    RUN(who_has_all_and_says_nothing_is_owed_nothing),
	    RUN(what_the_kernel_has_not_taken_is_owed),
	    RUN(those_that_linger_are_within_the_budget),
	    RUN(the_last_packet_has_it_all),
	    RUN(close_after_half_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
