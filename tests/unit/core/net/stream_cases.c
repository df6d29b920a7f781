/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What holds for plain and for TLS streams alike.
 */
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "tests/unit/core/net/stream_sides.h"

#define LINGER DUR_S(30)

static void wait_readable(const struct stream *s)
{
	struct pollfd fd = {stream_fd(s), POLLIN, 0};

	assert_int_equal(poll(&fd, 1, -1), 1);
}

static bool is_readable(void *stream)
{
	struct pollfd fd = {stream_fd(stream), POLLIN, 0};

	return poll(&fd, 1, 0) == 1;
}

void case_echo(enum kind kind)
{
	struct side client, server;
	char text[] = "one two three";
	struct iovec pieces[] = {{text, 4}, {text, 0}, {text + 4, 4}, {text + 8, 5}, {text, 0}};

	sides_connect(&client, &server, kind);
	assert_int_equal(client.established, kind != PLAIN);
	assert_int_equal(server.established, kind != PLAIN);
	assert_true(stream_write(client.s, pieces, ARRAY_SIZE(pieces)));
	wait_len(&server, 13);
	assert_memory_equal(server.data, "one two three", 13);
	assert_true(side_write(&server, "answer"));
	wait_len(&client, 6);
	assert_memory_equal(client.data, "answer", 6);
	assert_true(stream_is_drained(client.s));
	assert_int_equal(client.drained, 0);
	assert_int_equal(stream_fault(client.s), STREAM_FAULT_NONE);
	side_fini(&client);
	side_fini(&server);
}

/* Bulk: both sides send and both stop reading now and then. */

#define BULK_LEN (20 * 1024 * 1024)
#define BULK_PIECE 100000

static uint64_t checksum(uint64_t sum, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)data[i];
	return sum;
}

static void bulk_write(struct side *side)
{
	static char piece[BULK_PIECE];
	bool go_on = true;

	while (go_on && side->sent < BULK_LEN) {
		size_t len = MIN(BULK_LEN - side->sent, sizeof(piece));
		/* Head and body, as in a response. */
		struct iovec iov[2] = {{piece, 100}, {piece + 100, len - 100}};

		for (size_t i = 0; i < len; i++)
			piece[i] = (char)((side->sent + i) * 2654435761u >> 13);
		side->sum_out = checksum(side->sum_out, piece, len);
		side->sent += len;
		go_on = stream_write(side->s, iov, 2);
	}
}

static void bulk_readable(struct side *side)
{
	ssize_t n;

	while ((n = stream_read(side->s, side->b->plain, 40000)) > 0) {
		side->sum_in = checksum(side->sum_in, side->b->plain, n);
		side->len += n;
		if (side->len % 7 == 0) {
			stream_pause(side->s);
			return;
		}
	}
	assert_int_equal(n, STREAM_AGAIN);
}

static bool bulk_done(void *arg)
{
	struct side **sides = arg;

	stream_resume(sides[0]->s);
	stream_resume(sides[1]->s);
	return sides[0]->len >= BULK_LEN && sides[1]->len >= BULK_LEN;
}

void case_bulk_both_ways(enum kind kind)
{
	struct side client, server;
	struct side *both[2] = {&client, &server};

	sides_connect(&client, &server, kind);
	for (int i = 0; i < 2; i++) {
		both[i]->on_readable = bulk_readable;
		both[i]->on_drained = bulk_write;
		bulk_write(both[i]);
		assert_true(both[i]->sent < BULK_LEN);
	}
	run_until(bulk_done, both);
	assert_int_equal(client.len, BULK_LEN);
	assert_int_equal(server.len, BULK_LEN);
	assert_true(client.sum_in == server.sum_out);
	assert_true(server.sum_in == client.sum_out);
	side_fini(&client);
	side_fini(&server);
}

void case_slow_reader(enum kind kind)
{
	struct side client, server;
	size_t len = 4 * 1024 * 1024;

	sides_connect(&client, &server, kind);
	stream_pause(server.s);
	assert_false(side_write_pattern(&client, len));
	run_turns(50);
	assert_int_equal(server.readable, 0);
	assert_int_equal(client.drained, 0);
	assert_false(stream_is_drained(client.s));
	stream_resume(server.s);
	wait_len(&server, len);
	run_until(side_drained, &client);
	assert_int_equal(client.drained, 1);
	side_assert_pattern(&server, len);
	/* And once more after the queue was given back. */
	assert_true(side_write(&client, "x"));
	wait_len(&server, len + 1);

	/* What is written while the queue is being used up comes after it. */
	server.len = 0;
	client.drained = 0;
	assert_false(side_write_pattern(&client, 251 * 5000));
	wait_len(&server, 251 * 2500);
	assert_false(stream_is_drained(client.s));
	assert_false(side_write_pattern(&client, 251 * 500));
	assert_false(side_write_pattern(&client, 251 * 5000));
	wait_len(&server, 251 * 10500);
	side_assert_pattern(&server, 251 * 10500);
	run_until(side_drained, &client);
	assert_int_equal(client.drained, 1);
	side_fini(&client);
	side_fini(&server);
}

