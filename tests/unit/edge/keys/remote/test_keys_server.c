/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One perigee-keys as the relay sees it, played by a thread of this test that answers as a test
 * says: well, nonsense, not at all, or ends the connection.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/addr.h"
#include "core/base/check.h"
#include "core/base/thread.h"
#include "core/net/sock.h"
#include "edge/keys/remote/keys_server.h"
#include "edge/keys/remote/wire.h"
#include "tests/support/test_cert.h"

#define HOST "localhost"
#define SLOW "a slow key" /* is never answered */

enum way {
	WELL,
	NONSENSE,       /* no message of ours */
	ANOTHER_ANSWER, /* to what was not asked */
	SILENCE,
	END, /* once, and then well */
};

/* Whether whoever is asked for names takes for ever. */
static atomic_bool names_hang;

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		struct addrinfo **found)
{
	int (*of_libc)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
	    dlsym(RTLD_NEXT, "getaddrinfo");

	while (atomic_load(&names_hang))
		usleep(1000);
	return of_libc(host, port, hints, found);
}

static struct test_cert cert;
static char crt_path[64], key_path[64], name[64];
static gnutls_certificate_credentials_t credentials;
static int listener;
static _Atomic int way;
static atomic_uint n_connections, n_changed;

static mono_time in_s(int64_t s)
{
	return mono_add(clock_mono(), DUR_S(s));
}

static void changed(void)
{
	atomic_fetch_add(&n_changed, 1);
}

/* False: the connection is to be ended. */
static bool answer(struct wire *wire, const struct signer_request *request)
{
	const struct signer_response signature = {.content = {"signature", 9}};
	unsigned char out[SIGNER_MESSAGE_MAX];
	size_t n;

	if (request->content.n == strlen(SLOW))
		return true;
	if (request->verb == SIGNER_PING || atomic_load(&way) == WELL) {
		bool sign = request->verb == SIGNER_SIGN_BY_ID;
		const struct signer_response ok = {.status = SIGNER_OK};

		n = signer_response_write(sign ? &signature : &ok, request->verb, out);
		return wire_send(wire, out, n, in_s(10)) == 0;
	}
	switch (atomic_load(&way)) {
	case NONSENSE:
		return wire_send(wire, "nonsense", 8, in_s(10)) == 0;
	case ANOTHER_ANSWER:
		n = signer_response_write(&(struct signer_response){.status = SIGNER_OK},
					  SIGNER_PING, out);
		return wire_send(wire, out, n, in_s(10)) == 0;
	case SILENCE:
		return true;
	default:
		atomic_store(&way, WELL);
		return false;
	}
}

static void *serve(void *arg)
{
	unsigned char message[SIGNER_REMOTE_MAX];
	struct signer_request request;
	struct wire wire;
	size_t n;

	CHECK(wire_begin(&wire, (int)(intptr_t)arg, GNUTLS_SERVER, credentials, NULL) == 0);
	if (wire_shake_hands(&wire, in_s(10)) == 0) {
		atomic_fetch_add(&n_connections, 1);
		while (wire_receive(&wire, message, &n, in_s(60)) == 0 &&
		       signer_request_parse(&request, message, n) && answer(&wire, &request))
			;
	}
	wire_end(&wire);
	return NULL;
}

/* It is left behind at the end, as the threads that look after servers are. */
static void *accept_all(void *arg)
{
	for (;;) {
		struct net_addr remote;
		int fd = sock_accept(listener, &remote);
		pthread_t thread;

		if (fd < 0) {
			usleep(1000);
			continue;
		}
		CHECK(thread_start(&thread, "serve", serve, (void *)(intptr_t)fd) == 0);
		pthread_detach(thread);
	}
	return NULL;
}

static int set_up(void **state)
{
	struct net_addr addr;
	pthread_t thread;

	strcpy(crt_path, "/tmp/perigee-keys-crt-XXXXXX");
	strcpy(key_path, "/tmp/perigee-keys-key-XXXXXX");
	close(mkstemp(crt_path));
	close(mkstemp(key_path));
	test_cert_init(&cert, HOST);
	test_cert_write(&cert, crt_path, key_path);
	credentials = test_cert_server(&cert);
	CHECK(net_addr_parse("127.0.0.1:0", 0, &addr));
	listener = sock_listen_tcp(&addr, 16);
	CHECK(listener >= 0 && sock_local_addr(listener, &addr) == 0);
	snprintf(name, sizeof(name), HOST ":%u", net_addr_port(&addr));
	return thread_start(&thread, "accept", accept_all, NULL);
}

static int tear_down(void **state)
{
	unlink(crt_path);
	unlink(key_path);
	return 0;
}

static struct keys_server *create(void)
{
	const struct wire_files files = {crt_path, key_path, crt_path};
	struct keys_server *server = keys_server_create(name, &files, changed);

	assert_non_null(server);
	return server;
}

static void await(struct keys_server *server, enum keys_server_state state)
{
	mono_time until = in_s(20);

	while (keys_server_state(server) != state && !mono_reached(until, clock_mono()))
		usleep(1000);
	if (keys_server_state(server) != state)
		fail_msg("%s", keys_server_fault(server));
}

static size_t ask_for(struct keys_server *server, const char *what, mono_time deadline)
{
	static const unsigned char id[SIGNER_KEY_ID_SIZE] = {1};
	const struct signer_request request = {
	    .verb = SIGNER_SIGN_BY_ID, .scheme = 0x0403, .id = id, .content = span_of(what)};
	unsigned char packet[SIGNER_MESSAGE_MAX], out[SIGNER_MESSAGE_MAX];

	return keys_server_ask(server, SIGNER_SIGN_BY_ID, packet,
			       signer_request_write(&request, packet), out, deadline);
}

