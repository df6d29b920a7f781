/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TLS streams over loopback TCP, TLS 1.2 and 1.3: what they have in common with plain streams, the
 * handshake and how it fails, resumption, and what comes after a handshake. A client that does what
 * our own never would is a bare GnuTLS session on the other socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "tests/support/test_cert.h"
#include "tests/unit/core/net/stream_sides.h"

#define CASE(name)                                                                                 \
	static void test_##name##_tls12(void **state)                                              \
	{                                                                                          \
		case_##name(TLS12);                                                                \
	}                                                                                          \
	static void test_##name##_tls13(void **state)                                              \
	{                                                                                          \
		case_##name(TLS13);                                                                \
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

/* The handshake */

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

static void test_no_sni_for_an_address(void **state)
{
	static const char *const addresses[] = {"192.0.2.1", "2001:db8::1"};
	struct side client, server;

	test_server.client_hello = on_client_hello;
	test_client.verify = false;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		test_client.host = addresses[i];
		sides_connect(&client, &server, TLS13);
		assert_string_equal(seen_name, "none");
		side_fini(&client);
		side_fini(&server);
	}
}

static void test_alpn_prefers_servers_order(void **state)
{
	gnutls_datum_t offered[] = {{(unsigned char *)"http/1.1", 8}, {(unsigned char *)"h2", 2}};
	gnutls_datum_t ours[] = {{(unsigned char *)"h2", 2}, {(unsigned char *)"http/1.1", 8}};
	gnutls_datum_t chosen;
	struct side client, server;

	test_server.alpn = ours;
	test_server.n_alpn = 2;
	sides_open(&client, &server, TLS13);
	gnutls_alpn_set_protocols(stream_tls_session(client.s), offered, 2, 0);
	run_until(side_established, &server);
	assert_int_equal(gnutls_alpn_get_selected_protocol(stream_tls_session(server.s), &chosen),
			 0);
	assert_int_equal(chosen.size, 2);
	assert_memory_equal(chosen.data, "h2", 2);
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
	stream_close(&client.s, DUR_S(30));
	assert_int_equal(test_buffers->n_closing, 0);
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

static void raw_open(struct side *server, int *fd)
{
	int fds[2];

	tcp_pair(fds);
	*fd = fds[0];
	*server = (struct side){.name = "server", .b = test_buffers, .end = STREAM_AGAIN};
	server->s = stream_create(test_buffers, fds[1], &side_ops, server);
	assert_non_null(server->s);
	assert_true(stream_start_tls_server(server->s, &test_server, NULL, 0));
}

static void test_garbage_gets_an_alert(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
	struct side server;
	unsigned char alert[16];
	int fd;

	raw_open(&server, &fd);
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

	raw_open(&server, &fd);
	close(fd);
	run_until(side_failed, &server);
	assert_failed(&server, STREAM_FAULT_CLOSED, "closed during the TLS handshake");
	side_fini(&server);

	raw_open(&server, &fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof(abort_now));
	close(fd);
	run_until(side_failed, &server);
	assert_failed(&server, STREAM_FAULT_RESET, "reset");
	side_fini(&server);
}

static void test_close_in_handshake_just_destroys(void **state)
{
	struct side client, server;

	sides_open(&client, &server, TLS13);
	stream_close(&server.s, DUR_S(30));
	assert_int_equal(test_buffers->n_closing, 0);
	run_until(side_failed, &client);
	side_fini(&client);
}

/* Resumption */

static void connect_with(struct side *client, struct side *server, enum kind kind,
			 const gnutls_datum_t *data)
{
	sides_open(client, server, kind);
	if (data)
		gnutls_session_set_data(stream_tls_session(client->s), data->data, data->size);
	run_until(side_established, client);
	run_until(side_established, server);
	assert_int_equal(client->failed + server->failed, 0);
	/* Whatever tickets there are have come when this has. */
	side_write(server, "hello");
	wait_len(client, 5);
}

static bool resumes(enum kind kind)
{
	struct side client, server;
	gnutls_datum_t data;
	bool client_did, server_did;

	connect_with(&client, &server, kind, NULL);
	assert_false(gnutls_session_is_resumed(stream_tls_session(server.s)));
	assert_int_equal(gnutls_session_get_data2(stream_tls_session(client.s), &data), 0);
	side_fini(&client);
	side_fini(&server);

	connect_with(&client, &server, kind, &data);
	client_did = gnutls_session_is_resumed(stream_tls_session(client.s));
	server_did = gnutls_session_is_resumed(stream_tls_session(server.s));
	assert_int_equal(client_did, server_did);
	gnutls_free(data.data);
	side_fini(&client);
	side_fini(&server);
	return client_did;
}

static void test_resumption_tls12(void **state)
{
	assert_true(resumes(TLS12));
}

static void test_resumption_tls13(void **state)
{
	assert_true(resumes(TLS13));
}

static void test_no_resumption_without_ticket_key(void **state)
{
	gnutls_free(test_server.ticket_key.data);
	test_server.ticket_key.data = NULL;
	assert_false(resumes(TLS13));
	assert_false(resumes(TLS12));
}

/* After the handshake */

static void test_truncation_is_an_error(void **state)
{
	struct side client, server;

	for (enum kind kind = TLS13; kind >= TLS12; kind--) {
		sides_connect(&client, &server, kind);
		side_write(&client, "half a requ");
		run_turns(1);
		assert_int_equal(shutdown(stream_fd(client.s), SHUT_WR), 0);
		run_until(side_ended, &server);
		assert_int_equal(server.len, 11);
		assert_int_equal(server.end, STREAM_ERROR);
		assert_int_equal(stream_fault(server.s), STREAM_FAULT_CLOSED);
		assert_non_null(strstr(stream_fault_detail(server.s), "truncated"));
		stream_close(&server.s, DUR_S(30));
		assert_int_equal(test_buffers->n_closing, 0);
		side_fini(&client);
		side_fini(&server);
	}
}

static void test_key_update(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, TLS13);
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(
		    gnutls_session_key_update(stream_tls_session(client.s), GNUTLS_KU_PEER), 0);
		side_write(&client, "1234");
		wait_len(&server, i * 4);
		side_write(&server, "5678");
		wait_len(&client, i * 4);
	}
	side_fini(&client);
	side_fini(&server);
}

