/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Certificates made here, written to files, loaded, and chosen by real handshakes over a socket
 * pair; and every complaint about a broken one.
 */
#include <fcntl.h>
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

#include <gnutls/x509.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/net/tls.h"
#include "core/net/tls_profile.h"
#include "edge/keys/keys.h"
#include "edge/tls/certs.h"
#include "edge/tls/handshake.h"

#define DAY 86400
#define MAX_FILES 60

static char directory[64];
static char *paths[MAX_FILES];
static unsigned n_paths;
static struct edge_keys *keys;

static const char *write_file(const void *data, size_t len)
{
	char *path = xasprintf("%s/%u", directory, n_paths);
	FILE *f;

	assert_true(n_paths < MAX_FILES);
	paths[n_paths++] = path;
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* A self-signed certificate for `names` (NULL-terminated), as files. `curve`: of an ECDSA key. */
static struct cfg_certificate make_cert_on(gnutls_ecc_curve_t curve, gnutls_pk_algorithm_t type,
					   const char *const *names)
{
	unsigned bits = type == GNUTLS_PK_RSA ? 2048 : GNUTLS_CURVE_TO_BITS(curve);
	struct cfg_certificate made = {.place = {"test.yaml", n_paths + 1, 1}};
	const unsigned char serial = 1;
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	time_t now = time(NULL);

	CHECK(gnutls_x509_privkey_init(&key) == 0 && gnutls_x509_crt_init(&crt) == 0);
	CHECK(gnutls_x509_privkey_generate(key, type, bits, 0) == 0);
	CHECK(gnutls_x509_crt_set_version(crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(crt, &serial, 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(crt, now - 3600) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(crt, now + 86400) == 0);
	CHECK(gnutls_x509_crt_set_key(crt, key) == 0);
	CHECK(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, names[0],
					    strlen(names[0])) == 0);
	for (; *names != NULL; names++)
		CHECK(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, *names,
							   strlen(*names),
							   GNUTLS_FSAN_APPEND) == 0);
	CHECK(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0);
	CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) == 0);
	made.certificate = write_file(pem.data, pem.size);
	gnutls_free(pem.data);
	CHECK(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) == 0);
	made.key = write_file(pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return made;
}

static struct cfg_certificate make_cert(gnutls_pk_algorithm_t type, const char *const *names)
{
	return make_cert_on(GNUTLS_ECC_CURVE_SECP256R1, type, names);
}

static int set_up(void **state)
{
	strcpy(directory, "/tmp/perigee-certs-XXXXXX");
	keys = edge_keys_create();
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	for (unsigned i = 0; i < n_paths; i++) {
		unlink(paths[i]);
		free(paths[i]);
	}
	edge_keys_destroy(&keys);
	return rmdir(directory);
}

static const char uncovered[] = "warning: no certificate covers the host a.test of site www\n";
static struct net_addr anywhere;
static struct cfg_edge self = {
    .name = "fra1", .place = {"test.yaml", 1, 1}, .listen = {.v = &anywhere, .n = 1}};

static struct edge_certs *load_from(struct edge_cert_store *store, struct cfg_certificate *list,
				    unsigned n, char *errors, size_t size)
{
	static const char *hosts[] = {"a.test"};
	static struct cfg_site site;
	struct cfg_fleet fleet = {.sites = &site,
				  .n_sites = 1,
				  .edges = &self,
				  .n_edges = 1,
				  .tls.profile = TLS_PROFILE_INTERMEDIATE};
	struct diag *diag = diag_create();
	FILE *out = fmemopen(errors, size, "w");
	struct edge_certs *certs;

	site = (struct cfg_site){
	    .name = "www", .hosts = {hosts, 1}, .certificates = list, .n_certificates = n};
	certs = edge_certs_create(&fleet, &self, keys, store, NULL, clock_wall(), diag);
	assert_int_equal(certs == NULL, diag_count(diag) > 0);
	errors[0] = '\0';
	diag_print(diag, out);
	fclose(out);
	diag_destroy(&diag);
	return certs;
}

