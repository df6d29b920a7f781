/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Servers' handshakes whose steps are lent to other threads: which ones, what happens to the
 * stream, and what its client does, while a thread has the session. The thread is stopped at a gate
 * inside the step, when it sends the certificate.
 */
#include <linux/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "tests/support/test_cert.h"
#include "tests/unit/core/net/stream_sides.h"

static struct handshakes *handshakes;
static sem_t arrived, leave; /* of the gate */
static int hellos;           /* that the loop has dealt with */
static pthread_t loop_thread;

static int lent_setup(void **state)
{
	streams_setup(state);
	/* One: what is lent after a step that waits is in the queue. */
	handshakes = handshakes_create(1);
	stream_buffers_set_handshakes(test_buffers, handshakes);
	test_server.slow_keys = true;
	CHECK(sem_init(&arrived, 0, 0) == 0 && sem_init(&leave, 0, 0) == 0);
	hellos = 0;
	loop_thread = pthread_self();
	return 0;
}

static int lent_teardown(void **state)
{
	/* A test that failed may have left it closed, and another step behind it. */
	for (int i = 0; i < 2; i++)
		sem_post(&leave);
	stream_buffers_destroy(&test_buffers);
	handshakes_destroy(&handshakes);
	sem_destroy(&arrived);
	sem_destroy(&leave);
	return streams_teardown(state);
}

/* A handshake, and by whom it is held. */
struct shake {
	struct side client, server;
	int released;
};

static void release(void *arg)
{
	struct shake *shake = arg;

	shake->released++;
}

static bool is_released(void *arg)
{
	return ((struct shake *)arg)->released > 0;
}

static int stop_at_gate(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			const gnutls_datum_t *message)
{
	CHECK(!pthread_equal(pthread_self(), loop_thread));
	sem_post(&arrived);
	CHECK(sem_wait(&leave) == 0);
	return 0;
}

static int fail_at_gate(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			const gnutls_datum_t *message)
{
	stop_at_gate(session, type, when, incoming, message);
	return GNUTLS_E_PK_SIGN_FAILED;
}

static void build_gate(gnutls_session_t session, gnutls_handshake_hook_func gate)
{
	CHECK(pthread_equal(pthread_self(), loop_thread));
	hellos++;
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_CERTIFICATE_PKT,
					   GNUTLS_HOOK_POST, gate);
}

static int stopping(gnutls_session_t session)
{
	build_gate(session, stop_at_gate);
	return 0;
}

static int failing(gnutls_session_t session)
{
	build_gate(session, fail_at_gate);
	return 0;
}

static bool has_hellos(void *n)
{
	return hellos >= *(int *)n;
}

/* The client's hello was dealt with, and the step is lent. */
static void lend(struct shake *shake, int (*client_hello)(gnutls_session_t))
{
	struct tls_client *tls = test_client_create();
	int n = hellos + 1;

	*shake = (struct shake){0};
	test_server.client_hello = client_hello;
	sides_open(&shake->client, &shake->server, PLAIN);
	assert_true(stream_start_tls_client(shake->client.s, tls, NULL, 0));
	tls_client_unref(&tls);
	assert_true(
	    stream_start_tls_server(shake->server.s, &test_server, release, shake, NULL, 0));
	run_until(has_hellos, &n);
}

static bool has_arrived(void *unused)
{
	return sem_trywait(&arrived) == 0;
}

static void lend_to_gate(struct shake *shake, int (*client_hello)(gnutls_session_t))
{
	lend(shake, client_hello);
	run_until(has_arrived, NULL);
}

static void leave_gate(void)
{
	sem_post(&leave);
}

static void fini(struct shake *shake)
{
	side_fini(&shake->client);
	side_fini(&shake->server);
}

/* The loop goes on: that is what it is for. */
static void test_others_are_served_while_a_step_is_lent(void **state)
{
	struct side client, server;
	struct shake shake;

	sides_connect(&client, &server, PLAIN);
	lend_to_gate(&shake, stopping);
	side_write(&client, "request");
	wait_len(&server, 7);
	assert_int_equal(shake.server.established + shake.released, 0);
	leave_gate();
	run_until(side_established, &shake.server);
	run_until(side_established, &shake.client);
	assert_int_equal(shake.released, 1);
	assert_int_equal(shake.server.failed + shake.client.failed, 0);
	fini(&shake);
	side_fini(&client);
	side_fini(&server);
}

