/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The answer by table: question in, sections out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/packet/pkt.h>

#include "core/base/check.h"
#include "tests/unit/dns/fixture.h"

static const char zone[] = "$TTL 300\n"
			   "@ 3600 SOA ns1 hostmaster 7 7200 900 1209600 60\n"
			   "@ NS ns1\n"
			   "@ NS ns.example.org.\n"
			   "@ MX 10 mail\n"
			   "@ TXT \"apex\"\n"
			   "ns1 A 192.0.2.53\n"
			   "ns1 AAAA 2001:db8::53\n"
			   "mail A 192.0.2.25\n"
			   "_sip._udp SRV 1 2 5060 mail\n"
			   "www A 192.0.2.80\n"
			   "alias CNAME www\n"
			   "alias2 CNAME Alias\n"
			   "away CNAME www.example.net.\n"
			   "broken CNAME nowhere\n"
			   "into CNAME host.sub\n"
			   "loop1 CNAME loop2\n"
			   "loop2 CNAME loop1\n"
			   "self CNAME self\n"
			   "*.wild A 192.0.2.99\n"
			   "*.wild MX 5 mail\n"
			   "deep.empty.wild TXT \"stops the wildcard\"\n"
			   "*.wcname CNAME www\n"
			   "a.b.c.ent A 192.0.2.60\n"
			   "sub NS ns.sub\n"
			   "sub NS ns.other\n"
			   "sub DS 12345 13 2 "
			   "49FD46E6C4B45C55D4AC49FD46E6C4B45C55D4AC49FD46E6C4B45C55D4AC49FD\n"
			   "ns.sub A 192.0.2.54\n"
			   "ns.sub AAAA 2001:db8::54\n"
			   "other NS ns.other\n"
			   "ns.other A 192.0.2.55\n"
			   "under.sub TXT \"hidden\"\n";

#define SOA                                                                                        \
	"authority: example.com. 60 SOA ns1.example.com. hostmaster.example.com. 7 7200 900 "      \
	"1209600 60\n"
#define REFERRAL                                                                                   \
	"authority: sub.example.com. 300 NS ns.sub.example.com.\n"                                 \
	"authority: sub.example.com. 300 NS ns.other.example.com.\n"                               \
	"additional: ns.sub.example.com. 300 A 192.0.2.54\n"                                       \
	"additional: ns.sub.example.com. 300 AAAA 2001:db8::54\n"                                  \
	"additional: ns.other.example.com. 300 A 192.0.2.55\n"

struct answer_case {
	const char *query, *response;
};

