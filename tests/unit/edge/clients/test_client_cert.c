/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The common name of a certificate, by a table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/clients/client_cert.h"
#include "tests/support/test_cert.h"

static const struct {
	const char *name;
	size_t n;
	const char *read; /* NULL: nothing */
} rows[] = {
#define NAME(name) name, sizeof(name) - 1
    {NAME("alice"), "alice"},
    {NAME("\xc3\x89lise"), "\xc3\x89lise"},
    /* What RFC 4514 escapes. */
    {NAME("Doe, J. <a+b=c>; \"x\" \\"), "Doe, J. <a+b=c>; \"x\" \\"},
    {NAME("#1"), "#1"},
    {NAME(" a "), " a "},
    {NAME("a\nb"), "a\\u000ab"},
    /* no text that would end where it seems to end */
    {NAME("admin\0.test"), NULL},
#undef NAME
};

/* With that subject, which test_cert_init() would add to its own. */
static void make_leaf(struct test_cert *leaf, const char *name, size_t n)
{
	test_cert_init(leaf, "leaf.test");
	gnutls_x509_crt_deinit(leaf->crt);
	CHECK(gnutls_x509_crt_init(&leaf->crt) == 0);
	CHECK(gnutls_x509_crt_set_version(leaf->crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(leaf->crt, "\1", 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(leaf->crt, 0) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(leaf->crt, 1) == 0);
	CHECK(gnutls_x509_crt_set_key(leaf->crt, leaf->key) == 0);
	CHECK(gnutls_x509_crt_set_dn_by_oid(leaf->crt, GNUTLS_OID_X520_COMMON_NAME, 0, name,
					    (unsigned)n) == 0);
	CHECK(gnutls_x509_crt_sign2(leaf->crt, leaf->crt, leaf->key, GNUTLS_DIG_SHA256, 0) == 0);
}

static void read_name(const char *name, size_t n, const char *expected)
{
	static const unsigned char rules[EDGE_CLIENT_RULES_SIZE];
	struct edge_client_cert *cert = edge_client_cert_create(NULL);
	struct test_cert leaf;

	make_leaf(&leaf, name, n);
	edge_client_cert_set(cert, rules, EDGE_CLIENT_OK, leaf.crt);
	assert_int_equal(cert->verdict, EDGE_CLIENT_OK);
	if (expected != NULL)
		assert_string_equal(cert->common_name, expected);
	else
		assert_null(cert->common_name);
	edge_client_cert_destroy(&cert);
	test_cert_fini(&leaf);
}

static void test_common_name(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		read_name(rows[i].name, rows[i].n, rows[i].read);
}

/* Nobody is refused for it. */
static void test_long_common_name(void **state)
{
	char name[513];

	memset(name, 'x', sizeof(name));
	read_name(name, sizeof(name), NULL);
}

static void test_not_read_unless_valid(void **state)
{
	static const unsigned char rules[EDGE_CLIENT_RULES_SIZE];
	struct edge_client_cert *cert = edge_client_cert_create(NULL);
	struct test_cert leaf;

	test_cert_init(&leaf, "leaf.test");
	edge_client_cert_set(cert, rules, EDGE_CLIENT_UNKNOWN_CA, leaf.crt);
	assert_null(cert->common_name);
	edge_client_cert_destroy(&cert);
	test_cert_fini(&leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_common_name),
	    cmocka_unit_test(test_long_common_name),
	    cmocka_unit_test(test_not_read_unless_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
