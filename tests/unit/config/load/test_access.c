/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rates, what each client may have, and whom access lets in: what is taken, and every way to be
 * refused.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define START                                                                                      \
	"origins: {o: {servers: s}}\n"                                                             \
	"edges: {e: {addresses: 192.0.2.1, location: \"1,2\"}}\n"
#define SITE "sites: {w: {hosts: h, certificates: {certificate: c, key: k}, "
#define PLAIN_SITE SITE "routes: {origin: o}}}\n"

static const struct rate_case {
	const char *text;
	unsigned count;
	int64_t seconds;
} rates[] = {
    {"0", 0, 0},
    {"1/s", 1, 1},
    {"100/s", 100, 1},
    {"5/m", 5, 60},
    {"20/10s", 20, 10},
    {"1000/h", 1000, 3600},
    {"1000000/d", 1000000, 86400},
};

static void test_rates(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		char *text = xasprintf(START PLAIN_SITE "http: {per_client: {request_rate: %s}}\n",
				       rates[i].text);
		struct cfg_fleet *f = load_good(text);

		assert_int_equal(f->http.per_client.request_rate.count, rates[i].count);
		assert_int_equal(f->http.per_client.request_rate.per.ns,
				 DUR_S(rates[i].seconds).ns);
		assert_int_equal(f->http.per_client.connection_rate.count, 0);
		cfg_fleet_destroy(&f);
		free(text);
	}
}

static void test_bad_rates(void **state)
{
	static const char *const bad[] = {"1",        "/s",    "0/s",       "-1/s", "1/",
					  "1/x",      "1/0s",  "1/2d",      "1/ms", "1/500ms",
					  "1/1500ms", "1.5/s", "1000001/s", "1 /s", "1/ s"};

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char *text = xasprintf(
		    START PLAIN_SITE "http: {per_client: {request_rate: \"%s\"}}\n", bad[i]);
		char *expected =
		    xasprintf("fleet.yaml:4:35: http.per_client.request_rate: \"%s\" is not a rate "
			      "such as 100/s, 5/m or 20/10s, of at most 1000000 in a second up to "
			      "a day; or 0\n",
			      bad[i]);

		assert_complaints(text, expected);
		free(text);
		free(expected);
	}
}

static void test_access(void **state)
{
	struct cfg_fleet *f =
	    load_good(START "geo: {database: x.mmdb}\n"
			    "http: {access: [{allow: {networks: 192.0.2.0/24}},\n"
			    "  {deny: {countries: [de, FR], continents: as, asns: 64500}}]}\n" SITE
			    "access: {deny: {networks: [\"::/0\", 0.0.0.0/0]}}, "
			    "routes: {origin: o, access: {allow: {asns: [1, 2]}}}}}\n");

	assert_int_equal(f->http.n_access, 2);
	assert_int_equal(f->http.access[0].allow.networks.n, 1);
	assert_int_equal(f->http.access[1].allow.networks.n, 0);
	assert_string_equal(f->http.access[1].deny.countries.v[0], "DE");
	assert_string_equal(f->http.access[1].deny.continents.v[0], "AS");
	assert_int_equal(f->http.access[1].deny.asns.v[0], 64500);
	assert_int_equal(f->sites[0].n_access, 1);
	assert_int_equal(f->sites[0].access[0].deny.networks.n, 2);
	assert_int_equal(f->sites[0].routes[0].access[0].allow.asns.n, 2);
	cfg_fleet_destroy(&f);
}

#define EITHER                                                                                     \
	": either allow or deny was expected, with one of networks, asns, countries, continents, " \
	"ja4; not "

static void test_access_in_vain(void **state)
{
	assert_complaints(
	    START "http: {access: [{allow: {networks: 192.0.2.0/24}, deny: {asns: 1}},\n"
		  "  {deny: {}},\n"
		  "  {deny: {networks: [192.0.2.0/24, \"2002:c000::/24\"]}}]}\n" SITE
		  "access: {deny: {countries: DE}}, "
		  "routes: {origin: o, access: {allow: {}}}}}\n",
	    "fleet.yaml:3:17: http.access[0]" EITHER "both\n"
	    "fleet.yaml:4:3: http.access[1]" EITHER "none of them\n"
	    "fleet.yaml:6:71: sites.w.access[0] never matches by asns, countries or continents: "
	    "geo.database is missing, which would tell them\n"
	    "fleet.yaml:6:124: sites.w.routes.*.access[0]" EITHER "none of them\n");
}

