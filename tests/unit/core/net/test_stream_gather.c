/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is written in one turn leaves together and in order: counted in system calls, which the
 * sides' own send() sees, and in TLS records, which lie in the receiver's socket.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "tests/unit/core/net/stream_sides.h"

static void write_bytes(struct side *side, size_t len)
{
	static char zeros[100000];
	struct iovec iov = {zeros, len};

	stream_write(side->s, &iov, 1);
}

/* Lengths of the records that wait in the socket of `side`; how many. */
static unsigned records(const struct side *side, size_t *lens, unsigned max)
{
	static unsigned char wire[200000];
	ssize_t n = recv(stream_fd(side->s), wire, sizeof(wire), MSG_PEEK);
	unsigned count = 0;

	for (ssize_t at = 0; at + 5 <= n && count < max; at += 5 + lens[count++])
		lens[count] = wire[at + 3] << 8 | wire[at + 4];
	return count;
}

/* Established, the ticket read, the client past its first small records, the server not reading. */
static void connect_quietly(struct side *client, struct side *server, enum kind kind)
{
	sides_connect(client, server, kind);
	side_write(server, "hello");
	wait_len(client, 5);
	write_bytes(client, 20000);
	wait_len(server, 20000);
	stream_pause(server->s);
	sides_sends = 0;
}

static void many_small_writes_are_one_send(enum kind kind)
{
	struct side client, server;
	size_t lens[4];

	connect_quietly(&client, &server, kind);
	for (int i = 0; i < 1000; i++)
		assert_true(side_write(&client, "\r\n"));
	assert_int_equal(sides_sends, 0);
	assert_true(stream_is_drained(client.s));
	assert_int_equal(stream_queued(client.s), 0);
	run_turns(1);
	assert_int_equal(sides_sends, 1);
	if (kind != PLAIN)
		assert_int_equal(records(&server, lens, 4), 1);
	server.len = 0;
	stream_resume(server.s);
	wait_len(&server, 2000);
	assert_memory_equal(server.data, "\r\n\r\n", 4);
	side_fini(&client);
	side_fini(&server);
}

static void test_many_small_writes_are_one_send(void **state)
{
	many_small_writes_are_one_send(PLAIN);
	many_small_writes_are_one_send(TLS12);
	many_small_writes_are_one_send(TLS13);
}

static void test_a_large_write_takes_with_it_what_was_gathered(void **state)
{
	struct side client, server;
	size_t lens[4];

	connect_quietly(&client, &server, PLAIN);
	side_write(&client, "head");
	write_bytes(&client, 20000);
	assert_int_equal(sides_sends, 1);
	side_fini(&client);
	side_fini(&server);

	/* And fills the first record with it. */
	connect_quietly(&client, &server, TLS13);
	side_write(&client, "head");
	write_bytes(&client, 20000);
	assert_int_equal(sides_sends, 1);
	assert_int_equal(records(&server, lens, 4), 2);
	assert_in_range(lens[0], 16384 + 17, 16384 + 17);
	assert_in_range(lens[1], 3620 + 17, 3620 + 17);
	server.len = 0;
	stream_resume(server.s);
	wait_len(&server, 20004);
	assert_memory_equal(server.data, "head", 5);
	side_fini(&client);
	side_fini(&server);
}

static void test_more_pieces_than_go_with_what_was_gathered(void **state)
{
	static char letters[] = "abcdefghijklmnopqrstuvwxyz";
	struct side client, server;
	struct iovec pieces[26];

	sides_connect(&client, &server, TLS13);
	for (int i = 0; i < 25; i++)
		pieces[i] = (struct iovec){letters + i, 1};
	pieces[25] = (struct iovec){(char[20000]){"z"}, 20000};
	side_write(&client, "0123");
	stream_write(client.s, pieces, 26);
	wait_len(&server, 20029);
	assert_memory_equal(server.data, "0123abcdefghijklmnopqrstuvwxyz", 31);
	side_fini(&client);
	side_fini(&server);
}

