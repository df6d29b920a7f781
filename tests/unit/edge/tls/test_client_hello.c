/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a ClientHello offers, of real clients (tests/fuzz/corpus/hello) and of made-up ones, cut and
 * bent at every place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/tls/client_hello.h"

#define HEAD                                                                                       \
	"\x03\x03"                                                                                 \
	"0123456789abcdef0123456789abcdef"                                                         \
	"\x00"
#define SUITES "\x00\x04\x0a\x0a\x13\x01"
#define METHODS "\x01\x00"
#define MESSAGE(text)                                                                              \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

/* From a copy of its exact size, so that a sanitizer sees a read beyond it. */
static bool parse(struct span message, struct edge_client_hello *hello)
{
	char *copy = xmalloc(message.n + 1);
	struct edge_client_hello there;
	bool ok;

	memcpy(copy, message.p, message.n);
	ok = edge_client_hello_parse((struct span){copy, message.n}, &there);
	free(copy);
	return edge_client_hello_parse(message, hello) == ok && ok;
}

#define GOOD                                                                                       \
	HEAD SUITES METHODS "\x00\x28"                                                             \
			    "\x00\x00\x00\x00"                         /* server_name */           \
			    "\x00\x2b\x00\x05\x04\x7a\x7a\x03\x04"     /* supported_versions */    \
			    "\x00\x0a\x00\x06\x00\x04\x11\xec\x00\x1d" /* supported_groups */      \
			    "\x00\x0d\x00\x04\x00\x02\x04\x03"         /* signature_algorithms */  \
			    "\x00\x10\x00\x05\x00\x03\x02h2"           /* ALPN */
static const struct span good = MESSAGE(GOOD);

static void test_offers(void **state)
{
	struct edge_client_hello hello;
	struct span rest, data;
	uint16_t type;
	unsigned n = 0;

	assert_true(parse(good, &hello));
	assert_int_equal(hello.legacy_version, 0x0303);
	assert_int_equal(hello.suites.n, 2);
	assert_int_equal(edge_u16s_get(hello.suites, 1), 0x1301);
	assert_true(edge_u16s_have(hello.groups, 0x11ec));
	assert_false(edge_u16s_have(hello.groups, 0x0017));
	assert_int_equal(edge_u16s_get(hello.signatures, 0), 0x0403);
	assert_true(span_equal(hello.protocol, SPAN("h2")));
	assert_true(hello.has_name);
	assert_int_equal(edge_client_hello_version(&hello), 0x0304);
	assert_true(edge_client_hello_offers(&hello, 0x0304));
	assert_false(edge_client_hello_offers(&hello, 0x0303));
	for (rest = hello.extensions; edge_client_hello_next(&rest, &type, &data);)
		n++;
	assert_int_equal(n, 5);
}

static void test_without_extensions_all_versions_up_to_its_own_are_offered(void **state)
{
	struct edge_client_hello hello;

	assert_true(parse((struct span)MESSAGE(HEAD SUITES METHODS), &hello));
	assert_int_equal(edge_client_hello_version(&hello), 0x0303);
	assert_true(edge_client_hello_offers(&hello, 0x0303));
	assert_true(edge_client_hello_offers(&hello, 0x0301));
	assert_false(edge_client_hello_offers(&hello, 0x0304));
	assert_false(hello.has_name);
	assert_int_equal(hello.extensions.n, 0);
}

/* RFC 8446, 4.2.1: the legacy version says nothing of TLS 1.3. */
static void test_legacy_version_offers_no_tls_1_3(void **state)
{
	struct edge_client_hello hello;

	assert_true(parse((struct span)MESSAGE("\x03\x04"
					       "0123456789abcdef0123456789abcdef"
					       "\x00" SUITES METHODS),
			  &hello));
	assert_false(edge_client_hello_offers(&hello, 0x0304));
	assert_true(edge_client_hello_offers(&hello, 0x0303));
}

static void test_cut_anywhere_it_is_refused(void **state)
{
	struct edge_client_hello hello;

	for (size_t n = 0; n < good.n; n++) {
		/* Where the extensions begin it is one that has none. */
		bool whole = n == sizeof(HEAD SUITES METHODS) - 1;

		assert_int_equal(parse((struct span){good.p, n}, &hello), whole);
	}
}

static void test_broken_framing_is_refused(void **state)
{
	static const struct {
		const char *what;
		struct span message;
	} cases[] = {
	    {"more behind the extensions", MESSAGE(HEAD SUITES METHODS "\x00\x00x")},
	    {"a long session id", MESSAGE("\x03\x03"
					  "0123456789abcdef0123456789abcdef"
					  "\x21"
					  "0123456789abcdef0123456789abcdefx" SUITES METHODS)},
	    {"no suite", MESSAGE(HEAD "\x00\x00" METHODS)},
	    {"half a suite", MESSAGE(HEAD "\x00\x03\x13\x01\x13" METHODS)},
	    {"no compression method", MESSAGE(HEAD SUITES "\x00")},
	    {"no group", MESSAGE(HEAD SUITES METHODS "\x00\x06\x00\x0a\x00\x02\x00\x00")},
	    {"half a group", MESSAGE(HEAD SUITES METHODS "\x00\x07\x00\x0a\x00\x03\x00\x01x")},
	    {"more behind the groups",
	     MESSAGE(HEAD SUITES METHODS "\x00\x09\x00\x0a\x00\x05\x00\x02\x00\x1dx")},
	    {"no version", MESSAGE(HEAD SUITES METHODS "\x00\x05\x00\x2b\x00\x01\x00")},
	    {"no signature algorithm",
	     MESSAGE(HEAD SUITES METHODS "\x00\x06\x00\x0d\x00\x02\x00\x00")},
	    {"no protocol", MESSAGE(HEAD SUITES METHODS "\x00\x06\x00\x10\x00\x02\x00\x00")},
	    {"an empty protocol",
	     MESSAGE(HEAD SUITES METHODS "\x00\x07\x00\x10\x00\x03\x00\x01\x00")},
	    {"an extension longer than all",
	     MESSAGE(HEAD SUITES METHODS "\x00\x04\x12\x34\x00\x01")},
	    {"half an extension", MESSAGE(HEAD SUITES METHODS "\x00\x03\x12\x34\x00")},
	};
	struct edge_client_hello hello;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (parse(cases[i].message, &hello))
			fail_msg("taken: %s", cases[i].what);
	}
}

static void test_grease(void **state)
{
	assert_true(edge_is_grease(0x0a0a));
	assert_true(edge_is_grease(0xfafa));
	assert_false(edge_is_grease(0x0a1a));
	assert_false(edge_is_grease(0x1301));
	assert_false(edge_is_grease(0x0b0b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_offers),
	    cmocka_unit_test(test_without_extensions_all_versions_up_to_its_own_are_offered),
	    cmocka_unit_test(test_legacy_version_offers_no_tls_1_3),
	    cmocka_unit_test(test_cut_anywhere_it_is_refused),
	    cmocka_unit_test(test_broken_framing_is_refused),
	    cmocka_unit_test(test_grease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
