/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steering through whole answers: what is said about the edges that are chosen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "tests/unit/dns/fixture.h"

static const char zone[] = "$TTL 300\n"
			   "@ SOA ns1 hostmaster 7 7200 900 1209600 60\n"
			   "@ NS ns1\n"
			   "@ MX 10 mail\n"
			   "ns1 A 192.0.2.53\n"
			   "mail A 192.0.2.25\n"
			   "www TXT \"static\"\n"
			   "alias CNAME www\n";

static const char steered_yaml[] =
    "{www: {site: all}, '@': {site: all, ttl: 10s}, one: {site: one, ttl: 2s}, "
    "strict: {site: all, none_up: servfail}, two: {site: all, answers: 2}, "
    "static: {site: all, policy: static, order: [nyc1, fra1]}, "
    "spare: {site: all, policy: failover, order: [sin1, nyc1]}, "
    "ny: {site: all, policy: failover, order: nyc1}, "
    "'*.wild': {site: all}}";

#define SOA(ttl)                                                                                   \
	"authority: example.com. " #ttl                                                            \
	" SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60\n"

/* Verdicts of fra1, nyc1, sin1. */
struct answer_case {
	const char *verdicts, *query, *response;
};

static const struct answer_case answers[] = {
    {"uuu", "www.example.com A", "NOERROR aa\nanswer: www.example.com. 30 A 192.0.2.1\n"},
    {"uuu", "WWW.example.com AAAA", "NOERROR aa\nanswer: WWW.example.com. 30 AAAA 2001:db8::1\n"},
    {"duu", "www.example.com A", "NOERROR aa\nanswer: www.example.com. 30 A 192.0.2.2\n"},
    /* nyc1 has no IPv6: the next that has */
    {"duu", "www.example.com AAAA", "NOERROR aa\nanswer: www.example.com. 30 AAAA 2001:db8::3\n"},
    {"duf", "www.example.com AAAA", "NOERROR aa\nanswer: www.example.com. 5 AAAA 2001:db8::3\n"},
    /* each address has its verdict, and each family its own */
    {"[du]uu", "www.example.com A", "NOERROR aa\nanswer: www.example.com. 30 A 192.0.2.2\n"},
    {"[du]uu", "www.example.com AAAA",
     "NOERROR aa\nanswer: www.example.com. 30 AAAA 2001:db8::1\n"},
    {"[ud]uu", "www.example.com AAAA",
     "NOERROR aa\nanswer: www.example.com. 30 AAAA 2001:db8::3\n"},
    {"uuu", "two.example.com A",
     "NOERROR aa\n"
     "answer: two.example.com. 30 A 192.0.2.1\n"
     "answer: two.example.com. 30 A 192.0.2.2\n"},
    {"uud", "two.example.com AAAA", "NOERROR aa\nanswer: two.example.com. 30 AAAA 2001:db8::1\n"},
    {"uuf", "two.example.com AAAA",
     "NOERROR aa\n"
     "answer: two.example.com. 5 AAAA 2001:db8::1\n"
     "answer: two.example.com. 5 AAAA 2001:db8::3\n"},
    {"ddd", "static.example.com A", "NOERROR aa\nanswer: static.example.com. 30 A 192.0.2.2\n"},
    {"ddd", "static.example.com AAAA",
     "NOERROR aa\nanswer: static.example.com. 30 AAAA 2001:db8::1\n"},
    {"uuu", "spare.example.com A", "NOERROR aa\nanswer: spare.example.com. 30 A 192.0.2.3\n"},
    {"uud", "spare.example.com A", "NOERROR aa\nanswer: spare.example.com. 30 A 192.0.2.2\n"},
    /* true for everybody, and as long as the configuration stands */
    {"uuu", "ny.example.com AAAA", "NOERROR aa\n" SOA(60)},
    {"uuu", "any.wild.example.com A", "NOERROR aa\nanswer: any.wild.example.com. 30 A 192.0.2.1\n"},
    {"fuu", "www.example.com A", "NOERROR aa\nanswer: www.example.com. 5 A 192.0.2.1\n"},
    {"fuu", "one.example.com A", "NOERROR aa\nanswer: one.example.com. 2 A 192.0.2.1\n"},
    {"ddd", "www.example.com A", "NOERROR aa\nanswer: www.example.com. 5 A 192.0.2.1\n"},
    {"ddd", "strict.example.com A", "SERVFAIL aa\n"},
    {"???", "strict.example.com A", "NOERROR aa\nanswer: strict.example.com. 5 A 192.0.2.1\n"},
    {"uuu", "www.example.com TXT", "NOERROR aa\nanswer: www.example.com. 300 TXT \"static\"\n"},
    {"uuu", "www.example.com MX", "NOERROR aa\n" SOA(60)},
    {"uuu", "one.example.com TXT", "NOERROR aa\n" SOA(60)},
    {"uuu", "one.example.com ANY",
     "NOERROR aa\nanswer: one.example.com. 3600 HINFO \"RFC8482\" \"\"\n"},
    {"uuu", "example.com A", "NOERROR aa\nanswer: example.com. 10 A 192.0.2.1\n"},
    {"uuu", "example.com MX",
     "NOERROR aa\n"
     "answer: example.com. 300 MX 10 mail.example.com.\n"
     "additional: mail.example.com. 300 A 192.0.2.25\n"},
    {"duu", "alias.example.com A",
     "NOERROR aa\n"
     "answer: alias.example.com. 300 CNAME www.example.com.\n"
     "answer: www.example.com. 30 A 192.0.2.2\n"},
    {"uuu", "x.www.example.com A", "NXDOMAIN aa\n" SOA(60)},
};

