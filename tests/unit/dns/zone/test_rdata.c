/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rdata as generic data has it (RFC 3597): what has the form of its type and what has not; and that
 * libknot writes and reads back whatever is let through.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/descriptor.h>
#include <libknot/errcode.h>
#include <libknot/packet/rrset-wire.h>
#include <libknot/rrset-dump.h>

#include "core/base/check.h"
#include "dns/zone/rdata.h"

/* a.b. */
#define NAME "\1a\1b\0"

#define DATA(s) (const uint8_t *)(s), sizeof(s) - 1

struct rdata_case {
	const char *type;
	const uint8_t *data;
	size_t len;
};

static const struct rdata_case good[] = {
    {"A", DATA("\300\0\2\1")},
    {"NS", DATA(NAME)},
    {"NS", DATA("\0")},
    {"SOA", DATA(NAME NAME "0123456789abcdefghij")},
    {"HINFO", DATA("\1a\0")},
    {"TXT", DATA("\0")},
    {"TXT", DATA("\3abc\1d")},
    {"NULL", DATA("x")},
    {"MX", DATA("\0\1" NAME)},
    {"LOC", DATA("\0\x12\x16\x13\x80\0\0\0\x80\0\0\0\0\x98\x96\x80")},
    {"NAPTR", DATA("\0\1\0\2\1U\3E2U\0" NAME)},
    {"APL", DATA("")},
    {"APL", DATA("\0\1\x18\3\1\2\3\0\2\x40\x82\x20\1")},
    {"DS", DATA("\0\1\5\1abcdefghijklmnopqrst")},
    {"CDS", DATA("\0\0\0\0\0")},
    {"SSHFP", DATA("\1\1abcdefghijklmnopqrst")},
    {"IPSECKEY", DATA("\1\0\0")},
    {"IPSECKEY", DATA("\1\1\2\1\2\3\4key")},
    {"IPSECKEY", DATA("\1\3\2" NAME "key")},
    {"NSEC", DATA(NAME "\0\1\x40\1\1\x80")},
    {"NSEC3", DATA("\1\0\0\1\0\1a\0\1\x40")},
    {"NSEC3PARAM", DATA("\1\0\0\1\2ab")},
    {"CSYNC", DATA("\0\0\0\1\0\3\0\1\x40")},
    {"DNSKEY", DATA("\1\0\3\5k")},
    {"TLSA", DATA("\3\1\1k")},
    {"HTTPS", DATA("\0\0" NAME)},
    {"HTTPS", DATA("\0\1\0\0\1\0\3\2h2\0\2\0\0\0\3\0\2\1\xbb\0\4\0\4\1\2\3\4")},
    {"SVCB", DATA("\0\1\0\0\0\0\2\0\1\0\1\0\3\2h2")},
    {"SVCB", DATA("\0\1\0\x01\0\0\0")},
    {"URI", DATA("\0\1\0\2x")},
    {"CAA", DATA("\0\5issueca.example")},
    {"CAA", DATA("\0\1a")},
    {"TYPE7", DATA(NAME)},
    {"TYPE30", DATA(NAME "\x40")},
    {"TYPE65280", DATA("")},
    {"TYPE65280", DATA("\300\f")},
};

