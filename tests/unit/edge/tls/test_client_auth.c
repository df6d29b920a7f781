/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What scenarios cannot do: a clock that goes on between a handshake and the next, a client that
 * shows somebody else's certificate, and every complaint about files. Handshakes are real ones,
 * over a socket pair, as the stream and the inlet have them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/file.h"
#include "core/net/tls.h"
#include "core/net/tls_profile.h"
#include "edge/clients/client_auth.h"
#include "edge/keys/keys.h"
#include "edge/tls/certs.h"
#include "edge/tls/handshake.h"
#include "edge/tls/tickets.h"
#include "tests/support/test_cert.h"

#define TLS_1_2 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS_1_3 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define HOUR 3600
/* What is tested takes less by its clock, which begins with the real one: some of what looks at
 * tickets goes by that, and takes none that is older than its lifetime. */
#define LONGEST (2 * HOUR)

static char directory[] = "/tmp/perigee-clients-XXXXXX";
static char *paths[64];
static unsigned n_paths;
static time_t now;
static int64_t lifetime; /* of tickets, in seconds */
static struct edge_keys *keys;
static struct edge_resumption resumption;
static struct test_cert ca, other_ca, site_cert, alice, mallory;
static struct cfg_edge self = {.name = "fra1", .place = {"test.yaml", 1, 1}};

/* GnuTLS's clock, not ours. */
static time_t clock_of_test(time_t *t)
{
	if (t != NULL)
		*t = now;
	return now;
}

static const char *new_path(void)
{
	assert_true(n_paths < ARRAY_SIZE(paths));
	paths[n_paths] = xasprintf("%s/%u", directory, n_paths);
	return paths[n_paths++];
}

static const char *write_text(const void *data, size_t n)
{
	const char *path = new_path();
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	return path;
}

static const char *write_cert(const struct test_cert *cert)
{
	const char *path = new_path();

	test_cert_write(cert, path, NULL);
	return path;
}

static void make_ca(struct test_cert *cert, const char *name)
{
	test_cert_init(cert, name);
	CHECK(gnutls_x509_crt_set_activation_time(cert->crt, now - 2 * HOUR) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(cert->crt, now + 1000 * HOUR) == 0);
	CHECK(gnutls_x509_crt_set_key_usage(cert->crt,
					    GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN) == 0);
	CHECK(gnutls_x509_crt_sign2(cert->crt, cert->crt, cert->key, GNUTLS_DIG_SHA256, 0) == 0);
}

/* By `issuer`, for an hour. */
static void make_client(struct test_cert *cert, const char *name, const struct test_cert *issuer)
{
	const unsigned char serial[] = {1, 2, 3};

	test_cert_issue(cert, name, issuer, false);
	CHECK(gnutls_x509_crt_set_serial(cert->crt, serial, sizeof(serial)) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(cert->crt, now - HOUR) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(cert->crt, now + HOUR) == 0);
	CHECK(gnutls_x509_crt_sign2(cert->crt, issuer->crt, issuer->key, GNUTLS_DIG_SHA256, 0) ==
	      0);
}