static void read_some_and_pause(struct side *side)
{
	side_read_some(side);
	stream_pause(side->s);
}

void case_pause(enum kind kind)
{
	static const size_t lens[] = {1000, 16384, 30000, 62000};
	struct side client, server, other_client, other_server;

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		sides_connect(&client, &server, kind);
		server.on_readable = read_some_and_pause;
		side_write_pattern(&client, lens[i]);
		run_until(side_drained, &client);
		wait_len(&server, 100);
		run_turns(20);
		assert_int_equal(server.readable, 1);

		/* Another stream needs the loop's buffers meanwhile. */
		sides_connect(&other_client, &other_server, kind);
		side_write_pattern(&other_client, 50000);
		wait_len(&other_server, 50000);
		side_assert_pattern(&other_server, 50000);

		server.on_readable = NULL;
		stream_resume(server.s);
		wait_len(&server, lens[i]);
		side_assert_pattern(&server, lens[i]);

		/* Who returns early without a pause is called again. */
		other_server.on_readable = side_read_some;
		side_write_pattern(&other_client, 33 * 251);
		wait_len(&other_server, 50000 + 33 * 251);
		side_fini(&client);
		side_fini(&server);
		side_fini(&other_client);
		side_fini(&other_server);
	}
}

void case_half_close(enum kind kind)
{
	struct side client, server;
	char byte;
	int calls;

	sides_connect(&client, &server, kind);
	side_write(&client, "request");
	stream_end_writing(client.s);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_EOF);
	assert_int_equal(server.len, 7);
	assert_int_equal(stream_read(server.s, &byte, 1), STREAM_EOF);
	calls = server.readable;
	stream_resume(server.s);
	run_turns(5);
	assert_int_equal(server.readable, calls);

	assert_true(side_write(&server, "response"));
	wait_len(&client, 8);
	assert_int_equal(client.end, STREAM_AGAIN);
	stream_close(&server.s, LINGER);
	run_until(side_ended, &client);
	assert_int_equal(client.end, STREAM_EOF);
	side_fini(&client);
	run_until(nothing_closes, NULL);
	side_fini(&server);
}

static void read_some_and_hand_over(struct side *side)
{
	side_read_some(side);
	side_hand_over(side);
}

/* What the first user has left is told to the second, though no event will come for it. */
void case_hand_over(enum kind kind)
{
	struct side client, server;
	struct side second = {.b = test_buffers, .name = "second", .end = STREAM_AGAIN};

	sides_connect(&client, &server, kind);
	server.on_readable = read_some_and_hand_over;
	server.successor = &second;
	side_write_pattern(&client, 16000);
	wait_len(&second, 16000 - 100);
	assert_int_equal(server.readable, 1);
	assert_int_equal(server.len, 100);
	assert_int_equal(second.data[0], 100);
	stream_end_writing(client.s);
	run_until(side_ended, &second);
	assert_int_equal(second.end, STREAM_EOF);
	side_write(&second, "response");
	wait_len(&client, 8);
	side_fini(&client);
	side_fini(&server);
	side_fini(&second);
}

void case_reset(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	stream_abort(&client.s);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_ERROR);
	assert_int_equal(stream_fault(server.s), STREAM_FAULT_RESET);
	assert_string_equal(stream_fault_detail(server.s), "Connection reset by peer");
	run_turns(5);
	assert_int_equal(server.readable, 1);
	side_fini(&client);
	side_fini(&server);
}

static bool write_until_failed(void *arg)
{
	struct side *side = arg;

	side_write(side, "anybody there?");
	return side->failed;
}

void case_write_to_closed(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	stream_pause(server.s);
	side_fini(&client);
	run_until(write_until_failed, &server);
	assert_true(stream_fault(server.s) == STREAM_FAULT_CLOSED ||
		    stream_fault(server.s) == STREAM_FAULT_RESET);
	assert_false(side_write(&server, "more"));
	run_turns(5);
	assert_int_equal(server.failed, 1);
	side_fini(&server);
}

/* Destroying inside callbacks */

static void destroy(struct side *side)
{
	stream_destroy(&side->s);
}

static void read_some_and_destroy(struct side *side)
{
	side_read_some(side);
	stream_destroy(&side->s);
}

static bool is_destroyed(void *arg)
{
	struct side *side = arg;

	return side->s == NULL;
}

static bool write_until_destroyed(void *arg)
{
	struct side *side = arg;

	if (side->s)
		side_write(side, "anybody there?");
	return side->s == NULL;
}

