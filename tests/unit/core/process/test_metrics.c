/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counters: what each loop adds is summed, whichever thread reads. End reasons have texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/reason.h"
#include "core/process/metrics.h"

enum { REQUESTS, OPEN, OTHERS };

static const struct metric_desc desc[] = {
    [REQUESTS] = {"test_requests_total", "Requests.", METRIC_COUNTER},
    [OPEN] = {"test_open", "Open now.", METRIC_GAUGE},
    /* More than a cache line of them. */
    [OTHERS] = {"test_2_total", "Another.", METRIC_COUNTER},
    {"test_3_total", "Another.", METRIC_COUNTER},
    {"test_4_total", "Another.", METRIC_COUNTER},
    {"test_5_total", "Another.", METRIC_COUNTER},
    {"test_6_total", "Another.", METRIC_COUNTER},
    {"test_7_total", "Another.", METRIC_COUNTER},
    {"test_8_total", "Another.", METRIC_COUNTER},
    {"test_9_total", "Another.", METRIC_COUNTER},
};

struct work {
	struct metrics *m;
	struct loop *loop;
};

static void count(void *arg)
{
	struct work *w = arg;

	for (int i = 0; i < 1000; i++) {
		metrics_add(w->m, w->loop, REQUESTS, 1);
		metrics_add(w->m, w->loop, OPEN, i % 2 == 0 ? 3 : -2);
	}
}

static void test_shards_are_summed_while_they_are_written(void **state)
{
	struct loop_group *group = loop_group_create(2);
	struct metrics *m = metrics_create(desc, ARRAY_SIZE(desc), 3);
	struct work work[] = {{m, group->workers[0]}, {m, group->workers[1]}};
	int64_t seen = 0;

	assert_int_equal(m->stride % 8, 0);
	assert_true(m->stride >= ARRAY_SIZE(desc));
	assert_int_equal((uintptr_t)m->values % 64, 0);
	loop_group_start_workers(group);
	for (unsigned i = 0; i < ARRAY_SIZE(work); i++)
		loop_post_mt(work[i].loop, count, &work[i]);
	metrics_add(m, group->control, REQUESTS, 5);
	for (int i = 0; i < 100; i++) {
		int64_t now = metrics_sum(m, REQUESTS);

		assert_true(now >= seen);
		seen = now;
	}
	loop_group_stop_workers(group);
	assert_int_equal(metrics_sum(m, REQUESTS), 2005);
	assert_int_equal(metrics_sum(m, OPEN), 1000);
	assert_int_equal(metrics_sum(m, OTHERS), 0);
	metrics_destroy(&m);
	assert_null(m);
	loop_group_destroy(&group);
}

static void test_json_has_each_by_name(void **state)
{
	struct loop *loop = loop_create("test");
	struct metrics *m = metrics_create(desc, 2, 1);
	json_t *object = json_object();

	metrics_add(m, loop, OPEN, -7);
	json_object_set_new(object, "already", json_true());
	metrics_to_json(m, object);
	assert_int_equal(json_object_size(object), 3);
	assert_int_equal(json_integer_value(json_object_get(object, "test_open")), -7);
	assert_true(json_is_integer(json_object_get(object, "test_requests_total")));
	json_decref(object);
	metrics_destroy(&m);
	loop_destroy(&loop);
}

static void test_every_reason_has_a_text_of_its_own(void **state)
{
	for (int i = 0; i < REASON_COUNT; i++) {
		assert_true(strlen(reason_text(i)) > 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(reason_text(i), reason_text(j));
	}
	assert_string_equal(reason_text(REASON_ORIGIN_TRUNCATED), "origin-truncated");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shards_are_summed_while_they_are_written),
	    cmocka_unit_test(test_json_has_each_by_name),
	    cmocka_unit_test(test_every_reason_has_a_text_of_its_own),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
