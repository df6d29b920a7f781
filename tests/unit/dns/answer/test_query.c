/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Answers that take more than one name or zone: aliases across zones, DNAME, what is steered at the
 * end of them, and for whom an answer holds.
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

static const char fleet[] =
    "edges:\n"
    "  fra1: {location: '50.11,8.68', addresses: [192.0.2.1, '2001:db8::1']}\n"
    "  nyc1: {location: '40.71,-74.01', addresses: [192.0.2.2]}\n"
    "  sin1: {location: '1.35,103.82', addresses: [192.0.2.3]}\n"
    "nameservers:\n"
    "  ns1: {listen: '127.0.0.1:0'}\n"
    "origins:\n"
    "  app: {servers: '127.0.0.1:80'}\n"
    "sites:\n"
    "  all:\n"
    "    hosts: [www.example.com, w.example.net]\n"
    "    certificates: [{certificate: c.pem, key: k.pem}]\n"
    "    routes: [{origin: app}]\n"
    "    edges: [fra1, nyc1]\n"
    "  four:\n"
    "    hosts: [v4.example.net]\n"
    "    certificates: [{certificate: c.pem, key: k.pem}]\n"
    "    routes: [{origin: app}]\n"
    "    edges: [nyc1, sin1]\n"
    "zones:\n"
    "  example.com: {file: com.zone}\n"
    "  example.net:\n"
    "    file: net.zone\n"
    "    steered:\n"
    "      w: {site: all, ttl: 30s, policy: weighted}\n"
    "      v4: {site: four, ttl: 30s, policy: weighted}\n"
    "  child.example.com: {file: child.zone}\n";

#define TOP(serial)                                                                                \
	"$TTL 300\n@ SOA ns1 hostmaster " #serial                                                  \
	" 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"

static const char com_zone[] =
    TOP(1) "static CNAME host.example.net.\n"
	   "twice CNAME back.example.net.\n"
	   "www A 192.0.2.80\n"
	   "chosen CNAME W.Example.Net.\n"
	   "nothing CNAME nowhere.example.net.\n"
	   "nodata CNAME ns1.example.net.\n"
	   "away CNAME sub.example.net.\n"
	   "out CNAME www.example.org.\n"
	   "loop CNAME loop.example.net.\n"
	   "down CNAME www.child\n"
	   "child NS ns1.child\n"
	   "ns1.child A 192.0.2.55\n"
	   "MiXed TXT \"Text\"\n"
	   "mixalias CNAME MiXed.Example.COM.\n"
	   "d 60 DNAME Target.example.net.\n"
	   "d TXT \"at the owner\"\n"
	   "home DNAME www\n"
	   "round DNAME x.round2\n"
	   "round2 DNAME round\n"
	   "long DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
	   "ccccccccccccccccccccccccccccccccccccccccccccccccc."
	   "ddddddddddddddddddddddddddddddddddddddddddddddddd.example.net.\n"
	   "*.w CNAME w.example.net.\n";

static const char net_zone[] = TOP(2) "host A 192.0.2.90\n"
				      "back CNAME www.example.com.\n"
				      "loop CNAME loop.example.com.\n"
				      "sub NS ns.sub\n"
				      "ns.sub A 192.0.2.54\n"
				      "Www.target A 192.0.2.91\n";

#define SOA(zone, serial)                                                                          \
	"authority: " zone ". 60 SOA ns1." zone ". hostmaster." zone ". " #serial                  \
	" 7200 900 1209600 60\n"

struct query_case {
	const char *query, *response;
};

static void run(const struct query_case *cases, size_t n)
{
	struct fixture f = {0};

	fixture_file(&f, "com.zone", com_zone);
	fixture_file(&f, "net.zone", net_zone);
	fixture_file(&f, "child.zone", TOP(3) "www A 192.0.2.92\n");
	fixture_fleet(&f, fleet);
	fixture_verdicts(&f, "uuu");
	for (size_t i = 0; i < n; i++)
		fixture_expect(&f, cases[i].query, cases[i].response);
	fixture_fini(&f);
}

