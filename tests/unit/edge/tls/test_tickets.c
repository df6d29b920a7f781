/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sessions that are resumed, or not, by servers with keys in directories, in handshakes of GnuTLS
 * with itself over a socket pair, by TLS 1.2 and 1.3; and that keys are called as ticket_names.h
 * says, on which that depends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "core/net/tls.h"
#include "edge/tls/ticket_keys.h"
#include "edge/tls/tickets.h"
#include "tests/support/test_cert.h"

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
/* Its first ClientHello has a share for a group that the server lacks. */
#define RETRY "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1:+GROUP-SECP256R1"

static const char *const versions[] = {TLS12, TLS13};

static struct test_cert cert;
static gnutls_certificate_credentials_t shown;
static char directory[64];
static duration lifetime;
static char complaints[4096];

static int set_up(void **state)
{
	lifetime = DUR_S(86400);
	strcpy(directory, "/tmp/perigee-tickets-XXXXXX");
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	char *command = xasprintf("rm -rf %s", directory);
	int code = system(command);

	free(command);
	return code;
}

static char *make_key(wall_time from)
{
	char *error, *name = ticket_key_make(directory, from, &error);

	assert_non_null(name);
	return name;
}

static void retire(char *name)
{
	char *path = xasprintf("%s/%s", directory, name);

	assert_int_equal(unlink(path), 0);
	free(path);
	free(name);
}

static wall_time seconds_from_now(int64_t seconds)
{
	return (wall_time){clock_wall().ns + seconds * 1000000000};
}

/* `own`: what the key of the process is made of. */
static struct edge_tickets *load_of(const char *keys, char own)
{
	unsigned char secret[TICKET_SECRET_SIZE];
	struct cfg_fleet fleet = {
	    .file = "test",
	    .tls.tickets = {.keys = keys, .count = 1, .lifetime = lifetime},
	};
	struct diag *diag = diag_create();
	struct edge_tickets *tickets;
	char *text;

	memset(secret, own, sizeof(secret));
	tickets = edge_tickets_create(
	    &fleet, &(struct edge_resumption){.own = {secret, sizeof(secret)}}, clock_wall(), diag);
	text = diag_text(diag);
	snprintf(complaints, sizeof(complaints), "%s", text);
	free(text);
	diag_destroy(&diag);
	return tickets;
}

/* Another edge each time. */
static struct edge_tickets *load(void)
{
	static char process;

	return load_of(directory, ++process);
}

static int hello_came(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		      const gnutls_datum_t *message)
{
	const struct tls_tickets *tickets = gnutls_session_get_ptr(session);

	if (tickets->choose != NULL)
		tickets->choose(tickets, session, message);
	return 0;
}

static const struct tls_tickets *tls_of(const struct edge_tickets *tickets)
{
	struct tls_server server = {.credentials = shown};

	edge_tickets_serve(tickets, &server);
	return server.tickets;
}

static void set_up_server(gnutls_session_t server, const struct edge_tickets *tickets)
{
	const struct tls_tickets *tls = tls_of(tickets);

	CHECK(gnutls_priority_set_direct(server, "NORMAL:-GROUP-SECP384R1", NULL) == 0);
	CHECK(gnutls_credentials_set(server, GNUTLS_CRD_CERTIFICATE, shown) == 0);
	gnutls_session_set_ptr(server, (void *)tls);
	gnutls_handshake_set_hook_function(server, GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE,
					   hello_came);
	CHECK(tls->start(tls, server) == 0);
}

static void step(gnutls_session_t session, bool *done)
{
	int ret = *done ? 0 : gnutls_handshake(session);

	*done = ret == 0;
	assert_false(ret < 0 && gnutls_error_is_fatal(ret));
}

/* A session of the client; all zero: none yet. */
struct session {
	gnutls_datum_t data;
};

static void forget(struct session *session)
{
	gnutls_free(session->data.data);
	session->data.size = 0;
}

