/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a TLS client accepts of a server's certificate, by who issued it. The rest of clients
 * (trust, ALPN, resumption) is tested with the streams.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "tests/support/test_cert.h"
#include "tests/unit/core/net/stream_sides.h"

#define NAME "www.example.com"

enum issuer { TRUSTED, UNKNOWN, ITSELF };

struct row {
	const char *what;
	enum issuer issuer;
	const char *name;
	bool expired;
	bool all, trusted; /* whether it passes by TLS_VERIFY_ALL, TLS_VERIFY_TRUSTED */
};

static const struct row rows[] = {
    {"good", TRUSTED, NAME, false, true, true},
    {"expired", TRUSTED, NAME, true, false, false},
    {"for another", TRUSTED, "other.example.com", false, false, false},
    {"for all of them", TRUSTED, "*.example.com", false, true, true},
    {"private", UNKNOWN, NAME, false, false, true},
    {"private, expired", UNKNOWN, NAME, true, false, true},
    {"private, for another", UNKNOWN, "other.example.com", false, false, true},
    {"self-signed", ITSELF, NAME, false, false, true},
    {"self-signed, expired", ITSELF, NAME, true, false, true},
};

struct authorities {
	struct test_cert trusted, unknown;
	char path[256];
};

static void make(struct authorities *a)
{
	test_cert_init(&a->trusted, "Trusted");
	test_cert_init(&a->unknown, "Unknown");
	snprintf(a->path, sizeof(a->path), "%s", test_path("roots.pem"));
	test_cert_write(&a->trusted, a->path, NULL);
}

static void show(const struct authorities *a, const struct row *row, struct test_cert *cert)
{
	if (row->issuer == ITSELF && row->expired)
		test_cert_init_expired(cert, row->name);
	else if (row->issuer == ITSELF)
		test_cert_init(cert, row->name);
	else
		test_cert_issue(cert, row->name, row->issuer == TRUSTED ? &a->trusted : &a->unknown,
				row->expired);
	gnutls_certificate_free_credentials(test_server.credentials);
	test_server.credentials = test_cert_server(cert);
}

static bool over(void *arg)
{
	const struct side *client = arg;

	return client->established + client->failed > 0;
}

static void test_certificates(void **state)
{
	static const enum tls_verify verifies[] = {TLS_VERIFY_ALL, TLS_VERIFY_TRUSTED,
						   TLS_VERIFY_NONE};
	struct authorities a;

	make(&a);
	test_client.ca_file = a.path;
	for (unsigned i = 0; i < 3 * ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i / 3];
		bool expected[] = {row->all, row->trusted, true};
		struct side client, server;
		struct test_cert cert;

		show(&a, row, &cert);
		test_client.verify = verifies[i % 3];
		sides_open(&client, &server, i % 2 ? TLS12 : TLS13);
		run_until(over, &client);
		if (client.established != expected[i % 3])
			fail_msg("%s: %s by %u", row->what, client.failed ? "refused" : "accepted",
				 i % 3);
		if (client.failed) {
			const char *detail = stream_fault_detail(client.s);

			assert_int_equal(stream_fault(client.s), STREAM_FAULT_CERTIFICATE);
			assert_true(strstr(detail, "certificate of www.example.com: The cert") !=
				    NULL);
			assert_int_equal(strstr(detail, "expired") != NULL, row->expired);
		}
		side_fini(&client);
		side_fini(&server);
		test_cert_fini(&cert);
	}
	test_cert_fini(&a.trusted);
	test_cert_fini(&a.unknown);
}

/* Of a session that is resumed no certificate is seen. */
static void test_always_full(void **state)
{
	char *error;
	struct tls_client *tls;

	test_client.always_full = true;
	tls = tls_client_create(&test_client, &error);
	assert_non_null(tls);
	for (unsigned i = 0; i < 3; i++) {
		struct side client, server;

		sides_open(&client, &server, PLAIN);
		assert_true(stream_start_tls_client(client.s, tls, NULL, 0));
		assert_true(stream_start_tls_server(server.s, &test_server, NULL, NULL, NULL, 0));
		run_until(side_established, &client);
		run_until(side_established, &server);
		side_write(&server, "a ticket comes before this");
		wait_len(&client, 26);
		assert_false(gnutls_session_is_resumed(stream_tls_session(client.s)));
		side_fini(&client);
		side_fini(&server);
	}
	tls_client_unref(&tls);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, streams_setup, streams_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_certificates),
	    TEST(test_always_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