/* What could not be read back, or made libknot run without end. */
static const struct rdata_case bad[] = {
    {"MX", DATA("\3\377\377")},
    {"MX", DATA("\0\1")},
    {"MX", DATA("\0\1" NAME "x")},
    {"MX", DATA("\0\1\1a\1b")},
    {"NS", DATA("\300\f")},
    {"NS", DATA("\300\0")},
    {"NS", DATA("\1a\300\0")},
    {"NS", DATA("")},
    {"CNAME", DATA("\100aaaa")},
    {"A", DATA("\1\2\3")},
    {"A", DATA("\1\2\3\4\5")},
    {"AAAA", DATA("\1\2\3\4")},
    {"TXT", DATA("")},
    {"TXT", DATA("\5\252")},
    {"TXT", DATA("\1a\2b")},
    {"SPF", DATA("\5a")},
    {"NULL", DATA("")},
    {"SRV", DATA("\0\1\0\2\0\3")},
    {"SRV", DATA("\0\1\0\2\0\3\300\f")},
    {"SRV", DATA("\0\1\0\2")},
    {"SOA", DATA(NAME NAME "0123456789abcdefghi")},
    {"SOA", DATA(NAME NAME "0123456789abcdefghijk")},
    {"SOA", DATA(NAME "\300\0"
		      "0123456789abcdefghij")},
    {"HINFO", DATA("\1a")},
    {"HINFO", DATA("\1a\1b\1c")},
    {"HINFO", DATA("\1a\2b")},
    {"DS", DATA("\0\1\5\1")},
    {"DS", DATA("\0\1\5\1abc")},
    {"DS", DATA("\0\1\5")},
    {"CDS", DATA("\0\1\5\2abcdefghijklmnopqrst")},
    {"DNSKEY", DATA("\1\0\3\5")},
    {"SSHFP", DATA("\1\1abc")},
    {"CAA", DATA("\0")},
    {"CAA", DATA("\0\0x")},
    {"CAA", DATA("\0\5iss")},
    {"CAA", DATA("\0\2a-x")},
    {"HTTPS", DATA("\0\1")},
    {"HTTPS", DATA("\0\1\300\f")},
    {"HTTPS", DATA("\0\1\0\0\1")},
    {"HTTPS", DATA("\0\1\0\0\3\0\2\1")},
    {"HTTPS", DATA("\0\1\0\0\3\0\2\1\xbb\0\1\0\3\2h2")},
    {"HTTPS", DATA("\0\1\0\0\3\0\2\1\xbb\0\3\0\2\1\xbb")},
    {"HTTPS", DATA("\0\1\0\0\3\0\1\1")},
    {"HTTPS", DATA("\0\1\0\0\1\0\0")},
    {"HTTPS", DATA("\0\1\0\0\1\0\2\2h")},
    {"HTTPS", DATA("\0\1\0\0\1\0\2\0h")},
    {"HTTPS", DATA("\0\1\0\0\2\0\0")},
    {"HTTPS", DATA("\0\1\0\0\4\0\3\1\2\3")},
    {"HTTPS", DATA("\0\1\0\0\4\0\0")},
    {"HTTPS", DATA("\0\1\0\0\6\0\4\1\2\3\4")},
    {"HTTPS", DATA("\0\1\0\0\0\0\2\0\1")},
    {"HTTPS", DATA("\0\1\0\0\0\0\2\0\0")},
    {"HTTPS", DATA("\0\1\0\0\0\0\1\0")},
    {"HTTPS", DATA("\0\1\0\377\377\0\0")},
    {"APL", DATA("\0\1\x18")},
    {"APL", DATA("\0\1\x18\4\1\2\3")},
    {"APL", DATA("\0\1\x21\1\1")},
    {"APL", DATA("\0\1\x20\5\1\2\3\4\5")},
    {"APL", DATA("\0\2\x81\1\1")},
    {"APL", DATA("\0\1\x18\2\1\0")},
    {"LOC", DATA("\1\x12\x16\x13\x80\0\0\0\x80\0\0\0\0\x98\x96\x80")},
    {"LOC", DATA("\0\xa2\x16\x13\x80\0\0\0\x80\0\0\0\0\x98\x96\x80")},
    {"LOC", DATA("\0\x12\x1a\x13\x80\0\0\0\x80\0\0\0\0\x98\x96\x80")},
    {"LOC", DATA("\0\x12\x16\x13\xff\0\0\0\x80\0\0\0\0\x98\x96\x80")},
    {"LOC", DATA("\0\x12\x16\x13\x80\0\0\0\0\0\0\0\0\x98\x96\x80")},
    {"LOC", DATA("\0\x12\x16\x13")},
    {"NSEC", DATA(NAME "\0\0")},
    {"NSEC", DATA(NAME "\0\2\x40")},
    {"NSEC", DATA(NAME "\0\1\0")},
    {"NSEC", DATA(NAME "\1\1\x40\0\1\x40")},
    {"NSEC", DATA(NAME "\0\x21"
		       "0123456789012345678901234567890123")},
    {"NSEC3", DATA("\1\0\0\1\5\1a")},
    {"NSEC3", DATA("\1\0\0\1\0\0")},
    {"NSEC3PARAM", DATA("\1\0\0\1\2a")},
    {"NSEC3PARAM", DATA("\1\0\0\1\0a")},
    {"CSYNC", DATA("\0\0\0\1\0\3\0\2\x40")},
    {"NAPTR", DATA("\0\1\0\2\1U\3E2")},
    {"NAPTR", DATA("\0\1\0\2\1U\3E2U\0\300\f")},
    {"NAPTR", DATA("\0\1\0\2\1U\3E2U\0")},
    {"NAPTR", DATA("\0\1")},
    {"IPSECKEY", DATA("\1\1\2\1\2\3")},
    {"IPSECKEY", DATA("\1\3\2\300\f"
		      "key")},
    {"IPSECKEY", DATA("\1\4\2key")},
    {"IPSECKEY", DATA("\1\0\2")},
    {"CERT", DATA("\0\1\0\2\5")},
    {"TLSA", DATA("\3\1\1")},
    {"URI", DATA("\0\1\0\2")},
    {"ZONEMD", DATA("\0\0\0\1\1\1abcdefghijkl")},
    {"RP", DATA(NAME)},
    {"MINFO", DATA(NAME "\1a")},
    {"KX", DATA("\0\1\300\f")},
    {"DNAME", DATA("\300\f")},
    {"DNAME", DATA(NAME NAME)},
    {"EUI48", DATA("\1\2\3\4\5")},
    {"TYPE7", DATA("\300\f")}, /* MB */
    {"TYPE26", DATA("\0\1" NAME)},
    {"TYPE30", DATA("\300\f")},
};

static uint16_t type_of(const char *name)
{
	uint16_t type;

	assert_int_equal(knot_rrtype_from_string(name, &type), 0);
	return type;
}