static const struct answer_case cases[] = {
    {"www.example.com A", "NOERROR aa\nanswer: www.example.com. 300 A 192.0.2.80\n"},
    {"wWw.eXample.COM A rd", "NOERROR aa rd\nanswer: wWw.eXample.COM. 300 A 192.0.2.80\n"},
    {"www.example.com AAAA", "NOERROR aa\n" SOA},
    {"nothing.example.com A", "NXDOMAIN aa\n" SOA},
    {"www.example.org A", "REFUSED\n"},
    {"com A", "REFUSED\n"},
    {". NS", "REFUSED\n"},
    {"example.com SOA", "NOERROR aa\nanswer: example.com. 3600 SOA ns1.example.com. "
			"hostmaster.example.com. 7 7200 900 1209600 60\n"},
    {"example.com NS", "NOERROR aa\n"
		       "answer: example.com. 300 NS ns.example.org.\n"
		       "answer: example.com. 300 NS ns1.example.com.\n"
		       "additional: ns1.example.com. 300 A 192.0.2.53\n"
		       "additional: ns1.example.com. 300 AAAA 2001:db8::53\n"},
    {"example.com MX", "NOERROR aa\n"
		       "answer: example.com. 300 MX 10 mail.example.com.\n"
		       "additional: mail.example.com. 300 A 192.0.2.25\n"},
    {"_sip._udp.example.com SRV", "NOERROR aa\n"
				  "answer: _sip._udp.example.com. 300 SRV 1 2 5060 "
				  "mail.example.com.\n"
				  "additional: mail.example.com. 300 A 192.0.2.25\n"},
    /* aliases */
    {"alias2.example.com A", "NOERROR aa\n"
			     "answer: alias2.example.com. 300 CNAME Alias.example.com.\n"
			     "answer: Alias.example.com. 300 CNAME www.example.com.\n"
			     "answer: www.example.com. 300 A 192.0.2.80\n"},
    {"alias.example.com CNAME", "NOERROR aa\n"
				"answer: alias.example.com. 300 CNAME www.example.com.\n"},
    {"alias.example.com TXT", "NOERROR aa\n"
			      "answer: alias.example.com. 300 CNAME www.example.com.\n" SOA},
    {"away.example.com A", "NOERROR aa\n"
			   "answer: away.example.com. 300 CNAME www.example.net.\n"},
    {"broken.example.com A", "NXDOMAIN aa\n"
			     "answer: broken.example.com. 300 CNAME nowhere.example.com.\n" SOA},
    {"into.example.com A", "NOERROR aa\n"
			   "answer: into.example.com. 300 CNAME host.sub.example.com.\n" REFERRAL},
    {"loop1.example.com A", "NOERROR aa\n"
			    "answer: loop1.example.com. 300 CNAME loop2.example.com.\n"
			    "answer: loop2.example.com. 300 CNAME loop1.example.com.\n"},
    {"self.example.com A", "NOERROR aa\n"
			   "answer: self.example.com. 300 CNAME self.example.com.\n"},
    /* wildcards: RFC 4592 */
    {"x.wild.example.com A", "NOERROR aa\nanswer: x.wild.example.com. 300 A 192.0.2.99\n"},
    {"x.y.wild.example.com A", "NOERROR aa\nanswer: x.y.wild.example.com. 300 A 192.0.2.99\n"},
    {"*.wild.example.com A", "NOERROR aa\nanswer: *.wild.example.com. 300 A 192.0.2.99\n"},
    {"x.wild.example.com TXT", "NOERROR aa\n" SOA},
    {"x.wild.example.com MX", "NOERROR aa\n"
			      "answer: x.wild.example.com. 300 MX 5 mail.example.com.\n"
			      "additional: mail.example.com. 300 A 192.0.2.25\n"},
    {"wild.example.com A", "NOERROR aa\n" SOA},
    {"empty.wild.example.com A", "NOERROR aa\n" SOA},
    {"x.empty.wild.example.com A", "NXDOMAIN aa\n" SOA},
    {"x.wcname.example.com A", "NOERROR aa\n"
			       "answer: x.wcname.example.com. 300 CNAME www.example.com.\n"
			       "answer: www.example.com. 300 A 192.0.2.80\n"},
    /* empty non-terminals */
    {"ent.example.com A", "NOERROR aa\n" SOA},
    {"b.c.ent.example.com A", "NOERROR aa\n" SOA},
    {"x.b.c.ent.example.com A", "NXDOMAIN aa\n" SOA},
    {"ent.example.com ANY", "NOERROR aa\n" SOA},
    /* delegations */
    {"sub.example.com A", "NOERROR\n" REFERRAL},
    {"sub.example.com NS", "NOERROR\n" REFERRAL},
    {"host.sub.example.com A", "NOERROR\n" REFERRAL},
    {"under.sub.example.com TXT", "NOERROR\n" REFERRAL},
    {"ns.sub.example.com A", "NOERROR\n" REFERRAL},
    {"host.sub.example.com DS", "NOERROR\n" REFERRAL},
    {"sub.example.com DS", "NOERROR aa\n"
			   "answer: sub.example.com. 300 DS 12345 13 2 "
			   "49FD46E6C4B45C55D4AC49FD46E6C4B45C55D4AC49FD46E6C4B45C55D4AC49FD\n"},
    {"other.example.com DS", "NOERROR aa\n" SOA},
    {"example.com DS", "NOERROR aa\n" SOA},
    /* what is not answered as asked */
    {"example.com ANY", "NOERROR aa\nanswer: example.com. 3600 HINFO \"RFC8482\" \"\"\n"},
    {"alias.example.com ANY", "NOERROR aa\n"
			      "answer: alias.example.com. 300 CNAME www.example.com.\n"},
    {"nothing.example.com ANY", "NXDOMAIN aa\n" SOA},
    {"example.com AXFR", "REFUSED\n"},
    {"example.com IXFR tcp", "REFUSED\n"},
    {"version.bind TXT class=3", "REFUSED\n"},
    {"www.example.com A class=3", "REFUSED\n"},
    {"www.example.com A class=255", "REFUSED\n"},
    {"www.example.com A opcode=2", "NOTIMPL\n"},
    {"example.com SOA opcode=4", "NOTIMPL\n"},
    {"example.com SOA opcode=5", "NOTIMPL\n"},
    /* EDNS */
    {"www.example.com A do", "NOERROR aa do\nanswer: www.example.com. 300 A 192.0.2.80\n"},
    {"www.example.com A version=1", "BADVERS\n"},
    {"www.example.com A ecs=192.0.2.0/24", "NOERROR aa\n"
					   "answer: www.example.com. 300 A 192.0.2.80\n"
					   "ecs: 192.0.2.0/24/0\n"},
    {"nothing.example.com A ecs=2001:db8::/56", "NXDOMAIN aa\n" SOA "ecs: 2001:db8::/56/0\n"},
    {"www.example.org A ecs=192.0.2.0/25", "REFUSED\necs: 192.0.2.0/25/0\n"},
    {"www.example.com A ecs=0.0.0.0/0", "NOERROR aa\n"
					"answer: www.example.com. 300 A 192.0.2.80\n"
					"ecs: 0.0.0.0/0/0\n"},
};

