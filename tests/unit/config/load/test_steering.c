/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Policies, overrides, and whom clients are sent to: what is taken, and every way to be refused or
 * warned.
 */
#include "tests/unit/config/support.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define ORIGIN "origins: {o: {servers: s}}\n"
#define REST "certificates: {certificate: c, key: k}, routes: {origin: o}"
#define EDGES                                                                                      \
	"edges:\n"                                                                                 \
	"  a: {addresses: 192.0.2.1, location: \"1,2\", continent: EU}\n"                          \
	"  b: {addresses: 192.0.2.2, location: \"1,2\", continent: na, weight: 0}\n"               \
	"  c: {addresses: 192.0.2.3, location: \"1,2\"}\n"
#define SITES                                                                                      \
	"sites:\n"                                                                                 \
	"  www: {hosts: [\"*.example.com\", example.com], edges: [b, a], " REST "}\n"
#define ZONE "zones: {example.com: {file: z, steered: {"
#define END "}}}\n"

static struct cfg_fleet *load_steered(const char *steered)
{
	char *text = xasprintf("%s%s", ORIGIN EDGES SITES ZONE, steered);
	struct cfg_fleet *f;

	text = realloc(text, strlen(text) + sizeof(END));
	strcat(text, END);
	f = load_good(text);
	free(text);
	return f;
}

static void test_policies(void **state)
{
	struct cfg_fleet *f =
	    load_steered("w1: {site: www}, w2: {site: www, policy: failover},\n"
			 "w3: {site: www, policy: static, order: a, answers: 8},\n"
			 "w4: {site: www, policy: weighted, weights: {b: 7}},\n"
			 "w5: {site: www, policy: weighted}");
	const struct cfg_steered *s = f->zones[0].steered;

	assert_int_equal(s[0].policy, CFG_POLICY_NEAREST);
	assert_int_equal(s[0].answers, 1);
	assert_int_equal(s[0].n_order, 0);
	/* That of the site. */
	assert_int_equal(s[1].policy, CFG_POLICY_FAILOVER);
	assert_ptr_equal(s[1].order, f->sites[0].edges);
	assert_int_equal(s[1].n_order, 2);
	assert_int_equal(s[2].policy, CFG_POLICY_STATIC);
	assert_int_equal(s[2].n_order, 1);
	assert_string_equal(s[2].order[0]->name, "a");
	assert_int_equal(s[2].answers, 8);
	assert_int_equal(s[3].policy, CFG_POLICY_WEIGHTED);
	assert_int_equal(s[3].n_weights, 1);
	assert_string_equal(s[3].weights[0].edge->name, "b");
	assert_int_equal(s[3].weights[0].weight, 7);
	assert_int_equal(s[4].n_weights, 0);
	assert_string_equal(f->edges[0].continent, "EU");
	assert_string_equal(f->edges[1].continent, "NA");
	assert_string_equal(f->edges[2].continent, "");
	assert_int_equal(f->edges[0].weight, 1);
	assert_int_equal(f->edges[1].weight, 0);
	cfg_fleet_destroy(&f);
}

/* Without effect, silently. */
static void test_options_of_a_policy_that_was_not_chosen(void **state)
{
	assert_complaints(
	    ORIGIN EDGES SITES ZONE "w1: {site: www, order: a},\n"
				    "w2: {site: www, policy: weighted, order: a},\n"
				    "w3: {site: www, policy: failover, weights: {a: 1}},\n"
				    "w4: {site: www, policy: static, none_up: nearest},\n"
				    /* Which one was meant cannot be told. */
				    "w5: {site: www, policy: wieghted, weights: {a: 1}}" END,
	    "fleet.yaml:8:58: zones.example.com.steered.w1.order belongs to policy continent, "
	    "failover or static, but here policy is nearest\n"
	    "fleet.yaml:9:35: zones.example.com.steered.w2.order belongs to policy continent, "
	    "failover or static, but here policy is weighted\n"
	    "fleet.yaml:10:35: zones.example.com.steered.w3.weights belongs to policy weighted, "
	    "but here policy is failover\n"
	    "fleet.yaml:11:33: zones.example.com.steered.w4.none_up belongs to policy nearest, "
	    "continent, weighted or failover, but here policy is static\n"
	    "fleet.yaml:12:25: zones.example.com.steered.w5.policy: \"wieghted\" is not one of "
	    "nearest, continent, weighted, failover, static; did you mean \"weighted\"?\n");
}