static struct edge_certs *load(struct cfg_certificate *list, unsigned n, char *errors, size_t size)
{
	return load_from(NULL, list, n, errors, size);
}

static void handshake_step(gnutls_session_t session, bool *done)
{
	int ret = *done ? 0 : gnutls_handshake(session);

	if (ret == 0)
		*done = true;
	else
		assert_false(gnutls_error_is_fatal(ret));
}

static bool wildcard_was_shown; /* by the last handshake */

/* The key type of the certificate that a client of that name and priority is shown, and whether it
 * is valid for `expected`. */
static gnutls_pk_algorithm_t shown(const struct edge_certs *certs, const char *sni,
				   const char *priority, const char *expected)
{
	const struct tls_server *tls = edge_certs_tls(certs);
	struct edge_handshake handshake = {.certs = certs};
	struct tls_use use = {.server = tls, .arg = &handshake};
	gnutls_certificate_credentials_t trust;
	gnutls_session_t server, client;
	bool server_done = false, client_done = false;
	gnutls_x509_crt_t crt;
	gnutls_pk_algorithm_t type;
	unsigned n;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	CHECK(gnutls_init(&server, GNUTLS_SERVER | GNUTLS_NONBLOCK) == 0);
	gnutls_session_set_ptr(server, &use);
	CHECK(gnutls_priority_set(server, tls->priority) == 0);
	CHECK(gnutls_credentials_set(server, GNUTLS_CRD_CERTIFICATE, tls->credentials) == 0);
	gnutls_handshake_set_post_client_hello_function(server, tls->client_hello);
	gnutls_transport_set_int(server, fds[0]);
	CHECK(gnutls_init(&client, GNUTLS_CLIENT | GNUTLS_NONBLOCK) == 0);
	CHECK(gnutls_priority_set_direct(client, priority, NULL) == 0);
	CHECK(gnutls_certificate_allocate_credentials(&trust) == 0);
	CHECK(gnutls_credentials_set(client, GNUTLS_CRD_CERTIFICATE, trust) == 0);
	if (sni != NULL)
		gnutls_server_name_set(client, GNUTLS_NAME_DNS, sni, strlen(sni));
	gnutls_transport_set_int(client, fds[1]);
	while (!server_done || !client_done) {
		handshake_step(client, &client_done);
		handshake_step(server, &server_done);
	}
	CHECK(gnutls_x509_crt_init(&crt) == 0);
	CHECK(gnutls_x509_crt_import(crt, gnutls_certificate_get_peers(client, &n),
				     GNUTLS_X509_FMT_DER) == 0);
	assert_true(gnutls_x509_crt_check_hostname(crt, expected));
	wildcard_was_shown = gnutls_x509_crt_check_hostname(crt, "any.a.test");
	type = gnutls_x509_crt_get_pk_algorithm(crt, NULL);
	gnutls_x509_crt_deinit(crt);
	gnutls_deinit(server);
	gnutls_deinit(client);
	gnutls_certificate_free_credentials(trust);
	close(fds[0]);
	close(fds[1]);
	return type;
}

#define ANY "NORMAL"
#define RSA_1_2 "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-RSA"
#define ECDSA_1_2 "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA"
#define P256_1_3 "NORMAL:-VERS-ALL:+VERS-TLS1.3:-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256"
#define RSA_1_3 "NORMAL:-VERS-ALL:+VERS-TLS1.3:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256"