static void test_good_data(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const char *fault =
		    dns_rdata_fault(type_of(good[i].type), good[i].data, good[i].len);

		if (fault != NULL)
			print_error("%zu, %s: %s\n", i, good[i].type, fault);
		assert_null(fault);
	}
}

static void generic_data_that_has_not_the_form_of_its_type(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (dns_rdata_fault(type_of(bad[i].type), bad[i].data, bad[i].len) == NULL)
			print_error("%zu, %s\n", i, bad[i].type);
		assert_non_null(dns_rdata_fault(type_of(bad[i].type), bad[i].data, bad[i].len));
	}
}

/* Written, read and shown by libknot. */
static void check_round(uint16_t type, const uint8_t *data, uint16_t len)
{
	static uint8_t wire[65535];
	static char text[4 * 65535];
	knot_rrset_t rr, again;
	size_t at = 0;
	int size;

	knot_rrset_init(&rr, (knot_dname_t *)"\1x", type, KNOT_CLASS_IN, 60);
	assert_int_equal(knot_rrset_add_rdata(&rr, data, len, NULL), KNOT_EOK);
	size = knot_rrset_to_wire(&rr, wire, sizeof(wire), NULL);
	assert_true(size > 0);
	assert_int_equal(knot_rrset_rr_from_wire(wire, &at, (size_t)size, &again, NULL, false),
			 KNOT_EOK);
	assert_int_equal(at, size);
	assert_int_equal(again.rrs.rdata->len, len);
	assert_memory_equal(again.rrs.rdata->data, data, len);
	knot_rrset_txt_dump_data(&rr, 0, text, sizeof(text), &KNOT_DUMP_STYLE_DEFAULT);
	knot_rrset_clear(&again, NULL);
	knot_rdataset_clear(&rr.rrs, NULL);
}

/* Changes a good one a little; any other type is given its data too. */
static size_t mutate(uint8_t out[64], const struct rdata_case *from, unsigned *seed)
{
	static const uint8_t likely[] = {0, 1, 2, 3, 4, 63, 64, 192, 255};
	size_t len = from->len;

	memcpy(out, from->data, len);
	for (unsigned n = rand_r(seed) % 3; n > 0; n--) {
		size_t at = len == 0 ? 0 : rand_r(seed) % len;

		switch (rand_r(seed) % 3) {
		case 0:
			len = at;
			break;
		case 1:
			if (len > 0)
				out[at] = likely[rand_r(seed) % ARRAY_SIZE(likely)];
			break;
		default:
			memmove(out + at + 1, out + at, len - at);
			out[at] = likely[rand_r(seed) % ARRAY_SIZE(likely)];
			len++;
		}
	}
	return len;
}

/* What no zone holds (RFC 6895 section 3.1); libknot does not survive to show a broken TSIG. */
static bool is_meta(uint16_t type)
{
	return type == KNOT_RRTYPE_OPT || (type >= 128 && type <= 255);
}

static void whatever_is_let_through_can_be_read_back(void **state)
{
	unsigned seed = 1, taken = 0;

	for (unsigned i = 0; i < 200000; i++) {
		const struct rdata_case *from = &good[rand_r(&seed) % ARRAY_SIZE(good)];
		uint16_t type = rand_r(&seed) % 2 ? type_of(from->type) : rand_r(&seed) % 300;
		uint8_t data[64];
		size_t len = mutate(data, from, &seed);
		uint8_t *exact = xmalloc(len + (len == 0)); /* for a sanitizer */

		memcpy(exact, data, len);
		if (!is_meta(type) && dns_rdata_fault(type, exact, len) == NULL) {
			check_round(type, exact, (uint16_t)len);
			taken++;
		}
		free(exact);
	}
	assert_in_range(taken, 20000, 180000);
}

static void test_canonical_form(void **state)
{
	uint8_t mx[] = "\0A\1A\3bCd", soa[] = "\1A\0\1B\0ABCDEFGHIJKLMNOPQRST", txt[] = "\2AB";
	uint8_t https[] = "\0\1\1A";

	assert_true(dns_rdata_to_canonical(KNOT_RRTYPE_MX, mx, sizeof(mx)));
	assert_memory_equal(mx, "\0A\1a\3bcd", sizeof(mx));
	assert_false(dns_rdata_to_canonical(KNOT_RRTYPE_MX, mx, sizeof(mx)));
	assert_true(dns_rdata_to_canonical(KNOT_RRTYPE_SOA, soa, sizeof(soa) - 1));
	assert_memory_equal(soa, "\1a\0\1b\0ABCDEFGHIJKLMNOPQRST", sizeof(soa));
	assert_false(dns_rdata_to_canonical(KNOT_RRTYPE_TXT, txt, sizeof(txt) - 1));
	/* RFC 4034 section 6.2 does not name it. */
	assert_false(dns_rdata_to_canonical(KNOT_RRTYPE_HTTPS, https, sizeof(https)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_data),
	    cmocka_unit_test(generic_data_that_has_not_the_form_of_its_type),
	    cmocka_unit_test(whatever_is_let_through_can_be_read_back),
	    cmocka_unit_test(test_canonical_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