static void test_what_is_gathered_is_bounded(void **state)
{
	static char text[1001];
	struct side client, server;
	unsigned n = 5 * STREAM_GATHER_MAX / 1000;

	connect_quietly(&client, &server, TLS13);
	server.len = 0;
	for (unsigned i = 0; i < n; i++) {
		memset(text, 'a' + i % 26, 1000);
		side_write(&client, text);
	}
	/* The first ones were taken by the socket, and then its buffer was full. */
	assert_in_range(sides_sends, 1, 4);
	assert_false(stream_is_drained(client.s));
	stream_resume(server.s);
	wait_len(&server, n * 1000);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(server.data[i * 1000 + 999], 'a' + i % 26);
	side_fini(&client);
	side_fini(&server);
}

static void test_streams_that_write_in_turn_keep_their_order(void **state)
{
	struct side clients[2], servers[2];
	static const enum kind kinds[] = {TLS13, PLAIN};

	for (int i = 0; i < 2; i++)
		sides_connect(&clients[i], &servers[i], kinds[i]);
	for (int i = 0; i < 100; i++) {
		side_write(&clients[0], "one ");
		side_write(&clients[1], "two ");
		if (i % 10 == 0)
			write_bytes(&clients[i % 4 == 0], 20000);
	}
	for (int i = 0; i < 2; i++) {
		wait_len(&servers[i], 400 + 5 * 20000);
		assert_memory_equal(servers[i].data, i == 0 ? "one " : "two ", 4);
		assert_memory_equal(servers[i].data + servers[i].len - 8,
				    i == 0 ? "one one " : "two two ", 8);
		side_fini(&clients[i]);
		side_fini(&servers[i]);
	}
}

/* Tasks that come after each other, and all of them write. */
struct chain {
	struct loop_task task;
	struct side *side;
	int left;
	bool in_background;
};

static void run_chain(struct loop_task *task)
{
	struct chain *chain = CONTAINER_OF(task, struct chain, task);

	side_write(chain->side, "x");
	if (--chain->left > 0)
		loop_defer(test_loop, task);
}

static void test_deferred_writes_leave_in_the_same_turn(void **state)
{
	struct side client, server;
	struct chain deferred = {.task.run = run_chain, .side = &client, .left = 7};
	struct chain background = {.task.run = run_chain, .side = &client, .left = 5};

	connect_quietly(&client, &server, TLS13);
	side_write(&client, "0");
	loop_defer(test_loop, &deferred.task);
	loop_queue_background(test_loop, &background.task);
	run_turns(1);
	/* Before the background's long work, and after it. */
	assert_int_equal(sides_sends, 2);
	server.len = 0;
	stream_resume(server.s);
	wait_len(&server, 13);
	side_fini(&client);
	side_fini(&server);
}

static void ends_flush(enum kind kind)
{
	struct side client, server;

	sides_connect(&client, &server, kind);
	side_write(&client, "1");
	stream_end_writing(client.s);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_EOF);
	assert_int_equal(server.len, 1);
	side_write(&server, "22");
	stream_close(&server.s, DUR_S(30));
	run_until(side_ended, &client);
	assert_int_equal(client.end, STREAM_EOF);
	assert_int_equal(client.len, 2);
	side_fini(&client);
	run_until(nothing_closes, NULL);
	side_fini(&server);

	sides_connect(&client, &server, kind);
	side_write(&client, "333");
	stream_park(client.s);
	wait_len(&server, 3);
	assert_true(stream_parked_is_alive(client.s));
	stream_parked_destroy(&client.s);
	side_fini(&server);

	/* Whom its destroyer does not want to wait for has nothing to say any more. */
	connect_quietly(&client, &server, kind);
	side_write(&client, "4444");
	side_fini(&client);
	run_turns(1);
	assert_int_equal(sides_sends, 0);
	side_fini(&server);
}

static void test_orderly_ends_flush_and_destruction_drops(void **state)
{
	ends_flush(PLAIN);
	ends_flush(TLS12);
	ends_flush(TLS13);
}

