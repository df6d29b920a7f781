/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Messages between two machines: framing whatever records bring them, deadlines that hold for the
 * whole, and ends that are told apart. Both ends are in this process, one on a thread.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "core/base/thread.h"
#include "edge/keys/remote/wire.h"
#include "tests/support/test_cert.h"

static struct test_cert cert;
static gnutls_certificate_credentials_t credentials;
static struct wire client, server;

static mono_time in_ms(int64_t ms)
{
	return mono_add(clock_mono(), DUR_MS(ms));
}

static void *shake_hands(void *arg)
{
	return (void *)(intptr_t)wire_shake_hands(arg, in_ms(10000));
}

static int open_both(void **state)
{
	pthread_t thread;
	void *ret;
	int fds[2];

	test_cert_init(&cert, "keys.test");
	credentials = test_cert_server(&cert);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
	CHECK(wire_begin(&client, fds[0], GNUTLS_CLIENT, credentials, NULL) == 0);
	CHECK(wire_begin(&server, fds[1], GNUTLS_SERVER, credentials, NULL) == 0);
	CHECK(thread_start(&thread, "server", shake_hands, &server) == 0);
	assert_int_equal(wire_shake_hands(&client, in_ms(10000)), 0);
	CHECK(pthread_join(thread, &ret) == 0);
	assert_null(ret);
	return 0;
}

static int close_both(void **state)
{
	if (client.fd >= 0)
		wire_end(&client);
	wire_end(&server);
	gnutls_certificate_free_credentials(credentials);
	test_cert_fini(&cert);
	return 0;
}

static void test_messages_of_all_sizes(void **state)
{
	static const size_t sizes[] = {SIGNER_HEAD, SIGNER_HEAD + 1, 300, SIGNER_REMOTE_MAX};
	unsigned char sent[SIGNER_REMOTE_MAX], got[SIGNER_REMOTE_MAX];
	size_t n;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(sent, (int)i + 1, sizeof(sent));
		assert_int_equal(wire_send(&client, sent, sizes[i], in_ms(10000)), 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(sent, (int)i + 1, sizeof(sent));
		assert_int_equal(wire_await(&server, in_ms(10000)), 0);
		assert_int_equal(wire_receive(&server, got, &n, in_ms(10000)), 0);
		assert_int_equal(n, sizes[i]);
		assert_memory_equal(got, sent, n);
	}
}

static void send_raw(const void *bytes, size_t n)
{
	assert_int_equal(gnutls_record_send(client.session, bytes, n), n);
}

static void test_a_byte_in_each_record(void **state)
{
	const unsigned char message[] = {0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9};
	unsigned char got[SIGNER_REMOTE_MAX];
	size_t n;

	for (unsigned i = 0; i < sizeof(message); i++)
		send_raw(&message[i], 1);
	assert_int_equal(wire_receive(&server, got, &n, in_ms(10000)), 0);
	assert_int_equal(n, 9);
	assert_memory_equal(got, message + 2, 9);
}

static void test_sizes_that_no_message_has(void **state)
{
	static const unsigned sizes[] = {0, 1, SIGNER_HEAD - 1, SIGNER_REMOTE_MAX + 1, 0xffff};
	unsigned char got[SIGNER_REMOTE_MAX];
	size_t n;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		const unsigned char length[] = {(unsigned char)(sizes[i] >> 8),
						(unsigned char)sizes[i]};

		send_raw(length, sizeof(length));
		assert_int_equal(wire_receive(&server, got, &n, in_ms(10000)),
				 GNUTLS_E_UNEXPECTED_PACKET_LENGTH);
	}
}

static void test_nothing_and_too_little_until_the_deadline(void **state)
{
	unsigned char got[SIGNER_REMOTE_MAX];
	mono_time until = in_ms(50);
	size_t n;

	assert_int_equal(wire_await(&server, until), GNUTLS_E_TIMEDOUT);
	assert_true(mono_reached(until, clock_mono()));
	send_raw("\0\x09only", 6);
	assert_int_equal(wire_receive(&server, got, &n, in_ms(50)), GNUTLS_E_TIMEDOUT);
}

static atomic_bool over;

static void *drip(void *arg)
{
	const unsigned char length[] = {0x08, 0};

	CHECK(gnutls_record_send(client.session, length, sizeof(length)) == sizeof(length));
	while (!atomic_load(&over)) {
		CHECK(gnutls_record_send(client.session, length, 1) == 1);
		usleep(1000);
	}
	return NULL;
}

/* Each byte is progress, and none puts off the deadline. */
static void test_one_byte_now_and_then(void **state)
{
	unsigned char got[SIGNER_REMOTE_MAX];
	pthread_t thread;
	size_t n;

	atomic_store(&over, false);
	CHECK(thread_start(&thread, "drip", drip, NULL) == 0);
	assert_int_equal(wire_receive(&server, got, &n, in_ms(200)), GNUTLS_E_TIMEDOUT);
	atomic_store(&over, true);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void test_end_between_messages_and_in_one(void **state)
{
	unsigned char got[SIGNER_REMOTE_MAX];
	size_t n;

	send_raw("\0\x09only", 6);
	wire_end(&client);
	assert_int_equal(wire_receive(&server, got, &n, in_ms(10000)),
			 GNUTLS_E_PREMATURE_TERMINATION);
	assert_int_equal(wire_receive(&server, got, &n, in_ms(10000)),
			 GNUTLS_E_PREMATURE_TERMINATION);
}

/* Somebody who takes nothing is not waited for either. */
static void test_message_that_is_not_taken(void **state)
{
	unsigned char message[SIGNER_REMOTE_MAX] = {1};
	int ret = 0;

	for (unsigned i = 0; i < 10000 && ret == 0; i++)
		ret = wire_send(&client, message, sizeof(message), in_ms(50));
	assert_int_equal(ret, GNUTLS_E_TIMEDOUT);
}

static void test_alert_is_what_the_other_side_says(void **state)
{
	unsigned char got[SIGNER_REMOTE_MAX];
	size_t n;
	int ret;

	CHECK(gnutls_alert_send(server.session, GNUTLS_AL_FATAL, GNUTLS_A_CERTIFICATE_REVOKED) ==
	      0);
	ret = wire_receive(&client, got, &n, in_ms(10000));
	assert_int_equal(ret, GNUTLS_E_FATAL_ALERT_RECEIVED);
	assert_non_null(strstr(wire_fault(&client, ret), "revoked"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_messages_of_all_sizes, open_both, close_both),
	    cmocka_unit_test_setup_teardown(test_a_byte_in_each_record, open_both, close_both),
	    cmocka_unit_test_setup_teardown(test_sizes_that_no_message_has, open_both, close_both),
	    cmocka_unit_test_setup_teardown(test_nothing_and_too_little_until_the_deadline,
					    open_both, close_both),
	    cmocka_unit_test_setup_teardown(test_one_byte_now_and_then, open_both, close_both),
	    cmocka_unit_test_setup_teardown(test_end_between_messages_and_in_one, open_both,
					    close_both),
	    cmocka_unit_test_setup_teardown(test_message_that_is_not_taken, open_both, close_both),
	    cmocka_unit_test_setup_teardown(test_alert_is_what_the_other_side_says, open_both,
					    close_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