/* Whether the session is resumed; then, and else too, the new one takes its place. */
static bool resumes(struct session *session, const char *priority,
		    const struct edge_tickets *tickets)
{
	gnutls_certificate_credentials_t trust;
	bool server_done = false, client_done = false, resumed;
	gnutls_session_t server, client;
	char byte;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	CHECK(gnutls_init(&server, GNUTLS_SERVER | GNUTLS_NONBLOCK) == 0);
	set_up_server(server, tickets);
	gnutls_transport_set_int(server, fds[0]);
	CHECK(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK) == 0);
	CHECK(gnutls_priority_set_direct(client, priority, NULL) == 0);
	CHECK(gnutls_certificate_allocate_credentials(&trust) == 0);
	CHECK(gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, trust) == 0);
	if (session->data.size > 0)
		CHECK(gnutls_session_set_data(client, session->data.data, session->data.size) == 0);
	gnutls_transport_set_int(client, fds[1]);
	while (!server_done || !client_done) {
		step(client, &client_done);
		step(server, &server_done);
	}
	assert_true(gnutls_record_send(server, "x", 1) == 1);
	while (gnutls_record_recv(client, &byte, 1) != 1)
		;
	resumed = gnutls_session_is_resumed(server) != 0;
	assert_int_equal(gnutls_session_is_resumed(client) != 0, resumed);
	forget(session);
	CHECK(gnutls_session_get_data2(client, &session->data) == 0);
	gnutls_deinit(server);
	gnutls_deinit(client);
	gnutls_certificate_free_credentials(trust);
	close(fds[0]);
	close(fds[1]);
	return resumed;
}

/* A session that began there. */
static struct session begin(const char *priority, const struct edge_tickets *tickets)
{
	struct session session = {.data.size = 0};

	assert_false(resumes(&session, priority, tickets));
	return session;
}

static bool begins_and_resumes(const char *priority, const struct edge_tickets *first,
			       const struct edge_tickets *second)
{
	struct session session = begin(priority, first);
	bool resumed = resumes(&session, priority, second);

	forget(&session);
	return resumed;
}

static void test_keys_are_called_as_we_think(void **state)
{
	assert_true(ticket_names_hold());
}

static void test_at_another_edge(void **state)
{
	struct edge_tickets *one, *other;

	free(make_key(seconds_from_now(0)));
	one = load();
	other = load();
	assert_string_equal(complaints, "");
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		assert_true(begins_and_resumes(versions[i], one, one));
		assert_true(begins_and_resumes(versions[i], one, other));
	}
	edge_tickets_destroy(&one);
	edge_tickets_destroy(&other);
}

static void test_before_and_after_a_rotation(void **state)
{
	char *first = make_key(seconds_from_now(-20));
	struct edge_tickets *before = load(), *after, *retired;

	free(make_key(seconds_from_now(-10)));
	after = load();
	retire(first);
	retired = load();
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct session session = begin(versions[i], before);

		/* Where the new key is, the old one is understood, and the other way round not. */
		assert_true(resumes(&session, versions[i], after));
		assert_true(resumes(&session, versions[i], after));
		assert_false(resumes(&session, versions[i], retired));
		assert_true(resumes(&session, versions[i], after));
		assert_false(resumes(&session, versions[i], before));
		forget(&session);
		assert_true(begins_and_resumes(versions[i], after, retired));
	}
	edge_tickets_destroy(&before);
	edge_tickets_destroy(&after);
	edge_tickets_destroy(&retired);
}

/* All edges have it some time before it is used; a clock may be ahead. */
static void test_key_for_later(void **state)
{
	char *first = make_key(seconds_from_now(-20));
	struct edge_tickets *both, *ahead;
	json_t *status;

	free(make_key(seconds_from_now(3600)));
	both = load();
	assert_string_equal(complaints, "");
	status = edge_tickets_status(both, clock_wall());
	assert_string_equal(json_string_value(json_object_get(
				json_array_get(json_object_get(status, "keys"), 0), "name")),
			    first);
	assert_true(json_is_true(
	    json_object_get(json_array_get(json_object_get(status, "keys"), 0), "in_use")));
	assert_true(json_is_false(
	    json_object_get(json_array_get(json_object_get(status, "keys"), 1), "in_use")));
	json_decref(status);
	status = edge_tickets_status(both, seconds_from_now(3601));
	assert_true(json_is_true(
	    json_object_get(json_array_get(json_object_get(status, "keys"), 1), "in_use")));
	json_decref(status);
	retire(first);
	/* For want of another it uses its own until then, but understands it already. */
	ahead = load();
	assert_non_null(strstr(complaints, "warning: "));
	assert_non_null(strstr(complaints, "no key of tickets that is to be used by now"));
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		assert_false(begins_and_resumes(versions[i], both, ahead));
		assert_true(begins_and_resumes(versions[i], ahead, ahead));
		assert_false(begins_and_resumes(versions[i], ahead, both));
	}
	edge_tickets_destroy(&both);
	edge_tickets_destroy(&ahead);
}