static void test_key_update_while_parked(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, TLS13);
	stream_park(client.s);
	assert_int_equal(gnutls_session_key_update(stream_tls_session(server.s), GNUTLS_KU_PEER),
			 0);
	stream_write(server.s, NULL, 0);
	run_turns(3);
	assert_true(stream_parked_is_alive(client.s));
	stream_unpark(client.s, test_buffers, &side_ops, &client);
	side_write(&client, "1234");
	wait_len(&server, 4);
	side_write(&server, "5678");
	wait_len(&client, 4);
	side_fini(&client);
	side_fini(&server);
}

static void test_first_records_are_small(void **state)
{
	static char data[100000];
	struct iovec iov = {data, sizeof(data)};
	struct side client, server;
	unsigned char header[5];
	size_t offset = 0, sent = 0, small = 0;
	static unsigned char wire[150000];

	sides_connect(&client, &server, TLS13);
	stream_pause(server.s);
	run_turns(3); /* the ticket is read */
	stream_write(client.s, &iov, 1);
	run_turns(3);
	sent = recv(stream_fd(server.s), wire, sizeof(wire), MSG_PEEK);
	while (offset + 5 <= sent && offset < 16000) {
		memcpy(header, wire + offset, 5);
		assert_int_equal(header[0], 23);
		offset += 5 + header[3] * 256 + header[4];
		if (header[3] * 256 + header[4] <= 1400)
			small++;
	}
	assert_int_equal(small, 11); /* 14000 / 1350, rounded up */
	assert_true(offset > 16000);
	side_fini(&client);
	side_fini(&server);
}

/* A bare GnuTLS client, driven from inside run_until(). */
struct raw {
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	int fd, ret;
	struct side *server;
};

static bool raw_handshake(void *arg)
{
	struct raw *raw = arg;

	raw->ret = gnutls_handshake(raw->session);
	return raw->ret == 0 || raw->ret == GNUTLS_E_WARNING_ALERT_RECEIVED ||
	       gnutls_error_is_fatal(raw->ret);
}

