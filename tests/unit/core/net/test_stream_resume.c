/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tickets, and sessions that are resumed with them.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "tests/unit/core/net/stream_sides.h"

static void connect_with(struct side *client, struct side *server, enum kind kind,
			 const gnutls_datum_t *data)
{
	sides_open(client, server, kind);
	if (data)
		gnutls_session_set_data(stream_tls_session(client->s), data->data, data->size);
	run_until(side_established, client);
	run_until(side_established, server);
	assert_int_equal(client->failed + server->failed, 0);
}

static bool has_ticket(void *side)
{
	gnutls_session_t session = stream_tls_session(((struct side *)side)->s);

	return gnutls_session_get_flags(session) & GNUTLS_SFLAGS_SESSION_TICKET;
}

static bool was_resumed(const struct side *side)
{
	return gnutls_session_is_resumed(stream_tls_session(side->s));
}

/* Whether a second connection resumes the session of a first, on which the server says something,
 * or nothing at all. */
static bool resumes(enum kind kind, bool says_something)
{
	struct side client, server;
	gnutls_datum_t data;
	bool resumed;

	connect_with(&client, &server, kind, NULL);
	assert_false(was_resumed(&server));
	if (says_something) {
		side_write(&server, "hello");
		wait_len(&client, 5);
	} else {
		run_until(has_ticket, &client);
	}
	assert_int_equal(gnutls_session_get_data2(stream_tls_session(client.s), &data), 0);
	side_fini(&client);
	side_fini(&server);

	connect_with(&client, &server, kind, &data);
	resumed = was_resumed(&server);
	assert_int_equal(was_resumed(&client), resumed);
	gnutls_free(data.data);
	side_write(&client, "request");
	wait_len(&server, 7);
	side_write(&server, "response");
	wait_len(&client, 8);
	side_fini(&client);
	side_fini(&server);
	return resumed;
}

static void test_resumption_tls12(void **state)
{
	assert_true(resumes(TLS12, true));
	assert_true(resumes(TLS12, false));
}

static void test_resumption_tls13(void **state)
{
	assert_true(resumes(TLS13, true));
	assert_true(resumes(TLS13, false));
}

static void test_no_resumption_without_tickets(void **state)
{
	test_server.tickets = NULL;
	assert_false(resumes(TLS13, true));
	assert_false(resumes(TLS12, true));
}

/* It costs no send of its own. */
static void test_the_ticket_goes_with_the_first_response(void **state)
{
	struct side client, server;
	mono_time began;
	unsigned before;

	for (int i = 0; i < 3; i++) {
		began = clock_mono();
		sides_connect(&client, &server, TLS13);
		before = sides_sends;
		side_write(&server, "one");
		run_turns(1);
		/* If the machine was busy it may have been its time meanwhile. */
		if (mono_since(clock_mono(), began).ns < DUR_MS(100).ns)
			assert_int_equal(sides_sends, before + 1);
		wait_len(&client, 3);
		assert_true(has_ticket(&client));
		before = sides_sends;
		side_write(&server, "two");
		wait_len(&client, 6);
		assert_int_equal(sides_sends, before + 1);
		side_fini(&client);
		side_fini(&server);
	}
}

static bool keeps(const struct side *side, unsigned extension)
{
	gnutls_ext_priv_data_t data;

	return gnutls_ext_get_data(stream_tls_session(side->s), extension, &data) == 0 && data;
}

/* It is a twelfth of what an idle connection takes. */
static void test_what_the_hello_said_is_not_kept(void **state)
{
	static const enum kind kinds[] = {TLS12, TLS13};
	enum { SIGNATURE_ALGORITHMS = 13, ALPN = 16 };
	gnutls_datum_t h2 = {(unsigned char *)"h2", 2};
	struct side client, server;

	test_server.alpn = &h2;
	test_server.n_alpn = 1;
	for (unsigned i = 0; i < 4; i++) {
		if (i == 2)
			test_server.tickets = NULL;
		sides_open(&client, &server, kinds[i % 2]);
		gnutls_alpn_set_protocols(stream_tls_session(client.s), &h2, 1, 0);
		run_until(side_established, &server);
		run_until(side_established, &client);
		side_write(&server, "hello");
		wait_len(&client, 5);
		assert_false(keeps(&server, SIGNATURE_ALGORITHMS) || keeps(&server, ALPN));
		side_write(&client, "request");
		wait_len(&server, 7);
		side_fini(&client);
		side_fini(&server);
	}
}

/* More than one turn's share of quiet clients; some of them leave before. */
static void test_quiet_clients_get_their_tickets_in_time(void **state)
{
	enum { N = 50 };
	struct side clients[N], servers[N];

	for (int i = 0; i < N; i++)
		sides_connect(&clients[i], &servers[i], TLS13);
	for (int i = 0; i < N; i += 5) {
		side_fini(&servers[i]);
		side_fini(&clients[i]);
	}
	for (int i = 0; i < N; i++) {
		if (i % 5 == 0)
			continue;
		run_until(has_ticket, &clients[i]);
		side_fini(&clients[i]);
		side_fini(&servers[i]);
	}
}

/* A configuration may be replaced between the handshake and the first response. */
static void test_a_ticket_does_not_need_the_credentials(void **state)
{
	struct side client, server;

	sides_connect(&client, &server, TLS13);
	streams_renew_server();
	side_write(&server, "response");
	wait_len(&client, 8);
	assert_true(has_ticket(&client));
	side_fini(&client);
	side_fini(&server);
}

static bool time_has_come(void *arg)
{
	return mono_reached(*(mono_time *)arg, clock_mono());
}

/* Nothing may follow close_notify. */
static void test_no_ticket_after_the_end(void **state)
{
	struct side client, server;
	mono_time later;

	sides_connect(&client, &server, TLS13);
	stream_end_writing(server.s);
	run_until(side_ended, &client);
	assert_int_equal(client.end, STREAM_EOF);
	later = mono_add(clock_mono(), DUR_MS(300));
	run_until(time_has_come, &later);
	assert_int_equal(server.failed, 0);
	side_write(&client, "more");
	wait_len(&server, 4);
	side_fini(&client);
	side_fini(&server);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(resumption_tls12),
	    RUN(resumption_tls13),
	    RUN(no_resumption_without_tickets),
	    RUN(the_ticket_goes_with_the_first_response),
	    RUN(what_the_hello_said_is_not_kept),
	    RUN(quiet_clients_get_their_tickets_in_time),
	    RUN(a_ticket_does_not_need_the_credentials),
	    RUN(no_ticket_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