static void destroy(struct stream **s)
{
	stream_destroy(s);
}

static void close_orderly(struct stream **s)
{
	stream_close(s, DUR_S(20));
}

/* Its client learns of it at once, by alerts if the end is orderly; the server is held until the
 * step is back. */
static void test_ended_while_lent(void **state)
{
	static const struct {
		void (*end)(struct stream **);
		enum stream_fault seen;
		const char *detail;
	} ends[] = {
	    {destroy, STREAM_FAULT_CLOSED, "closed during"},
	    {close_orderly, STREAM_FAULT_HANDSHAKE, "Peer has terminated the connection"},
	    {stream_abort, STREAM_FAULT_RESET, "reset"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct shake shake;

		lend_to_gate(&shake, stopping);
		ends[i].end(&shake.server.s);
		run_until(side_failed, &shake.client);
		assert_int_equal(stream_fault(shake.client.s), ends[i].seen);
		assert_non_null(strstr(stream_fault_detail(shake.client.s), ends[i].detail));
		assert_int_equal(shake.released, 0);
		leave_gate();
		run_until(is_released, &shake);
		assert_int_equal(shake.released, 1);
		assert_int_equal(shake.server.established + shake.server.failed, 0);
		fini(&shake);
	}
}

static int stop_at_client_certificate(gnutls_session_t session, unsigned type, unsigned when,
				      unsigned incoming, const gnutls_datum_t *message)
{
	return incoming ? stop_at_gate(session, type, when, incoming, message) : 0;
}

static int verifying(gnutls_session_t session)
{
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	tls_session_verifies(session);
	build_gate(session, stop_at_client_certificate);
	return 0;
}

/* The client is done then, and would take alerts in the clear for an attack. It learns of the end
 * by alerts only when no thread has the session. */
static void test_ended_while_the_client_is_verified(void **state)
{
	struct shake first, second;

	test_server.slow_keys = false;
	lend(&first, verifying);
	run_until(has_arrived, NULL);
	lend(&second, verifying);
	run_until(side_established, &first.client);
	run_until(side_established, &second.client);
	run_turns(10);
	close_orderly(&first.server.s);
	run_until(side_ended, &first.client);
	assert_int_equal(stream_fault(first.client.s), STREAM_FAULT_CLOSED);
	close_orderly(&second.server.s);
	assert_int_equal(second.released, 1);
	run_until(side_ended, &second.client);
	assert_string_equal(stream_fault_detail(second.client.s),
			    "TLS alert received: User canceled");
	leave_gate();
	run_until(is_released, &first);
	fini(&first);
	fini(&second);
	run_until(nothing_closes, NULL);
}

/* No thread has had it, so nothing has to be waited for. */
static void test_ended_while_queued(void **state)
{
	struct shake first, second, third;

	lend_to_gate(&first, stopping);
	lend(&second, stopping);
	lend(&third, stopping);
	stream_destroy(&second.server.s);
	assert_int_equal(second.released, 1);
	close_orderly(&third.server.s);
	assert_int_equal(third.released, 1);
	run_until(side_failed, &third.client);
	assert_non_null(strstr(stream_fault_detail(third.client.s), "Peer has terminated"));
	leave_gate();
	run_until(side_established, &first.server);
	assert_int_equal(first.server.failed, 0);
	/* The others have never come to the gate. */
	assert_int_equal(sem_trywait(&arrived), -1);
	fini(&first);
	fini(&second);
	fini(&third);
}

/* As when the program ends: control destroys what was a worker's. */
static void test_buffers_end_while_lent(void **state)
{
	struct shake shake;

	lend_to_gate(&shake, stopping);
	fini(&shake);
	assert_int_equal(shake.released, 0);
	leave_gate();
	stream_buffers_destroy(&test_buffers);
	assert_int_equal(shake.released, 1);
}

/* What the kernel has not given out is its own. */
static size_t taken_from(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int waiting;

	CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
	CHECK(ioctl(fd, FIONREAD, &waiting) == 0);
	return info.tcpi_bytes_received - (size_t)waiting;
}

static void test_what_is_sent_while_lent_stays_in_the_socket(void **state)
{
	static const char zeros[10000];
	struct shake shake;
	size_t before;
	int from, to;

	lend_to_gate(&shake, stopping);
	from = stream_fd(shake.client.s);
	to = stream_fd(shake.server.s);
	before = taken_from(to);
	for (unsigned i = 0; i < 200; i++) {
		if (send(from, zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
			run_turns(1);
	}
	assert_int_equal(taken_from(to), before);
	leave_gate();
	/* It was no TLS. */
	run_until(side_failed, &shake.server);
	assert_int_equal(stream_fault(shake.server.s), STREAM_FAULT_HANDSHAKE);
	assert_int_equal(shake.released, 1);
	fini(&shake);
}

static void test_fin_while_lent(void **state)
{
	struct shake shake;

	lend_to_gate(&shake, stopping);
	assert_int_equal(shutdown(stream_fd(shake.client.s), SHUT_WR), 0);
	run_turns(3);
	assert_int_equal(shake.server.failed, 0);
	leave_gate();
	run_until(side_failed, &shake.server);
	assert_int_equal(stream_fault(shake.server.s), STREAM_FAULT_CLOSED);
	assert_int_equal(shake.server.established, 0);
	assert_int_equal(shake.released, 1);
	fini(&shake);
}

static void test_reset_while_lent(void **state)
{
	struct shake shake;

	lend_to_gate(&shake, stopping);
	stream_abort(&shake.client.s);
	run_turns(3);
	leave_gate();
	run_until(side_failed, &shake.server);
	assert_int_equal(stream_fault(shake.server.s), STREAM_FAULT_RESET);
	assert_int_equal(shake.server.failed, 1);
	run_turns(3);
	assert_int_equal(shake.server.failed, 1);
	fini(&shake);
	assert_int_equal(shake.released, 1);
}

static void test_alert_of_a_lent_step_reaches_the_client(void **state)
{
	struct shake shake;

	lend_to_gate(&shake, failing);
	leave_gate();
	run_until(side_failed, &shake.client);
	run_until(side_failed, &shake.server);
	assert_non_null(strstr(stream_fault_detail(shake.client.s), "alert received: "));
	assert_int_equal(stream_fault(shake.server.s), STREAM_FAULT_HANDSHAKE);
	assert_int_equal(shake.released, 1);
	fini(&shake);
}

/* Which messages were dealt with where, by the types of GnuTLS, which has some of its own; only one
 * thread at a time. */
static bool on_loop[2048], away[2048];

static int note_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
			const gnutls_datum_t *message)
{
	CHECK(type < ARRAY_SIZE(on_loop));
	if (pthread_equal(pthread_self(), loop_thread))
		on_loop[type] = true;
	else
		away[type] = true;
	return 0;
}

static int note_messages(gnutls_session_t session)
{
	gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST,
					   note_message);
	return 0;
}

/* `client_priority` and `session` may be NULL. One that has no data gets those of this session, to
 * be resumed. */
static void shake_hands(enum kind kind, const char *client_priority, gnutls_datum_t *session)
{
	struct side client, server;

	memset(on_loop, 0, sizeof(on_loop));
	memset(away, 0, sizeof(away));
	test_server.client_hello = note_messages;
	sides_open(&client, &server, kind);
	if (client_priority)
		assert_int_equal(
		    gnutls_priority_set_direct(stream_tls_session(client.s), client_priority, NULL),
		    0);
	if (session && session->data)
		gnutls_session_set_data(stream_tls_session(client.s), session->data, session->size);
	run_until(side_established, &client);
	run_until(side_established, &server);
	assert_int_equal(client.failed + server.failed, 0);
	side_write(&server, "a ticket comes before this");
	wait_len(&client, 26);
	if (session && !session->data)
		gnutls_session_get_data2(stream_tls_session(client.s), session);
	side_fini(&client);
	side_fini(&server);
}

static bool was_lent(gnutls_handshake_description_t message)
{
	assert_true(away[message] != on_loop[message]);
	return away[message];
}

static void test_slow_signatures_are_lent(void **state)
{
	shake_hands(TLS13, NULL, NULL);
	assert_true(was_lent(GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY));
	shake_hands(TLS12, NULL, NULL);
	assert_true(was_lent(GNUTLS_HANDSHAKE_SERVER_KEY_EXCHANGE));
	assert_false(was_lent(GNUTLS_HANDSHAKE_CLIENT_KEY_EXCHANGE));
}

static void test_signatures_by_rsa_are_lent(void **state)
{
	gnutls_certificate_credentials_t before = test_server.credentials;
	struct test_cert cert;

	test_cert_init_rsa(&cert, "www.example.com");
	test_cert_write(&cert, test_path("rsa.pem"), NULL);
	test_client.ca_file = test_path("rsa.pem");
	test_server.credentials = test_cert_server(&cert);
	test_server.slow_keys = false;
	shake_hands(TLS13, NULL, NULL);
	assert_true(was_lent(GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY));
	shake_hands(TLS12, NULL, NULL);
	assert_true(was_lent(GNUTLS_HANDSHAKE_SERVER_KEY_EXCHANGE));
	gnutls_certificate_free_credentials(test_server.credentials);
	test_server.credentials = before;
	test_cert_fini(&cert);
}

/* The way there and back costs more than they do. */
static void test_signatures_by_ecdsa_stay(void **state)
{
	test_server.slow_keys = false;
	shake_hands(TLS13, NULL, NULL);
	assert_false(was_lent(GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY));
	shake_hands(TLS12, NULL, NULL);
	assert_false(was_lent(GNUTLS_HANDSHAKE_SERVER_KEY_EXCHANGE));
}

static void test_resumed_handshakes_stay(void **state)
{
	static const enum kind kinds[] = {TLS12, TLS13};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		gnutls_datum_t session = {0};

		shake_hands(kinds[i], NULL, &session);
		assert_true(was_lent(GNUTLS_HANDSHAKE_CERTIFICATE_PKT));
		shake_hands(kinds[i], NULL, &session);
		assert_false(on_loop[GNUTLS_HANDSHAKE_CERTIFICATE_PKT]);
		assert_false(was_lent(GNUTLS_HANDSHAKE_SERVER_HELLO));
		gnutls_free(session.data);
	}
}

