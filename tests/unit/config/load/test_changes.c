/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What may be changed in requests and responses: what is taken, and what is said of what is not.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define START                                                                                      \
	"origins: {o: {servers: s}}\n"                                                             \
	"edges: {e: {addresses: 192.0.2.1, location: \"1,2\"}}\n"                                  \
	"sites: {w: {hosts: h, certificates: {certificate: c, key: k}, "
/* What is said of a route begins in line 4. */
#define ROUTE START "routes: {origin: o,\n"
#define END "}}}\n"

static void test_everything(void **state)
{
	struct cfg_fleet *f = load_good(
	    START "hsts: {max_age: 365d, subdomains: true, preload: true}, security: strict, "
		  "routes: {origin: o, rewrite: {regex: '^/a', to: '/b{match.0}', host: 'h:1'},\n"
		  "request_fields: {name: X, action: append, value: '{host}',\n"
		  "  when: {methods: [GET], networks: [10.0.0.0/8]}},\n"
		  "response_fields: {name: Y, value: '{status}', when: {status: [404]}},\n"
		  "cors: {origins: ['https://*.example.com:8443', 'null'], credentials: true},\n"
		  "security: basic}}}\n"
		  "http: {request_id: on, trace: {start: untrusted, sampled: false},\n"
		  "  alt_svc: 'h3=\":443\"'}\n");
	const struct cfg_site *site = &f->sites[0];
	const struct cfg_route *route = &site->routes[0];

	assert_int_equal(site->hsts.max_age.ns, DUR_S(365 * 86400).ns);
	assert_true(site->hsts.subdomains && site->hsts.preload);
	assert_int_equal(site->security, CFG_SECURITY_STRICT);
	assert_null(route->rewrite.path);
	assert_string_equal(route->rewrite.to, "/b{match.0}");
	assert_int_equal(route->request_fields[0].action, CFG_FIELD_APPEND);
	assert_int_equal(route->request_fields[0].when.networks.n, 1);
	assert_int_equal(route->response_fields[0].when.statuses.n, 1);
	assert_int_equal(route->cors.origins.n, 2);
	assert_int_equal(route->cors.methods.n, 3);
	assert_int_equal(route->security, CFG_ROUTE_SECURITY_BASIC);
	assert_true(f->http.request_id.enabled);
	assert_string_equal(f->http.request_id.field, "X-Request-Id");
	assert_int_equal(f->http.trace.start, CFG_TRACE_UNTRUSTED);
	assert_string_equal(f->http.alt_svc, "h3=\":443\"");
	cfg_fleet_destroy(&f);
}

/* By default nothing is. */
static void test_defaults(void **state)
{
	struct cfg_fleet *f = load_good(ROUTE END);

	assert_int_equal(f->sites[0].hsts.max_age.ns, 0);
	assert_int_equal(f->sites[0].security, CFG_SECURITY_NONE);
	assert_int_equal(f->sites[0].routes[0].security, CFG_ROUTE_SECURITY_SITE);
	assert_int_equal(f->sites[0].routes[0].cors.origins.n, 0);
	assert_false(f->http.request_id.enabled);
	assert_int_equal(f->http.trace.start, CFG_TRACE_NEVER);
	assert_string_equal(f->http.alt_svc, "");
	cfg_fleet_destroy(&f);
}

