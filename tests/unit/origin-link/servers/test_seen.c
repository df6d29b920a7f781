/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is told of servers: counts that do not fall when an address goes, that begin at nothing for
 * a server that is new at a known address, and their status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "origin-link/servers/seen.h"
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

static uint64_t attempts(const struct olink_origins *o)
{
	struct outcome_sums sums = {0};

	seen_add_sums(o->servers[0][0], &sums);
	return sums.attempts;
}

static void test_counts_outlive_addresses(void **state)
{
	struct origins_rig *t = *state;
	struct olink_address *a;

	origins_rig_add_servers(t, 1);
	origins_rig_open(t);
	a = origins_rig_address(t, 0);
	assert_int_equal(attempts(t->origins), 0);
	report(t, REASON_DONE, DUR_MS(1));
	report(t, REASON_DONE, DUR_MS(1));
	assert_int_equal(attempts(t->origins), 2);
	/* It goes, and comes back while its endpoint is still there. */
	seen_end(a->server, a);
	seen_begin(a);
	assert_int_equal(attempts(t->origins), 2);
	report(t, REASON_DONE, DUR_MS(1));
	assert_int_equal(attempts(t->origins), 3);
}

/* Another origin has it too, and checks it in another way: what it had not asked is not its own. */
static void test_counts_of_a_new_server_begin_at_nothing(void **state)
{
	struct origins_rig *t = *state;
	struct olink_origins *other;
	struct cfg_fleet fleet;
	struct cfg_origin origin;

	t->origin.health.enabled = true;
	origins_rig_add_servers(t, 1);
	origins_rig_open(t);
	report(t, REASON_DONE, DUR_MS(1));
	fleet = t->fleet;
	origin = t->origin;
	origin.health.check.rise = 7;
	fleet.origins = &origin;
	other = origins_rig_load(&fleet);
	olink_origins_open(other, t->olink);
	assert_int_equal(attempts(other), 0);
	report(t, REASON_DONE, DUR_MS(1));
	assert_int_equal(attempts(other), 1);
	assert_int_equal(attempts(t->origins), 2);
	olink_origins_destroy(&other);
}

static void test_status(void **state)
{
	struct origins_rig *t = *state;
	json_int_t n, refused, opened, reused, count;
	json_t *status = json_object(), *percent;
	double p50, mean;

	origins_rig_add_servers(t, 1);
	origins_rig_open(t);
	for (unsigned i = 0; i < 3; i++)
		report(t, REASON_DONE, DUR_MS(100));
	report(t, REASON_ORIGIN_CONNECT_REFUSED, DUR_NS(-1));
	seen_add_status(t->origins->servers[0][0], status);
	assert_int_equal(json_unpack(status, "{s:{s:I, s:{s:I}, s:I, s:I, s:o}}", "traffic",
				     "attempts", &n, "failures", "origin-connect-refused", &refused,
				     "opened", &opened, "reused", &reused, "reused_percent",
				     &percent),
			 0);
	assert_int_equal(n, 4);
	assert_int_equal(refused, 1);
	assert_int_equal(opened + reused, 0);
	/* Of nothing there is no share. */
	assert_true(json_is_null(percent));
	assert_int_equal(json_unpack(status, "{s:{s:{s:I, s:f, s:f}}}", "times", "whole", "count",
				     &count, "mean_ms", &mean, "p50_ms", &p50),
			 0);
	assert_int_equal(count, 3);
	assert_true(mean == 100);
	/* In the bucket from 64 to 128 ms. */
	assert_true(p50 == 96);
	assert_int_equal(json_object_size(json_object_get(status, "times")), 1);
	json_decref(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_counts_outlive_addresses, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_counts_of_a_new_server_begin_at_nothing, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_status, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
