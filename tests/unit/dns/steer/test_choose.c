/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The choice by table: what is preferred to what, for every policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "dns/steer/choose.h"
#include "dns/steer/steering.h"
#include "fleet/verdicts.h"

#define EDGES 4

/* Edges 2, 0, 1, 3 are 10, 20, 30 and 40 degrees away from the client, who is in Europe as 1 and 3
 * are. Edge 3 weighs nothing, the others the same. */
static const double longitudes[EDGES] = {20, 30, 10, 40};
static const char *const continents[EDGES] = {"NA", "EU", "", "EU"};

struct choice_case {
	const char *what;
	enum cfg_policy policy;
	const char *order;    /* or the members, of policies without one */
	const char *verdicts; /* by edge: u(p), d(own), ? */
	const char *drained;  /* edge ids */
	const char *without;  /* an address of the family */
	const char *override; /* edge ids; NULL: none */
	unsigned answers;
	enum cfg_none_up none_up;
	const char *edges; /* expected */
	enum dns_steer_reason reason;
};

#define NEAREST CFG_POLICY_NEAREST
#define CONTINENT CFG_POLICY_CONTINENT
#define WEIGHTED CFG_POLICY_WEIGHTED
#define FAILOVER CFG_POLICY_FAILOVER
#define STATIC CFG_POLICY_STATIC
#define GUESS CFG_NONE_UP_NEAREST
#define FAIL CFG_NONE_UP_SERVFAIL