static void test_choice(void **state)
{
	static const char *const a[] = {"a.test", "*.a.test", NULL};
	static const char *const b[] = {"B.test", NULL};
	struct cfg_certificate list[] = {make_cert(GNUTLS_PK_ECDSA, a), make_cert(GNUTLS_PK_RSA, a),
					 make_cert(GNUTLS_PK_ECDSA, b)};
	char errors[4096];
	struct edge_certs *certs = load(list, 3, errors, sizeof(errors));
	json_t *status;

	assert_string_equal(errors, "");
	assert_int_equal(shown(certs, "a.test", ANY, "a.test"), GNUTLS_PK_ECDSA);
	assert_int_equal(shown(certs, "x.a.test", ANY, "x.a.test"), GNUTLS_PK_ECDSA);
	assert_int_equal(shown(certs, "A.Test", RSA_1_2, "a.test"), GNUTLS_PK_RSA);
	assert_int_equal(shown(certs, "x.a.test", RSA_1_3, "x.a.test"), GNUTLS_PK_RSA);
	assert_int_equal(shown(certs, "a.test", ECDSA_1_2, "a.test"), GNUTLS_PK_ECDSA);
	assert_int_equal(shown(certs, "b.test", ANY, "b.test"), GNUTLS_PK_ECDSA);
	/* no name of ours, or none: the first, of whichever key type suits */
	assert_int_equal(shown(certs, "c.test", ANY, "a.test"), GNUTLS_PK_ECDSA);
	assert_int_equal(shown(certs, "y.x.a.test", ANY, "a.test"), GNUTLS_PK_ECDSA);
	assert_int_equal(shown(certs, NULL, RSA_1_2, "a.test"), GNUTLS_PK_RSA);

	assert_ptr_equal(edge_certs_find(certs, SPAN("a.test")),
			 edge_certs_find(certs, SPAN("x.a.test")));
	assert_null(edge_certs_find(certs, SPAN("c.test")));
	/* what is shown for the one name is for the other */
	assert_true(edge_certs_allow(certs, SPAN("a.test"), SPAN("X.a.test.")));
	assert_true(edge_certs_allow(certs, SPAN(""), SPAN("x.a.test")));
	assert_true(edge_certs_allow(certs, SPAN("c.test"), SPAN("a.test")));
	assert_false(edge_certs_allow(certs, SPAN("a.test"), SPAN("b.test")));
	assert_false(edge_certs_allow(certs, SPAN("b.test"), SPAN("a.test")));
	assert_false(edge_certs_allow(certs, SPAN("b.test"), SPAN("x.a.test")));
	assert_false(edge_certs_allow(certs, SPAN(""), SPAN("b.test")));
	/* nothing is for these */
	assert_true(edge_certs_allow(certs, SPAN("a.test"), SPAN("y.x.a.test")));
	assert_true(edge_certs_allow(certs, SPAN("a.test"), SPAN("c.test")));
	assert_true(edge_certs_allow(certs, SPAN(""), SPAN("192.0.2.1")));
	status = edge_certs_status(certs, clock_wall());
	assert_int_equal(json_array_size(status), 3);
	json_decref(status);
	edge_certs_destroy(&certs);
	assert_null(certs);
}

/* Which of both a client is shown is its own affair: each must be for the host. */
static void test_all_that_may_be_shown(void **state)
{
	static const char *const a[] = {"a.test", "b.test", NULL};
	static const char *const only_a[] = {"a.test", "c.test", NULL};
	struct cfg_certificate list[] = {make_cert(GNUTLS_PK_ECDSA, a),
					 make_cert(GNUTLS_PK_RSA, only_a)};
	char errors[4096];
	struct edge_certs *certs = load(list, 2, errors, sizeof(errors));

	assert_false(edge_certs_allow(certs, SPAN("a.test"), SPAN("b.test")));
	assert_false(edge_certs_allow(certs, SPAN(""), SPAN("c.test")));
	assert_true(edge_certs_allow(certs, SPAN("b.test"), SPAN("a.test")));
	assert_true(edge_certs_allow(certs, SPAN("c.test"), SPAN("a.test")));
	edge_certs_destroy(&certs);
}

