/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Conditions, by tables of requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/match.h"
#include "core/base/check.h"
#include "core/http/path.h"
#include "edge/clients/client_cert.h"
#include "edge/facts/client.h"
#include "edge/facts/match.h"
#include "geo/places.h"

struct request {
	const char *method, *authority, *target;
	struct http_field fields[4];
	unsigned n_fields;
};

static const struct request plain = {
    .method = "GET", .authority = "www.example.com", .target = "/a/b?x=1"};

static enum edge_match_result judge(const struct cfg_match *cfg, const struct request *r,
				    struct edge_facts *facts)
{
	struct edge_match *match = edge_match_create(cfg);
	enum edge_match_result result;
	static struct http_head head;
	static struct http_path path;
	struct http_field fields[4];

	memcpy(fields, r->fields, sizeof(fields));
	head = (struct http_head){
	    .method = span_of(r->method),
	    .method_id = http_method_find(span_of(r->method)),
	    .authority = span_of(r->authority),
	    .target = span_of(r->target),
	    .fields = {.v = fields, .n = r->n_fields},
	};
	path = (struct http_path){.text = {r->target, strcspn(r->target, "?")}};
	facts->request = &head;
	facts->path = &path;
	result = edge_match_judge(match, facts);
	edge_match_destroy(&match);
	return result;
}

static struct edge_client client_at(const char *ip)
{
	struct edge_client client = {0};

	assert_true(net_addr_parse(ip, 0, &client.addr));
	return client;
}

static void test_nothing_is_asked(void **state)
{
	struct cfg_match cfg = {0};

	assert_null(edge_match_create(&cfg));
	assert_int_equal(edge_match_judge(NULL, NULL), EDGE_MATCH_YES);
	assert_int_equal(edge_match_judge_rest(NULL, NULL), EDGE_MATCH_YES);
	assert_null(edge_match_path(NULL));
}