static const struct choice_case cases[] = {
    {"nearest", NEAREST, "0123", "uuuu", "", "", NULL, 1, GUESS, "2", DNS_STEER_HEALTHY},
    {"of the site", NEAREST, "013", "uuuu", "", "", NULL, 1, GUESS, "0", DNS_STEER_HEALTHY},
    {"several", NEAREST, "0123", "uuuu", "", "", NULL, 3, GUESS, "201", DNS_STEER_HEALTHY},
    {"more than there are", NEAREST, "03", "uuuu", "", "", NULL, 3, GUESS, "03", DNS_STEER_HEALTHY},
    {"skips what is down", NEAREST, "0123", "uudu", "", "", NULL, 2, GUESS, "01",
     DNS_STEER_HEALTHY},
    {"skips what is drained", NEAREST, "0123", "uuuu", "2", "", NULL, 1, GUESS, "0",
     DNS_STEER_HEALTHY},
    {"skips what is unknown", NEAREST, "0123", "uu?u", "", "", NULL, 1, GUESS, "0",
     DNS_STEER_HEALTHY},
    {"skips what has no address of the family", NEAREST, "0123", "uuuu", "", "2", NULL, 1, GUESS,
     "0", DNS_STEER_HEALTHY},
    {"none is added that is worse", NEAREST, "0123", "ud?d", "1", "", NULL, 4, GUESS, "0",
     DNS_STEER_HEALTHY},
    {"a drained one that is up before an active one that is down", NEAREST, "01", "ud", "0", "",
     NULL, 1, GUESS, "0", DNS_STEER_DRAINED},
    {"a drained one that is up before an active one of which nothing is known", NEAREST, "01", "u?",
     "0", "", NULL, 1, GUESS, "0", DNS_STEER_DRAINED},
    {"nothing known yet", NEAREST, "0123", "????", "", "", NULL, 1, GUESS, "2", DNS_STEER_UNPROBED},
    {"nothing known yet, servfail", NEAREST, "0123", "????", "2", "", NULL, 1, FAIL, "0",
     DNS_STEER_UNPROBED},
    {"what is unknown may be up", NEAREST, "0123", "?dd?", "", "", NULL, 1, FAIL, "0",
     DNS_STEER_UNPROBED},
    {"a drained one's health tells nothing", NEAREST, "0123", "?d??", "1", "", NULL, 1, GUESS, "2",
     DNS_STEER_UNPROBED},
    {"none up", NEAREST, "0123", "dddd", "", "", NULL, 1, GUESS, "2", DNS_STEER_NONE_UP},
    {"none up, and some drained", NEAREST, "0123", "dddd", "2", "", NULL, 1, GUESS, "0",
     DNS_STEER_NONE_UP},
    {"none up, all drained", NEAREST, "0123", "d?dd", "0123", "", NULL, 1, GUESS, "2",
     DNS_STEER_NONE_UP},
    {"none up, servfail", NEAREST, "0123", "dddd", "", "", NULL, 1, FAIL, "", DNS_STEER_SERVFAIL},
    {"all drained and up", NEAREST, "0123", "uuuu", "0123", "", NULL, 1, FAIL, "2",
     DNS_STEER_DRAINED},
    {"up elsewhere does not count", NEAREST, "01", "dduu", "", "", NULL, 1, FAIL, "",
     DNS_STEER_SERVFAIL},
    {"a site without edges", NEAREST, "", "uuuu", "", "", NULL, 1, GUESS, "", DNS_STEER_SERVFAIL},

    {"an override comes first", NEAREST, "0123", "uuuu", "", "", "31", 1, GUESS, "3",
     DNS_STEER_HEALTHY},
    {"and then the others", NEAREST, "0123", "uuuu", "", "", "31", 3, GUESS, "312",
     DNS_STEER_HEALTHY},
    {"of those that are usable", NEAREST, "0123", "uuud", "", "", "31", 2, GUESS, "12",
     DNS_STEER_HEALTHY},
    {"of the site", NEAREST, "012", "uuuu", "", "", "31", 1, GUESS, "1", DNS_STEER_HEALTHY},

    {"of the continent", CONTINENT, "0123", "uuuu", "", "", NULL, 1, GUESS, "1", DNS_STEER_HEALTHY},
    {"only of the continent", CONTINENT, "0123", "uuuu", "", "", NULL, 4, GUESS, "13",
     DNS_STEER_HEALTHY},
    {"nobody there is up: the order", CONTINENT, "0231", "udud", "", "", NULL, 2, GUESS, "02",
     DNS_STEER_HEALTHY},
    {"the order need not name all", CONTINENT, "2", "dudd", "", "", NULL, 1, GUESS, "1",
     DNS_STEER_HEALTHY},
    {"who is not in the order is better than nobody", CONTINENT, "3", "uddd", "", "", NULL, 1,
     GUESS, "0", DNS_STEER_HEALTHY},
    {"a drained one of the continent", CONTINENT, "0123", "uuud", "1", "", NULL, 1, GUESS, "0",
     DNS_STEER_HEALTHY},

    {"who weighs nothing is nobody's", WEIGHTED, "03", "uuuu", "", "", NULL, 4, GUESS, "0",
     DNS_STEER_HEALTHY},
    {"unless there is no other", WEIGHTED, "03", "duuu", "", "", NULL, 1, GUESS, "3",
     DNS_STEER_HEALTHY},
    {"an override comes before weights", WEIGHTED, "0123", "uuuu", "", "", "3", 1, GUESS, "3",
     DNS_STEER_HEALTHY},

    {"the first of the order", FAILOVER, "3120", "uuuu", "", "", NULL, 1, GUESS, "3",
     DNS_STEER_HEALTHY},
    {"the next one", FAILOVER, "3120", "uuud", "", "", NULL, 2, GUESS, "12", DNS_STEER_HEALTHY},
    {"nobody else", FAILOVER, "31", "udud", "", "", NULL, 1, FAIL, "", DNS_STEER_SERVFAIL},
    {"an override comes before the order", FAILOVER, "3120", "uuuu", "", "", "0", 2, GUESS, "03",
     DNS_STEER_HEALTHY},

    {"as it stands", STATIC, "3120", "dd?d", "", "", NULL, 2, FAIL, "31", DNS_STEER_STATIC},
    {"of the family", STATIC, "3120", "dddd", "", "3", NULL, 2, FAIL, "12", DNS_STEER_STATIC},
    {"drained ones only when all are", STATIC, "3120", "uuuu", "3", "", NULL, 1, GUESS, "1",
     DNS_STEER_STATIC},
    {"no override", STATIC, "3120", "uuuu", "", "", "0", 1, GUESS, "3", DNS_STEER_STATIC},
};

