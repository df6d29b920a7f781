/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The additional section: the addresses of all names to which an answer leads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libknot/packet/pkt.h>

#include "core/base/check.h"
#include "tests/unit/dns/fixture.h"

static const char zone[] = "$TTL 300\n"
			   "@ SOA ns1 hostmaster 7 7200 900 1209600 60\n"
			   "@ NS ns1\n"
			   "@ HTTPS 1 . port=8443\n"
			   "@ A 192.0.2.10\n"
			   "ns1 A 192.0.2.53\n"
			   "Host A 192.0.2.80\n"
			   "host AAAA 2001:db8::80\n"
			   "kx KX 10 host\n"
			   "rt RT 10 host\n"
			   "afsdb AFSDB 1 host\n"
			   "naptr NAPTR 10 10 \"A\" \"SIP+D2U\" \"\" host\n"
			   "naptr NAPTR 10 20 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b!\" .\n"
			   "svcb SVCB 1 host port=8443\n"
			   "https HTTPS 1 host port=8443\n"
			   "own HTTPS 1 . port=8443\n"
			   "own A 192.0.2.81\n"
			   "none HTTPS 0 .\n"
			   "none A 192.0.2.82\n"
			   "indirect HTTPS 0 own\n"
			   "nosrv SRV 0 0 0 .\n"
			   "nomx MX 0 .\n"
			   "twomx MX 1 host\n"
			   "twomx MX 2 HOST\n"
			   "wildmx MX 1 x.wild\n"
			   "*.wild A 192.0.2.99\n"
			   "tosteered HTTPS 1 w port=8443\n"
			   "todivided MX 1 d\n"
			   "mxsteered MX 1 w\n"
			   "mxsteered MX 2 W\n"
			   "sub NS ns.sub\n"
			   "ns.sub A 192.0.2.54\n"
			   "gluemx MX 1 ns.sub\n"
			   "elsewhere MX 1 host.example.net.\n";

#define HOST                                                                                       \
	"additional: host.example.com. 300 A 192.0.2.80\n"                                         \
	"additional: host.example.com. 300 AAAA 2001:db8::80\n"

struct additional_case {
	const char *query, *response;
};

static void run(const struct additional_case *cases, size_t n)
{
	struct fixture f = {0};

	fixture_init(&f, zone,
		     "{w: {site: one, ttl: 30s}, d: {site: all, ttl: 30s, policy: weighted}}",
		     NULL);
	fixture_verdicts(&f, "uuu");
	for (size_t i = 0; i < n; i++)
		fixture_expect(&f, cases[i].query, cases[i].response);
	fixture_fini(&f);
}

/* Only NS, MX and SRV had additional addresses. */
static void test_addresses_for_every_type(void **state)
{
	static const struct additional_case cases[] = {
	    {"kx.example.com KX", "NOERROR aa\n"
				  "answer: kx.example.com. 300 KX 10 host.example.com.\n" HOST},
	    {"rt.example.com RT", "NOERROR aa\n"
				  "answer: rt.example.com. 300 RT 10 host.example.com.\n" HOST},
	    {"afsdb.example.com AFSDB",
	     "NOERROR aa\nanswer: afsdb.example.com. 300 AFSDB 1 host.example.com.\n" HOST},
	    {"naptr.example.com NAPTR",
	     "NOERROR aa\n"
	     "answer: naptr.example.com. 300 NAPTR 10 10 \"A\" \"SIP+D2U\" \"\" host.example.com.\n"
	     "answer: naptr.example.com. 300 NAPTR 10 20 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b!\" "
	     ".\n" HOST},
	    {"svcb.example.com SVCB",
	     "NOERROR aa\nanswer: svcb.example.com. 300 SVCB 1 host.example.com. port=8443\n" HOST},
	    {"https.example.com HTTPS", "NOERROR aa\nanswer: https.example.com. 300 HTTPS 1 "
					"host.example.com. port=8443\n" HOST},
	    {"twomx.example.com MX",
	     "NOERROR aa\n"
	     "answer: twomx.example.com. 300 MX 1 host.example.com.\n"
	     "answer: twomx.example.com. 300 MX 2 HOST.example.com.\n" HOST},
	    {"nosrv.example.com SRV", "NOERROR aa\nanswer: nosrv.example.com. 300 SRV 0 0 0 .\n"},
	    {"nomx.example.com MX", "NOERROR aa\nanswer: nomx.example.com. 300 MX 0 .\n"},
	    {"wildmx.example.com MX", "NOERROR aa\n"
				      "answer: wildmx.example.com. 300 MX 1 x.wild.example.com.\n"
				      "additional: x.wild.example.com. 300 A 192.0.2.99\n"},
	    {"gluemx.example.com MX", "NOERROR aa\n"
				      "answer: gluemx.example.com. 300 MX 1 ns.sub.example.com.\n"
				      "additional: ns.sub.example.com. 300 A 192.0.2.54\n"},
	    {"elsewhere.example.com MX",
	     "NOERROR aa\nanswer: elsewhere.example.com. 300 MX 1 host.example.net.\n"},
	};

	run(cases, ARRAY_SIZE(cases));
}