static void test_methods(void **state)
{
	static const char *methods[] = {"GET", "PURGE"};
	struct cfg_match cfg = {.methods = {methods, 2}};
	static const struct {
		const char *method;
		enum edge_match_result result;
	} cases[] = {
	    {"GET", EDGE_MATCH_YES},   {"HEAD", EDGE_MATCH_YES}, {"POST", EDGE_MATCH_NO},
	    {"PURGE", EDGE_MATCH_YES}, {"get", EDGE_MATCH_NO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct edge_facts facts = {0};
		struct request r = plain;

		r.method = cases[i].method;
		assert_int_equal(judge(&cfg, &r, &facts), cases[i].result);
	}
}

/* A POST that an origin takes for a DELETE is not let in by what is said of POST. */
static void test_method_that_a_field_overrides(void **state)
{
	static const char *methods[] = {"GET", "DELETE"};
	struct cfg_match cfg = {.methods = {methods, 2}};
	static const struct {
		const char *method, *name, *value;
		enum edge_match_result result;
	} cases[] = {
	    {"POST", "X-HTTP-Method-Override", "DELETE", EDGE_MATCH_UNSURE},
	    {"POST", "x-http-method", "delete", EDGE_MATCH_UNSURE},
	    {"GET", "X-Method-Override", "PUT", EDGE_MATCH_UNSURE},
	    {"GET", "X-Method-Override", "DELETE", EDGE_MATCH_YES},
	    {"POST", "X-Method-Override", "PUT", EDGE_MATCH_NO},
	    {"POST", "X-Method", "DELETE", EDGE_MATCH_NO},
	};
	struct cfg_match by_host = {.methods = {methods, 2},
				    .hosts = {(const char *[]){"other.example"}, 1}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct edge_facts facts = {0};
		struct request r = plain;

		r.method = cases[i].method;
		r.fields[0] = (struct http_field){span_of(cases[i].name), span_of(cases[i].value)};
		r.n_fields = 1;
		assert_int_equal(judge(&cfg, &r, &facts), cases[i].result);
		assert_int_equal(judge(&by_host, &r, &facts), EDGE_MATCH_NO);
	}
}

static void test_paths(void **state)
{
	struct cfg_match cfg = {.regex = "^/(a)/(.*)$"};
	struct edge_facts facts = {0};
	struct request r = plain;

	assert_int_equal(judge(&cfg, &r, &facts), EDGE_MATCH_YES);
	assert_int_equal(facts.captures.n, 3);
	assert_true(span_equal(facts.captures.v[2], SPAN("b")));
	r.target = "/b?/a/";
	assert_int_equal(judge(&cfg, &r, &facts), EDGE_MATCH_NO);
	/* What was captured before is not lost. */
	assert_int_equal(facts.captures.n, 3);
}

static void test_hosts(void **state)
{
	static const char *hosts[] = {"www.example.com", "*.example.org"};
	struct cfg_match cfg = {.hosts = {hosts, 2}};
	static const struct {
		const char *authority;
		enum edge_match_result result;
	} cases[] = {
	    {"www.example.com", EDGE_MATCH_YES},  {"WWW.Example.com:8443", EDGE_MATCH_YES},
	    {"www.example.com.", EDGE_MATCH_YES}, {"a.b.example.org", EDGE_MATCH_YES},
	    {"example.org", EDGE_MATCH_NO},       {".example.org", EDGE_MATCH_NO},
	    {"xexample.org", EDGE_MATCH_NO},      {"", EDGE_MATCH_NO},
	    {"%77ww.example.org", EDGE_MATCH_NO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct edge_facts facts = {0};
		struct request r = plain;

		r.authority = cases[i].authority;
		if (judge(&cfg, &r, &facts) != cases[i].result)
			fail_msg("%s", cases[i].authority);
	}
}

static void test_clients(void **state)
{
	static const char *countries[] = {"DE", "FR"}, *continents[] = {"EU"};
	struct net_prefix networks[2];
	struct cfg_match by_network = {.networks = {networks, 2}};
	struct cfg_match by_country = {.countries = {countries, 2}};
	struct cfg_match by_continent = {.continents = {continents, 1}};
	struct geo_place place = {.country = "FR", .continent = "EU"};
	struct edge_client client = client_at("::ffff:192.0.2.7");
	struct edge_facts facts = {.client = &client};

	assert_true(net_prefix_parse("192.0.2.0/24", &networks[0]));
	assert_true(net_prefix_parse("2001:db8::/32", &networks[1]));
	assert_int_equal(judge(&by_network, &plain, &facts), EDGE_MATCH_YES);
	client = client_at("2001:db8::1");
	assert_int_equal(judge(&by_network, &plain, &facts), EDGE_MATCH_YES);
	client = client_at("192.0.3.1");
	assert_int_equal(judge(&by_network, &plain, &facts), EDGE_MATCH_NO);
	/* Who is at no known place is in none of them. */
	assert_int_equal(judge(&by_country, &plain, &facts), EDGE_MATCH_NO);
	assert_int_equal(judge(&by_continent, &plain, &facts), EDGE_MATCH_NO);
	facts.place = &place;
	assert_int_equal(judge(&by_country, &plain, &facts), EDGE_MATCH_YES);
	assert_int_equal(judge(&by_continent, &plain, &facts), EDGE_MATCH_YES);
	place = (struct geo_place){.country = "US", .continent = "NA"};
	assert_int_equal(judge(&by_country, &plain, &facts), EDGE_MATCH_NO);
	assert_int_equal(judge(&by_continent, &plain, &facts), EDGE_MATCH_NO);
}

static void test_statuses(void **state)
{
	struct cfg_range ranges[] = {{404, 404}, {500, 599}};
	struct cfg_match cfg = {.statuses = {ranges, 2}};
	struct http_head response = {.status = 404};
	struct edge_facts facts = {0};

	assert_int_equal(judge(&cfg, &plain, &facts), EDGE_MATCH_NO);
	facts.response = &response;
	assert_int_equal(judge(&cfg, &plain, &facts), EDGE_MATCH_YES);
	response.status = 599;
	assert_int_equal(judge(&cfg, &plain, &facts), EDGE_MATCH_YES);
	response.status = 403;
	assert_int_equal(judge(&cfg, &plain, &facts), EDGE_MATCH_NO);
}

static void test_queries(void **state)
{
	static const struct {
		struct cfg_match_part part;
		const char *target;
		enum edge_match_result result;
	} cases[] = {
	    {{.name = "a"}, "/?b&a", EDGE_MATCH_YES},
	    {{.name = "a"}, "/?A=a", EDGE_MATCH_NO},
	    {{.name = "a"}, "/", EDGE_MATCH_NO},
	    {{.name = "a b"}, "/?%61+b=1", EDGE_MATCH_YES},
	    {{.name = "a", .value = "x y"}, "/?a=x+y", EDGE_MATCH_YES},
	    {{.name = "a", .value = "x y"}, "/?a=%78%20y", EDGE_MATCH_YES},
	    {{.name = "a", .value = ""}, "/?a", EDGE_MATCH_YES},
	    {{.name = "a", .value = "1"}, "/?a=12", EDGE_MATCH_NO},
	    {{.name = "a", .regex = "^[0-9]+$"}, "/?a=1%32", EDGE_MATCH_YES},
	    {{.name = "a", .regex = "^[0-9]+$"}, "/?a=x", EDGE_MATCH_NO},
	    {{.name = "a", .absent = true}, "/?b", EDGE_MATCH_YES},
	    {{.name = "a", .absent = true}, "/?a", EDGE_MATCH_NO},
	    /* readers differ */
	    {{.name = "a", .value = "1"}, "/?a=1&a=1", EDGE_MATCH_YES},
	    {{.name = "a", .value = "1"}, "/?a=1&a=2", EDGE_MATCH_UNSURE},
	    {{.name = "a", .value = "1"}, "/?a=2&%61=1", EDGE_MATCH_UNSURE},
	    {{.name = "a", .regex = "1"}, "/?a=2&a=1", EDGE_MATCH_UNSURE},
	    {{.name = "a", .absent = true}, "/?a&a", EDGE_MATCH_NO},
	    {{.name = "a"}, "/?b;a", EDGE_MATCH_UNSURE},
	    {{.name = "a", .absent = true}, "/?b;a=1", EDGE_MATCH_UNSURE},
	    {{.name = "a", .value = "1"}, "/?a=1;b", EDGE_MATCH_UNSURE},
	    {{.name = "a", .value = "1"}, "/?b=1;c&a=1", EDGE_MATCH_YES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_match_part part = cases[i].part;
		struct cfg_match cfg = {.query = &part, .n_query = 1};
		struct edge_facts facts = {0};
		struct request r = plain;

		r.target = cases[i].target;
		if (judge(&cfg, &r, &facts) != cases[i].result)
			fail_msg("case %zu: %s", i, r.target);
	}
}

#define FIELD(name, value)                                                                         \
	{                                                                                          \
		SPAN(name), SPAN(value)                                                            \
	}

static void test_fields(void **state)
{
	static const struct {
		struct cfg_match_part part;
		struct http_field fields[4];
		enum edge_match_result result;
	} cases[] = {
	    {{.name = "x-a"}, {FIELD("X-A", "1")}, EDGE_MATCH_YES},
	    {{.name = "x-a"}, {FIELD("X-B", "1")}, EDGE_MATCH_NO},
	    {{.name = "x-a", .value = "1"}, {FIELD("X-A", "1")}, EDGE_MATCH_YES},
	    {{.name = "x-a", .value = "1"}, {FIELD("X-A", "2")}, EDGE_MATCH_NO},
	    {{.name = "x-a", .absent = true}, {FIELD("X-A", "2")}, EDGE_MATCH_NO},
	    {{.name = "x-a", .absent = true}, {FIELD("X-B", "2")}, EDGE_MATCH_YES},
	    {{.name = "x-a", .regex = "2"}, {FIELD("X-A", "12")}, EDGE_MATCH_YES},
	    {{.name = "x-a", .regex = "2"}, {FIELD("X-A", "1")}, EDGE_MATCH_NO},
	    /* several lines: readers take one of them, or all */
	    {{.name = "x-a", .value = "1"}, {FIELD("X-A", "1"), FIELD("X-A", "1")}, EDGE_MATCH_YES},
	    {{.name = "x-a", .value = "1"},
	     {FIELD("X-A", "1"), FIELD("X-A", "2")},
	     EDGE_MATCH_UNSURE},
	    {{.name = "x-a", .regex = "1"}, {FIELD("X-A", "1"), FIELD("X-A", "1")}, EDGE_MATCH_YES},
	    {{.name = "x-a", .regex = "^1$"},
	     {FIELD("X-A", "1"), FIELD("X-A", "1")},
	     EDGE_MATCH_UNSURE},
	    {{.name = "x-a", .regex = "3"}, {FIELD("X-A", "1"), FIELD("X-A", "2")}, EDGE_MATCH_NO},
	    {{.name = "cookie", .regex = "(^|; )b=1(;|$)"},
	     {FIELD("Cookie", "a=1"), FIELD("Cookie", "b=1"), FIELD("Cookie", "c=1")},
	     EDGE_MATCH_YES},
	    {{.name = "cookie", .regex = "(^|; )b=1(;|$)"},
	     {FIELD("Cookie", "a=1"), FIELD("Cookie", "b=2")},
	     EDGE_MATCH_NO},
	    /* the origin does not see it */
	    {{.name = "x-a"},
	     {FIELD("X-A", "1"), FIELD("Connection", "close, x-a")},
	     EDGE_MATCH_UNSURE},
	    {{.name = "x-a"}, {FIELD("Connection", "close, x-a")}, EDGE_MATCH_NO},
	    /* the origin sees it by another spelling */
	    {{.name = "x-a", .absent = true}, {FIELD("X.A", "1")}, EDGE_MATCH_UNSURE},
	    {{.name = "x-a"}, {FIELD("x_a", "1")}, EDGE_MATCH_UNSURE},
	    {{.name = "x-a", .value = "1"},
	     {FIELD("X-A", "1"), FIELD("X.A", "2")},
	     EDGE_MATCH_UNSURE},
	    {{.name = "x-a"}, {FIELD("X-B", "1"), FIELD("XXA", "1")}, EDGE_MATCH_NO},
	    {{.name = "upgrade", .value = "websocket"},
	     {FIELD("Upgrade", "websocket"), FIELD("Connection", "Upgrade")},
	     EDGE_MATCH_YES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_match_part part = cases[i].part;
		struct cfg_match cfg = {.fields = &part, .n_fields = 1};
		struct edge_facts facts = {0};
		struct request r = plain;

		while (r.n_fields < 4 && cases[i].fields[r.n_fields].name.n > 0) {
			r.fields[r.n_fields] = cases[i].fields[r.n_fields];
			r.n_fields++;
		}
		if (judge(&cfg, &r, &facts) != cases[i].result)
			fail_msg("case %zu", i);
	}
}

/* Of a certificate that is not valid nothing is known but that. */
static void test_certificates_of_clients(void **state)
{
	static struct span sans[] = {SPAN("DNS:a.test"), SPAN("URI:spiffe://a.test/x")};
	/* What others have made of it since does not matter. */
	struct edge_client_cert cert = {.verdict = EDGE_CLIENT_WEAK, .sans = sans, .n_sans = 2};
	static const struct {
		struct cfg_match_part part;
		enum edge_match_result valid, invalid, none, unasked;
	} cases[] = {
#define YES EDGE_MATCH_YES
#define NO EDGE_MATCH_NO
	    {{.name = "subject", .value = "CN=a,O=b"}, YES, NO, NO, NO},
	    {{.name = "subject", .value = "CN=a"}, NO, NO, NO, NO},
	    {{.name = "subject", .regex = "(^|,)O=b($|,)"}, YES, NO, NO, NO},
	    {{.name = "subject"}, YES, NO, NO, NO},
	    {{.name = "subject", .absent = true}, NO, YES, YES, YES},
	    {{.name = "serial", .value = "0a"}, YES, NO, NO, NO},
	    {{.name = "sans", .value = "URI:spiffe://a.test/x"}, YES, NO, NO, NO},
	    {{.name = "sans", .value = "DNS:a.test, URI:spiffe://a.test/x"}, NO, NO, NO, NO},
	    {{.name = "sans", .regex = "^DNS:a[.]test$"}, YES, NO, NO, NO},
	    {{.name = "sans", .regex = "^DNS:b"}, NO, NO, NO, NO},
	    {{.name = "sans"}, YES, NO, NO, NO},
	    {{.name = "sans", .absent = true}, NO, YES, YES, YES},
	    {{.name = "verdict", .value = "ok"}, YES, NO, NO, NO},
	    {{.name = "verdict", .regex = "^failed:"}, NO, YES, NO, NO},
	    {{.name = "verdict", .value = "none"}, NO, NO, YES, NO},
	    {{.name = "verdict"}, YES, YES, YES, NO},
#undef YES
#undef NO
	};

	cert.facts[CFG_CLIENT_FIELD_SUBJECT] = SPAN("CN=a,O=b");
	cert.facts[CFG_CLIENT_FIELD_SERIAL] = SPAN("0a");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cfg_match_part part = cases[i].part;
		struct cfg_match cfg = {.client_cert = &part, .n_client_cert = 1};
		struct edge_facts facts = {.client_cert = &cert, .client_cert_asked = true};

		facts.client_verdict = EDGE_CLIENT_OK;
		assert_int_equal(judge(&cfg, &plain, &facts), cases[i].valid);
		facts.client_verdict = EDGE_CLIENT_EXPIRED;
		assert_int_equal(judge(&cfg, &plain, &facts), cases[i].invalid);
		facts.client_cert = NULL;
		facts.client_verdict = EDGE_CLIENT_NONE;
		assert_int_equal(judge(&cfg, &plain, &facts), cases[i].none);
		facts.client_cert_asked = false;
		assert_int_equal(judge(&cfg, &plain, &facts), cases[i].unasked);
	}
}

static void test_all_must_hold(void **state)
{
	static const char *methods[] = {"GET"};
	static const struct {
		const char *method, *target;
		enum edge_match_result result;
	} cases[] = {
	    {"GET", "/a?x=1", EDGE_MATCH_YES},        {"POST", "/a?x=1", EDGE_MATCH_NO},
	    {"GET", "/b?x=1", EDGE_MATCH_NO},         {"GET", "/a?x=2", EDGE_MATCH_NO},
	    {"GET", "/a?x=1&x=2", EDGE_MATCH_UNSURE}, {"GET", "/b?x=1&x=2", EDGE_MATCH_NO},
	    {"POST", "/a?x=1&x=2", EDGE_MATCH_NO},
	};
	struct cfg_match_part part = {.name = "x", .value = "1"};
	struct cfg_match cfg = {
	    .methods = {methods, 1}, .regex = "^/a", .query = &part, .n_query = 1};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct edge_facts facts = {0};
		struct request r = plain;

		r.method = cases[i].method;
		r.target = cases[i].target;
		if (judge(&cfg, &r, &facts) != cases[i].result)
			fail_msg("%s %s", r.method, r.target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_is_asked),
	    cmocka_unit_test(test_methods),
	    cmocka_unit_test(test_method_that_a_field_overrides),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_hosts),
	    cmocka_unit_test(test_clients),
	    cmocka_unit_test(test_statuses),
	    cmocka_unit_test(test_queries),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_certificates_of_clients),
	    cmocka_unit_test(test_all_must_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