/* A name of its own has one key type only, the wildcard above it the other. */
static void test_wildcard_has_the_key_type_that_the_exact_name_lacks(void **state)
{
	static const char *const exact[] = {"www.a.test", NULL};
	static const char *const wildcard[] = {"*.a.test", NULL};
	static const char *const other[] = {"b.test", NULL};
	struct cfg_certificate list[] = {
	    make_cert(GNUTLS_PK_ECDSA, other),
	    make_cert(GNUTLS_PK_ECDSA, exact),
	    make_cert(GNUTLS_PK_RSA, wildcard),
	    make_cert(GNUTLS_PK_ECDSA, wildcard),
	};
	char errors[4096];
	struct edge_certs *certs = load(list, 4, errors, sizeof(errors));

	assert_string_equal(errors, uncovered);
	assert_int_equal(shown(certs, "www.a.test", ANY, "www.a.test"), GNUTLS_PK_ECDSA);
	assert_int_equal(shown(certs, "WWW.a.test", RSA_1_2, "www.a.test"), GNUTLS_PK_RSA);
	assert_int_equal(shown(certs, "www.a.test", RSA_1_3, "www.a.test"), GNUTLS_PK_RSA);
	/* the exact one, not the wildcard's of the same type */
	assert_int_equal(shown(certs, "www.a.test", ECDSA_1_2, "www.a.test"), GNUTLS_PK_ECDSA);
	assert_false(wildcard_was_shown);
	assert_int_equal(shown(certs, "x.a.test", ECDSA_1_2, "x.a.test"), GNUTLS_PK_ECDSA);
	assert_true(wildcard_was_shown);
	/* no name: the first of each type, though they are of different names */
	assert_int_equal(shown(certs, NULL, ECDSA_1_2, "b.test"), GNUTLS_PK_ECDSA);
	assert_int_equal(shown(certs, NULL, RSA_1_2, "x.a.test"), GNUTLS_PK_RSA);
	assert_int_equal(shown(certs, "c.test", RSA_1_3, "x.a.test"), GNUTLS_PK_RSA);
	edge_certs_destroy(&certs);
}

/* The name's own certificate is of a curve that not every client knows, the wildcard's of one that
 * all do. */
static void test_certificate_of_another_curve_hid_the_wildcards(void **state)
{
	static const char *const exact[] = {"www.a.test", NULL};
	static const char *const wildcard[] = {"*.a.test", NULL};
	static const gnutls_ecc_curve_t curves[] = {GNUTLS_ECC_CURVE_SECP384R1,
						    GNUTLS_ECC_CURVE_SECP521R1};
	char errors[4096];

	for (unsigned i = 0; i < ARRAY_SIZE(curves); i++) {
		struct cfg_certificate list[] = {
		    make_cert_on(curves[i], GNUTLS_PK_ECDSA, exact),
		    make_cert(GNUTLS_PK_ECDSA, wildcard),
		};
		struct edge_certs *certs = load(list, 2, errors, sizeof(errors));

		assert_string_equal(errors, uncovered);
		assert_int_equal(shown(certs, "www.a.test", P256_1_3, "www.a.test"),
				 GNUTLS_PK_ECDSA);
		assert_true(wildcard_was_shown);
		assert_int_equal(shown(certs, NULL, P256_1_3, "x.a.test"), GNUTLS_PK_ECDSA);
		/* who knows both is shown the name's own */
		assert_int_equal(shown(certs, "www.a.test", ANY, "www.a.test"), GNUTLS_PK_ECDSA);
		assert_false(wildcard_was_shown);
		edge_certs_destroy(&certs);
	}
}

static void test_files_named_often_are_loaded_once(void **state)
{
	static const char *const names[] = {"a.test", NULL};
	struct cfg_certificate one = make_cert(GNUTLS_PK_ECDSA, names);
	struct cfg_certificate list[] = {one, one, one};
	char errors[4096];
	struct edge_certs *certs = load(list, 3, errors, sizeof(errors));
	json_t *status = edge_certs_status(certs, clock_wall());

	assert_int_equal(json_array_size(status), 1);
	json_decref(status);
	assert_int_equal(shown(certs, "a.test", ANY, "a.test"), GNUTLS_PK_ECDSA);
	edge_certs_destroy(&certs);
	/* and so is what is wrong with them: at the first place */
	list[0].certificate = list[1].certificate = list[2].certificate = "/nowhere/a.pem";
	list[1].place.line = list[2].place.line = 77;
	assert_null(load(list, 3, errors, sizeof(errors)));
	assert_non_null(strstr(errors, "/nowhere/a.pem"));
	assert_null(strstr(errors, "test.yaml:77"));
}