static int set_up(void **state)
{
	now = time(NULL);
	/* GnuTLS has a new key for tickets every three lifetimes of Unix time: not meanwhile. */
	for (lifetime = 6 * HOUR; now % (3 * lifetime) > 3 * lifetime - LONGEST;)
		lifetime += HOUR;
	gnutls_global_set_time_function(clock_of_test);
	keys = edge_keys_create();
	edge_resumption_init(&resumption);
	make_ca(&ca, "ca.test");
	make_ca(&other_ca, "other-ca.test");
	test_cert_init(&site_cert, "needed.test");
	make_client(&alice, "alice.test", &ca);
	make_client(&mallory, "mallory.test", &other_ca);
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	test_cert_fini(&ca);
	test_cert_fini(&other_ca);
	test_cert_fini(&site_cert);
	test_cert_fini(&alice);
	test_cert_fini(&mallory);
	for (unsigned i = 0; i < n_paths; i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	edge_keys_destroy(&keys);
	edge_resumption_fini(&resumption);
	gnutls_global_set_time_function(time);
	return rmdir(directory);
}

/* An edge with one site. */
struct rig {
	struct edge_certs *certs;
	struct edge_tickets *tickets;
	struct cfg_fleet fleet;
	struct cfg_site site;
	struct cfg_certificate certificate;
	char errors[4096];
};

static const char *hosts[] = {"needed.test"};

/* `certs` NULL: what is wrong is in `errors`. */
static void load(struct rig *rig, const struct cfg_client_certificates *clients)
{
	struct diag *diag = diag_create();
	FILE *out = fmemopen(rig->errors, sizeof(rig->errors), "w");

	rig->certificate.certificate = new_path();
	rig->certificate.key = new_path();
	test_cert_write(&site_cert, rig->certificate.certificate, rig->certificate.key);
	rig->site = (struct cfg_site){.name = "needed",
				      .place = {"test.yaml", 7, 3},
				      .hosts = {hosts, 1},
				      .certificates = &rig->certificate,
				      .n_certificates = 1,
				      .client_certificates = *clients};
	rig->fleet = (struct cfg_fleet){.sites = &rig->site,
					.n_sites = 1,
					.edges = &self,
					.n_edges = 1,
					.tls.profile = TLS_PROFILE_INTERMEDIATE,
					.tls.tickets = {.count = 1, .lifetime = DUR_S(lifetime)}};
	rig->errors[0] = '\0';
	rig->tickets = edge_tickets_create(&rig->fleet, &resumption, clock_wall(), diag);
	rig->certs =
	    edge_certs_create(&rig->fleet, &self, keys, NULL, rig->tickets, clock_wall(), diag);
	diag_print(diag, out);
	fclose(out);
	diag_destroy(&diag);
}

static void drop(struct rig *rig)
{
	edge_certs_destroy(&rig->certs);
	edge_tickets_destroy(&rig->tickets);
}

/* What a client shows, and what has come of it. */
struct client {
	const char *priority;
	const struct test_cert *shown;  /* NULL: nothing */
	const struct test_cert *signer; /* whose key signs */
	gnutls_datum_t session;         /* to be resumed, and for the next */
	int server_ret, client_ret;
	bool resumed;
	int alert; /* -1: none */
	enum edge_client_verdict verdict;
	bool known; /* its certificate needs no other look for now */
};

static gnutls_certificate_credentials_t credentials_of(const struct client *c)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_privkey_t key;
	gnutls_pcert_st pcert;

	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	if (c->shown == NULL)
		return credentials;
	gnutls_certificate_set_flags(credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	CHECK(gnutls_privkey_init(&key) == 0);
	CHECK(gnutls_privkey_import_x509(key, c->signer->key, GNUTLS_PRIVKEY_IMPORT_COPY) == 0);
	CHECK(gnutls_pcert_import_x509(&pcert, c->shown->crt, 0) == 0);
	CHECK(gnutls_certificate_set_key(credentials, NULL, 0, &pcert, 1, key) >= 0);
	return credentials;
}

static gnutls_session_t start_server(struct rig *rig, struct tls_use *use, int fd)
{
	const struct tls_server *tls = edge_certs_tls(rig->certs);
	gnutls_session_t server;

	CHECK(gnutls_init(&server, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_AUTO_SEND_TICKET) ==
	      0);
	gnutls_session_set_ptr(server, use);
	CHECK(gnutls_priority_set(server, tls->priority) == 0);
	CHECK(gnutls_credentials_set(server, GNUTLS_CRD_CERTIFICATE, tls->credentials) == 0);
	CHECK(tls->tickets->start(tls->tickets, server) == 0);
	gnutls_handshake_set_post_client_hello_function(server, tls->client_hello);
	gnutls_transport_set_int(server, fd);
	return server;
}

/* As run_step() in core/net/stream_handshake.c. */
static bool step_server(gnutls_session_t server, const struct tls_server *tls, struct client *c)
{
	int ret = gnutls_handshake(server);

	if (ret == 0)
		ret = tls->finished(server);
	c->server_ret = ret;
	if (ret == GNUTLS_E_AGAIN)
		return false;
	if (ret < 0 && ret != GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
		gnutls_alert_send_appropriate(server, ret);
	if (ret == 0 && gnutls_protocol_get_version(server) >= GNUTLS_TLS1_3)
		CHECK(gnutls_session_ticket_send(server, 1, 0) == 0);
	if (ret == 0)
		CHECK(gnutls_record_send(server, "x", 1) == 1);
	return true;
}

/* The client's side until it has a byte, or an alert. */
static bool step_client(gnutls_session_t client, struct client *c)
{
	char byte;
	int ret = c->client_ret;

	if (ret != 0)
		ret = c->client_ret = gnutls_handshake(client);
	if (ret == 0)
		ret = (int)gnutls_record_recv(client, &byte, 1);
	if (ret == GNUTLS_E_FATAL_ALERT_RECEIVED)
		c->alert = (int)gnutls_alert_get(client);
	return ret > 0 || (ret < 0 && gnutls_error_is_fatal(ret));
}

static void shake_hands(struct rig *rig, struct client *c)
{
	struct edge_handshake handshake = {.certs = rig->certs};
	struct tls_use use = {.server = edge_certs_tls(rig->certs), .arg = &handshake};
	gnutls_certificate_credentials_t credentials = credentials_of(c);
	bool server_done = false, client_done = false;
	gnutls_session_t server, client;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	server = start_server(rig, &use, fds[0]);
	CHECK(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK) == 0);
	CHECK(gnutls_priority_set_direct(client, c->priority, NULL) == 0);
	CHECK(gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, credentials) == 0);
	CHECK(gnutls_server_name_set(client, GNUTLS_NAME_DNS, hosts[0], strlen(hosts[0])) == 0);
	if (c->session.data != NULL)
		CHECK(gnutls_session_set_data(client, c->session.data, c->session.size) == 0);
	gnutls_transport_set_int(client, fds[1]);
	c->client_ret = GNUTLS_E_AGAIN;
	c->alert = -1;
	while (!server_done || !client_done) {
		client_done = client_done || step_client(client, c);
		server_done = server_done || step_server(server, use.server, c);
	}
	c->verdict = handshake.client.verdict;
	c->known = handshake.client.cert != NULL &&
		   edge_client_auth_knows(handshake.client.auth, handshake.client.cert);
	c->resumed = gnutls_session_is_resumed(server) != 0;
	gnutls_free(c->session.data);
	c->session = (gnutls_datum_t){0};
	if (c->server_ret == 0)
		CHECK(gnutls_session_get_data2(client, &c->session) == 0);
	edge_client_cert_destroy(&handshake.client.cert);
	gnutls_deinit(server);
	gnutls_deinit(client);
	gnutls_certificate_free_credentials(credentials);
	close(fds[0]);
	close(fds[1]);
}

