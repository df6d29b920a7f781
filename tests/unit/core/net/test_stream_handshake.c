/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TLS handshakes over loopback TCP: how they begin, what they agree on, how they fail.
 */
#include <errno.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/check.h"
#include "tests/support/test_cert.h"
#include "tests/unit/core/net/stream_sides.h"

static unsigned epoll_changes;

/* libevent calls this one. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	epoll_changes++;
	return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

static void write_request(struct side *side)
{
	side_write(side, "request");
}

/* What comes in one packet with the end of the handshake is told of, though no event will. */
static void test_request_with_finished(void **state)
{
	struct side client, server;

	sides_open(&client, &server, TLS13);
	client.on_established = write_request;
	wait_len(&server, 7);
	assert_true(stream_handshake_time(server.s).ns > 0);
	assert_true(stream_handshake_time(client.s).ns > 0);
	side_fini(&client);
	side_fini(&server);
}

/* The step of a stranger's handshake: whether our own had said its hello by then. */
struct stranger {
	struct loop_task task;
	int fd; /* where our hello goes to */
	bool served, hello_was_there;
};

static void serve_stranger(struct loop_task *task)
{
	struct stranger *stranger = CONTAINER_OF(task, struct stranger, task);
	char byte;

	stranger->served = true;
	stranger->hello_was_there = recv(stranger->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

/* A handshake with an origin stood in one queue with those of all clients: behind a crowd of them a
 * server that had answered was taken for one that had not. */
static void test_our_own_handshake_does_not_queue_behind_strangers(void **state)
{
	struct stranger stranger = {.task.run = serve_stranger};
	struct side client = {.b = test_buffers, .name = "client", .end = STREAM_AGAIN};
	struct tls_client *tls = test_client_create();
	int fds[2];

	tcp_pair(fds);
	stranger.fd = fds[1];
	loop_queue_background(test_loop, &stranger.task);
	client.s = stream_create(test_buffers, fds[0], &side_ops, &client);
	assert_true(stream_start_tls_client(client.s, tls, NULL, 0));
	tls_client_unref(&tls);
	while (!stranger.served)
		run_turns(1);
	assert_true(stranger.hello_was_there);
	side_fini(&client);
	close(fds[1]);
}

/* More than one turn's share of handshakes, with data at once from both sides. */
static void test_many_handshakes_at_once(void **state)
{
	enum { N = 30 };
	struct side clients[N], servers[N];

	for (int i = 0; i < N; i++) {
		sides_open(&clients[i], &servers[i], TLS13);
		clients[i].on_established = servers[i].on_established = write_request;
	}
	for (int i = 0; i < N; i++) {
		wait_len(&clients[i], 7);
		wait_len(&servers[i], 7);
		side_fini(&clients[i]);
		side_fini(&servers[i]);
	}
}

static char seen_name[64];
static void *seen_user;

static int on_client_hello(gnutls_session_t session)
{
	size_t len = sizeof(seen_name);
	unsigned type;
	int ret = gnutls_server_name_get(session, seen_name, &len, &type, 0);

	if (ret < 0)
		strcpy(seen_name, "none");
	seen_user = tls_session_server(session)->user;
	return 0;
}

static void test_sni_reaches_server(void **state)
{
	struct side client, server;
	int user;

	test_server.client_hello = on_client_hello;
	test_server.user = &user;
	sides_connect(&client, &server, TLS13);
	assert_string_equal(seen_name, "www.example.com");
	assert_ptr_equal(seen_user, &user);
	assert_null(tls_session_server(stream_tls_session(server.s)));
	side_fini(&client);
	side_fini(&server);
}

/* What a server is held by. */
struct hold {
	struct side *server;
	int released, established_before;
	void *seen_arg;
};

static void release(void *arg)
{
	struct hold *hold = arg;

	hold->released++;
	hold->established_before = hold->server->established;
}

static int note_arg(gnutls_session_t session)
{
	struct hold *hold = tls_session_arg(session);

	hold->seen_arg = hold;
	assert_int_equal(hold->released, 0);
	return 0;
}

static void open_held(struct side *client, struct side *server, struct hold *hold)
{
	struct tls_client *tls = test_client_create();

	sides_open(client, server, PLAIN);
	*hold = (struct hold){.server = server};
	test_server.client_hello = note_arg;
	assert_true(stream_start_tls_client(client->s, tls, NULL, 0));
	assert_true(stream_start_tls_server(server->s, &test_server, release, hold, NULL, 0));
	tls_client_unref(&tls);
}

static bool is_released(void *arg)
{
	return ((struct hold *)arg)->released > 0;
}

static void test_server_is_released_once(void **state)
{
	struct side client, server;
	struct hold hold;

	open_held(&client, &server, &hold);
	run_until(is_released, &hold);
	assert_int_equal(hold.established_before, 1);
	assert_ptr_equal(hold.seen_arg, &hold);
	assert_null(tls_session_arg(stream_tls_session(server.s)));
	side_fini(&client);
	side_fini(&server);
	assert_int_equal(hold.released, 1);

	open_held(&client, &server, &hold);
	side_fini(&client);
	run_until(is_released, &hold);
	assert_int_equal(server.failed, 1);
	side_fini(&server);
	assert_int_equal(hold.released, 1);

	open_held(&client, &server, &hold);
	side_fini(&server);
	run_until(is_released, &hold);
	side_fini(&client);
	assert_int_equal(hold.released, 1);
	assert_int_equal(server.established + server.failed, 0);
}

static void test_no_sni_for_an_address(void **state)
{
	static const char *const addresses[] = {"192.0.2.1", "2001:db8::1"};
	struct side client, server;

	test_server.client_hello = on_client_hello;
	test_client.verify = TLS_VERIFY_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		test_client.host = addresses[i];
		sides_connect(&client, &server, TLS13);
		assert_string_equal(seen_name, "none");
		side_fini(&client);
		side_fini(&server);
	}
}

static void expect_h2(struct side *server)
{
	gnutls_datum_t chosen;

	assert_int_equal(gnutls_alpn_get_selected_protocol(stream_tls_session(server->s), &chosen),
			 0);
	assert_int_equal(chosen.size, 2);
	assert_memory_equal(chosen.data, "h2", 2);
}

static void test_alpn_prefers_servers_order(void **state)
{
	gnutls_datum_t offered[] = {{(unsigned char *)"http/1.1", 8}, {(unsigned char *)"h2", 2}};
	gnutls_datum_t ours[] = {{(unsigned char *)"h2", 2}, {(unsigned char *)"http/1.1", 8}};
	struct side client, server;

	test_server.alpn = ours;
	test_server.n_alpn = 2;
	sides_open(&client, &server, TLS13);
	gnutls_alpn_set_protocols(stream_tls_session(client.s), offered, 2, 0);
	server.on_established = expect_h2;
	run_until(side_established, &server);
	assert_int_equal(server.established, 1);
	side_fini(&client);
	side_fini(&server);

	/* Nothing in common is a reason to refuse, nothing named is not. */
	offered[0].size = 4;
	for (unsigned n = 0; n < 2; n++) {
		sides_open(&client, &server, TLS13);
		if (n > 0)
			gnutls_alpn_set_protocols(stream_tls_session(client.s), offered, n, 0);
		run_until(side_established, &server);
		assert_int_equal(server.failed, n);
		side_fini(&client);
		side_fini(&server);
	}
}

static void assert_failed(const struct side *side, enum stream_fault fault, const char *text)
{
	assert_int_equal(side->failed, 1);
	assert_int_equal(side->established, 0);
	assert_int_equal(stream_fault(side->s), fault);
	if (!strstr(stream_fault_detail(side->s), text))
		fail_msg("%s: \"%s\" does not contain \"%s\"", side->name,
			 stream_fault_detail(side->s), text);
}

/* Both sides end as failed; returns with the client's and the server's words checked. */
static void handshake_fails(enum kind kind, enum stream_fault client_fault, const char *client_text,
			    const char *server_text)
{
	struct side client, server;

	sides_open(&client, &server, kind);
	run_until(side_failed, &client);
	run_until(side_failed, &server);
	assert_failed(&client, client_fault, client_text);
	assert_failed(&server, STREAM_FAULT_HANDSHAKE, server_text);
	/* Who has sent the alert waits for the end of the other, so that it arrives; no longer, or
	 * the alarm ends the test: it had waited for as long as it may. */
	alarm(25);
	stream_close(&client.s, DUR_S(30));
	stream_close(&server.s, DUR_S(30));
	assert_int_equal(test_buffers->n_closing, 1);
	run_until(nothing_closes, NULL);
	side_fini(&client);
	side_fini(&server);
}

static void test_client_verifies_chain(void **state)
{
	struct test_cert other;

	test_cert_init(&other, "www.example.com");
	test_cert_write(&other, test_path("other.pem"), NULL);
	test_client.ca_file = test_path("other.pem");
	handshake_fails(TLS13, STREAM_FAULT_CERTIFICATE,
			"certificate of www.example.com: ", "alert received: ");
	test_cert_fini(&other);
}

static void test_client_verifies_host(void **state)
{
	test_client.host = "www.example.org";
	handshake_fails(TLS13, STREAM_FAULT_CERTIFICATE, "name in the certificate does not match",
			"alert received: ");
}

static void test_server_refusal_reaches_client_as_alert(void **state)
{
	gnutls_priority_deinit(test_server.priority);
	gnutls_priority_init(&test_server.priority, TLS_PRIORITY ":-VERS-TLS1.2", NULL);
	handshake_fails(TLS12, STREAM_FAULT_HANDSHAKE, "alert received: ", "TLS: ");
}

static int refuse(gnutls_session_t session)
{
	return GNUTLS_E_UNRECOGNIZED_NAME;
}

static void test_client_hello_callback_refuses(void **state)
{
	test_server.client_hello = refuse;
	handshake_fails(TLS13, STREAM_FAULT_HANDSHAKE,
			"alert received: The server name sent was not recognized", "TLS: ");
}

static void test_garbage_gets_an_alert(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
	struct side server;
	unsigned char alert[16];
	int fd;

	fd = side_open_raw(&server);
	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	run_until(side_failed, &server);
	assert_failed(&server, STREAM_FAULT_HANDSHAKE, "TLS: ");
	side_fini(&server);
	assert_int_equal(recv(fd, alert, sizeof(alert), 0), 7);
	assert_int_equal(alert[0], 21); /* RFC 8446, 5.1: alert */
	assert_int_equal(recv(fd, alert, sizeof(alert), 0), 0);
	close(fd);
}

static void test_fin_and_reset_in_handshake(void **state)
{
	struct linger abort_now = {.l_onoff = 1};
	struct side server;
	int fd;

	fd = side_open_raw(&server);
	close(fd);
	run_until(side_failed, &server);
	assert_failed(&server, STREAM_FAULT_CLOSED, "closed during the TLS handshake");
	side_fini(&server);

	fd = side_open_raw(&server);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
	close(fd);
	run_until(side_failed, &server);
	assert_failed(&server, STREAM_FAULT_RESET, "reset");
	side_fini(&server);
}

/* The alert that would say why cannot be sent either: that is no news, and there is nothing to be
 * read. */
static void test_nothing_is_told_after_a_failed_handshake(void **state)
{
	const struct linger abort_now = {.l_onoff = 1};
	struct side server;
	int fd;

	fd = side_open_raw(&server);
	assert_int_equal(send(fd, "garbage\r\n", 9, 0), 9);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
	close(fd);
	run_until(side_failed, &server);
	run_turns(3);
	assert_int_equal(server.failed, 1);
	assert_int_equal(server.readable, 0);
	side_fini(&server);
}

static void test_close_in_handshake_cancels_it(void **state)
{
	struct side client, server;

	sides_open(&client, &server, TLS13);
	stream_close(&server.s, DUR_S(30));
	assert_int_equal(test_buffers->n_closing, 1);
	run_until(side_failed, &client);
	side_fini(&client);
	run_until(nothing_closes, NULL);
}

/* Starting */

static void read_prefix_and_start_tls(struct side *side)
{
	char first[200];
	ssize_t n = stream_read(side->s, first, sizeof(first));

	if (n == STREAM_AGAIN)
		return;
	assert_true(n > 0);
	side->on_readable = NULL;
	assert_true(stream_start_tls_server(side->s, &test_server, NULL, NULL, first, n));
}

/* A look at the first bytes, as one who has to choose what follows takes it; then TLS with them. */
static void test_start_with_a_prefix(void **state)
{
	struct side client, server;
	struct tls_client *tls = test_client_create();

	sides_open(&client, &server, PLAIN);
	server.on_readable = read_prefix_and_start_tls;
	stream_start_tls_client(client.s, tls, NULL, 0);
	tls_client_unref(&tls);
	client.on_established = write_request;
	wait_len(&server, 7);
	assert_int_equal(server.established, 1);
	side_fini(&client);
	side_fini(&server);
}

/* The whole flight was read, so no event will tell of it; and the user had paused. */
static void read_all_and_pause(struct side *side)
{
	side_read_all(side);
	stream_pause(side->s);
}

static void test_start_with_all_of_a_flight(void **state)
{
	struct side client, server;
	struct tls_client *tls = test_client_create();

	sides_open(&client, &server, PLAIN);
	server.on_readable = read_all_and_pause;
	stream_start_tls_client(client.s, tls, NULL, 0);
	wait_len(&server, 100);
	assert_true(
	    stream_start_tls_server(server.s, &test_server, NULL, NULL, server.data, server.len));
	server.on_readable = NULL;
	server.len = 0;
	client.on_established = write_request;
	wait_len(&server, 7);
	side_fini(&client);
	side_fini(&server);
	tls_client_unref(&tls);
}

/* An end that was read before the start is found again. */
static void test_start_after_the_end(void **state)
{
	struct side client, server;

	sides_open(&client, &server, PLAIN);
	side_fini(&client);
	run_until(side_ended, &server);
	assert_true(stream_start_tls_server(server.s, &test_server, NULL, NULL, "\x16", 1));
	run_until(side_failed, &server);
	assert_failed(&server, STREAM_FAULT_CLOSED, "closed during the TLS handshake");
	side_fini(&server);
}

/* The one who waits for the handshake is not the one who reads, as when ALPN decides. */
static void test_hand_over_when_established(void **state)
{
	struct side client, server;
	struct side second = {.b = test_buffers, .name = "second", .end = STREAM_AGAIN};

	sides_open(&client, &server, TLS13);
	client.on_established = write_request;
	server.on_established = side_hand_over;
	server.successor = &second;
	wait_len(&second, 7);
	assert_int_equal(server.established, 1);
	assert_int_equal(server.readable, 0);
	assert_int_equal(second.established, 0);
	side_fini(&client);
	side_fini(&second);
}

/* What has come is taken out of the socket at once, so that nobody has to look away from it until a
 * step's turn has come: no change of events in a handshake. */
static void test_waiting_for_a_step_costs_no_change_of_events(void **state)
{
	enum { N = 30 };
	struct side clients[N], servers[N];
	unsigned before;

	for (int i = 0; i < N; i++)
		sides_open(&clients[i], &servers[i], TLS13);
	run_turns(0);
	before = epoll_changes;
	assert_true(before >= 2 * N);
	for (int i = 0; i < N; i++) {
		run_until(side_established, &clients[i]);
		run_until(side_established, &servers[i]);
		assert_int_equal(clients[i].failed + servers[i].failed, 0);
	}
	assert_int_equal(epoll_changes, before);
	for (int i = 0; i < N; i++) {
		side_fini(&clients[i]);
		side_fini(&servers[i]);
	}
}

static void write_request_and_close(struct side *side)
{
	side_write(side, "request");
	stream_close(&side->s, DUR_S(20));
}

/* Finished, a request, close_notify and FIN in one packet. */
static void test_all_in_one_packet(void **state)
{
	struct side client, server;

	sides_open(&client, &server, TLS13);
	client.on_established = write_request_and_close;
	run_until(side_ended, &server);
	assert_int_equal(server.established, 1);
	assert_int_equal(server.end, STREAM_EOF);
	assert_int_equal(server.len, 7);
	side_fini(&server);
	run_until(nothing_closes, NULL);
}

/* Tasks that stand before the server's first step and send it more meanwhile. */
struct flight {
	struct loop_task tasks[1000];
	struct side *server;
	int fd;
	size_t sent, taken;
};
static struct flight flight;

static void send_more(struct loop_task *task)
{
	static const char zeros[10000];
	ssize_t n = send(flight.fd, zeros, sizeof(zeros), MSG_DONTWAIT);
	int fd = stream_fd(flight.server->s), waiting;
	struct tcp_info info;
	socklen_t len = sizeof(info);

	flight.sent += MAX(n, 0);
	CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
	CHECK(ioctl(fd, FIONREAD, &waiting) == 0);
	flight.taken = info.tcpi_bytes_received - waiting;
}

/* More than is taken out of the socket before the first of it is looked at. */
static void test_a_long_first_flight_is_bounded(void **state)
{
	/* A record with a handshake message that is longer than it. */
	static const char hello[] = {22, 3, 1, 0x40, 0, 1, 0, (char)0xff, (char)0xff};
	struct side server;

	flight = (struct flight){.fd = side_open_raw(&server), .server = &server};
	assert_int_equal(send(flight.fd, hello, sizeof(hello), 0), sizeof(hello));
	flight.sent = sizeof(hello);
	for (size_t i = 0; i < ARRAY_SIZE(flight.tasks); i++) {
		flight.tasks[i].run = send_more;
		loop_queue_background(test_loop, &flight.tasks[i]);
	}
	run_until(side_failed, &server);
	/* On a busy machine more of them run in a turn, and less has been taken then. */
	assert_true(flight.taken > 0 && flight.taken < flight.sent);
	assert_true(flight.taken <= 65536);
	assert_int_equal(stream_fault(server.s), STREAM_FAULT_HANDSHAKE);
	side_fini(&server);
	close(flight.fd);
}

/* The same, with threads for signatures. */

static struct handshakes *handshakes;

static int threads_setup(void **state)
{
	streams_setup(state);
	handshakes = handshakes_create(2);
	test_server.slow_keys = true;
	stream_buffers_set_handshakes(test_buffers, handshakes);
	return 0;
}

static int threads_teardown(void **state)
{
	stream_buffers_destroy(&test_buffers);
	handshakes_destroy(&handshakes);
	return streams_teardown(state);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)
#define RUN_BOTH(name)                                                                             \
	RUN(name), cmocka_unit_test_setup_teardown(test_##name, threads_setup, threads_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(our_own_handshake_does_not_queue_behind_strangers),
	    RUN_BOTH(request_with_finished),
	    RUN_BOTH(many_handshakes_at_once),
	    RUN_BOTH(sni_reaches_server),
	    RUN_BOTH(server_is_released_once),
	    RUN_BOTH(no_sni_for_an_address),
	    RUN_BOTH(alpn_prefers_servers_order),
	    RUN_BOTH(client_verifies_chain),
	    RUN_BOTH(client_verifies_host),
	    RUN_BOTH(server_refusal_reaches_client_as_alert),
	    RUN_BOTH(client_hello_callback_refuses),
	    RUN_BOTH(garbage_gets_an_alert),
	    RUN_BOTH(fin_and_reset_in_handshake),
	    RUN_BOTH(nothing_is_told_after_a_failed_handshake),
	    RUN_BOTH(close_in_handshake_cancels_it),
	    RUN_BOTH(start_with_a_prefix),
	    RUN_BOTH(start_with_all_of_a_flight),
	    RUN_BOTH(start_after_the_end),
	    RUN_BOTH(hand_over_when_established),
	    RUN_BOTH(waiting_for_a_step_costs_no_change_of_events),
	    RUN_BOTH(all_in_one_packet),
	    RUN(a_long_first_flight_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