static void raw_start(struct raw *raw, struct side *server, const char *priority)
{
	raw->server = server;
	raw_open(server, &raw->fd);
	gnutls_init(&raw->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
	gnutls_priority_set_direct(raw->session, priority, NULL);
	gnutls_certificate_allocate_credentials(&raw->credentials);
	gnutls_credentials_set(raw->session, GNUTLS_CRD_CERTIFICATE, raw->credentials);
	gnutls_transport_set_int(raw->session, raw->fd);
	run_until(raw_handshake, raw);
	assert_int_equal(raw->ret, 0);
	run_until(side_established, server);
}

static void raw_end(struct raw *raw)
{
	gnutls_deinit(raw->session);
	gnutls_certificate_free_credentials(raw->credentials);
	close(raw->fd);
}

static void test_renegotiation_is_refused(void **state)
{
	struct side server;
	struct raw raw;

	raw_start(&raw, &server, TLS_PRIORITY ":-VERS-TLS1.3");
	run_until(raw_handshake, &raw);
	assert_int_equal(raw.ret, GNUTLS_E_WARNING_ALERT_RECEIVED);
	assert_int_equal(gnutls_alert_get(raw.session), GNUTLS_A_NO_RENEGOTIATION);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_ERROR);
	assert_int_equal(stream_fault(server.s), STREAM_FAULT_MALFORMED);
	assert_string_equal(stream_fault_detail(server.s), "TLS: renegotiation refused");
	raw_end(&raw);
	side_fini(&server);
}

static void test_broken_record_is_malformed(void **state)
{
	static const unsigned char record[] = {23,  3,   3,   0,   20,  'n', 'o', 't', ' ',
					       't', 'h', 'e', ' ', 'r', 'i', 'g', 'h', 't',
					       ' ', 'k', 'e', 'y', 's', '!', '!'};
	struct side server;
	struct raw raw;
	char byte;

	raw_start(&raw, &server, TLS_PRIORITY);
	assert_int_equal(send(raw.fd, record, sizeof(record), 0), sizeof(record));
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_ERROR);
	assert_int_equal(stream_fault(server.s), STREAM_FAULT_MALFORMED);
	side_fini(&server);
	/* It is told so. */
	fcntl(raw.fd, F_SETFL, 0);
	do {
		raw.ret = gnutls_record_recv(raw.session, &byte, 1);
	} while (raw.ret == GNUTLS_E_AGAIN);
	assert_int_equal(raw.ret, GNUTLS_E_FATAL_ALERT_RECEIVED);
	assert_int_equal(gnutls_alert_get(raw.session), GNUTLS_A_BAD_RECORD_MAC);
	raw_end(&raw);
}

static void test_alert_after_handshake(void **state)
{
	struct side server;
	struct raw raw;

	raw_start(&raw, &server, TLS_PRIORITY);
	gnutls_alert_send(raw.session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
	run_until(side_ended, &server);
	assert_int_equal(server.end, STREAM_ERROR);
	assert_non_null(strstr(stream_fault_detail(server.s), "alert received: Internal error"));
	raw_end(&raw);
	side_fini(&server);
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
	assert_true(stream_start_tls_server(side->s, &test_server, first, n));
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
	assert_true(stream_start_tls_server(server.s, &test_server, server.data, server.len));
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
	assert_true(stream_start_tls_server(server.s, &test_server, "\x16", 1));
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

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)
#define RUN_CASE(name) RUN(name##_tls12), RUN(name##_tls13)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN_CASE(echo),
	    RUN_CASE(bulk_both_ways),
	    RUN_CASE(slow_reader),
	    RUN_CASE(pause),
	    RUN_CASE(half_close),
	    RUN_CASE(hand_over),
	    RUN_CASE(reset),
	    RUN_CASE(write_to_closed),
	    RUN_CASE(destroy_in_callbacks),
	    RUN_CASE(park),
	    RUN_CASE(park_dead),
	    RUN_CASE(park_in_callback),
	    RUN(request_with_finished),
	    RUN(many_handshakes_at_once),
	    RUN(sni_reaches_server),
	    RUN(no_sni_for_an_address),
	    RUN(alpn_prefers_servers_order),
	    RUN(client_verifies_chain),
	    RUN(client_verifies_host),
	    RUN(server_refusal_reaches_client_as_alert),
	    RUN(client_hello_callback_refuses),
	    RUN(garbage_gets_an_alert),
	    RUN(fin_and_reset_in_handshake),
	    RUN(close_in_handshake_just_destroys),
	    RUN(resumption_tls12),
	    RUN(resumption_tls13),
	    RUN(no_resumption_without_ticket_key),
	    RUN(truncation_is_an_error),
	    RUN(key_update),
	    RUN(key_update_while_parked),
	    RUN(first_records_are_small),
	    RUN(renegotiation_is_refused),
	    RUN(broken_record_is_malformed),
	    RUN(alert_after_handshake),
	    RUN(start_with_a_prefix),
	    RUN(start_with_all_of_a_flight),
	    RUN(start_after_the_end),
	    RUN(hand_over_when_established),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