static void assert_let_in(const struct client *c, bool resumed)
{
	assert_int_equal(c->server_ret, 0);
	assert_int_equal(c->alert, -1);
	assert_int_equal(c->verdict, EDGE_CLIENT_OK);
	assert_int_equal(c->resumed, resumed);
}

static const char *const versions[] = {TLS_1_2, TLS_1_3};

/* A ticket lives for hours; a certificate may be over before. */
static void test_certificate_expires_before_its_session(void **state)
{
	struct cfg_client_certificates clients = {.mode = CFG_CLIENT_CERTIFICATES_REQUIRED,
						  .ca_file = write_cert(&ca)};
	time_t began = now;
	struct rig rig;

	load(&rig, &clients);
	assert_string_equal(rig.errors, "");
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct client c = {versions[i], .shown = &alice, .signer = &alice};

		shake_hands(&rig, &c);
		assert_let_in(&c, false);
		now += HOUR / 2;
		shake_hands(&rig, &c);
		assert_let_in(&c, true);
		now += HOUR;
		shake_hands(&rig, &c);
		assert_true(c.resumed);
		assert_int_equal(c.server_ret, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
		assert_int_equal(c.alert, GNUTLS_A_CERTIFICATE_EXPIRED);
		assert_int_equal(c.verdict, EDGE_CLIENT_EXPIRED);
		now = began;
		gnutls_free(c.session.data);
	}
	drop(&rig);
}

/* Anybody has seen a certificate; only its owner has the key. */
static void test_certificate_of_somebody_else(void **state)
{
	struct cfg_client_certificates clients = {.ca_file = write_cert(&ca)};

	for (int mode = CFG_CLIENT_CERTIFICATES_OPTIONAL; mode <= CFG_CLIENT_CERTIFICATES_REQUIRED;
	     mode++) {
		struct rig rig;

		clients.mode = (enum cfg_client_certificates_mode)mode;
		load(&rig, &clients);
		for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
			struct client c = {versions[i], .shown = &alice, .signer = &mallory};

			shake_hands(&rig, &c);
			assert_true(c.server_ret < 0);
			assert_true(c.alert >= 0);
			assert_null(c.session.data);
		}
		drop(&rig);
	}
}