/* A fleet for one case. */
struct scene {
	struct cfg_edge edges[EDGES];
	struct net_addr address;
	const struct cfg_edge *listed[EDGES], *first[EDGES], *all[EDGES];
	struct cfg_site site;
	struct cfg_steered steered;
	struct cfg_zone zone;
	struct cfg_override override;
	struct cfg_fleet fleet;
};

static unsigned list(struct scene *s, const char *ids, const struct cfg_edge **out)
{
	unsigned n = 0;

	for (; ids != NULL && ids[n] != '\0'; n++)
		out[n] = &s->edges[ids[n] - '0'];
	return n;
}

static void set_scene(struct scene *s, const struct choice_case *c)
{
	static const char *const names[EDGES] = {"a", "b", "c", "d"};
	bool ordered = c->policy != NEAREST && c->policy != WEIGHTED;

	*s = (struct scene){.address = {.in = {.sin_family = AF_INET}}};
	for (unsigned i = 0; i < EDGES; i++) {
		char id[] = {(char)('0' + i), '\0'};
		bool with = strstr(c->without, id) == NULL;

		s->edges[i] = (struct cfg_edge){
		    .name = names[i],
		    .id = i,
		    .location = {0, longitudes[i], true},
		    .continent = continents[i],
		    .weight = i < 3,
		    .addresses = {&s->address, with},
		    .admin = strstr(c->drained, id) ? CFG_ADMIN_DRAINED : CFG_ADMIN_ACTIVE,
		};
		s->all[i] = &s->edges[i];
	}
	s->site = (struct cfg_site){.name = "www", .edges = s->all, .n_edges = EDGES};
	s->steered = (struct cfg_steered){.owner = "www",
					  .site = &s->site,
					  .policy = c->policy,
					  .answers = c->answers,
					  .none_up = c->none_up};
	if (ordered) {
		s->steered.order = s->listed;
		s->steered.n_order = list(s, c->order, s->listed);
	} else {
		s->site.edges = s->listed;
		s->site.n_edges = list(s, c->order, s->listed);
	}
	s->override.edges = s->first;
	s->override.n_edges = list(s, c->override, s->first);
	s->zone = (struct cfg_zone){.name = "example.com", .steered = &s->steered, .n_steered = 1};
	s->fleet = (struct cfg_fleet){.edges = s->edges,
				      .n_edges = EDGES,
				      .zones = &s->zone,
				      .n_zones = 1,
				      .geo = {.overrides = &s->override, .n_overrides = 1}};
}

static void expect(const struct choice_case *c)
{
	struct diag *diag = diag_create();
	struct steer_network network = {.hash = 1, .scope = 24};
	struct steer_spot spot = {.located = true, .continent = steer_continent("EU")};
	struct fleet_verdicts *verdicts;
	struct steering *steering;
	struct steer_pick pick;
	struct scene s;

	print_message("%s\n", c->what);
	set_scene(&s, c);
	steering = steering_create(&s.fleet, NULL, diag);
	verdicts = fleet_verdicts_fixed(&s.fleet);
	for (unsigned i = 0; c->verdicts[i] != '\0'; i++)
		fleet_verdicts_set(verdicts, i, FLEET_ALL_ADDRESSES,
				   c->verdicts[i] == 'u'   ? HEALTH_UP
				   : c->verdicts[i] == 'd' ? HEALTH_DOWN
							   : HEALTH_UNKNOWN,
				   false);
	if (c->override != NULL)
		spot.override = &steering->spots.overrides[0];
	pick = steer_choose(&steering->pools.v[0], steering->edges, STEER_IPV4, &spot, &network,
			    verdicts, (mono_time){0});
	assert_int_equal(steer_tier_reason(&steering->pools.v[0], pick.tier), c->reason);
	assert_int_equal(pick.n, strlen(c->edges));
	for (unsigned i = 0; i < pick.n; i++)
		assert_int_equal(pick.edges[i], c->edges[i] - '0');
	fleet_verdicts_unref(&verdicts);
	steering_destroy(&steering);
	diag_destroy(&diag);
}