static void test_answers(void **state)
{
	struct fixture f = {0};

	fixture_init(&f, zone, "{}", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		fixture_expect(&f, cases[i].query, cases[i].response);
	fixture_fini(&f);
}

/* `n` TXT records of 100 octets at big.example.com. */
static char *big_zone(unsigned n)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs("$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\n@ MX 1 mail\nns1 A 192.0.2.1\n", out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, "big TXT \"%0100u\"\nmail A 192.0.2.%u\n", i, i);
	fclose(out);
	return text;
}

static size_t ask_len(struct fixture *f, const char *query, uint8_t *out, size_t cap)
{
	struct dns_request request;
	uint8_t wire[512];
	size_t len;

	fixture_query(query, wire, sizeof(wire), &request);
	assert_int_equal(dns_handle(f->answerer, f->view, &request, out, cap, &len), DNS_REPLY);
	return len;
}

static void test_truncation(void **state)
{
	static const struct {
		const char *query;
		unsigned max;
		bool truncated;
	} rows[] = {
	    {"big.example.com TXT", 512, true},
	    {"big.example.com TXT size=512", 512, true},
	    {"big.example.com TXT size=100", 512, true},
	    {"big.example.com TXT size=4096", 1232, true},
	    {"big.example.com TXT size=4096 ecs=2001:db8::/128", 1232, true},
	    {"big.example.com TXT tcp", 65535, false},
	    {"big.example.com TXT tcp size=512", 65535, false},
	    /* additional records are left out instead */
	    {"example.com MX size=512", 512, false},
	};
	struct fixture f = {0};
	char *text = big_zone(40);
	uint8_t out[DNS_TCP_PAYLOAD];

	fixture_init(&f, text, "{}", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = ask_len(&f, rows[i].query, out, sizeof(out));

		assert_in_range(len, 12, rows[i].max);
		assert_int_equal(knot_wire_get_tc(out) != 0, rows[i].truncated);
		assert_int_equal(dns_answerer_facts(f.answerer)->truncated, rows[i].truncated);
		assert_int_equal(knot_wire_get_rcode(out), 0);
		free(fixture_response_text(out, len)); /* it must parse */
	}
	fixture_fini(&f);
	free(text);
}

/* RFC 9471: a referral whose glue does not fit says so. */
static void test_glue_that_does_not_fit(void **state)
{
	struct fixture f = {0};
	char *text = NULL;
	size_t size, len;
	FILE *z = open_memstream(&text, &size);
	uint8_t out[DNS_TCP_PAYLOAD];

	fputs("$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\nsub NS ns.sub\n", z);
	for (unsigned i = 0; i < 60; i++)
		fprintf(z, "ns.sub A 192.0.2.%u\n", i);
	fclose(z);
	fixture_init(&f, text, "{}", NULL);
	len = ask_len(&f, "x.sub.example.com A", out, sizeof(out));
	assert_in_range(len, 12, 512);
	assert_true(knot_wire_get_tc(out) != 0);
	len = ask_len(&f, "x.sub.example.com A size=1232", out, sizeof(out));
	assert_true(len > 960);
	assert_true(knot_wire_get_tc(out) == 0);
	fixture_fini(&f);
	free(text);
}

/* Its name in another case than the cut's was taken for one that others know: no TC. */
static void test_glue_in_another_case_that_does_not_fit(void **state)
{
	struct fixture f = {0};
	char *text = NULL;
	size_t size, len;
	FILE *z = open_memstream(&text, &size);
	uint8_t out[DNS_TCP_PAYLOAD];

	fputs("$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n"
	      "sub NS NS.Sub.EXAMPLE.com.\n",
	      z);
	for (unsigned i = 0; i < 60; i++)
		fprintf(z, "ns.sub A 192.0.2.%u\n", i);
	fclose(z);
	fixture_init(&f, text, "{}", NULL);
	len = ask_len(&f, "x.sub.example.com A", out, sizeof(out));
	assert_in_range(len, 12, 512);
	assert_true(knot_wire_get_tc(out) != 0);
	fixture_fini(&f);
	free(text);
}

/* A chain longer than anybody needs ends, with what there is. */
static void test_long_chain_is_bounded(void **state)
{
	struct fixture f = {0};
	char *text = NULL;
	size_t size;
	FILE *z = open_memstream(&text, &size);
	uint8_t out[DNS_TCP_PAYLOAD];

	fputs("$TTL 60\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n", z);
	for (unsigned i = 0; i < 50; i++)
		fprintf(z, "c%u CNAME c%u\n", i, i + 1);
	fputs("c50 A 192.0.2.1\n", z);
	fclose(z);
	fixture_init(&f, text, "{}", NULL);
	ask_len(&f, "c0.example.com A", out, sizeof(out));
	assert_int_equal(knot_wire_get_ancount(out), 9);
	assert_int_equal(knot_wire_get_rcode(out), 0);
	ask_len(&f, "c45.example.com A", out, sizeof(out));
	assert_int_equal(knot_wire_get_ancount(out), 6);
	fixture_fini(&f);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_truncation),
	    cmocka_unit_test(test_glue_that_does_not_fit),
	    cmocka_unit_test(test_glue_in_another_case_that_does_not_fit),
	    cmocka_unit_test(test_long_chain_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
