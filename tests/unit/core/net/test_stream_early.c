/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Early data in streams of a server: what becomes of an answer while the client, which is GnuTLS on
 * a bare socket, has not ended its handshake. The loop runs in the test's thread.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "tests/unit/core/net/stream_sides.h"

#define LINGER DUR_S(30)

static struct tls_early *early;
static struct stream_budget budget;
static gnutls_certificate_credentials_t credentials; /* the client's: none */

static int early_setup(void **state)
{
	streams_setup(state);
	memset(&budget, 0, sizeof(budget));
	stream_buffers_set_budget(test_buffers, &budget);
	early = tls_early_create();
	test_server.early = early;
	test_server.early_max = 16384;
	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	return 0;
}

static int early_teardown(void **state)
{
	gnutls_certificate_free_credentials(credentials);
	streams_teardown(state);
	tls_early_destroy(&early);
	return 0;
}

struct raw_client {
	int fd;
	gnutls_session_t session;
};

static void raw_init(struct raw_client *client, struct side *server)
{
	const unsigned flags = GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_ENABLE_EARLY_DATA;

	client->fd = side_open_raw(server);
	CHECK(fcntl(client->fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK(gnutls_init(&client->session, flags) == 0);
	CHECK(gnutls_priority_set_direct(client->session, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL) ==
	      0);
	CHECK(gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, credentials) == 0);
	gnutls_transport_set_int(client->session, client->fd);
}

static void raw_fini(struct raw_client *client)
{
	gnutls_deinit(client->session);
	close(client->fd);
}

static void shake_hands(struct raw_client *client)
{
	int ret;

	while ((ret = gnutls_handshake(client->session)) == GNUTLS_E_AGAIN)
		run_turns(1);
	assert_int_equal(ret, 0);
}

/* What comes next, 0 at the end. */
static ssize_t read_some(struct raw_client *client, char *buf, size_t len)
{
	ssize_t n;

	while ((n = gnutls_record_recv(client->session, buf, len)) == GNUTLS_E_AGAIN)
		run_turns(1);
	assert_true(n >= 0);
	return n;
}

/* A session whose ticket has not been used yet. */
static gnutls_datum_t new_session(void)
{
	struct raw_client client;
	struct side server;
	gnutls_datum_t data;
	char byte;

	raw_init(&client, &server);
	shake_hands(&client);
	run_until(side_established, &server);
	side_write(&server, "1"); /* the ticket comes before it */
	assert_int_equal(read_some(&client, &byte, 1), 1);
	assert_int_equal(gnutls_session_get_data2(client.session, &data), 0);
	raw_fini(&client);
	side_fini(&server);
	return data;
}

/* The server has read early data, and waits for the end of the handshake. */
static void begin(struct raw_client *client, struct side *server)
{
	gnutls_datum_t data = new_session();

	raw_init(client, server);
	assert_int_equal(gnutls_session_set_data(client->session, data.data, data.size), 0);
	gnutls_free(data.data);
	assert_true(gnutls_record_send_early_data(client->session, "request", 7) >= 0);
	assert_int_equal(gnutls_handshake(client->session), GNUTLS_E_AGAIN);
	wait_len(server, 7);
	assert_int_equal(server->established, 1);
	assert_true(stream_is_early(server->s));
}

static bool budget_is_free(void *unused)
{
	return atomic_load(&budget.queued) == 0;
}

static void test_the_answer_waits_for_the_handshake(void **state)
{
	struct raw_client client;
	struct side server;
	char buf[100];

	begin(&client, &server);
	assert_false(side_write(&server, "response"));
	assert_true(atomic_load(&budget.queued) >= 8);
	run_turns(3);
	assert_int_equal(server.drained, 0);
	shake_hands(&client);
	assert_int_equal(read_some(&client, buf, sizeof(buf)), 8);
	assert_memory_equal(buf, "response", 8);
	run_until(side_drained, &server);
	assert_int_equal(server.handshaken, 1);
	assert_false(stream_is_early(server.s));
	assert_int_equal(atomic_load(&budget.queued), 0);
	raw_fini(&client);
	side_fini(&server);
}

/* It had been chosen again and again, as it went on holding the answer: for ever. */
static void test_cut_off_while_its_answer_waits(void **state)
{
	struct raw_client client;
	struct side server;

	begin(&client, &server);
	budget.limit = 10000;
	alarm(10);
	assert_false(side_write_pattern(&server, 20000));
	assert_int_equal(atomic_load(&budget.cut), 1);
	assert_int_equal(atomic_load(&budget.queued), 0);
	run_until(side_failed, &server);
	assert_int_equal(stream_fault(server.s), STREAM_FAULT_STALLED);
	raw_fini(&client);
	side_fini(&server);
}

/* The same by another stream, when its user has let go of it. */
static void test_cut_off_while_its_answer_waits_to_close(void **state)
{
	struct raw_client client;
	struct side server, other, reader;

	begin(&client, &server);
	sides_connect(&reader, &other, PLAIN);
	stream_pause(reader.s);
	assert_false(side_write_pattern(&server, 20000));
	stream_close(&server.s, LINGER);
	assert_int_equal(test_buffers->n_closing, 1);
	alarm(10);
	budget.limit = 3000000;
	side_write_pattern(&other, 2999000);
	budget.limit = atomic_load(&budget.queued) - 1;
	side_write(&other, "more");
	run_turns(2);
	assert_true(atomic_load(&budget.cut) >= 1);
	run_until(nothing_closes, NULL);
	side_fini(&reader);
	side_fini(&other);
	raw_fini(&client);
	side_fini(&server);
	run_until(budget_is_free, NULL);
}

static void answer_and_close(struct side *side)
{
	side_write(side, "response");
	stream_close(&side->s, LINGER);
}

/* Nothing is lost by it, whenever that is. */
static void test_closed_with_an_answer(void **state)
{
	void (*when[2][2])(struct side *) = {{answer_and_close, NULL}, {NULL, answer_and_close}};

	for (size_t i = 0; i < ARRAY_SIZE(when); i++) {
		gnutls_datum_t data = new_session();
		struct raw_client client;
		struct side server;
		char buf[100];

		raw_init(&client, &server);
		server.on_established = when[i][0];
		server.on_readable = when[i][1];
		gnutls_session_set_data(client.session, data.data, data.size);
		gnutls_free(data.data);
		gnutls_record_send_early_data(client.session, "request", 7);
		shake_hands(&client);
		assert_int_equal(read_some(&client, buf, sizeof(buf)), 8);
		assert_memory_equal(buf, "response", 8);
		assert_int_equal(read_some(&client, buf, sizeof(buf)), 0);
		raw_fini(&client);
		run_until(nothing_closes, NULL);
		side_fini(&server);
	}
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, early_setup, early_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(the_answer_waits_for_the_handshake),
	    RUN(cut_off_while_its_answer_waits),
	    RUN(cut_off_while_its_answer_waits_to_close),
	    RUN(closed_with_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
