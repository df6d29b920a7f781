/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The quick path says what the long way says: random queries, whole and broken, over a zone that
 * has something of everything, are answered by both and compared octet for octet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/descriptor.h>
#include <libknot/packet/pkt.h>

#include "core/base/check.h"
#include "dns/answer/message.h"
#include "dns/answer/quick.h"
#include "tests/unit/dns/fixture.h"

/* Of them about one in eight is for the quick path. */
#define QUERIES 200000

static const char zone[] = "$TTL 300\n"
			   "@ 3600 SOA ns1 hostmaster 7 7200 900 1209600 60\n"
			   "@ NS ns1\n"
			   "@ NS ns.example.org.\n"
			   "@ MX 10 mail\n"
			   "@ TXT \"apex\"\n"
			   "@ A 192.0.2.11\n"
			   "@ CAA 0 issue \"ca.example.net\"\n"
			   "ns1 A 192.0.2.53\n"
			   "ns1 AAAA 2001:db8::53\n"
			   "mail 7 A 192.0.2.25\n"
			   "mail 7 A 192.0.2.26\n"
			   "mail 7 A 192.0.2.27\n"
			   "Www A 192.0.2.80\n"
			   "www HTTPS 1 . alpn=h2\n"
			   "alias CNAME www\n"
			   "choice CNAME w\n"
			   "away CNAME www.example.net.\n"
			   "*.wild A 192.0.2.99\n"
			   "*.wild TXT \"any\"\n"
			   "*.wcname CNAME www\n"
			   "a.b.c.ent A 192.0.2.60\n"
			   "sub NS ns.sub\n"
			   "sub DS 12345 13 2 "
			   "49FD46E6C4B45C55D4AC49FD46E6C4B45C55D4AC49FD46E6C4B45C55D4AC49FD\n"
			   "ns.sub A 192.0.2.54\n"
			   "d DNAME ent\n"
			   "odd TYPE65400 \\# 3 010203\n"
			   "odd HINFO a b\n"
			   "odd TLSA 3 1 1 abcd\n"
			   "odd SSHFP 1 1 abcd\n"
			   "odd LOC 52 22 23.0 N 4 53 32.0 E -2.0m 0.0m 10000m 10m\n"
			   "w TXT \"steered\"\n";

static const char *const names[] = {
    "example.com",
    "ns1.example.com",
    "mail.example.com",
    "www.example.com",
    "Www.Example.coM",
    "alias.example.com",
    "choice.example.com",
    "away.example.com",
    "x.wild.example.com",
    "x.y.wild.example.com",
    "*.wild.example.com",
    "a.wcname.example.com",
    "ent.example.com",
    "a.b.c.ent.example.com",
    "x.sub.example.com",
    "sub.example.com",
    "a.b.c.d.example.com",
    "d.example.com",
    "odd.example.com",
    "w.example.com",
    "v.example.com",
    "u.example.com",
    "big.example.com",
    "many.example.com",
    "nothing.example.com",
    "example.org",
    "com",
    ".",
};

static const uint16_t types[] = {
    KNOT_RRTYPE_A,
    KNOT_RRTYPE_A,
    KNOT_RRTYPE_A,
    KNOT_RRTYPE_AAAA,
    KNOT_RRTYPE_AAAA,
    KNOT_RRTYPE_TXT,
    KNOT_RRTYPE_TXT,
    KNOT_RRTYPE_NS,
    KNOT_RRTYPE_SOA,
    KNOT_RRTYPE_MX,
    KNOT_RRTYPE_DS,
    KNOT_RRTYPE_ANY,
    KNOT_RRTYPE_CNAME,
    KNOT_RRTYPE_CAA,
    KNOT_RRTYPE_TLSA,
    KNOT_RRTYPE_LOC,
    KNOT_RRTYPE_AXFR,
    KNOT_RRTYPE_HTTPS,
    KNOT_RRTYPE_OPT,
    KNOT_RRTYPE_HINFO,
    KNOT_RRTYPE_TSIG,
    KNOT_RRTYPE_SSHFP,
    65400,
};

static unsigned seed = 1;

static unsigned below(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static char *rich_zone(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs(zone, out);
	for (unsigned i = 0; i < 80; i++)
		fprintf(out, "big TXT \"%0200u\"\nmany A 192.0.2.%u\n", i, i);
	fclose(out);
	return text;
}

static size_t put_u16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value & 0xff;
	return 2;
}

static size_t put_option(uint8_t *at)
{
	static const unsigned codes[] = {8, 8, 8, 10, 3, 12, 65001};
	unsigned code = codes[below(ARRAY_SIZE(codes))], size = below(12), bits = below(33);
	size_t n = put_u16(at, code);

	if (code != 8) {
		n += put_u16(at + n, size);
		memset(at + n, 0xaa, size);
		return n + size;
	}
	n += put_u16(at + n, 4 + (bits + 7) / 8);
	n += put_u16(at + n, 1);
	at[n++] = bits;
	at[n++] = 0;
	for (unsigned i = 0; i < (bits + 7) / 8; i++)
		at[n++] = i * 8 + 8 > bits ? below(256) & 0xff << (8 - bits % 8) : below(256);
	return n;
}

