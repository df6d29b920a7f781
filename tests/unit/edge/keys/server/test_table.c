/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keys of a configuration, which edges may use them, and what an edge is answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/diag.h"
#include "core/base/check.h"
#include "edge/keys/server/request.h"
#include "edge/keys/server/table.h"
#include "tests/support/test_cert.h"

#define SCHEME_ECDSA_SHA256 0x0403

enum { OF_A, OF_B, OF_BOTH, N_CERTS };

static char folder[64];
static struct test_cert certs[N_CERTS];
static unsigned char ids[N_CERTS][SIGNER_KEY_ID_SIZE];
static struct cfg_fleet *fleet;
static struct keys_table *table;
static struct keys_edges edges;

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

static void write_key(const char *name, unsigned cert)
{
	char *path = path_of(name);

	test_cert_write(&certs[cert], NULL, path);
	free(path);
}

static void remove_file(const char *name)
{
	char *path = path_of(name);

	unlink(path);
	free(path);
}

/* "again.key" has the key of "a.key". */
static void write_config(void)
{
	char *path = path_of("perigee.yaml");
	FILE *f = fopen(path, "w");

	CHECK(f != NULL);
	fprintf(f, "edges:\n"
		   "  a: {location: \"1,1\", addresses: [127.0.0.1]}\n"
		   "  b: {location: \"1,1\", addresses: [127.0.0.2]}\n"
		   "  c: {location: \"1,1\", addresses: [127.0.0.3]}\n"
		   "origins: {app: {servers: [\"127.0.0.1:1\"]}}\n"
		   "sites:\n"
		   "  one: {edges: [a], hosts: [a.test], routes: [{path: /, origin: app}],\n"
		   "        certificates: [{certificate: x.pem, key: a.key},\n"
		   "                       {certificate: y.pem, key: both.key}]}\n"
		   "  two: {edges: [b], hosts: [b.test], routes: [{path: /, origin: app}],\n"
		   "        certificates: [{certificate: z.pem, key: both.key},\n"
		   "                       {certificate: w.pem, key: b.key}]}\n"
		   "  three: {edges: [c], hosts: [c.test], routes: [{path: /, origin: app}],\n"
		   "          certificates: [{certificate: v.pem, key: again.key}]}\n");
	CHECK(fclose(f) == 0);
	free(path);
}

static int set_up(void **state)
{
	struct diag *diag = diag_create();
	char *path;

	strcpy(folder, "/tmp/perigee-table-XXXXXX");
	CHECK(mkdtemp(folder) != NULL);
	for (unsigned i = 0; i < N_CERTS; i++) {
		size_t size = sizeof(ids[i]);

		test_cert_init(&certs[i], "a.test");
		CHECK(gnutls_x509_crt_get_key_id(certs[i].crt, GNUTLS_KEYID_USE_SHA256, ids[i],
						 &size) == 0);
	}
	write_key("a.key", OF_A);
	write_key("again.key", OF_A);
	write_key("b.key", OF_B);
	write_key("both.key", OF_BOTH);
	write_config();
	path = path_of("perigee.yaml");
	fleet = cfg_load(path, diag);
	free(path);
	if (fleet == NULL)
		fail_msg("%s", diag_text(diag));
	table = keys_table_load(fleet, diag);
	assert_non_null(table);
	assert_int_equal(diag_count(diag), 0);
	diag_destroy(&diag);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"a.key", "again.key", "b.key", "both.key",
					    "perigee.yaml"};

	keys_table_destroy(&table);
	keys_edges_fini(&edges);
	cfg_fleet_destroy(&fleet);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		remove_file(names[i]);
	for (unsigned i = 0; i < N_CERTS; i++)
		test_cert_fini(&certs[i]);
	return rmdir(folder);
}

static bool may(const char *edge, unsigned cert)
{
	const char *why;
	const struct keys_entry *entry =
	    keys_table_find(table, ids[cert], cfg_find_edge(fleet, edge), &why);

	if (entry != NULL)
		assert_memory_equal(entry->id, ids[cert], SIGNER_KEY_ID_SIZE);
	else
		assert_string_equal(why, "it is of no site that the edge serves");
	return entry != NULL;
}

static void test_keys_are_of_the_edges_of_their_sites(void **state)
{
	const unsigned char unknown[SIGNER_KEY_ID_SIZE] = {1};
	const char *why;

	assert_int_equal(keys_table_count(table), N_CERTS);
	assert_true(may("a", OF_A));
	assert_false(may("b", OF_A));
	assert_false(may("a", OF_B));
	assert_true(may("b", OF_B));
	assert_true(may("a", OF_BOTH));
	assert_true(may("b", OF_BOTH));
	assert_false(may("c", OF_BOTH));
	/* By another file. */
	assert_true(may("c", OF_A));
	assert_null(keys_table_find(table, unknown, cfg_find_edge(fleet, "a"), &why));
	assert_string_equal(why, "it is of no certificate in the configuration there");
}