static void test_fields_that_are_the_edges_own(void **state)
{
	static const struct {
		const char *name, *why;
	} cases[] = {
	    {"Host", "the host is changed by rewrite.host"},
	    {"via", "circles are found by it"},
	    {"CDN-Loop", "circles are found by it"},
	    {"Expect", "the edge itself says whether it waits"},
	    {"Content-Length",
	     "the edge itself says how a message is framed and how its connection goes on"},
	    {"te", "the edge itself says how a message is framed and how its connection goes on"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text =
		    xasprintf(ROUTE "request_fields: {name: %s, value: x}" END, cases[i].name);
		char *expected = xasprintf("fleet.yaml:4:24: sites.w.routes[0].request_fields[0]."
					   "name: \"%s\": %s\n",
					   cases[i].name, cases[i].why);

		assert_complaints(text, expected);
		free(text);
		free(expected);
	}
}

static void test_wrong_texts(void **state)
{
	assert_complaints(ROUTE "request_fields: {name: X, value: '{feild.Y}'}" END,
			  "fleet.yaml:4:34: sites.w.routes[0].request_fields[0].value: "
			  "\"{feild.Y}\": there is no variable {feild.Y}; did you mean "
			  "{field.Y}?\n");
	assert_complaints(ROUTE "request_fields: {name: X, value: '{status}'}" END,
			  "fleet.yaml:4:34: sites.w.routes[0].request_fields[0].value: "
			  "\"{status}\": {status} is not known before there is a response\n");
	assert_complaints(ROUTE "response_fields: {name: X, value: '{\"a\": 1}'}" END,
			  "fleet.yaml:4:35: sites.w.routes[0].response_fields[0].value: "
			  "\"{\"a\": 1}\": there is no variable {\"a\": 1}; \"{{\" stands for a "
			  "brace\n");
	assert_complaints(ROUTE "rewrite: {path: 'x'}" END,
			  "fleet.yaml:4:17: sites.w.routes[0].rewrite.path: \"x\" is not a URL "
			  "path such as \"/v2{path}\", in which {name} is a variable\n");
	assert_complaints(ROUTE "rewrite: {regex: x, to: '{hots}'}" END,
			  "fleet.yaml:4:25: sites.w.routes[0].rewrite.to: \"{hots}\": there is no "
			  "variable {hots}; did you mean {host}?\n");
	assert_complaints(ROUTE "rewrite: {path: '/#x'}" END,
			  "fleet.yaml:4:17: sites.w.routes[0].rewrite.path: \"/#x\": \"#\" is no "
			  "part of what a server is asked\n");
}

static void test_match_without_an_expression(void **state)
{
	static const char *const good[] = {
	    ROUTE "rewrite: {regex: '^/(.)', to: '/{match.1}'}" END,
	    ROUTE "when: {regex: x}, rewrite: {path: '/x{match.0}'}" END,
	    ROUTE "request_fields: {name: X, value: '{match.0}', when: {regex: x}}" END,
	    ROUTE "limits: {name: l, rate: 1/s, key: '{match.1}', when: {regex: '(x)'}}" END,
	    ROUTE "when: {regex: '(x)'}, limits: {name: l, rate: 1/s, key: '{match.1}'}" END,
	};

	assert_complaints(ROUTE "rewrite: {path: '/x{match.1}'}" END,
			  "fleet.yaml:4:10: sites.w.routes.*.rewrite: {match.1} is always empty: "
			  "when.regex is missing, which would find it\n");
	assert_complaints(ROUTE "request_fields: {name: X, value: '{match.0}'}" END,
			  "fleet.yaml:4:17: sites.w.routes.*.request_fields[0]: {match.0} is "
			  "always empty: when.regex is missing, which would find it\n");
	/* Beyond the groups of the expression that is there. */
	assert_complaints(ROUTE "rewrite: {regex: '^/(.)', to: '/{match.2}'}" END,
			  "fleet.yaml:4:10: sites.w.routes.*.rewrite: {match.2} is always empty: "
			  "the regular expression has no more than {match.1}\n");
	assert_complaints(START
			  "routes: {when: {regex: x}, split: {o: 1}, split_by: '{match.1}'" END,
			  "fleet.yaml:3:115: sites.w.routes.*.split_by: {match.1} is always empty: "
			  "the regular expression has no more than {match.0}\n");
	assert_complaints(ROUTE "limits: {name: l, rate: 1/s, key: '{match.0}'}" END,
			  "fleet.yaml:4:9: sites.w.routes.*.limits[0].key: {match.0} is always "
			  "empty: when.regex is missing, which would find it\n");
	assert_complaints(
	    ROUTE "limits: {name: l, rate: 1/s, key: '{match.2}', when: {regex: '(x)'}}" END,
	    "fleet.yaml:4:9: sites.w.routes.*.limits[0].key: {match.2} is always empty: the "
	    "regular expression has no more than {match.1}\n");
	/* Of the rewrite itself, of the route, of the rule, of the limit. */
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct cfg_fleet *f = load_good(good[i]);

		cfg_fleet_destroy(&f);
	}
}

/* They were taken, and each request was answered with 400. */
static void test_rewrites_that_no_request_survives(void **state)
{
	static const char *const paths[] = {"/../x", "/a/.", "/a/..?x", "/a/./{path}"};
	static const char *const hosts[] = {"a b", "a/b", "'a:99999'", "''"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char *text = xasprintf(ROUTE "rewrite: {path: '%s'}" END, paths[i]);
		char *expected = xasprintf("fleet.yaml:4:17: sites.w.routes[0].rewrite.path: "
					   "\"%s\": \".\" and \"..\" would lead elsewhere than "
					   "they say\n",
					   paths[i]);

		assert_complaints(text, expected);
		free(text);
		free(expected);
	}
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		char *text = xasprintf(ROUTE "rewrite: {host: %s}" END, hosts[i]);
		char *expected =
		    xasprintf("fleet.yaml:4:17: sites.w.routes[0].rewrite.host: \"%.*s\" is not "
			      "a host with or without a port, such as \"app.internal:8080\", in "
			      "which {name} is a variable\n",
			      (int)strcspn(hosts[i] + (hosts[i][0] == '\''), "'"),
			      hosts[i] + (hosts[i][0] == '\''));

		assert_complaints(text, expected);
		free(text);
		free(expected);
	}
}