static void test_orders_and_weights_of_strangers(void **state)
{
	assert_complaints(
	    ORIGIN EDGES SITES ZONE
	    "\n"
	    "w1: {site: www, policy: failover, order: [a, c, a]},\n"
	    "w2: {site: www, policy: weighted, weights: {a: 1, c: 2}},\n"
	    "w3: {site: www, policy: weighted, weights: {a: 0}},\n"
	    "w4: {site: www, policy: weighted, weights: {a: 1, d: 1001}}" END,
	    "fleet.yaml:9:46: zones.example.com.steered.w1.order: edge \"c\" does not serve site "
	    "\"www\": leave it out, or add it to sites.www.edges\n"
	    "fleet.yaml:9:49: zones.example.com.steered.w1.order: \"a\" is there twice\n"
	    "fleet.yaml:10:51: zones.example.com.steered.w2.weights: edge \"c\" does not serve "
	    "site \"www\": leave it out, or add it to sites.www.edges\n"
	    "fleet.yaml:11:44: zones.example.com.steered.w3.weights: all of its edges have weight "
	    "0: give one of them more\n"
	    "fleet.yaml:12:51: zones.example.com.steered.w4.weights.d: there is no edge \"d\"\n"
	    "fleet.yaml:12:54: zones.example.com.steered.w4.weights.d: 1001 is out of range; it "
	    "may be 0 to 1000\n");
}

/* By continent, of edges that are on none. */
static void test_continent_policy_without_continents(void **state)
{
	char *complaints;
	struct cfg_fleet *f;

	assert_complaints(
	    ORIGIN EDGES "sites: {www: {hosts: www.example.com, " REST "}}\n"
			 "geo: {database: d}\n" ZONE "www: {site: www, policy: continent}" END,
	    "fleet.yaml:5:3: edges.c.continent is missing: zones.example.com.steered.www goes by "
	    "continent\n");
	f = load_text(ORIGIN EDGES SITES ZONE "www: {site: www, policy: continent}" END,
		      &complaints);
	assert_string_equal(
	    complaints,
	    "fleet.yaml:8:67: warning: zones.example.com.steered.www.policy: without "
	    "geo.database nobody's continent is known: everybody is sent by the order\n");
	assert_non_null(f);
	cfg_fleet_destroy(&f);
	free(complaints);
}

/* Only policies that go by distance need places. */
static void test_places_where_none_are_needed(void **state)
{
	struct cfg_fleet *f =
	    load_good(ORIGIN "edges: {a: {addresses: 192.0.2.1}}\n"
			     "sites: {www: {hosts: www.example.com, " REST "}}\n"
			     "geo: {database: d}\n" ZONE "www: {site: www, policy: failover}" END);

	cfg_fleet_destroy(&f);
}

/* Clients got 404 of the edge that they were sent to. */
static void test_steered_name_that_is_no_host_of_its_site(void **state)
{
	assert_complaints(
	    ORIGIN EDGES
	    "sites:\n"
	    "  www: {hosts: [www.example.com, \"*.app.example.com\"], " REST "}\n"
	    "  api: {hosts: [api.example.com, \"*.net.example.com\"], " REST "}\n" ZONE "\n"
	    "www: {site: www}, a.b.app: {site: www}, \"*.app\": {site: www}, \"*.b.app\": {site: "
	    "www},\n"
	    "ww: {site: www},\n"
	    "\"@\": {site: www},\n"
	    "app: {site: www},\n"
	    "\"*\": {site: www},\n"
	    "xapp: {site: www},\n"
	    "api: {site: www},\n"
	    "a.net: {site: www},\n"
	    "\"*.www\": {site: www},\n"
	    "b.www: {site: nobody}" END,
	    "fleet.yaml:11:12: zones.example.com.steered.ww.site: ww.example.com is not among the "
	    "hosts of site \"www\": clients would get 421 there\n"
	    "fleet.yaml:12:13: zones.example.com.steered.@.site: example.com is not among the "
	    "hosts of site \"www\": clients would get 421 there\n"
	    "fleet.yaml:13:13: zones.example.com.steered.app.site: app.example.com is not among "
	    "the hosts of site \"www\": clients would get 421 there\n"
	    "fleet.yaml:14:13: zones.example.com.steered.*.site: *.example.com is not among the "
	    "hosts of site \"www\": clients would get 421 there\n"
	    "fleet.yaml:15:14: zones.example.com.steered.xapp.site: xapp.example.com is not among "
	    "the hosts of site \"www\": clients would get 421 there\n"
	    "fleet.yaml:16:13: zones.example.com.steered.api.site: api.example.com is not among "
	    "the hosts of site \"www\": clients would get 421 there; it is one of site \"api\"\n"
	    "fleet.yaml:17:15: zones.example.com.steered.a.net.site: a.net.example.com is not "
	    "among the hosts of site \"www\": clients would get 421 there; it is one of site "
	    "\"api\"\n"
	    "fleet.yaml:18:17: zones.example.com.steered.*.www.site: *.www.example.com is not "
	    "among the hosts of site \"www\": clients would get 421 there\n"
	    "fleet.yaml:19:15: zones.example.com.steered.b.www.site: there is no site "
	    "\"nobody\"\n");
}

