/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JA4: of hellos that real clients have sent (tests/fuzz/corpus/hello; what is expected was
 * computed by tests/support/ja4.py), the example of its specification, and the odd ends of that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/tls/client_hello.h"
#include "edge/tls/ja4.h"

#define WIRE_MAX 4096

static void assert_ja4_of(const char *wire, size_t n, const char *expected)
{
	struct edge_client_hello hello;
	char ja4[EDGE_JA4_SIZE], *copy;
	struct span message;

	assert_true(edge_client_hello_gather((struct span){wire, n}, &message, &copy));
	assert_true(edge_client_hello_parse(message, &hello));
	edge_ja4_write(&hello, ja4);
	assert_string_equal(ja4, expected);
	free(copy);
}

static void test_real_clients(void **state)
{
	static const struct {
		const char *file, *ja4;
	} cases[] = {
	    {"openssl", "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4"},
	    {"openssl-no-name", "t13i310900_e8f1e7e78f70_1f22a2ca17c4"},
	    {"openssl-tls12", "t12i280600_d943125447b4_e7e480e5a997"},
	    {"gnutls", "t13d291300_723694b0fccc_2cc26d266019"},
	    {"gnutls-alpn", "t13d2914h2_723694b0fccc_2cc26d266019"},
	    {"curl", "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"},
	    {"chromium", "t13d1517h2_8daaf6152771_cb7bf5808d99"},
	    /* The same as that of openssl. */
	    {"two-records", "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = xasprintf(CORPUS "/%s", cases[i].file), wire[WIRE_MAX];
		FILE *file = fopen(path, "r");
		size_t n;

		assert_non_null(file);
		n = fread(wire, 1, sizeof(wire), file);
		assert_ja4_of(wire, n, cases[i].ja4);
		fclose(file);
		free(path);
	}
}

/* A message that is made piece by piece. */
struct maker {
	char p[65536];
	size_t n;
};

static void put(struct maker *m, unsigned number)
{
	m->p[m->n++] = (char)(number >> 8);
	m->p[m->n++] = (char)number;
}

static void put_list(struct maker *m, const uint16_t *list, unsigned n)
{
	put(m, 2 * n);
	for (unsigned i = 0; i < n; i++)
		put(m, list[i]);
}

/* What comes before the extensions. */
static void begin(struct maker *m, uint16_t version, const uint16_t *suites, unsigned n)
{
	m->n = 0;
	put(m, version);
	memset(m->p + m->n, 'r', 32 + 1);
	m->n += 32;
	m->p[m->n++] = 0;
	put_list(m, suites, n);
	m->p[m->n++] = 1;
	m->p[m->n++] = 0;
}

static void assert_ja4(const struct maker *m, const char *expected)
{
	struct edge_client_hello hello;
	char ja4[EDGE_JA4_SIZE];

	assert_true(edge_client_hello_parse((struct span){m->p, m->n}, &hello));
	edge_ja4_write(&hello, ja4);
	assert_string_equal(ja4, expected);
}

/* "JA4 Algorithm" in the specification; there, too, the numbers come in another order. */
static void test_example_of_the_specification(void **state)
{
	static const uint16_t suites[] = {0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f,
					  0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
					  0x009c, 0x009d, 0x002f, 0x0035};
	static const uint16_t signatures[] = {0x0403, 0x0804, 0x0401, 0x0503,
					      0x0805, 0x0501, 0x0806, 0x0601};
	static const uint16_t empty[] = {0xdada, 0x0000, 0x0017, 0xff01, 0x000b, 0x0023, 0x0005,
					 0x0012, 0x0033, 0x002d, 0x001b, 0x4469, 0x0015, 0xeaea};
	struct maker m;
	size_t length_at;

	begin(&m, 0x0303, suites, ARRAY_SIZE(suites));
	length_at = m.n;
	put(&m, 0);
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		put(&m, empty[i]);
		put(&m, 0);
	}
	put(&m, EDGE_EXTENSION_GROUPS);
	put(&m, 4);
	put_list(&m, (const uint16_t[]){0x001d}, 1);
	put(&m, EDGE_EXTENSION_SIGNATURES);
	put(&m, 2 + sizeof(signatures));
	put_list(&m, signatures, ARRAY_SIZE(signatures));
	put(&m, EDGE_EXTENSION_ALPN);
	put(&m, 5);
	put(&m, 3);
	memcpy(m.p + m.n, "\x02h2", 3);
	m.n += 3;
	put(&m, EDGE_EXTENSION_VERSIONS);
	put(&m, 7);
	memcpy(m.p + m.n, "\x06\xba\xba\x03\x04\x03\x03", 7);
	m.n += 7;
	m.p[length_at] = (char)((m.n - length_at - 2) >> 8);
	m.p[length_at + 1] = (char)(m.n - length_at - 2);
	assert_ja4(&m, "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

static void test_old_versions_without_extensions(void **state)
{
	static const uint16_t suite[] = {0x002f}, grease[] = {0x0a0a};
	struct maker m;

	begin(&m, 0x0300, suite, 1);
	assert_ja4(&m, "ts3i010000_ba72b8082249_000000000000");
	begin(&m, 0x0301, grease, 1);
	assert_ja4(&m, "t10i000000_000000000000_000000000000");
	begin(&m, 0x7f7f, grease, 1);
	assert_ja4(&m, "t00i000000_000000000000_000000000000");
}

static void assert_protocol(const char *name, size_t n, const char *expected)
{
	static const uint16_t grease[] = {0x0a0a};
	char *ja4 = xasprintf("t12i0001%s_000000000000_000000000000", expected);
	struct maker m;

	begin(&m, 0x0303, grease, 1);
	put(&m, (unsigned)(4 + 3 + n));
	put(&m, EDGE_EXTENSION_ALPN);
	put(&m, (unsigned)(3 + n));
	put(&m, (unsigned)(1 + n));
	m.p[m.n++] = (char)n;
	memcpy(m.p + m.n, name, n);
	m.n += n;
	assert_ja4(&m, ja4);
	free(ja4);
}

static void test_protocols(void **state)
{
	assert_protocol("http/1.1", 8, "h1");
	assert_protocol("h", 1, "hh");
	assert_protocol("\xab", 1, "ab");
	assert_protocol("\xab\xcd", 2, "ad");
	assert_protocol("h\xcd", 2, "6d");
	assert_protocol("\x0a\x0a", 2, "0a");
}

static void test_long_lists_are_cut(void **state)
{
	static uint16_t suites[30000];
	struct maker m;

	for (unsigned i = 0; i < ARRAY_SIZE(suites); i++)
		suites[i] = (uint16_t)(0xffff - 2 * i);
	begin(&m, 0x0303, suites, ARRAY_SIZE(suites));
	assert_ja4(&m, "t12i990000_90ccba119040_000000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_real_clients),
	    cmocka_unit_test(test_example_of_the_specification),
	    cmocka_unit_test(test_old_versions_without_extensions),
	    cmocka_unit_test(test_protocols),
	    cmocka_unit_test(test_long_lists_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