static const struct need_case {
	const char *http, *route;
	bool needs;
} needs[] = {
    {"", "", false},
    {"access: [{deny: {networks: 192.0.2.0/24}}]", "", false},
    {"access: [{deny: {asns: 1}}]", "", true},
    {"access: [{deny: {networks: 192.0.2.0/24}}, {allow: {continents: EU}}]", "", true},
    {"", "access: {allow: {countries: DE}}", true},
    {"", "response_fields: {name: X, value: \"{client.ip} {{client.country}\"}", false},
    {"", "response_fields: [{name: Y, action: remove}, {name: X, value: \"a {client.asn}\"}]",
     true},
};

/* Databases take hundreds of megabytes: they are read where something needs them. */
static void test_who_needs_places(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
		char *text = xasprintf(START "geo: {database: x.mmdb}\n"
					     "http: {%s}\n" SITE "routes: {origin: o, %s}}}\n",
				       needs[i].http, needs[i].route);
		struct cfg_fleet *f = load_good(text);

		assert_int_equal(cfg_needs_places(f), needs[i].needs);
		cfg_fleet_destroy(&f);
		free(text);
	}
}

static void test_limits(void **state)
{
	struct cfg_fleet *f =
	    load_good(START "http: {limits: {name: all, rate: 100/s}}\n" SITE
			    "limits: {name: x, rate: 5/m, burst: 10, key: \"{client.network}\",\n"
			    "  when: {methods: POST}, status: 503, tell: always},\n"
			    "routes: {origin: o, limits: [{name: x, rate: 5/m, burst: 10, key: "
			    "\"{client.network}\"}, {name: y, rate: 1/s}]}}}\n");
	const struct cfg_limit *limit = &f->http.limits[0];

	assert_string_equal(limit->key, "");
	assert_int_equal(limit->burst, 0);
	assert_int_equal(limit->status, 429);
	assert_int_equal(limit->tell, CFG_TELL_REFUSED);
	limit = &f->sites[0].limits[0];
	assert_int_equal(limit->rate.count, 5);
	assert_int_equal(limit->burst, 10);
	assert_int_equal(limit->status, 503);
	assert_int_equal(limit->tell, CFG_TELL_ALWAYS);
	assert_string_equal(limit->when.methods.v[0], "POST");
	assert_int_equal(f->sites[0].routes[0].n_limits, 2);
	cfg_fleet_destroy(&f);
}

static void test_limits_that_contradict(void **state)
{
	assert_complaints(
	    START "http: {limits: [{name: a, rate: 1/s}, {name: x, rate: 1/h, burst: 1000}]}\n" SITE
		  "limits: {name: a, rate: 2/s},\n"
		  "routes: {origin: o, limits: [{name: a, rate: 2/s, key: \"{host}\"}, "
		  "{name: b, rate: 0, key: \"{hots}\"}]}}}\n",
	    "fleet.yaml:3:39: http.limits[1]: with this rate it takes more than 30 days until a "
	    "burst of 1000 is there again\n"
	    "fleet.yaml:5:30: sites.w.routes.*.limits[0]: the rate, burst or key differs from that "
	    "of the limit in line 4, which is called \"a\" too\n"
	    "fleet.yaml:5:83: sites.w.routes[0].limits[1].rate: \"0\": a limit must be of one at "
	    "least\n"
	    "fleet.yaml:5:91: sites.w.routes[0].limits[1].key: \"{hots}\": there is no variable "
	    "{hots}; did you mean {host}?\n");
}

/* It was right, and no request was ever counted. */
static void test_limit_by_what_is_never_known(void **state)
{
	assert_complaints(
	    START "http: {limits: {name: a, rate: 1/s, key: \"{client.country}\"}}\n" SITE
		  "routes: {origin: o, limits: {name: b, rate: 1/s, key: \"a {client.asn}\"}}}}\n",
	    "fleet.yaml:3:16: http.limits[0].key: {client.country} is never known: geo.database is "
	    "missing, which would tell it\n"
	    "fleet.yaml:4:91: sites.w.routes.*.limits[0].key: {client.asn} is never known: "
	    "geo.database is missing, which would tell it\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rates),
	    cmocka_unit_test(test_bad_rates),
	    cmocka_unit_test(test_access),
	    cmocka_unit_test(test_access_in_vain),
	    cmocka_unit_test(test_who_needs_places),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_limits_that_contradict),
	    cmocka_unit_test(test_limit_by_what_is_never_known),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