/* Nobody was told that an address family is missing. */
static void test_fleets_of_mixed_families(void **state)
{
	static const struct {
		const char *a, *b, *complaints;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.2", ""},
	    {"[192.0.2.1, \"2001:db8::1\"]", "[\"2001:db8::2\", 192.0.2.2]", ""},
	    {"\"2001:db8::1\"", "\"2001:db8::2\"",
	     "warning: zones.example.com.steered.www: none of its edges has an IPv4 address: "
	     "clients that have no IPv6 cannot reach it\n"},
	    {"[192.0.2.1, \"2001:db8::1\"]", "192.0.2.2",
	     "warning: zones.example.com.steered.www: 1 of its 2 edges have an IPv6 address, \"b\" "
	     "has none: who asks for one is sent to the others\n"},
	    {"[192.0.2.1, \"2001:db8::1\"]", "\"2001:db8::2\"",
	     "warning: zones.example.com.steered.www: 1 of its 2 edges have an IPv4 address, \"b\" "
	     "has none: who asks for one is sent to the others\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text =
		    xasprintf(ORIGIN "edges: {a: {addresses: %s}, b: {addresses: %s}}\n"
				     "sites: {www: {hosts: [www.example.com, w.example.com], " REST
				     "}}\n" ZONE "www: {site: www}, w: {site: www}" END,
			      cases[i].a, cases[i].b);
		char *complaints;
		struct cfg_fleet *f = load_text(text, &complaints);

		assert_non_null(f);
		if (*cases[i].complaints == '\0')
			assert_string_equal(complaints, "");
		else
			assert_string_equal(complaints + strlen("fleet.yaml:4:41: "),
					    cases[i].complaints);
		cfg_fleet_destroy(&f);
		free(complaints);
		free(text);
	}
}

static void test_overrides(void **state)
{
	struct cfg_fleet *f = load_good(
	    EDGES "geo:\n"
		  "  database: [/a, /b]\n"
		  "  overrides:\n"
		  "    - {networks: [192.0.2.0/24, \"2001:db8::/32\"], asns: 4294967295,\n"
		  "       countries: [de, Us], continents: eu, edges: [c, a]}\n"
		  "    - {networks: 192.0.2.0/25, location: \"3,4\"}\n");
	const struct cfg_override *o = f->geo.overrides;

	assert_int_equal(f->geo.databases.n, 2);
	assert_string_equal(f->geo.databases.v[1], "/b");
	assert_int_equal(f->geo.n_overrides, 2);
	assert_int_equal(o[0].networks.n, 2);
	assert_int_equal(o[0].asns.n, 1);
	assert_true(o[0].asns.v[0] == 4294967295);
	assert_string_equal(o[0].countries.v[0], "DE");
	assert_string_equal(o[0].countries.v[1], "US");
	assert_string_equal(o[0].continents.v[0], "EU");
	assert_false(o[0].location.set);
	assert_int_equal(o[0].n_edges, 2);
	assert_ptr_equal(o[0].edges[0], &f->edges[2]);
	assert_true(o[1].location.set);
	assert_int_equal(o[1].n_edges, 0);
	assert_int_equal(o[1].place.line, 10);
	cfg_fleet_destroy(&f);
}

static void test_overrides_that_never_match(void **state)
{
	assert_complaints(
	    EDGES "geo:\n"
		  "  overrides:\n"
		  "    - {networks: \"2002:c000:0200::/40\", edges: a}\n"
		  "    - {asns: 1, edges: a}\n"
		  "    - {countries: [XX, UK], continents: Europe, edges: a}\n"
		  "    - {networks: [10.0.0.0/8, \"::ffff:10.0.0.0/104\"], edges: a}\n",
	    "fleet.yaml:7:18: geo.overrides.*.networks: 2002:c000:200::/40 never matches: clients "
	    "there are looked at by the IPv4 address that is in theirs; write its network\n"
	    "fleet.yaml:8:14: geo.overrides[1].asns never matches: geo.database is missing, which "
	    "would tell them\n"
	    "fleet.yaml:9:19: geo.overrides[2].countries never matches: geo.database is missing, "
	    "which would tell them\n"
	    "fleet.yaml:9:20: geo.overrides[2].countries[0]: \"XX\" is not the code of a country "
	    "by ISO 3166-1, such as DE or US\n"
	    "fleet.yaml:9:24: geo.overrides[2].countries[1]: \"UK\": the code of the United "
	    "Kingdom is GB\n"
	    "fleet.yaml:9:41: geo.overrides[2].continents: \"Europe\" is not a continent: AF, AN, "
	    "AS, EU, NA, OC or SA\n"
	    "fleet.yaml:9:41: geo.overrides[2].continents never matches: geo.database is missing, "
	    "which would tell them\n"
	    "fleet.yaml:10:31: geo.overrides.*.networks: \"10.0.0.0/8\" is there twice; first at "
	    "fleet.yaml:10:19\n");
}

static void test_overrides_that_are_half(void **state)
{
	assert_complaints(
	    EDGES "geo:\n"
		  "  database: [/d, /d]\n"
		  "  overrides:\n"
		  "    - {location: \"1,2\"}\n"
		  "    - {asns: 1}\n"
		  "    - {asns: 1, location: \"1,2\", edges: a}\n"
		  "    - {asns: 0, location: here}\n"
		  "    - {countries: de, edges: []}\n"
		  "    - {countries: [DE], edges: [a, x, a]}\n",
	    "fleet.yaml:6:18: geo.database: \"/d\" is there twice; first at fleet.yaml:6:14\n"
	    "fleet.yaml:8:7: geo.overrides[0]: for whom? one of networks, asns, countries, "
	    "continents is missing\n"
	    "fleet.yaml:9:7: geo.overrides[1]: either location or edges was expected, not none of "
	    "them\n"
	    "fleet.yaml:10:7: geo.overrides[2]: either location or edges was expected, not both\n"
	    "fleet.yaml:10:14: geo.overrides.*.asns: \"1\" is there twice; first at "
	    "fleet.yaml:9:14\n"
	    "fleet.yaml:11:14: geo.overrides[3].asns: 0 is out of range; it may be 1 to "
	    "4294967295\n"
	    "fleet.yaml:11:27: geo.overrides[3].location: \"here\" is not a place: latitude and "
	    "longitude in degrees, such as \"50.11,8.68\"\n"
	    "fleet.yaml:12:7: geo.overrides[4]: either location or edges was expected, not none of "
	    "them\n"
	    "fleet.yaml:13:20: geo.overrides.*.countries: \"DE\" is there twice; first at "
	    "fleet.yaml:12:19\n"
	    "fleet.yaml:13:36: geo.overrides[5].edges[1]: there is no edge \"x\"\n"
	    "fleet.yaml:13:39: geo.overrides[5].edges: \"a\" is there twice\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_policies),
	    cmocka_unit_test(test_options_of_a_policy_that_was_not_chosen),
	    cmocka_unit_test(test_orders_and_weights_of_strangers),
	    cmocka_unit_test(test_continent_policy_without_continents),
	    cmocka_unit_test(test_places_where_none_are_needed),
	    cmocka_unit_test(test_steered_name_that_is_no_host_of_its_site),
	    cmocka_unit_test(test_fleets_of_mixed_families),
	    cmocka_unit_test(test_overrides),
	    cmocka_unit_test(test_overrides_that_never_match),
	    cmocka_unit_test(test_overrides_that_are_half),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
