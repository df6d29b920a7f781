/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of counters: every one has a name of its own, of the form that is promised, and a word
 * of help.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "edge/node/counters.h"

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

static void test_names(void **state)
{
	struct metrics *m = edge_counters_create(1);

	assert_int_equal(m->n_metrics, EDGE_N_COUNTERS);
	for (unsigned i = 0; i < m->n_metrics; i++) {
		const struct metric_desc *d = &m->desc[i];

		if (d->name == NULL || d->help == NULL)
			fail_msg("counter %u has no name", i);
		assert_memory_equal(d->name, "edge_", 5);
		assert_int_equal(strspn(d->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
				 strlen(d->name));
		assert_int_equal(ends_with(d->name, "_total"), d->kind == METRIC_COUNTER);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(d->name, m->desc[j].name);
	}
	assert_string_equal(m->desc[EDGE_CONNECTION_END + REASON_CLIENT_DISPLACED].name,
			    "edge_connection_end_client_displaced_total");
	metrics_destroy(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