void case_destroy_in_callbacks(enum kind kind)
{
	struct side client, server;

	if (kind != PLAIN) {
		sides_open(&client, &server, kind);
		client.on_established = server.on_established = destroy;
		client.on_failed = server.on_failed = destroy;
		run_until(is_destroyed, &client);
		run_until(is_destroyed, &server);
		run_turns(3);
	}
	sides_connect(&client, &server, kind);
	server.on_readable = read_some_and_destroy;
	side_write_pattern(&client, 30000);
	run_until(is_destroyed, &server);
	assert_int_equal(server.readable, 1);
	run_turns(3);
	side_fini(&client);
	side_fini(&server);

	sides_connect(&client, &server, kind);
	client.on_drained = destroy;
	assert_false(side_write_pattern(&client, 3000000));
	run_until(is_destroyed, &client);
	assert_int_equal(client.drained, 1);
	run_turns(3);
	side_fini(&server);

	sides_connect(&client, &server, kind);
	stream_pause(client.s);
	client.on_failed = destroy;
	side_fini(&server);
	run_until(write_until_destroyed, &client);
	assert_int_equal(client.failed, 1);
	run_turns(3);
}

/* The pool */

/* What the other loop's thread does with a parked stream, and back. */
struct visit {
	struct side side;
	struct stream *s;
	_Atomic bool done;
};

static void visit_readable(struct side *side)
{
	struct visit *visit = CONTAINER_OF(side, struct visit, side);

	side_read_all(side);
	if (side->len < 4)
		return;
	stream_park(side->s);
	atomic_store(&visit->done, true);
}

static void visit_start(void *arg)
{
	struct visit *visit = arg;

	CHECK(stream_parked_is_alive(visit->s));
	visit->side.s = visit->s;
	stream_unpark(visit->s, visit->side.b, &side_ops, &visit->side);
	side_write(&visit->side, "ping");
}

static void park(struct side *side)
{
	stream_park(side->s);
}

static bool visit_done(void *arg)
{
	struct visit *visit = arg;

	return atomic_load(&visit->done);
}

void case_park(enum kind kind)
{
	struct side client, server;
	struct loop *other = loop_create("other");
	struct visit visit = {.side.name = "visitor", .side.on_readable = visit_readable};

	sides_open(&client, &server, kind);
	if (kind == PLAIN) {
		stream_park(client.s);
	} else {
		client.on_established = park;
		run_until(side_established, &client);
		run_until(side_established, &server);
	}
	if (kind == TLS13)
		run_until(is_readable, client.s); /* the ticket */
	assert_true(stream_parked_is_alive(client.s));
	assert_true(stream_parked_is_alive(client.s));

	visit.side.b = stream_buffers_create(other);
	visit.s = client.s;
	loop_start(other);
	loop_post_mt(other, visit_start, &visit);
	wait_len(&server, 4);
	assert_memory_equal(server.data, "ping", 4);
	side_write(&server, "pong");
	run_until(visit_done, &visit);
	loop_stop_mt(other);
	loop_join(other);
	assert_memory_equal(visit.side.data, "pong", 4);
	free(visit.side.data);
	stream_buffers_destroy(&visit.side.b);
	loop_destroy(&other);

	assert_true(stream_parked_is_alive(client.s));
	stream_unpark(client.s, test_buffers, &side_ops, &client);
	side_write(&client, "again");
	wait_len(&server, 9);
	side_write(&server, "yes");
	wait_len(&client, 3);
	side_fini(&client);
	side_fini(&server);
}

void case_park_dead(enum kind kind)
{
	struct side client, server;

	for (int how = 0; how < 4; how++) {
		sides_connect(&client, &server, kind);
		stream_park(client.s);
		assert_true(stream_parked_is_alive(client.s));
		if (how == 0)
			stream_destroy(&server.s);
		else if (how == 1)
			stream_abort(&server.s);
		else if (how == 2)
			stream_close(&server.s, LINGER);
		else
			side_write(&server, "HTTP/1.1 408 Request Timeout\r\n");
		run_turns(1);
		wait_readable(client.s);
		assert_false(stream_parked_is_alive(client.s));
		assert_false(stream_parked_is_alive(client.s));
		stream_parked_destroy(&client.s);
		run_until(nothing_closes, NULL);
		side_fini(&server);
	}
}

static void read_four_and_park(struct side *side)
{
	char four[4];

	if (stream_read(side->s, four, 4) == 4) {
		stream_park(side->s);
		side->len += 4;
	}
}

void case_park_in_callback(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	client.on_readable = read_four_and_park;
	side_write(&server, "pong");
	wait_len(&client, 4);
	assert_true(stream_parked_is_alive(client.s));
	stream_unpark(client.s, test_buffers, &side_ops, &client);
	side_write(&server, "pongX");
	wait_len(&client, 8);
	/* What it had not read makes it unfit. */
	assert_false(stream_parked_is_alive(client.s));
	stream_parked_destroy(&client.s);
	side_fini(&server);
}