static void fill_socket(const struct side *side)
{
	char zeros[1000] = {0};

	while (send(stream_fd(side->s), zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
		;
}

static void test_parked_with_more_than_the_socket_takes(void **state)
{
	struct side client, server;
	struct stream_budget budget = {0};

	stream_buffers_set_budget(test_buffers, &budget);
	sides_connect(&client, &server, PLAIN);
	stream_pause(server.s);
	run_turns(2);
	fill_socket(&client);
	assert_true(side_write(&client, "and more"));
	stream_park(client.s);
	assert_int_equal(budget.queued, 0);
	assert_false(stream_parked_is_alive(client.s));
	stream_parked_destroy(&client.s);
	side_fini(&server);

	sides_connect(&client, &server, PLAIN);
	stream_pause(server.s);
	run_turns(2);
	fill_socket(&client);
	side_write(&client, "and more");
	run_turns(1);
	assert_false(stream_is_drained(client.s));
	assert_int_equal(stream_queued(client.s), 8);
	assert_true(budget.queued >= 8);
	stream_resume(server.s);
	run_until(side_drained, &client);
	assert_int_equal(client.drained, 1);
	assert_int_equal(budget.queued, 0);
	side_fini(&client);
	side_fini(&server);
}

static void test_a_failure_to_send_is_told_later(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, PLAIN);
	stream_pause(client.s);
	stream_abort(&server.s);
	run_turns(2);
	assert_true(side_write(&client, "anybody there?"));
	assert_int_equal(client.failed, 0);
	run_until(side_failed, &client);
	assert_false(side_write(&client, "no"));
	assert_int_equal(stream_fault(client.s), STREAM_FAULT_RESET);
	side_fini(&client);
}

/* Order with what GnuTLS sends of its own */

static void write_and_read_on(struct side *side)
{
	side_write(side, "answer ");
	side_read_all(side);
}

/* The other side asks for new keys while something is gathered. */
static void test_key_update_with_something_gathered(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, TLS13);
	server.on_readable = write_and_read_on;
	for (int i = 1; i <= 3; i++) {
		gnutls_session_key_update(stream_tls_session(client.s), GNUTLS_KU_PEER);
		side_write(&client, "go on");
		wait_len(&server, i * 5);
		wait_len(&client, i * 7);
	}
	side_fini(&client);
	side_fini(&server);
}

/* So do we: it goes before what is gathered, which then has the new keys. */
static void test_our_key_update_goes_before_what_is_gathered(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, TLS13);
	for (int i = 1; i <= 3; i++) {
		side_write(&server, "more");
		gnutls_session_key_update(stream_tls_session(server.s), 0);
		stream_write(server.s, NULL, 0);
		side_write(&client, "other streams write too");
		wait_len(&client, i * 4);
	}
	side_fini(&client);
	side_fini(&server);
}

/* A client that ends without close_notify has the session broken; what was answered before it was
 * read is not lost. */
static void test_what_is_gathered_leaves_before_the_session_breaks(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, TLS13);
	run_turns(3);
	server.on_readable = write_and_read_on;
	assert_int_equal(shutdown(stream_fd(client.s), SHUT_WR), 0);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_ERROR);
	wait_len(&client, 7);
	assert_memory_equal(client.data, "answer ", 7);
	side_fini(&client);
	side_fini(&server);
}

static void test_close_notify_comes_last(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, TLS13);
	for (int i = 0; i < 10; i++)
		side_write(&client, "0123456789");
	write_bytes(&client, 20000);
	side_write(&client, "end");
	stream_end_writing(client.s);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_EOF);
	assert_int_equal(server.len, 20103);
	assert_memory_equal(server.data + 20100, "end", 3);
	side_fini(&client);
	side_fini(&server);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(many_small_writes_are_one_send),
	    RUN(a_large_write_takes_with_it_what_was_gathered),
	    RUN(more_pieces_than_go_with_what_was_gathered),
	    RUN(what_is_gathered_is_bounded),
	    RUN(streams_that_write_in_turn_keep_their_order),
	    RUN(deferred_writes_leave_in_the_same_turn),
	    RUN(orderly_ends_flush_and_destruction_drops),
	    RUN(parked_with_more_than_the_socket_takes),
	    RUN(a_failure_to_send_is_told_later),
	    RUN(key_update_with_something_gathered),
	    RUN(our_key_update_goes_before_what_is_gathered),
	    RUN(what_is_gathered_leaves_before_the_session_breaks),
	    RUN(close_notify_comes_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