static size_t ask(struct keys_server *server)
{
	return ask_for(server, "well", in_s(30));
}

static void test_one_connection_for_many(void **state)
{
	struct keys_server *server = create();

	atomic_store(&way, WELL);
	atomic_store(&n_connections, 0);
	await(server, KEYS_SERVER_UP);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(ask(server), SIGNER_HEAD + 9);
	assert_int_equal(atomic_load(&n_connections), 1);
}

static void *ask_on_and_on(void *server)
{
	for (unsigned i = 0; i < 50; i++)
		CHECK(ask(server) == SIGNER_HEAD + 9);
	return NULL;
}

static void test_many_at_once(void **state)
{
	struct keys_server *server = create();
	pthread_t threads[16];

	atomic_store(&way, WELL);
	await(server, KEYS_SERVER_UP);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(thread_start(&threads[i], "asking", ask_on_and_on, server) == 0);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	assert_int_equal(keys_server_state(server), KEYS_SERVER_UP);
}

static void test_connection_that_was_ended_is_no_fault(void **state)
{
	struct keys_server *server = create();

	atomic_store(&way, WELL);
	await(server, KEYS_SERVER_UP);
	for (unsigned i = 0; i < 10; i++) {
		atomic_store(&way, END);
		assert_int_equal(ask(server), SIGNER_HEAD + 9);
	}
	assert_int_equal(keys_server_state(server), KEYS_SERVER_UP);
}

static void assert_down(struct keys_server *server, const char *why)
{
	char *fault;

	assert_int_equal(ask(server), 0);
	fault = keys_server_fault(server);
	if (strstr(fault, why) == NULL)
		fail_msg("%s", fault);
	free(fault);
	atomic_store(&way, WELL);
	/* By itself. */
	await(server, KEYS_SERVER_UP);
	assert_int_equal(ask(server), SIGNER_HEAD + 9);
}

static void test_answers_that_are_none(void **state)
{
	struct keys_server *server = create();

	atomic_store(&way, WELL);
	await(server, KEYS_SERVER_UP);
	atomic_store(&way, NONSENSE);
	assert_down(server, "unexpected TLS packet");
	atomic_store(&way, ANOTHER_ANSWER);
	assert_down(server, "unexpected TLS packet");
}

static void test_silence(void **state)
{
	struct keys_server *server = create();

	atomic_store(&way, WELL);
	await(server, KEYS_SERVER_UP);
	atomic_store(&way, SILENCE);
	assert_down(server, "timed out");
}

static void *ask_slowly(void *server)
{
	return (void *)(intptr_t)ask_for(server, SLOW, in_s(30));
}

static void test_slow_key_is_no_fault_of_the_server(void **state)
{
	struct keys_server *server = create();
	pthread_t thread;
	void *ret;

	atomic_store(&way, WELL);
	await(server, KEYS_SERVER_UP);
	atomic_store(&n_changed, 0);
	CHECK(thread_start(&thread, "asking", ask_slowly, server) == 0);
	while (pthread_tryjoin_np(thread, &ret) != 0)
		assert_int_equal(ask(server), SIGNER_HEAD + 9);
	assert_null(ret);
	assert_int_equal(keys_server_state(server), KEYS_SERVER_UP);
	assert_int_equal(atomic_load(&n_changed), 0);
}

static void test_server_that_had_no_time_left_is_not_down(void **state)
{
	struct keys_server *server = create();

	atomic_store(&way, WELL);
	await(server, KEYS_SERVER_UP);
	/* Others have had it. */
	assert_int_equal(ask_for(server, SLOW, clock_mono()), 0);
	assert_int_equal(keys_server_state(server), KEYS_SERVER_UP);
}

static void test_names_that_cannot_be_asked_for_keep_no_server_down(void **state)
{
	struct keys_server *server = create();

	atomic_store(&way, WELL);
	await(server, KEYS_SERVER_UP);
	atomic_store(&names_hang, true);
	atomic_store(&way, NONSENSE);
	assert_down(server, "unexpected TLS packet");
	atomic_store(&names_hang, false);
}

static void test_names(void **state)
{
	const struct wire_files files = {crt_path, key_path, crt_path};
	struct keys_server *server;

	assert_null(keys_server_create("nothing", &files, changed));
	assert_null(keys_server_create(":1", &files, changed));
	/* RFC 6761: there is none such. */
	server = keys_server_create("nowhere.invalid:1", &files, changed);
	await(server, KEYS_SERVER_DOWN);
	server = keys_server_create("[::1]:1", &files, changed);
	await(server, KEYS_SERVER_DOWN);
}

static void test_own_files_that_are_missing(void **state)
{
	const struct wire_files files = {"/nowhere/at/all", key_path, crt_path};
	struct keys_server *server = keys_server_create(name, &files, changed);
	char *fault;

	await(server, KEYS_SERVER_DOWN);
	fault = keys_server_fault(server);
	assert_non_null(strstr(fault, "/nowhere/at/all cannot be read"));
	free(fault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_connection_for_many),
	    cmocka_unit_test(test_many_at_once),
	    cmocka_unit_test(test_connection_that_was_ended_is_no_fault),
	    cmocka_unit_test(test_answers_that_are_none),
	    cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_slow_key_is_no_fault_of_the_server),
	    cmocka_unit_test(test_server_that_had_no_time_left_is_not_down),
	    cmocka_unit_test(test_names_that_cannot_be_asked_for_keep_no_server_down),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_own_files_that_are_missing),
	};
	int failed = cmocka_run_group_tests(tests, set_up, tear_down);

	/* Threads are left that look after servers, which live as long as the process. */
	fflush(stdout);
	_exit(failed);
}