static void test_without_a_directory(void **state)
{
	struct edge_tickets *one = load_of(NULL, 'a'), *reloaded = load_of(NULL, 'a'),
			    *other = load_of(NULL, 'b');
	json_t *status = edge_tickets_status(one, clock_wall());
	char *text = json_dumps(status, JSON_SORT_KEYS);

	assert_string_equal(
	    text, "{\"keys\": [{\"in_use\": true, \"name\": \"own\"}], \"lifetime\": 86400}");
	free(text);
	json_decref(status);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		assert_true(begins_and_resumes(versions[i], one, reloaded));
		assert_false(begins_and_resumes(versions[i], one, other));
	}
	edge_tickets_destroy(&one);
	edge_tickets_destroy(&reloaded);
	edge_tickets_destroy(&other);
}

/* A first ClientHello that is answered by a request for another decides the key already. */
static void test_after_a_hello_retry_request(void **state)
{
	char *first = make_key(seconds_from_now(-20));
	struct edge_tickets *before = load(), *after;

	free(make_key(seconds_from_now(-10)));
	after = load();
	assert_true(begins_and_resumes(RETRY, before, after));
	assert_true(begins_and_resumes(RETRY, after, after));
	assert_false(begins_and_resumes(RETRY, after, before));
	free(first);
	edge_tickets_destroy(&before);
	edge_tickets_destroy(&after);
}

static time_t pretended;

static time_t pretended_time(time_t *out)
{
	if (out != NULL)
		*out = pretended;
	return pretended;
}

/* The keys that GnuTLS makes of a secret change with the time; a ticket of the period before is
 * still good. Versions before 3.6.14 ignored the secret in the first period: there this fails at
 * another edge. */
static void test_in_the_next_period(void **state)
{
	char *first = make_key(seconds_from_now(-20));
	struct edge_tickets *before, *after;
	time_t now = time(NULL);
	int64_t seconds = 600;

	/* A period that has just begun, as seen from a ticket's life. */
	while (now % (3 * seconds) > seconds / 2)
		seconds++;
	lifetime = DUR_S(seconds);
	before = load();
	free(make_key(seconds_from_now(-10)));
	after = load();
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct session session;

		pretended = now - now % (3 * seconds) - 1;
		gnutls_global_set_time_function(pretended_time);
		session = begin(versions[i], before);
		gnutls_global_set_time_function(time);
		assert_true(resumes(&session, versions[i], after));
		forget(&session);
	}
	free(first);
	edge_tickets_destroy(&before);
	edge_tickets_destroy(&after);
}

static void test_broken_directory_is_refused(void **state)
{
	char *path = xasprintf("%s/2026-01-01T00:00:00Z.key", directory);
	FILE *f = fopen(path, "w");

	assert_true(fputs("short", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_null(load());
	assert_non_null(strstr(complaints, "holds 5 bytes"));
	free(path);
}

static void test_no_tickets(void **state)
{
	struct cfg_fleet fleet = {.file = "test", .tls.tickets.lifetime = lifetime};
	unsigned char secret[TICKET_SECRET_SIZE] = {0};
	struct diag *diag = diag_create();
	struct edge_tickets *tickets = edge_tickets_create(
	    &fleet, &(struct edge_resumption){.own = {secret, sizeof(secret)}}, clock_wall(), diag);

	assert_null(tls_of(tickets));
	edge_tickets_destroy(&tickets);
	assert_null(tickets);
	diag_destroy(&diag);
}

#define RUN(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    RUN(keys_are_called_as_we_think),
	    RUN(at_another_edge),
	    RUN(before_and_after_a_rotation),
	    RUN(key_for_later),
	    RUN(without_a_directory),
	    RUN(after_a_hello_retry_request),
	    RUN(in_the_next_period),
	    RUN(broken_directory_is_refused),
	    RUN(no_tickets),
	};
	int failed;

	test_cert_init(&cert, "www.example.com");
	shown = test_cert_server(&cert);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	gnutls_certificate_free_credentials(shown);
	test_cert_fini(&cert);
	return failed;
}