static void test_complaints(void **state)
{
	static const char *const names[] = {"a.test", NULL};
	struct cfg_certificate good = make_cert(GNUTLS_PK_ECDSA, names);
	struct cfg_certificate other = make_cert(GNUTLS_PK_ECDSA, names);
	const char *junk = write_file("-----BEGIN junk", 15);
	const char *empty = write_file("", 0);
	struct cfg_certificate list[] = {
	    {"/nowhere/a.pem", "/nowhere/a.key", {"test.yaml", 1, 7}},
	    {good.certificate, other.key, {"test.yaml", 2, 7}},
	    {junk, good.key, {"test.yaml", 3, 7}},
	    {good.certificate, junk, {"test.yaml", 4, 7}},
	    {empty, empty, {"test.yaml", 5, 7}},
	    {"/dev/zero", good.key, {"test.yaml", 6, 7}},
	    {good.certificate, good.key, {"test.yaml", 7, 7}},
	};
	static const char *const expected[] = {
	    "test.yaml:1:7: /nowhere/a.pem cannot be read: No such file",
	    "test.yaml:1:7: /nowhere/a.key cannot be read: No such file",
	    "test.yaml:2:7: the key ",
	    "test.yaml:3:7: ",
	    "test.yaml:4:7: ",
	    "test.yaml:5:7: ",
	    "test.yaml:6:7: /dev/zero is a device, not a regular file",
	};
	char errors[8192];

	assert_null(load(list, ARRAY_SIZE(list), errors, sizeof(errors)));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_non_null(strstr(errors, expected[i]));
	assert_null(strstr(errors, "test.yaml:7"));
	assert_null(load(list, 0, errors, sizeof(errors)));
	assert_non_null(strstr(errors, "edge fra1 serves no site that has a certificate"));
}

/* An edge that is only a relay. */
static void test_no_clients_need_no_certificate(void **state)
{
	const struct cfg_addrs listen = self.listen;
	struct edge_certs *certs;
	char errors[256];

	self.listen.n = 0;
	certs = load(NULL, 0, errors, sizeof(errors));
	self.listen = listen;
	assert_non_null(certs);
	assert_string_equal(errors, "");
	assert_int_equal(edge_certs_count(certs), 0);
	assert_null(edge_certs_find(certs, SPAN("www.example.com")));
	edge_certs_destroy(&certs);
}

static void copy_file(const char *from, const char *to)
{
	char *command = xasprintf("cp %s %s.new && mv %s.new %s", from, to, to, to);

	assert_int_equal(system(command), 0);
	free(command);
}

/* The same credentials: it was not loaded again. */
static void test_reload_loads_what_has_changed(void **state)
{
	static const char *const a[] = {"a.test", NULL}, *const b[] = {"b.test", NULL};
	struct cfg_certificate list[] = {make_cert(GNUTLS_PK_ECDSA, a),
					 make_cert(GNUTLS_PK_ECDSA, b)};
	struct cfg_certificate renewed = make_cert(GNUTLS_PK_ECDSA, b);
	struct edge_cert_store *store = edge_cert_store_create();
	char errors[4096];
	struct edge_certs *before = load_from(store, list, 2, errors, sizeof(errors)), *after;
	gnutls_certificate_credentials_t old_a = edge_certs_find(before, SPAN("a.test")),
					 old_b = edge_certs_find(before, SPAN("b.test"));

	copy_file(renewed.certificate, list[1].certificate);
	copy_file(renewed.key, list[1].key);
	after = load_from(store, list, 2, errors, sizeof(errors));
	assert_string_equal(errors, "");
	assert_ptr_equal(edge_certs_find(after, SPAN("a.test")), old_a);
	assert_ptr_not_equal(edge_certs_find(after, SPAN("b.test")), old_b);
	edge_certs_destroy(&before);
	assert_int_equal(shown(after, "a.test", ANY, "a.test"), GNUTLS_PK_ECDSA);
	edge_certs_destroy(&after);
	edge_cert_store_destroy(&store);
}