static void test_choice(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(&cases[i]);
}

/* The margin is how much farther the first is that is not named. */
static void test_margin(void **state)
{
	struct choice_case c = cases[0];
	struct steer_spot spot = {.located = true};
	struct diag *diag = diag_create();
	struct fleet_verdicts *verdicts;
	struct steering *steering;
	struct scene s;

	for (c.answers = 1; c.answers <= EDGES; c.answers++) {
		struct steer_pick pick;

		set_scene(&s, &c);
		steering = steering_create(&s.fleet, NULL, diag);
		verdicts = fleet_verdicts_fixed(&s.fleet);
		pick = steer_choose(&steering->pools.v[0], steering->edges, STEER_IPV4, &spot, NULL,
				    verdicts, (mono_time){0});
		if (c.answers < EDGES) /* ten degrees of the equator */
			assert_true(pick.margin_km > 1110 && pick.margin_km < 1113);
		else
			assert_true(pick.margin_km > 1e9);
		fleet_verdicts_unref(&verdicts);
		steering_destroy(&steering);
	}
	diag_destroy(&diag);
}

/* Each edge gets clients by its weight; when one is gone, only its own clients move. */
static void test_weights(void **state)
{
	struct choice_case c = {"", WEIGHTED, "012", "uuuu", "", "", NULL, 1, GUESS, "", 0};
	struct cfg_weight weights[] = {{.weight = 1}, {.weight = 2}, {.weight = 5}};
	struct diag *diag = diag_create();
	unsigned counts[EDGES] = {0};
	struct fleet_verdicts *verdicts;
	struct steering *steering;
	struct scene s;

	set_scene(&s, &c);
	for (unsigned i = 0; i < ARRAY_SIZE(weights); i++)
		weights[i].edge = &s.edges[i];
	s.steered.weights = weights;
	s.steered.n_weights = ARRAY_SIZE(weights);
	steering = steering_create(&s.fleet, NULL, diag);
	verdicts = fleet_verdicts_fixed(&s.fleet);
	for (uint32_t i = 0; i < 16000; i++) {
		struct net_prefix client = {AF_INET, 32, {10, (uint8_t)(i >> 8), (uint8_t)i, 7}};
		struct steer_network network = steer_network_of(&client);
		static const struct steer_spot anywhere;
		struct steer_pick all, rest;

		fleet_verdicts_set(verdicts, 2, FLEET_ALL_ADDRESSES, HEALTH_UNKNOWN, false);
		all = steer_choose(&steering->pools.v[0], steering->edges, STEER_IPV4, &anywhere,
				   &network, verdicts, (mono_time){0});
		fleet_verdicts_set(verdicts, 2, FLEET_ALL_ADDRESSES, HEALTH_DOWN, false);
		rest = steer_choose(&steering->pools.v[0], steering->edges, STEER_IPV4, &anywhere,
				    &network, verdicts, (mono_time){0});
		counts[all.edges[0]]++;
		if (all.edges[0] != 2)
			assert_int_equal(rest.edges[0], all.edges[0]);
		/* The last octet does not matter. */
		client.bytes[3] = 99;
		assert_int_equal(steer_network_of(&client).hash, network.hash);
		assert_int_equal(network.scope, 24);
	}
	assert_in_range(counts[0], 1850, 2150);
	assert_in_range(counts[1], 3800, 4200);
	assert_in_range(counts[2], 9750, 10250);
	fleet_verdicts_unref(&verdicts);
	steering_destroy(&steering);
	diag_destroy(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_choice),
	    cmocka_unit_test(test_margin),
	    cmocka_unit_test(test_weights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