/* RFC 9460 sections 2.5 and 4.1: "." is the owner, or nobody; an alias brings its target's. */
static void test_service_bindings(void **state)
{
	static const struct additional_case cases[] = {
	    {"own.example.com HTTPS", "NOERROR aa\n"
				      "answer: own.example.com. 300 HTTPS 1 . port=8443\n"
				      "additional: own.example.com. 300 A 192.0.2.81\n"},
	    {"example.com HTTPS", "NOERROR aa\n"
				  "answer: example.com. 300 HTTPS 1 . port=8443\n"
				  "additional: example.com. 300 A 192.0.2.10\n"},
	    {"none.example.com HTTPS", "NOERROR aa\nanswer: none.example.com. 300 HTTPS 0 .\n"},
	    {"indirect.example.com HTTPS",
	     "NOERROR aa\n"
	     "answer: indirect.example.com. 300 HTTPS 0 own.example.com.\n"
	     "additional: own.example.com. 300 A 192.0.2.81\n"
	     "additional: own.example.com. 300 HTTPS 1 . port=8443\n"},
	};

	run(cases, ARRAY_SIZE(cases));
}

/* A name that everybody is told the same of. */
static void test_addresses_of_steered_target(void **state)
{
	static const struct additional_case cases[] = {
	    {"tosteered.example.com HTTPS",
	     "NOERROR aa\n"
	     "answer: tosteered.example.com. 300 HTTPS 1 w.example.com. port=8443\n"
	     "additional: w.example.com. 30 A 192.0.2.1\n"
	     "additional: w.example.com. 30 AAAA 2001:db8::1\n"},
	    {"tosteered.example.com HTTPS ecs=203.0.113.0/24",
	     "NOERROR aa\n"
	     "answer: tosteered.example.com. 300 HTTPS 1 w.example.com. port=8443\n"
	     "additional: w.example.com. 30 A 192.0.2.1\n"
	     "additional: w.example.com. 30 AAAA 2001:db8::1\n"
	     "ecs: 203.0.113.0/24/0\n"},
	    {"mxsteered.example.com MX", "NOERROR aa\n"
					 "answer: mxsteered.example.com. 300 MX 1 w.example.com.\n"
					 "answer: mxsteered.example.com. 300 MX 2 W.example.com.\n"
					 "additional: w.example.com. 30 A 192.0.2.1\n"
					 "additional: w.example.com. 30 AAAA 2001:db8::1\n"},
	};

	run(cases, ARRAY_SIZE(cases));
}

/* What is additional is taken to be for everybody (RFC 7871 section 7.3.1): what is not is left for
 * the resolver to ask, unless it knows nothing of clients' networks. */
static void test_address_for_one_network_is_not_additional(void **state)
{
	static const struct additional_case cases[] = {
	    {"todivided.example.com MX ecs=203.0.113.0/24",
	     "NOERROR aa\n"
	     "answer: todivided.example.com. 300 MX 1 d.example.com.\n"
	     "ecs: 203.0.113.0/24/0\n"},
	    {"todivided.example.com MX", "NOERROR aa\n"
					 "answer: todivided.example.com. 300 MX 1 d.example.com.\n"
					 "additional: d.example.com. 30 A 192.0.2.3\n"
					 "additional: d.example.com. 30 AAAA 2001:db8::3\n"},
	};

	run(cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses_for_every_type),
	    cmocka_unit_test(test_service_bindings),
	    cmocka_unit_test(test_addresses_of_steered_target),
	    cmocka_unit_test(test_address_for_one_network_is_not_additional),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
