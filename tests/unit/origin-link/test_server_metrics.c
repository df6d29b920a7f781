/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Metrics of servers: their names and values, and that there are not more than so many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "origin-link/server_metrics.h"
#include "origin-link/servers/gate.h"
#include "tests/unit/origin-link/origins_rig.h"

static int setup(void **state)
{
	*state = xcalloc(1, sizeof(struct origins_rig));
	origins_rig_init(*state);
	return 0;
}

static int teardown(void **state)
{
	origins_rig_fini(*state);
	free(*state);
	return 0;
}

static void report(struct origins_rig *t, enum reason reason, duration whole)
{
	struct outcome o = outcome_init();

	o.ended = true;
	o.reason = reason;
	o.whole = whole;
	endpoint_report(origins_rig_address(t, 0)->endpoint, t->group->control, &o);
}

static json_int_t metric(const json_t *counters, const char *name)
{
	const json_t *value = json_object_get(counters, name);

	if (!value)
		fail_msg("there is no %s", name);
	return json_integer_value(value);
}

static void test_metrics(void **state)
{
	struct origins_rig *t = *state;
	json_t *counters = json_object();

	origins_rig_add_servers(t, 2);
	origins_rig_open(t);
	report(t, REASON_DONE, DUR_MS(100));
	report(t, REASON_DONE, DUR_US(300));
	report(t, REASON_ORIGIN_RESET, DUR_NS(-1));
	atomic_store(&origins_rig_address(t, 1)->is_left_out, true);
	server_metrics_add(&t->fleet, (struct olink_server *const *const *)t->origins->servers,
			   counters);
#define FIRST "origin=\"app\",server=\"192.0.2.1:80\""
	assert_int_equal(metric(counters, "olink_server_attempts_total{" FIRST "}"), 3);
	assert_int_equal(
	    metric(counters, "olink_server_failures_total{" FIRST ",reason=\"origin-reset\"}"), 1);
	assert_null(json_object_get(counters, "olink_server_failures_total{" FIRST
					      ",reason=\"origin-closed\"}"));
	assert_int_equal(metric(counters, "olink_server_seconds_bucket{" FIRST
					  ",stage=\"whole\",le=\"0.0005\"}"),
			 1);
	assert_int_equal(
	    metric(counters, "olink_server_seconds_bucket{" FIRST ",stage=\"whole\",le=\"+Inf\"}"),
	    2);
	assert_int_equal(metric(counters, "olink_server_addresses{" FIRST ",state=\"unknown\"}"),
			 1);
	/* It counted among those that requests go to. */
	assert_int_equal(metric(counters,
				"olink_server_addresses{origin=\"app\",server=\"192.0.2.2:80\","
				"state=\"ejected\"}"),
			 1);
	assert_int_equal(
	    metric(counters, "olink_server_attempts_total{origin=\"app\",server=\"192.0.2.2:80\"}"),
	    0);
	json_decref(counters);
}

/* Whatever is configured: those that have no labels of their own are one. */
static void test_metrics_are_bounded(void **state)
{
	struct origins_rig *t = *state;
	json_t *few = json_object(), *many = json_object();
	static struct cfg_origin origins[400];
	struct olink_server **lists[400];
	struct cfg_fleet fleet;

	origins_rig_add_servers(t, 1);
	origins_rig_open(t);
	report(t, REASON_DONE, DUR_MS(1));
	fleet = t->fleet;
	fleet.origins = origins;
	for (unsigned i = 0; i < ARRAY_SIZE(origins); i++) {
		char *name = xasprintf("o%u", i);

		origins[i] = t->origin;
		origins[i].name = name;
		lists[i] = t->origins->servers[0];
	}
	fleet.n_origins = 1;
	server_metrics_add(&fleet, (struct olink_server *const *const *)lists, few);
	fleet.n_origins = ARRAY_SIZE(origins);
	server_metrics_add(&fleet, (struct olink_server *const *const *)lists, many);
	assert_int_equal(json_object_size(many), 257 * json_object_size(few));
	assert_int_equal(
	    metric(many, "olink_server_attempts_total{origin=\"others\",server=\"others\"}"),
	    ARRAY_SIZE(origins) - 256);
	for (unsigned i = 0; i < ARRAY_SIZE(origins); i++)
		free((char *)origins[i].name);
	json_decref(few);
	json_decref(many);
}

static void test_states_of_breakers_were_told_nowhere(void **state)
{
	static struct gate gates[300];
	static struct cfg_origin origins[ARRAY_SIZE(gates)];
	struct cfg_fleet fleet = {.origins = origins, .n_origins = ARRAY_SIZE(origins)};
	json_t *counters = json_object();

	for (unsigned i = 0; i < ARRAY_SIZE(origins); i++) {
		origins[i].name = xasprintf("o%u", i);
		origins[i].breaker.enabled = i != 1;
	}
	gates[0].breaker.state = BREAKER_OPEN;
	gates[299].breaker.state = BREAKER_TRIAL;
	server_metrics_add_breakers(&fleet, gates, counters);
#define BREAKERS(origin, state)                                                                    \
	metric(counters, "olink_origin_breakers{origin=\"" origin "\",state=\"" state "\"}")
	assert_int_equal(BREAKERS("o0", "closed"), 0);
	assert_int_equal(BREAKERS("o0", "open"), 1);
	assert_int_equal(BREAKERS("o0", "trial"), 0);
	assert_int_equal(BREAKERS("o2", "closed"), 1);
	assert_int_equal(BREAKERS("others", "closed"), 42);
	assert_int_equal(BREAKERS("others", "trial"), 1);
	assert_int_equal(json_object_size(counters), 3 * 257);
	for (unsigned i = 0; i < ARRAY_SIZE(origins); i++)
		free((char *)origins[i].name);
	json_decref(counters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_metrics, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_metrics_are_bounded, setup, teardown),
	    cmocka_unit_test(test_states_of_breakers_were_told_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
