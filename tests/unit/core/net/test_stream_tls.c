/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TLS streams over loopback TCP, TLS 1.2 and 1.3: what they have in common with plain streams, and
 * what comes after a handshake. A client that does what our own never would is a bare GnuTLS
 * session on the other socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/stream_internal.h"
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

/* Of the next record that is on its way to a side that does not read, with what encryption adds. */
static size_t next_record(const struct side *to)
{
	static unsigned char record[5 + 17000];
	size_t len;

	assert_int_equal(recv(stream_fd(to->s), record, 5, MSG_WAITALL), 5);
	assert_int_equal(record[0], 23);
	len = record[3] * 256U + record[4];
	assert_int_equal(recv(stream_fd(to->s), record, len, MSG_WAITALL), len);
	return len;
}

/* Writes so much; the first record of it. */
static size_t first_of(const struct side *from, const struct side *to, size_t n)
{
	static char data[40000];
	const struct iovec iov = {data, n};
	size_t first, got, added = 17; /* the type and the tag of AES-GCM */

	assert_true(n <= sizeof(data));
	stream_write(from->s, &iov, 1);
	run_turns(3);
	first = next_record(to) - added;
	for (got = first; got < n;)
		got += next_record(to) - added;
	assert_int_equal(got, n);
	return first;
}

static void test_records_are_small_again_after_a_pause(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, TLS13);
	stream_pause(server.s);
	run_turns(3); /* the ticket is read */
	assert_int_equal(first_of(&client, &server, 40000), 1350);
	assert_int_equal(first_of(&client, &server, 40000), 16384);
	client.s->tls->last_write.ns -= 900000000;
	assert_int_equal(first_of(&client, &server, 40000), 16384);
	client.s->tls->last_write.ns -= 1000000001;
	assert_int_equal(first_of(&client, &server, 40000), 1350);
	assert_int_equal(first_of(&client, &server, 40000), 16384);
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
	raw->fd = side_open_raw(server);
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
	    RUN(truncation_is_an_error),
	    RUN(key_update),
	    RUN(key_update_while_parked),
	    RUN(first_records_are_small),
	    RUN(records_are_small_again_after_a_pause),
	    RUN(renegotiation_is_refused),
	    RUN(broken_record_is_malformed),
	    RUN(alert_after_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