/* The session is resumed under the key of the site alone, whatever the client shows this time. */
static void test_session_of_one_who_had_no_certificate(void **state)
{
	struct cfg_client_certificates clients = {.mode = CFG_CLIENT_CERTIFICATES_OPTIONAL,
						  .ca_file = write_cert(&ca)};
	struct rig rig, stricter;

	load(&rig, &clients);
	clients.mode = CFG_CLIENT_CERTIFICATES_REQUIRED;
	load(&stricter, &clients);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct client c = {versions[i], .shown = NULL};

		shake_hands(&rig, &c);
		assert_int_equal(c.server_ret, 0);
		assert_int_equal(c.verdict, EDGE_CLIENT_NONE);
		shake_hands(&stricter, &c);
		assert_false(c.resumed);
		assert_int_equal(c.server_ret, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
		assert_int_equal(c.alert, i == 0 ? GNUTLS_A_HANDSHAKE_FAILURE
						 : GNUTLS_A_CERTIFICATE_REQUIRED);
		gnutls_free(c.session.data);
	}
	drop(&stricter);
	drop(&rig);
}

/* Files */

struct crl_spec {
	const struct test_cert *issuer;
	const struct test_cert *revoked; /* NULL: none */
	time_t until;
};

static const char *write_crl(const struct crl_spec *spec)
{
	gnutls_x509_crl_t crl;
	gnutls_datum_t pem;
	const char *path;

	CHECK(gnutls_x509_crl_init(&crl) == 0);
	CHECK(gnutls_x509_crl_set_version(crl, 2) == 0);
	CHECK(gnutls_x509_crl_set_this_update(crl, now - HOUR) == 0);
	CHECK(gnutls_x509_crl_set_next_update(crl, spec->until) == 0);
	CHECK(gnutls_x509_crl_set_number(crl, "\1", 1) == 0);
	if (spec->revoked != NULL)
		CHECK(gnutls_x509_crl_set_crt(crl, spec->revoked->crt, now - HOUR) == 0);
	CHECK(gnutls_x509_crl_sign2(crl, spec->issuer->crt, spec->issuer->key, GNUTLS_DIG_SHA256,
				    0) == 0);
	CHECK(gnutls_x509_crl_export2(crl, GNUTLS_X509_FMT_PEM, &pem) == 0);
	path = write_text(pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_x509_crl_deinit(crl);
	return path;
}

static void assert_said(const struct rig *rig, const char *expected)
{
	if (strstr(rig->errors, expected) == NULL)
		fail_msg("\"%s\" is not in: %s", expected, rig->errors);
}

static void test_complaints(void **state)
{
	const char *ca_path = write_cert(&ca), *text = write_text("hello\n", 6);
	const struct {
		const char *ca_file, *crl_file, *said;
	} cases[] = {
	    {"/nonexistent/ca.pem", NULL, "test.yaml:7:3: /nonexistent/ca.pem cannot be read"},
	    {text, NULL, "holds no certificate in PEM"},
	    {ca_path, "/nonexistent/crl.pem", "/nonexistent/crl.pem"},
	    {ca_path, text, "holds no list of revoked certificates in PEM"},
	    {ca_path, ca_path, "holds no list of revoked certificates in PEM"},
	    {ca_path, write_crl(&(struct crl_spec){.issuer = &other_ca, .until = now + HOUR}),
	     "has a list of \"CN=other-ca.test\" that none of the authorities has signed"},
	    {ca_path, write_crl(&(struct crl_spec){.issuer = &alice, .until = now + HOUR}),
	     "has a list of \"CN=alice.test\" that none of the authorities has signed"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_client_certificates clients = {
		    .mode = CFG_CLIENT_CERTIFICATES_REQUIRED,
		    .ca_file = cases[i].ca_file,
		    .crl_file = cases[i].crl_file,
		};
		struct rig rig;

		load(&rig, &clients);
		assert_null(rig.certs);
		assert_said(&rig, cases[i].said);
		drop(&rig);
	}
}

/* An attacker may have taken the list's name, but not the authority's key. */
static void test_list_by_another_key(void **state)
{
	struct test_cert twin;
	struct cfg_client_certificates clients = {.mode = CFG_CLIENT_CERTIFICATES_REQUIRED,
						  .ca_file = write_cert(&ca)};
	struct rig rig;

	make_ca(&twin, "ca.test");
	clients.crl_file = write_crl(&(struct crl_spec){.issuer = &twin, .until = now + HOUR});
	load(&rig, &clients);
	assert_null(rig.certs);
	assert_said(&rig, "that none of the authorities has signed");
	drop(&rig);
	test_cert_fini(&twin);
}

static void test_too_many_authorities_to_name(void **state)
{
	const char *one = write_cert(&ca);
	struct cfg_client_certificates clients = {.mode = CFG_CLIENT_CERTIFICATES_OPTIONAL};
	struct file pem;
	struct rig rig;
	const size_t n = 4000;
	char *many;

	assert_null(file_read(&pem, one, 1 << 16));
	many = xmalloc(n * pem.len);
	for (size_t i = 0; i < n; i++)
		memcpy(many + i * pem.len, pem.data, pem.len);
	clients.ca_file = write_text(many, n * pem.len);
	load(&rig, &clients);
	assert_null(rig.certs);
	assert_said(&rig, "the names of its 4000 authorities");
	drop(&rig);
	free(many);
	file_wipe(&pem);
}

static void test_warnings(void **state)
{
	time_t real = time(NULL);
	struct cfg_client_certificates clients = {
	    .mode = CFG_CLIENT_CERTIFICATES_REQUIRED,
	    .ca_file = write_cert(&ca),
	};
	struct rig rig;

	clients.crl_file = write_crl(&(struct crl_spec){.issuer = &ca, .until = real - HOUR});
	load(&rig, &clients);
	assert_non_null(rig.certs);
	assert_said(&rig, "test.yaml:7:3: warning:");
	assert_said(&rig, "has a list that is out of date");
	drop(&rig);
}

/* Devices have such ones; an end that does not fit into nanoseconds of 64 bits (RFC 5280 section
 * 4.1.2.5) had them judged again for each request. */
static void test_certificate_without_end(void **state)
{
	struct cfg_client_certificates clients = {.mode = CFG_CLIENT_CERTIFICATES_REQUIRED,
						  .ca_file = write_cert(&ca)};
	struct test_cert device;
	struct client c = {TLS_1_3, .shown = &device, .signer = &device};
	struct rig rig;

	make_client(&device, "device", &ca);
	/* GnuTLS does not make the one form of a time into the other. */
	gnutls_x509_crt_deinit(device.crt);
	CHECK(gnutls_x509_crt_init(&device.crt) == 0);
	CHECK(gnutls_x509_crt_set_version(device.crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(device.crt, "\1", 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(device.crt, now - HOUR) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(device.crt, 32503680000) == 0);
	CHECK(gnutls_x509_crt_set_key(device.crt, device.key) == 0);
	CHECK(gnutls_x509_crt_sign2(device.crt, ca.crt, ca.key, GNUTLS_DIG_SHA256, 0) == 0);
	load(&rig, &clients);
	shake_hands(&rig, &c);
	assert_let_in(&c, false);
	assert_true(c.known);
	gnutls_free(c.session.data);
	drop(&rig);
	test_cert_fini(&device);
}

static void test_revoked(void **state)
{
	struct cfg_client_certificates clients = {
	    .mode = CFG_CLIENT_CERTIFICATES_REQUIRED,
	    .ca_file = write_cert(&ca),
	};
	/* The first does not fit into nanoseconds of 64 bits. */
	const time_t until[2] = {32503680000, time(NULL) + 100 * HOUR};

	for (int revoked = 0; revoked < 2; revoked++) {
		struct client c = {TLS_1_3, .shown = &alice, .signer = &alice};
		struct rig rig;

		clients.crl_file = write_crl(&(struct crl_spec){
		    .issuer = &ca, .revoked = revoked ? &alice : &ca, .until = until[revoked]});
		load(&rig, &clients);
		assert_string_equal(rig.errors, "");
		shake_hands(&rig, &c);
		assert_int_equal(c.verdict, revoked ? EDGE_CLIENT_REVOKED : EDGE_CLIENT_OK);
		gnutls_free(c.session.data);
		drop(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_certificate_expires_before_its_session),
	    cmocka_unit_test(test_certificate_of_somebody_else),
	    cmocka_unit_test(test_session_of_one_who_had_no_certificate),
	    cmocka_unit_test(test_complaints),
	    cmocka_unit_test(test_list_by_another_key),
	    cmocka_unit_test(test_too_many_authorities_to_name),
	    cmocka_unit_test(test_warnings),
	    cmocka_unit_test(test_certificate_without_end),
	    cmocka_unit_test(test_revoked),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
