/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tickets, and sessions that are resumed with them.
 */
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

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, streams_setup, streams_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(resumption_tls12),
	    RUN(resumption_tls13),
	    RUN(no_resumption_without_ticket_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
