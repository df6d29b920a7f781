/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Steering: the choice by table with invented rankings and health, then through whole answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "geo/map.h"
#include "tests/unit/dns/fixture.h"

#define EDGES 4

struct steer_case {
	const char *what;
	const char *ranking; /* edge ids, nearest first */
	const char *members; /* of the site */
	const char *health;  /* by edge id: u(p), d(own), f(ailing), ? (unknown) */
	const char *drained; /* edge ids */
	enum cfg_none_up none_up;
	int edge; /* -1: nobody */
	enum dns_steer_reason reason;
	unsigned ttl, scope;
};

#define NEAREST CFG_NONE_UP_NEAREST
#define SERVFAIL CFG_NONE_UP_SERVFAIL

static const struct steer_case cases[] = {
    {"nearest", "2013", "0123", "uuuu", "", NEAREST, 2, DNS_STEER_HEALTHY, 30, 17},
    {"of the site", "2013", "013", "uuuu", "", NEAREST, 0, DNS_STEER_HEALTHY, 30, 17},
    {"skips what is down", "2013", "0123", "uudu", "", NEAREST, 0, DNS_STEER_HEALTHY, 30, 17},
    {"skips two", "2013", "0123", "dudu", "", NEAREST, 1, DNS_STEER_HEALTHY, 30, 17},
    {"skips what is drained", "2013", "0123", "uuuu", "2", NEAREST, 0, DNS_STEER_HEALTHY, 30, 17},
    {"skips what is unknown", "2013", "0123", "uu?u", "", NEAREST, 0, DNS_STEER_HEALTHY, 30, 17},
    {"failing is still up, for a short time", "2013", "0123", "uufu", "", NEAREST, 2,
     DNS_STEER_HEALTHY, 5, 17},
    {"a failing one that is not chosen", "2013", "0123", "ufuu", "", NEAREST, 2, DNS_STEER_HEALTHY,
     30, 17},
    {"the only one up is everybody's", "2013", "0123", "dddu", "", NEAREST, 3, DNS_STEER_HEALTHY,
     30, 0},
    {"the only one in the site", "2013", "1", "uuuu", "", NEAREST, 1, DNS_STEER_HEALTHY, 30, 0},
    {"the only one that is not drained", "2013", "0123", "uuuu", "012", NEAREST, 3,
     DNS_STEER_HEALTHY, 30, 0},
    {"nothing known yet", "2013", "0123", "????", "", NEAREST, 2, DNS_STEER_UNPROBED, 5, 17},
    {"nothing known yet, servfail", "2013", "0123", "????", "2", SERVFAIL, 0, DNS_STEER_UNPROBED, 5,
     17},
    {"unknown is not up once one is known", "2013", "0123", "?d??", "", SERVFAIL, -1,
     DNS_STEER_SERVFAIL, 30, 0},
    {"a drained one's health tells nothing", "2013", "0123", "?d??", "1", NEAREST, 2,
     DNS_STEER_UNPROBED, 5, 17},
    {"none up, nearest", "2013", "0123", "dddd", "", NEAREST, 2, DNS_STEER_NONE_UP, 5, 17},
    {"none up, nearest that is not drained", "2013", "0123", "dddd", "2", NEAREST, 0,
     DNS_STEER_NONE_UP, 5, 17},
    {"none up, all drained", "2013", "0123", "uuuu", "0123", NEAREST, 2, DNS_STEER_NONE_UP, 5, 17},
    {"none up, servfail", "2013", "0123", "dddd", "", SERVFAIL, -1, DNS_STEER_SERVFAIL, 30, 0},
    {"all drained, servfail", "2013", "0123", "uuuu", "0123", SERVFAIL, -1, DNS_STEER_SERVFAIL, 30,
     0},
    {"up elsewhere does not count", "2013", "01", "dduu", "", SERVFAIL, -1, DNS_STEER_SERVFAIL, 30,
     0},
    {"a site without edges", "2013", "", "uuuu", "", NEAREST, -1, DNS_STEER_SERVFAIL, 30, 0},
};