static void test_each_file_that_is_wrong_is_named_once(void **state)
{
	struct diag *diag = diag_create();
	char *text;

	remove_file("both.key");
	remove_file("b.key");
	assert_null(keys_table_load(fleet, diag));
	assert_int_equal(diag_count(diag), 2);
	text = diag_text(diag);
	assert_non_null(strstr(text, "both.key cannot be read: No such file or directory"));
	assert_non_null(strstr(text, "/b.key cannot be read: No such file or directory"));
	free(text);
	diag_destroy(&diag);
}

static struct signer_response answered(const char *edge, const struct signer_request *request)
{
	static unsigned char out[SIGNER_MESSAGE_MAX];
	const struct keys_asker asker = {
	    table, cfg_find_edge(fleet, edge),
	    keys_edges_get(&edges, edge, (struct cfg_rate){2, DUR_S(3600)})};
	unsigned char packet[SIGNER_MESSAGE_MAX];
	struct signer_response response = {.status = SIGNER_N_STATUS};
	size_t n = keys_request_answer(&asker, packet, signer_request_write(request, packet), out);

	if (n > 0)
		assert_true(signer_response_parse(&response, request->verb, out, n));
	return response;
}

static enum signer_status status_for(const char *edge, unsigned cert, const char *what, size_t n)
{
	return answered(edge, &(struct signer_request){.verb = SIGNER_SIGN_BY_ID,
						       .scheme = SCHEME_ECDSA_SHA256,
						       .id = ids[cert],
						       .content = {what, n}})
	    .status;
}

static void test_handshakes_are_signed_and_nothing_else(void **state)
{
	char what[64 + 34 + 32] = {0};
	struct signer_response response;
	gnutls_pubkey_t half;
	gnutls_datum_t signature;
	const gnutls_datum_t data = {(unsigned char *)what, sizeof(what)};

	memset(what, ' ', 64);
	memcpy(what + 64, "TLS 1.3, server CertificateVerify", 34);
	response = answered("a", &(struct signer_request){.verb = SIGNER_SIGN_BY_ID,
							  .scheme = SCHEME_ECDSA_SHA256,
							  .id = ids[OF_A],
							  .content = {what, sizeof(what)}});
	assert_int_equal(response.status, SIGNER_OK);
	signature =
	    (gnutls_datum_t){(unsigned char *)response.content.p, (unsigned)response.content.n};
	CHECK(gnutls_pubkey_init(&half) == 0);
	CHECK(gnutls_pubkey_import_x509(half, certs[OF_A].crt, 0) == 0);
	assert_true(
	    gnutls_pubkey_verify_data2(half, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &signature) >= 0);
	gnutls_pubkey_deinit(half);
	assert_int_equal(status_for("a", OF_A, "token", 5), SIGNER_REFUSED);
	assert_int_equal(status_for("a", OF_B, what, sizeof(what)), SIGNER_UNKNOWN);
	/* What was refused costs nothing of the rate; that is each edge's own. */
	assert_int_equal(status_for("a", OF_A, what, sizeof(what)), SIGNER_OK);
	assert_int_equal(status_for("a", OF_BOTH, what, sizeof(what)), SIGNER_LIMITED);
	assert_int_equal(status_for("b", OF_BOTH, what, sizeof(what)), SIGNER_OK);
}

static void test_other_requests(void **state)
{
	assert_int_equal(answered("a", &(struct signer_request){.verb = SIGNER_PING}).status,
			 SIGNER_OK);
	assert_int_equal(
	    answered("a", &(struct signer_request){.verb = SIGNER_FIND, .id = ids[OF_A]}).status,
	    SIGNER_OK);
	assert_int_equal(
	    answered("b", &(struct signer_request){.verb = SIGNER_FIND, .id = ids[OF_A]}).status,
	    SIGNER_UNKNOWN);
	/* Those of a signer on the same machine are none here. */
	assert_int_equal(answered("a", &(struct signer_request){.verb = SIGNER_LOAD,
								.content = SPAN("/etc/shadow")})
			     .status,
			 SIGNER_N_STATUS);
	assert_int_equal(
	    answered("a", &(struct signer_request){.verb = SIGNER_DROP, .key = 1}).status,
	    SIGNER_N_STATUS);
	assert_int_equal(answered("a", &(struct signer_request){.verb = SIGNER_OPEN}).status,
			 SIGNER_N_STATUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_keys_are_of_the_edges_of_their_sites, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_each_file_that_is_wrong_is_named_once, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_handshakes_are_signed_and_nothing_else, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(test_other_requests, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