static void test_certificate_without_its_key_yet_keeps_the_old_pair(void **state)
{
	static const char *const a[] = {"a.test", NULL};
	struct cfg_certificate list[] = {make_cert(GNUTLS_PK_ECDSA, a)};
	struct cfg_certificate renewed = make_cert(GNUTLS_PK_RSA, a);
	struct edge_cert_store *store = edge_cert_store_create();
	char errors[4096];
	struct edge_certs *certs = load_from(store, list, 1, errors, sizeof(errors));

	edge_certs_destroy(&certs);
	copy_file(renewed.certificate, list[0].certificate);
	/* twice: what is kept is kept */
	for (unsigned i = 0; i < 2; i++) {
		certs = load_from(store, list, 1, errors, sizeof(errors));
		assert_non_null(strstr(errors, "warning: the key "));
		assert_non_null(strstr(errors, "the certificate that was there before stays"));
		assert_int_equal(shown(certs, "a.test", ANY, "a.test"), GNUTLS_PK_ECDSA);
		edge_certs_destroy(&certs);
	}
	copy_file(renewed.key, list[0].key);
	certs = load_from(store, list, 1, errors, sizeof(errors));
	assert_string_equal(errors, "");
	assert_int_equal(shown(certs, "a.test", ANY, "a.test"), GNUTLS_PK_RSA);
	edge_certs_destroy(&certs);
	edge_cert_store_destroy(&store);
	/* without one that was there before it is an error */
	copy_file(renewed.certificate, list[0].key);
	assert_null(load(list, 1, errors, sizeof(errors)));
}

static void test_time_of_a_certificate(void **state)
{
	assert_int_equal(edge_cert_time(100, 400, 99), EDGE_CERT_NOT_YET);
	assert_int_equal(edge_cert_time(100, 400, 100), EDGE_CERT_VALID);
	assert_int_equal(edge_cert_time(100, 400, 300), EDGE_CERT_VALID);
	assert_int_equal(edge_cert_time(100, 400, 301), EDGE_CERT_ENDING);
	assert_int_equal(edge_cert_time(100, 400, 400), EDGE_CERT_ENDING);
	assert_int_equal(edge_cert_time(100, 400, 401), EDGE_CERT_EXPIRED);
	/* Of 6 and of 47 days: warned of for 2 and for 15 and two thirds. */
	assert_int_equal(edge_cert_time(0, 6 * DAY, 4 * DAY), EDGE_CERT_VALID);
	assert_int_equal(edge_cert_time(0, 6 * DAY, 4 * DAY + 1), EDGE_CERT_ENDING);
	assert_int_equal(edge_cert_time(0, 47 * DAY, 31 * DAY + DAY / 3), EDGE_CERT_VALID);
	assert_int_equal(edge_cert_time(0, 47 * DAY, 31 * DAY + DAY / 3 + 1), EDGE_CERT_ENDING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_choice),
	    cmocka_unit_test(test_all_that_may_be_shown),
	    cmocka_unit_test(test_wildcard_has_the_key_type_that_the_exact_name_lacks),
	    cmocka_unit_test(test_certificate_of_another_curve_hid_the_wildcards),
	    cmocka_unit_test(test_files_named_often_are_loaded_once),
	    cmocka_unit_test(test_complaints),
	    cmocka_unit_test(test_no_clients_need_no_certificate),
	    cmocka_unit_test(test_reload_loads_what_has_changed),
	    cmocka_unit_test(test_certificate_without_its_key_yet_keeps_the_old_pair),
	    cmocka_unit_test(test_time_of_a_certificate),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