/* The name of another zone of ours was answered as if it were not there, or left to be asked. */
static void test_alias_into_another_zone(void **state)
{
	static const struct query_case cases[] = {
	    {"static.example.com A", "NOERROR aa\n"
				     "answer: static.example.com. 300 CNAME host.example.net.\n"
				     "answer: host.example.net. 300 A 192.0.2.90\n"},
	    {"twice.example.com A", "NOERROR aa\n"
				    "answer: twice.example.com. 300 CNAME back.example.net.\n"
				    "answer: back.example.net. 300 CNAME www.example.com.\n"
				    "answer: www.example.com. 300 A 192.0.2.80\n"},
	    {"nothing.example.com A",
	     "NXDOMAIN aa\n"
	     "answer: nothing.example.com. 300 CNAME nowhere.example.net.\n" SOA("example.net", 2)},
	    {"nodata.example.com AAAA",
	     "NOERROR aa\n"
	     "answer: nodata.example.com. 300 CNAME ns1.example.net.\n" SOA("example.net", 2)},
	    {"away.example.com A", "NOERROR aa\n"
				   "answer: away.example.com. 300 CNAME sub.example.net.\n"
				   "authority: sub.example.net. 300 NS ns.sub.example.net.\n"
				   "additional: ns.sub.example.net. 300 A 192.0.2.54\n"},
	    {"out.example.com A", "NOERROR aa\n"
				  "answer: out.example.com. 300 CNAME www.example.org.\n"},
	    {"down.example.com A", "NOERROR aa\n"
				   "answer: down.example.com. 300 CNAME www.child.example.com.\n"
				   "answer: www.child.example.com. 300 A 192.0.2.92\n"},
	    {"loop.example.com A", "NOERROR aa\n"
				   "answer: loop.example.com. 300 CNAME loop.example.net.\n"
				   "answer: loop.example.net. 300 CNAME loop.example.com.\n"},
	};

	run(cases, ARRAY_SIZE(cases));
}

/* Names were served in lower case, whatever the zone file said. (Those that it has in lower case
 * may be compressed into a question's.) */
static void test_case_is_as_written(void **state)
{
	static const struct query_case cases[] = {
	    {"mixalias.example.com TXT",
	     "NOERROR aa\n"
	     "answer: mixalias.example.com. 300 CNAME MiXed.Example.COM.\n"
	     "answer: MiXed.Example.COM. 300 TXT \"Text\"\n"},
	    {"chosen.example.com TXT",
	     "NOERROR aa\n"
	     "answer: chosen.example.com. 300 CNAME W.Example.Net.\n" SOA("example.net", 2)},
	};

	run(cases, ARRAY_SIZE(cases));
}

/* Networks are divided between the edges: who is told of one is told for which network that is.
 * What does not depend on it is for everybody, also in a chain that might have led there. */
static void test_scope_of_an_alias_to_a_steered_name(void **state)
{
	static const struct query_case cases[] = {
	    {"w.example.net A ecs=198.51.100.0/24", "NOERROR aa\n"
						    "answer: w.example.net. 30 A 192.0.2.1\n"
						    "ecs: 198.51.100.0/24/24\n"},
	    {"chosen.example.com A ecs=198.51.100.0/24",
	     "NOERROR aa\n"
	     "answer: chosen.example.com. 300 CNAME W.Example.Net.\n"
	     "answer: W.Example.Net. 30 A 192.0.2.1\n"
	     "ecs: 198.51.100.0/24/24\n"},
	    {"x.w.example.com A ecs=198.51.100.0/24",
	     "NOERROR aa\n"
	     "answer: x.w.example.com. 300 CNAME w.example.net.\n"
	     "answer: w.example.net. 30 A 192.0.2.1\n"
	     "ecs: 198.51.100.0/24/24\n"},
	    {"chosen.example.com CNAME ecs=198.51.100.0/24",
	     "NOERROR aa\n"
	     "answer: chosen.example.com. 300 CNAME W.Example.Net.\n"
	     "ecs: 198.51.100.0/24/0\n"},
	    {"static.example.com A ecs=198.51.100.0/24",
	     "NOERROR aa\n"
	     "answer: static.example.com. 300 CNAME host.example.net.\n"
	     "answer: host.example.net. 300 A 192.0.2.90\n"
	     "ecs: 198.51.100.0/24/0\n"},
	    /* The only one with IPv6 is everybody's. */
	    {"chosen.example.com AAAA ecs=198.51.100.0/24",
	     "NOERROR aa\n"
	     "answer: chosen.example.com. 300 CNAME W.Example.Net.\n"
	     "answer: W.Example.Net. 30 AAAA 2001:db8::1\n"
	     "ecs: 198.51.100.0/24/0\n"},
	};

	run(cases, ARRAY_SIZE(cases));
}

/* That a steered name has no IPv6 was told for a network, though a resolver takes it to be for all
 * (RFC 7871 section 7.4). */
