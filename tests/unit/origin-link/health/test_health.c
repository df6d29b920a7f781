/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rise/fall machine, by table: a row is a string of results and the states that follow them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/health/health.h"

/* '.' success, 'x' failure; 'U' up, 'u' up but failing, 'D' down. */
static const struct row {
	const char *name;
	unsigned rise, fall;
	const char *results, *states;
} rows[] = {
    {"the first success decides", 3, 3, ".", "U"},
    {"the first failure decides", 3, 3, "x", "D"},
    {"fall failures in a row", 2, 3, ".xxx", "UuuD"},
    {"a success between starts the count again", 2, 3, ".xx.xxx", "UuuUuuD"},
    {"rise successes in a row", 2, 3, "x..", "DDU"},
    {"a failure between starts the count again", 3, 2, "x..x...", "DDDDDDU"},
    {"there and back", 2, 2, ".xx..xx", "UuDDUuD"},
    {"one is enough", 1, 1, ".x.x", "UDUD"},
};

static void test_table(void **unused)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct health h;
		enum health_state before = HEALTH_UNKNOWN;

		health_init(&h, row->rise, row->fall);
		assert_int_equal(health_get(&h), HEALTH_UNKNOWN);
		assert_int_equal(h.cause, PROBE_PENDING);
		for (unsigned j = 0; row->results[j]; j++) {
			enum probe_cause cause = row->results[j] == '.' ? PROBE_OK : PROBE_REFUSED;
			bool changed = health_record(&h, cause);
			enum health_state now = health_get(&h);
			char seen = now == HEALTH_DOWN ? 'D' : h.failing ? 'u' : 'U';

			if (seen != row->states[j])
				fail_msg("%s: after result %u '%c', not '%c'", row->name, j + 1,
					 seen, row->states[j]);
			assert_int_equal(changed, now != before);
			assert_int_equal(h.cause, cause);
			before = now;
		}
	}
}

static void test_forgotten_for_a_reason(void **unused)
{
	struct health h;

	health_init(&h, 2, 2);
	health_record(&h, PROBE_OK);
	health_record(&h, PROBE_REFUSED);
	assert_true(health_forget(&h, PROBE_NO_ROUTE));
	assert_int_equal(health_get(&h), HEALTH_UNKNOWN);
	assert_int_equal(h.cause, PROBE_NO_ROUTE);
	assert_false(h.failing);
	assert_false(health_forget(&h, PROBE_NO_ROUTE));
	/* As at first. */
	assert_true(health_record(&h, PROBE_REFUSED));
	assert_int_equal(health_get(&h), HEALTH_DOWN);
}

static void test_texts(void **unused)
{
	assert_string_equal(probe_cause_text(PROBE_WRONG_STATUS), "wrong-status");
	assert_string_equal(health_state_text(HEALTH_UNKNOWN), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_forgotten_for_a_reason),
	    cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