static void test_what_does_not_go_together(void **state)
{
	assert_complaints(ROUTE "rewrite: {path: /x, strip_prefix: /a}" END,
			  "fleet.yaml:4:10: sites.w.routes.*.rewrite: one of strip_prefix, path, "
			  "regex was expected, not several\n");
	assert_complaints(ROUTE "rewrite: {regex: x}" END,
			  "fleet.yaml:4:10: sites.w.routes.*.rewrite: to is missing, which goes "
			  "with regex\n");
	assert_complaints(ROUTE "rewrite: {to: x}" END,
			  "fleet.yaml:4:10: sites.w.routes.*.rewrite: regex is missing, which goes "
			  "with to\n");
	assert_complaints(ROUTE "cors: {origins: '*', credentials: true}" END,
			  "fleet.yaml:4:7: sites.w.routes.*.cors: \"*\" does not go with "
			  "credentials: any page could act in the user's name; write a list\n");
	assert_complaints(ROUTE "response_fields: {name: Set-Cookie, action: append, value: x}" END,
			  "fleet.yaml:4:18: sites.w.routes.*.response_fields[0]: Set-Cookie is no "
			  "list that could be appended to; use add or set\n");
	assert_complaints(ROUTE "path: /v1, rewrite: {strip_prefix: /api}" END,
			  "fleet.yaml:4:21: sites.w.routes.*.rewrite.strip_prefix: \"/api\" never "
			  "matches: the route is for /v1\n");
	assert_complaints(ROUTE "request_fields: {name: X, value: 'a{client.country}'}" END,
			  "fleet.yaml:4:17: sites.w.routes.*.request_fields[0]: {client.country} "
			  "is never known: geo.database is missing, which would tell it\n");
	assert_complaints(START "hsts: {max_age: 30d, preload: true}, routes: {origin: o}}}\n",
			  "fleet.yaml:3:69: sites.w.hsts: preload needs subdomains and a max_age "
			  "of 365d at least\n");
}

/* They were right, and all requests went to one origin. */
static void test_split_by_what_is_never_known(void **state)
{
	struct cfg_fleet *f;

	assert_complaints(START "routes: {split: {o: 1}, split_by: '{client.country}'}}}\n",
			  "fleet.yaml:3:97: sites.w.routes.*.split_by: {client.country} is never "
			  "known: geo.database is missing, which would tell it\n");
	assert_complaints(START "routes: {split: {o: 1}, split_by: '{match.1}'}}}\n",
			  "fleet.yaml:3:97: sites.w.routes.*.split_by: {match.1} is always empty: "
			  "when.regex is missing, which would find it\n");
	f = load_good(START "routes: {when: {regex: '^/(.)'}, split: {o: 1}, split_by: "
			    "'{match.1}'}}}\n");
	cfg_fleet_destroy(&f);
}

static void test_origins_of_pages(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
	    {"https://a.example", true},
	    {"http://localhost:3000", true},
	    {"https://[2001:db8::1]:8443", true},
	    {"https://*.example.com", true},
	    {"app+x://a", true},
	    {"*", true},
	    {"null", true},
	    {"", false},
	    {"a.example", false},
	    {"https://", false},
	    {"https://a.example/", false},
	    {"https://a.example:", false},
	    {"https://*", false},
	    {"https://*.", false},
	    {"https://a.*.example", false},
	    {"https://*example.com", false},
	    {"https://**.example.com", false},
	    {"*://a.example", false},
	    {"HTTPS://a.example", false},
	    {"https://user@a.example", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = xasprintf(ROUTE "cors: {origins: '%s'}" END, cases[i].text);
		char *complaints;
		struct cfg_fleet *f = load_text(text, &complaints);

		if ((f != NULL) != cases[i].good)
			fail_msg("%s: %s", cases[i].text, complaints);
		cfg_fleet_destroy(&f);
		free(complaints);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_fields_that_are_the_edges_own),
	    cmocka_unit_test(test_wrong_texts),
	    cmocka_unit_test(test_match_without_an_expression),
	    cmocka_unit_test(test_rewrites_that_no_request_survives),
	    cmocka_unit_test(test_what_does_not_go_together),
	    cmocka_unit_test(test_split_by_what_is_never_known),
	    cmocka_unit_test(test_origins_of_pages),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