static void test_negative_answer_has_no_scope(void **state)
{
	static const struct query_case cases[] = {
	    {"v4.example.net A ecs=198.51.100.0/24", "NOERROR aa\n"
						     "answer: v4.example.net. 30 A 192.0.2.3\n"
						     "ecs: 198.51.100.0/24/24\n"},
	    {"v4.example.net AAAA ecs=198.51.100.0/24",
	     "NOERROR aa\n" SOA("example.net", 2) "ecs: 198.51.100.0/24/0\n"},
	    {"w.example.net TXT ecs=198.51.100.0/24",
	     "NOERROR aa\n" SOA("example.net", 2) "ecs: 198.51.100.0/24/0\n"},
	    {"x.example.net A ecs=198.51.100.0/24",
	     "NXDOMAIN aa\n" SOA("example.net", 2) "ecs: 198.51.100.0/24/0\n"},
	};

	run(cases, ARRAY_SIZE(cases));
}

static void test_dname(void **state)
{
	static const struct query_case cases[] = {
	    {"wWw.D.example.com A", "NOERROR aa\n"
				    "answer: D.example.com. 60 DNAME Target.example.net.\n"
				    "answer: wWw.D.example.com. 60 CNAME wWw.Target.example.net.\n"
				    "answer: wWw.Target.example.net. 300 A 192.0.2.91\n"},
	    {"x.d.example.com A",
	     "NXDOMAIN aa\n"
	     "answer: d.example.com. 60 DNAME Target.example.net.\n"
	     "answer: x.d.example.com. 60 CNAME x.Target.example.net.\n" SOA("example.net", 2)},
	    {"www.d.example.com CNAME",
	     "NOERROR aa\n"
	     "answer: d.example.com. 60 DNAME Target.example.net.\n"
	     "answer: www.d.example.com. 60 CNAME www.Target.example.net.\n"},
	    {"www.d.example.com ANY",
	     "NOERROR aa\n"
	     "answer: d.example.com. 60 DNAME Target.example.net.\n"
	     "answer: www.d.example.com. 60 CNAME www.Target.example.net.\n"},
	    /* The owner itself is not renamed. */
	    {"d.example.com TXT", "NOERROR aa\nanswer: d.example.com. 300 TXT \"at the owner\"\n"},
	    {"d.example.com DNAME", "NOERROR aa\n"
				    "answer: d.example.com. 60 DNAME Target.example.net.\n"},
	    {"d.example.com A", "NOERROR aa\n" SOA("example.com", 1)},
	};

	run(cases, ARRAY_SIZE(cases));
}

static size_t ask(struct fixture *f, const char *query, uint8_t out[DNS_UDP_PAYLOAD])
{
	struct dns_request request;
	uint8_t wire[512];

	fixture_query(query, wire, sizeof(wire), &request);
	return fixture_handle(f, &request, out);
}

/* A name that would be too long is no name: RFC 6672 section 2.2. */
static void test_dname_that_makes_too_long_a_name(void **state)
{
	struct fixture f = {0};
	uint8_t out[DNS_UDP_PAYLOAD];
	size_t len;

	fixture_file(&f, "com.zone", com_zone);
	fixture_file(&f, "net.zone", net_zone);
	fixture_file(&f, "child.zone", TOP(3));
	fixture_fleet(&f, fleet);
	/* 4 * 50 and example.net. take 213 of 255 octets. */
	len =
	    ask(&f, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.long.example.com A size=1232", out);
	assert_int_equal(knot_wire_get_rcode(out), 3);
	assert_int_equal(knot_wire_get_ancount(out), 2);
	free(fixture_response_text(out, len));
	len =
	    ask(&f, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.long.example.com A size=1232", out);
	assert_int_equal(knot_wire_get_rcode(out), 6);
	assert_true(knot_wire_get_aa(out));
	assert_int_equal(knot_wire_get_ancount(out), 1);
	free(fixture_response_text(out, len));
	fixture_fini(&f);
}

/* Each name on the way is a new one: the bound on chains ends it. */
static void test_dname_in_a_circle_is_bounded(void **state)
{
	struct fixture f = {0};
	uint8_t out[DNS_UDP_PAYLOAD];
	size_t len;

	fixture_file(&f, "com.zone", com_zone);
	fixture_file(&f, "net.zone", net_zone);
	fixture_file(&f, "child.zone", TOP(3));
	fixture_fleet(&f, fleet);
	len = ask(&f, "a.round.example.com A size=1232", out);
	assert_int_equal(knot_wire_get_rcode(out), 0);
	/* Both DNAMEs once, and nine aliases. */
	assert_int_equal(knot_wire_get_ancount(out), 11);
	free(fixture_response_text(out, len));
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alias_into_another_zone),
	    cmocka_unit_test(test_case_is_as_written),
	    cmocka_unit_test(test_scope_of_an_alias_to_a_steered_name),
	    cmocka_unit_test(test_negative_answer_has_no_scope),
	    cmocka_unit_test(test_dname),
	    cmocka_unit_test(test_dname_that_makes_too_long_a_name),
	    cmocka_unit_test(test_dname_in_a_circle_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