static void set_health(struct health *h, char state)
{
	health_init(h, 1, 2);
	if (state == 'u' || state == 'f')
		health_record(h, PROBE_OK);
	if (state == 'f' || state == 'd')
		health_record(h, PROBE_REFUSED);
	assert_int_equal(health_get(h), state == '?'   ? HEALTH_UNKNOWN
					: state == 'd' ? HEALTH_DOWN
						       : HEALTH_UP);
}

static void test_choice(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct steer_case *c = &cases[i];
		struct cfg_steered config = {.none_up = c->none_up};
		bool member[EDGES] = {false};
		struct dns_steered steered = {.config = &config, .member = member, .ttl = 30};
		struct cfg_edge edge_configs[EDGES] = {0};
		struct health health[EDGES];
		struct dns_edge edges[EDGES];
		uint16_t order[EDGES];
		struct geo_ranking ranking = {.edges = order, .n = EDGES, .scope = 17};
		struct dns_choice choice;

		for (unsigned k = 0; k < EDGES; k++) {
			char id[] = {'0' + k, '\0'};

			order[k] = c->ranking[k] - '0';
			member[k] = strstr(c->members, id) != NULL;
			edge_configs[k].id = k;
			edge_configs[k].admin =
			    strstr(c->drained, id) ? CFG_ADMIN_DRAINED : CFG_ADMIN_ACTIVE;
			set_health(&health[k], c->health[k]);
			edges[k] =
			    (struct dns_edge){.config = &edge_configs[k], .health = &health[k]};
		}
		print_message("%s\n", c->what);
		choice = dns_steer(&steered, edges, &ranking);
		assert_int_equal(choice.edge == NULL ? -1 : (int)choice.edge->config->id, c->edge);
		assert_int_equal(choice.reason, c->reason);
		assert_int_equal(choice.scope, c->scope);
		if (c->edge >= 0)
			assert_int_equal(choice.ttl, c->ttl);
	}
}

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
    "strict: {site: all, none_up: servfail}}";

#define SOA(ttl)                                                                                   \
	"authority: example.com. " #ttl                                                            \
	" SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60\n"

/* Health by edge (fra1, nyc1, sin1), as above. */
struct answer_case {
	const char *health, *query, *response;
};

static const struct answer_case answers[] = {
    {"uuu", "www.example.com A", "NOERROR aa\nanswer: www.example.com. 30 A 192.0.2.1\n"},
    {"uuu", "WWW.example.com AAAA", "NOERROR aa\nanswer: WWW.example.com. 30 AAAA 2001:db8::1\n"},
    {"duu", "www.example.com A", "NOERROR aa\nanswer: www.example.com. 30 A 192.0.2.2\n"},
    /* nyc1 has no AAAA, and sin1's would lead elsewhere than nyc1's A */
    {"duu", "www.example.com AAAA", "NOERROR aa\n" SOA(30)},
    {"dfu", "www.example.com AAAA", "NOERROR aa\n" SOA(5)},
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

static void test_answers(void **state)
{
	struct fixture f = {0};

	fixture_init(&f, zone, steered_yaml, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		for (unsigned k = 0; k < FIXTURE_EDGES; k++)
			set_health(&f.health[k], answers[i].health[k]);
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
	assert_ptr_equal(facts->choice.edge, &f.view->edges[0]);
	assert_string_equal(facts->steered->config->owner, "one");
	assert_int_equal(facts->place.len, 24);
	/* The resolver keeps its client to itself: its own address is what there is. */
	fixture_expect(&f, "www.example.com A ecs=::/0",
		       "NOERROR aa\n"
		       "answer: www.example.com. 5 A 192.0.2.1\n"
		       "ecs: ::/0/0\n");
	assert_int_equal(facts->place.len, 32);
	assert_int_equal(facts->place.bytes[0], 198);
	fixture_expect(&f, "mail.example.com A",
		       "NOERROR aa\nanswer: mail.example.com. 300 A 192.0.2.25\n");
	assert_null(facts->steered);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_choice),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
