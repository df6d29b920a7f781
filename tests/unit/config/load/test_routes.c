/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Routes: in which order they are, and what is wrong with them, word by word.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define HEAD                                                                                       \
	"origins: {app: {servers: a}, canary: {servers: b}}\n"                                     \
	"sites:\n"                                                                                 \
	"  www:\n"                                                                                 \
	"    hosts: [www.example.com, \"*.example.org\"]\n"                                        \
	"    certificates: {certificate: c, key: k}\n"

/* They are tried in this order; of equal ones it is that of the file. */
static void test_order(void **state)
{
	struct cfg_fleet *fleet = load_good(
	    HEAD "    routes:\n"
		 "      - {origin: app}\n"
		 "      - {path: /a, name: one, origin: app, when: {methods: GET}}\n"
		 "      - {path: /b, name: two, origin: app, when: {methods: GET}}\n"
		 "      - {path: /a, name: three, origin: app}\n"
		 "      - {path: /b, name: four, origin: app}\n"
		 "      - {path: /a, name: five, exact: true, origin: app, when: {methods: PUT}}\n"
		 "      - {path: /a/b, name: six, origin: app}\n"
		 "      - {path: /a, name: seven, exact: true, origin: app}\n");
	static const char *const names[] = {"six",   "five", "seven", "one",
					    "three", "two",  "four",  ""};
	const struct cfg_site *site = &fleet->sites[0];

	assert_int_equal(site->n_routes, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(site->routes[i].name, names[i]);
	cfg_fleet_destroy(&fleet);
}

static void test_what_a_route_does(void **state)
{
	struct cfg_fleet *fleet = load_good(
	    HEAD "    routes:\n"
		 "      - {path: /1, split: {app: 90, canary: 10}, split_by: \"{cookie.id}\"}\n"
		 "      - {path: /2, redirect: {to: \"https://{host}{target}\", status: 301}}\n"
		 "      - path: /3\n"
		 "        respond: {text: hi}\n"
		 "        errors: {status: [404, 500-599], of: all, text: x, type: text/x}\n"
		 "      - path: /4\n"
		 "        respond: {status: 204, text: \"\"}\n"
		 "        when:\n"
		 "          methods: [GET, PUT]\n"
		 "          regex: ^/4/x\n"
		 "          fields: [{name: Upgrade, value: websocket}, {name: X, absent: true}]\n"
		 "          query: {name: a, regex: b}\n"
		 "          client_cert: [{name: sans, regex: x}, {name: verdict, value: ok}]\n"
		 "          networks: 10.0.0.0/8\n"
		 "          hosts: [www.example.com, a.example.org]\n");
	const struct cfg_route *r = fleet->sites[0].routes;

	assert_int_equal(r[0].n_split, 2);
	assert_string_equal(r[0].split[1].origin->name, "canary");
	assert_int_equal(r[0].split[1].weight, 10);
	assert_string_equal(r[0].split_by, "{cookie.id}");
	assert_null(r[0].origin);
	assert_string_equal(r[1].redirect->to, "https://{host}{target}");
	assert_int_equal(r[1].redirect->status, 301);
	assert_string_equal(r[1].split_by, "{client.ip}");
	assert_int_equal(r[2].respond->status, 200);
	assert_string_equal(r[2].respond->text, "hi");
	assert_null(r[2].respond->file);
	assert_string_equal(r[2].respond->type, "");
	assert_int_equal(r[2].errors->statuses.n, 2);
	assert_int_equal(r[2].errors->statuses.v[1].high, 599);
	assert_int_equal(r[2].errors->of, CFG_ERRORS_OF_ALL);
	assert_int_equal(r[3].when.methods.n, 2);
	assert_string_equal(r[3].when.regex, "^/4/x");
	assert_string_equal(r[3].when.fields[0].value, "websocket");
	assert_true(r[3].when.fields[1].absent);
	assert_string_equal(r[3].when.query[0].regex, "b");
	assert_int_equal(r[3].when.n_client_cert, 2);
	assert_string_equal(r[3].when.client_cert[1].name, "verdict");
	assert_int_equal(r[3].when.networks.n, 1);
	assert_int_equal(r[3].when.hosts.n, 2);
	cfg_fleet_destroy(&fleet);
}

static void test_actions_that_are_none_or_several(void **state)
{
	assert_complaints(
	    HEAD "    routes:\n"
		 "      - {path: /1}\n"
		 "      - {path: /2, origin: app, respond: {text: x}}\n"
		 "      - {path: /3, respond: [{text: x}, {text: y}]}\n"
		 "      - {path: /4, split: {app: 0, canary: 0}}\n"
		 "      - {path: /5, respond: {status: 503}}\n"
		 "      - {path: /6, respond: {text: x, file: y}}\n"
		 "      - {path: /7, respond: {status: 301, text: x}}\n"
		 "      - {path: /8, respond: {status: 204, text: x}}\n"
		 "      - {path: /9, redirect: {status: 302}}\n"
		 "      - {path: /10, redirect: {to: /x, status: 304}}\n"
		 "      - {path: /11, origin: app, errors: {status: 302, text: x}}\n",
	    "fleet.yaml:7:9: sites.www.routes[0]: one of origin, split, redirect, respond was "
	    "expected, not none of them\n"
	    "fleet.yaml:8:9: sites.www.routes[1]: one of origin, split, redirect, respond was "
	    "expected, not several\n"
	    "fleet.yaml:9:41: sites.www.routes[2].respond: there may be one only\n"
	    "fleet.yaml:10:28: sites.www.routes[3].split: all weights are 0\n"
	    "fleet.yaml:11:29: sites.www.routes[4].respond: either text or file was expected, not "
	    "none of them\n"
	    "fleet.yaml:12:29: sites.www.routes[5].respond: either text or file was expected, not "
	    "both\n"
	    "fleet.yaml:13:29: sites.www.routes[6].respond: a response with status 301 says where "
	    "to go; use redirect\n"
	    "fleet.yaml:14:29: sites.www.routes[7].respond: a response with status 204 has no "
	    "content: write text: \"\"\n"
	    "fleet.yaml:15:30: sites.www.routes[8].redirect[0].to is missing: Where to: a URL of "
	    "http or https, or a path that begins with \"/\", with variables such as "
	    "\"https://{host}{target}\". Only {host} and {port} may be in a URL before its path; "
	    "what a variable holds never leads to another host.\n"
	    "fleet.yaml:16:31: sites.www.routes[9].redirect.status: 304 is not 301, 302, 303, 307 "
	    "or 308\n"
	    "fleet.yaml:17:42: sites.www.routes[10].errors[0].status: 302 is no error; those begin "
	    "at 400\n");
}

static void check_redirect(const char *to, bool good)
{
	char *text = xasprintf(HEAD "    routes: {when: {regex: (x)}, redirect: {to: '%s'}}\n", to);
	char *complaints = NULL;
	struct cfg_fleet *fleet = load_text(text, &complaints);

	if ((fleet != NULL) != good || (!good && strstr(complaints, "redirect.to") == NULL))
		fail_msg("%s: %s", to, complaints);
	cfg_fleet_destroy(&fleet);
	free(complaints);
	free(text);
}

/* Nobody but the operator says which host a redirect goes to. */
static void test_redirect_targets(void **state)
{
	static const char *const good[] = {
	    "/",
	    "/x{path}",
	    "/{query.next}",
	    "{target}",
	    "{path}?a={query.b}",
	    "https://{host}",
	    "https://{host}:{port}{path}",
	    "https://www.{host}:8443/{match.1}",
	    "http://x.example?a={query.b}",
	    "https://x.example#{match.0}",
	    "https://[2001:db8::1]:8443{target}",
	    "https://x.example{target}",
	};
	static const char *const bad[] = {
	    "",
	    "x",
	    "//x.example/",
	    "/\\x.example/",
	    "{query.next}",
	    "{field.Referer}",
	    "{host}/x",
	    "https://",
	    "https:///x",
	    "https://{query.host}/x",
	    "https://x.example{query.host}",
	    "https://x.example{match.1}",
	    "https://a@b/x",
	    "https://x.example\\{path}",
	    "https://x y/",
	    "https://x.example:99999/",
	    "https://{match.1}.example.com/",
	    "ftp://x.example/",
	    "javascript:alert(1)",
	    "HTTPS:x",
	    "/a b",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		check_redirect(good[i], true);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_redirect(bad[i], false);
}

static void test_what_no_request_comes_to(void **state)
{
	assert_complaints(
	    HEAD "    routes:\n"
		 "      - {path: /a, origin: app, when: {methods: GET}}\n"
		 "      - {path: /a, origin: app}\n"
		 "      - {path: /a, origin: app, when: {methods: PUT}}\n"
		 "      - {path: /a, origin: app, exact: true, when: {methods: GET}}\n"
		 "      - {path: /b, origin: app, when: {query: {name: x}}}\n"
		 "      - {path: /b, origin: app, when: {query: {name: x}}}\n"
		 "      - {path: /c, origin: app, when: {regex: ^/d}}\n"
		 "      - {path: /c, origin: app, exact: true, when: {regex: ^/c/}}\n"
		 "      - {path: /d, origin: app, when: {hosts: [example.org, x.example.org]}}\n"
		 "      - {path: /e, origin: app, when: {hosts: \"*.www.example.com\"}}\n"
		 "      - {path: /f, origin: app, when: {hosts: \"*.example.com\"}}\n"
		 "      - {path: /g, origin: app, when: {countries: DE, continents: [EU]}}\n"
		 "      - {path: /h, origin: app, name: x}\n"
		 "      - {path: /i, origin: app, name: x}\n",
	    "fleet.yaml:9:9: sites.www.routes: \"/a when methods PUT\" never matches: the route at "
	    "fleet.yaml:8:9 takes all requests for it\n"
	    "fleet.yaml:12:9: sites.www.routes: \"/b when query \"x\" \"*\" \"\" 0\" is there "
	    "twice; first at fleet.yaml:11:9\n"
	    "fleet.yaml:13:47: sites.www.routes[6].when.regex: \"^/d\" never matches: the route's "
	    "path is \"/c\"\n"
	    "fleet.yaml:14:60: sites.www.routes[7].when.regex: \"^/c/\" never matches: the route's "
	    "path is \"/c\"\n"
	    "fleet.yaml:15:48: sites.www.routes[8].when.hosts: \"example.org\" never matches: the "
	    "site has no such host\n"
	    "fleet.yaml:16:47: sites.www.routes[9].when.hosts: \"*.www.example.com\" never "
	    "matches: the site has no such host\n"
	    "fleet.yaml:18:51: sites.www.routes[11].when.countries never matches: geo.database is "
	    "missing, which would tell them\n"
	    "fleet.yaml:18:67: sites.www.routes[11].when.continents never matches: geo.database "
	    "is missing, which would tell them\n");
}

static void test_clients_of_no_authority(void **state)
{
	assert_complaints(HEAD "    client_certificates: {mode: required, crl_file: c}\n"
			       "    routes: [{origin: app}]\n",
			  "fleet.yaml:6:33: sites.www.client_certificates.ca_file is missing: "
			  "without it nobody's certificate would be valid\n");
	assert_complaints(HEAD "    client_certificates: {ca_file: c}\n"
			       "    routes: [{origin: app}]\n",
			  "fleet.yaml:6:27: sites.www.client_certificates.ca_file belongs to mode "
			  "optional or required, but here mode is off\n");
}

static void test_origins_were_told_the_same_of_a_client_twice(void **state)
{
	assert_complaints(HEAD "    client_certificates: {mode: required, ca_file: c,\n"
			       "      fields: [subject, serial, subject]}\n"
			       "    routes: [{origin: app}]\n",
			  "fleet.yaml:7:15: sites.www.client_certificates.fields: one is there "
			  "twice\n");
}

static void test_early_data_without_tickets(void **state)
{
	assert_complaints("tls: {tickets: {count: 0}}\n" HEAD
			  "    routes: [{origin: app, early_data: true}]\n",
			  "fleet.yaml:7:14: sites.www.routes.*.early_data: none ever comes: "
			  "tls.tickets.count is 0\n");
}

static void test_wrong_conditions(void **state)
{
	assert_complaints(
	    HEAD "    routes:\n"
		 "      - origin: app\n"
		 "        when:\n"
		 "          methods: [get, \"\"]\n"
		 "          regex: \"(\"\n"
		 "          fields: [{value: x}, {name: \"a b\"}, {name: a, value: b, regex: c}]\n"
		 "          query: {name: \"\", absent: true, value: \"\"}\n"
		 "          client_cert: [{name: key}, {name: serial, value: x, absent: true}]\n"
		 "          status: 200\n",
	    "fleet.yaml:9:21: sites.www.routes[0].when.methods[0]: \"get\" is not a method such "
	    "as GET or POST, in upper case\n"
	    "fleet.yaml:9:26: sites.www.routes[0].when.methods[1]: \"\" is not a method such as "
	    "GET or POST, in upper case\n"
	    "fleet.yaml:10:18: sites.www.routes[0].when.regex: \"(\": missing closing "
	    "parenthesis, at character 2\n"
	    "fleet.yaml:11:20: sites.www.routes[0].when.fields[0].name is missing: The field's "
	    "name; with nothing else said it must be there.\n"
	    "fleet.yaml:11:39: sites.www.routes[0].when.fields[1].name: \"a b\" is not the name "
	    "of a field such as User-Agent: letters, digits, \"-\" and other characters of a "
	    "token\n"
	    "fleet.yaml:11:47: sites.www.routes[0].when.fields[2]: one of value, regex, absent "
	    "was expected, not several\n"
	    "fleet.yaml:12:18: sites.www.routes[0].when.query[0]: one of value, regex, absent was "
	    "expected, not several\n"
	    "fleet.yaml:12:25: sites.www.routes[0].when.query[0].name: \"\" is not the name of a "
	    "parameter\n"
	    "fleet.yaml:13:32: sites.www.routes[0].when.client_cert[0].name: \"key\" is not "
	    "subject, "
	    "issuer, serial, sans, fingerprint or verdict\n"
	    "fleet.yaml:13:38: sites.www.routes[0].when.client_cert[1]: one of value, regex, "
	    "absent "
	    "was expected, not several\n"
	    "fleet.yaml:14:11: sites.www.routes[0].when.status is not known; known here: methods, "
	    "regex, fields, query, client_cert, networks, countries, continents, hosts\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_what_a_route_does),
	    cmocka_unit_test(test_actions_that_are_none_or_several),
	    cmocka_unit_test(test_redirect_targets),
	    cmocka_unit_test(test_what_no_request_comes_to),
	    cmocka_unit_test(test_clients_of_no_authority),
	    cmocka_unit_test(test_origins_were_told_the_same_of_a_client_twice),
	    cmocka_unit_test(test_early_data_without_tickets),
	    cmocka_unit_test(test_wrong_conditions),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
