/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The last changes of a server, by a clock that is given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/health/history.h"

static wall_time at(int64_t second)
{
	return clock_wall_of((time_t)(1767225600 + second));
}

static void test_newest_first(void **unused)
{
	struct history h = {0};
	json_t *list;
	char *text;

	assert_null(history_at(&h, 0));
	assert_true(history_add(&h, "up", "ok", at(0)));
	assert_true(history_add(&h, "down", "refused", at(61)));
	list = history_to_json(&h);
	text = json_dumps(list, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(
	    text, "[{\"cause\":\"refused\",\"state\":\"down\",\"time\":\"2026-01-01T00:01:01Z\"},"
		  "{\"cause\":\"ok\",\"state\":\"up\",\"time\":\"2026-01-01T00:00:00Z\"}]");
	free(text);
	json_decref(list);
}

static void test_same_state_is_no_change(void **unused)
{
	struct history h = {0};

	assert_true(history_add(&h, "down", "refused", at(0)));
	assert_false(history_add(&h, "down", "timed-out", at(5)));
	assert_string_equal(history_at(&h, 0)->cause, "refused");
	assert_null(history_at(&h, 1));
}

static void test_oldest_is_forgotten(void **unused)
{
	struct history h = {0};

	for (unsigned i = 0; i < HISTORY_MAX + 3; i++)
		assert_true(history_add(&h, i % 2 == 0 ? "up" : "down", "ok", at(i)));
	for (unsigned i = 0; i < HISTORY_MAX; i++)
		assert_int_equal(history_at(&h, i)->when.ns, at(HISTORY_MAX + 2 - i).ns);
	assert_null(history_at(&h, HISTORY_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_newest_first),
	    cmocka_unit_test(test_same_state_is_no_change),
	    cmocka_unit_test(test_oldest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