/* The signature comes in the second step then. */
static void test_after_a_hello_retry_request(void **state)
{
	gnutls_priority_deinit(test_server.priority);
	CHECK(gnutls_priority_init(&test_server.priority,
				   "NORMAL:-GROUP-ALL:+GROUP-SECP384R1:-VERS-ALL:+VERS-TLS1.3",
				   NULL) == 0);
	/* It sends no share of the third. */
	shake_hands(TLS13,
		    "NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
		    "-VERS-ALL:+VERS-TLS1.3",
		    NULL);
	assert_false(was_lent(GNUTLS_HANDSHAKE_HELLO_RETRY_REQUEST));
	assert_true(was_lent(GNUTLS_HANDSHAKE_CERTIFICATE_VERIFY));
}

static void write_request_and_close(struct side *side)
{
	side_write(side, "request");
	stream_close(&side->s, DUR_S(20));
}

/* Many at once, on more threads than there are processors; each ends at once. */
static void test_many(void **state)
{
	enum { COUNT = 60 };
	static struct side clients[COUNT], servers[COUNT];
	struct handshakes *more = handshakes_create(4);

	stream_buffers_destroy(&test_buffers);
	test_buffers = stream_buffers_create(test_loop);
	stream_buffers_set_handshakes(test_buffers, more);
	for (int i = 0; i < COUNT; i++) {
		sides_open(&clients[i], &servers[i], i % 3 == 0 ? TLS12 : TLS13);
		clients[i].on_established = write_request_and_close;
	}
	for (int i = 0; i < COUNT; i++) {
		/* Every fifth goes somewhere on its way. */
		if (i % 5 == 0) {
			run_turns(1);
			stream_destroy(&servers[i].s);
			stream_destroy(&clients[i].s);
		} else {
			run_until(side_ended, &servers[i]);
			assert_int_equal(servers[i].len, 7);
		}
		side_fini(&clients[i]);
		side_fini(&servers[i]);
	}
	run_until(nothing_closes, NULL);
	stream_buffers_destroy(&test_buffers);
	handshakes_destroy(&more);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, lent_setup, lent_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(others_are_served_while_a_step_is_lent),
	    RUN(ended_while_lent),
	    RUN(ended_while_the_client_is_verified),
	    RUN(ended_while_queued),
	    RUN(buffers_end_while_lent),
	    RUN(what_is_sent_while_lent_stays_in_the_socket),
	    RUN(fin_while_lent),
	    RUN(reset_while_lent),
	    RUN(alert_of_a_lent_step_reaches_the_client),
	    RUN(slow_signatures_are_lent),
	    RUN(signatures_by_rsa_are_lent),
	    RUN(signatures_by_ecdsa_stay),
	    RUN(resumed_handshakes_stay),
	    RUN(after_a_hello_retry_request),
	    RUN(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