/* By looking at every edge, and by fronts. */
static void test_answers(void **state)
{
	struct fixture f = {0};

	fixture_init(&f, zone, steered_yaml, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		fixture_verdicts(&f, answers[i].verdicts);
		fixture_expect(&f, answers[i].query, answers[i].response);
		fixture_renew(&f);
		fixture_expect(&f, answers[i].query, answers[i].response);
	}
	fixture_fini(&f);
}

static void test_facts(void **state)
{
	struct fixture f = {0};

	fixture_init(&f, zone, steered_yaml, NULL);
	fixture_expect(&f, "one.example.com A ecs=203.0.113.0/24",
		       "NOERROR aa\n"
		       "answer: one.example.com. 2 A 192.0.2.1\n"
		       "ecs: 203.0.113.0/24/0\n");
	const struct dns_facts *facts = dns_answerer_facts(f.answerer);

	assert_true(facts->client_subnet);
	assert_int_equal(facts->choice.pick.n, 1);
	assert_int_equal(facts->choice.pick.edges[0], 0);
	assert_int_equal(facts->choice.reason, DNS_STEER_UNPROBED);
	assert_false(facts->choice.by_front);
	assert_string_equal(facts->steered->config->owner, "one");
	assert_int_equal(facts->place.len, 24);
	/* The resolver keeps its client to itself: its own address is what there is. */
	fixture_renew(&f);
	fixture_expect(&f, "www.example.com A ecs=::/0",
		       "NOERROR aa\n"
		       "answer: www.example.com. 5 A 192.0.2.1\n"
		       "ecs: ::/0/0\n");
	assert_true(facts->choice.by_front);
	assert_int_equal(facts->place.len, 32);
	assert_int_equal(facts->place.bytes[0], 198);
	/* A verdict has changed: the fronts are not for this. */
	fixture_verdicts(&f, "d??");
	fixture_expect(&f, "www.example.com A",
		       "NOERROR aa\nanswer: www.example.com. 5 A 192.0.2.2\n");
	assert_false(facts->choice.by_front);
	fixture_expect(&f, "mail.example.com A",
		       "NOERROR aa\nanswer: mail.example.com. 300 A 192.0.2.25\n");
	assert_null(facts->steered);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