static size_t put_opt(uint8_t *at)
{
	static const unsigned payloads[] = {0, 512, 1232, 1400, 4096, 65535};
	size_t n = 0, rdata;

	at[n++] = 0;
	n += put_u16(at + n, KNOT_RRTYPE_OPT);
	n += put_u16(at + n, payloads[below(ARRAY_SIZE(payloads))]);
	at[n++] = 0;
	at[n++] = below(20) == 0;
	n += put_u16(at + n, below(2) ? 0x8000 : 0);
	rdata = n;
	n += 2;
	for (unsigned i = below(4); i > 1; i--)
		n += put_option(at + n);
	put_u16(at + rdata, n - rdata - 2);
	return n;
}

/* A whole query, of at most 512 octets. */
static size_t write_query(uint8_t *wire)
{
	knot_dname_storage_t name;
	bool edns = below(3) > 0;
	size_t n = 0, size;

	assert_non_null(knot_dname_from_str(name, names[below(ARRAY_SIZE(names))], sizeof(name)));
	size = knot_dname_size(name);
	n += put_u16(wire, below(65536));
	wire[n++] = below(2);                         /* RD */
	wire[n++] = below(2) ? 0 : below(256) & 0xf0; /* RA, Z, AD and CD */
	n += put_u16(wire + n, 1);
	n += put_u16(wire + n, 0);
	n += put_u16(wire + n, 0);
	n += put_u16(wire + n, edns);
	memcpy(wire + n, name, size);
	n += size;
	n += put_u16(wire + n, types[below(below(2) ? 7 : ARRAY_SIZE(types))]);
	n += put_u16(wire + n, below(30) ? KNOT_CLASS_IN : below(256));
	if (edns)
		n += put_opt(wire + n);
	return n;
}

static size_t break_query(uint8_t *wire, size_t len)
{
	switch (below(4)) {
	case 0:
		return below(len + 1);
	case 1:
		wire[len] = below(256);
		return len + 1;
	default:
		for (unsigned i = below(4); i > 0; i--)
			wire[below(len)] ^= 1 << below(8);
		return len;
	}
}

struct both {
	struct fixture f;
	uint8_t quick[DNS_TCP_PAYLOAD], whole[DNS_TCP_PAYLOAD];
	unsigned answered, quickly;
};

static void compare(struct both *b, const struct dns_request *request)
{
	size_t cap = request->transport == DNS_TCP ? DNS_TCP_PAYLOAD : DNS_UDP_PAYLOAD;
	size_t quick_len, whole_len;
	enum dns_outcome quick, whole;
	struct dns_facts quick_facts, whole_facts;

	quick = dns_handle(b->f.answerer, b->f.view, request, b->quick, cap, &quick_len);
	quick_facts = *dns_answerer_facts(b->f.answerer);
	whole = dns_handle_long(b->f.answerer, b->f.view, request, b->whole, cap, &whole_len);
	whole_facts = *dns_answerer_facts(b->f.answerer);
	assert_int_equal(quick, whole);
	assert_int_equal(quick_len, whole_len);
	assert_memory_equal(b->quick, b->whole, whole_len);
	assert_int_equal(quick_facts.rcode, whole_facts.rcode);
	assert_int_equal(quick_facts.found, whole_facts.found);
	assert_int_equal(quick_facts.truncated, whole_facts.truncated);
	assert_int_equal(quick_facts.client_subnet, whole_facts.client_subnet);
	assert_int_equal(quick_facts.scope, whole_facts.scope);
	assert_ptr_equal(quick_facts.steered, whole_facts.steered);
	b->answered += whole == DNS_REPLY;
}

/* Whether it is for the quick path at all: else nothing would be compared. */
static bool is_quick(struct both *b, const struct dns_request *request)
{
	static struct dns_message m;
	struct dns_facts facts = {.rcode = 0};
	size_t len;

	if (request->len < KNOT_WIRE_HEADER_SIZE)
		return false;
	dns_message_parse(&m, request->wire, request->len);
	return dns_quick(b->f.view, &m, (mono_time){0}, NULL, &facts, b->quick, DNS_UDP_PAYLOAD,
			 &len);
}

static void test_the_same_as_the_long_way(void **state)
{
	struct both *b = xcalloc(1, sizeof(*b));
	char *text = rich_zone();
	uint8_t wire[1024];

	fixture_init(
	    &b->f, text,
	    "{w: {site: all, ttl: 30s, policy: weighted, answers: 2}, v: {site: one, ttl: 2s}, "
	    "u: {site: all, ttl: 1s, none_up: servfail}}",
	    NULL);
	for (unsigned i = 0; i < QUERIES; i++) {
		size_t len = write_query(wire);
		struct dns_request request;
		uint8_t *own;

		if (below(4) == 0)
			len = break_query(wire, len);
		/* Its own allocation, so that a sanitizer sees what is read past the end. */
		own = xmalloc(len > 0 ? len : 1);
		memcpy(own, wire, len);
		request = fixture_request(below(2) ? "198.51.100.7" : "2001:db8::7",
					  below(4) ? DNS_UDP : DNS_TCP, own, len);
		b->quickly += is_quick(b, &request);
		compare(b, &request);
		free(own);
	}
	print_message("%u answered, %u of them for the quick path\n", b->answered, b->quickly);
	assert_true(b->quickly > 20000);
	fixture_fini(&b->f);
	free(text);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_same_as_the_long_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
