/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How busy and how fast an endpoint is found to be, by a clock of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/conns/load.h"
#include "origin-link/conns/outcome.h"

static mono_time at_ms(int64_t ms)
{
	return (mono_time){DUR_S(1000).ns + DUR_MS(ms).ns};
}

static void assert_ms(duration d, double ms)
{
	double found = (double)d.ns / 1e6;

	if (found < ms * 0.99 || found > ms * 1.01)
		fail_msg("%f ms, not %f ms", found, ms);
}

static void learn(struct load *l, int64_t ms, mono_time now)
{
	load_learn_latency(l, DUR_MS(ms), now);
}

static void test_peaks_count_at_once(void **state)
{
	struct load l = {0};

	assert_int_equal(load_latency(&l, at_ms(0)).ns, 0);
	learn(&l, 20, at_ms(0));
	assert_ms(load_latency(&l, at_ms(0)), 20);
	learn(&l, 500, at_ms(1));
	assert_ms(load_latency(&l, at_ms(1)), 500);
	/* What is faster counts by and by: 63% after ten seconds. */
	learn(&l, 20, at_ms(2));
	assert_ms(load_latency(&l, at_ms(2)), 499.95);
	for (int i = 1; i <= 10000; i++)
		learn(&l, 20, at_ms(2 + i));
	assert_ms(load_latency(&l, at_ms(10002)), 20 + 480 * 0.3679);
	for (int i = 1; i <= 90000; i++)
		learn(&l, 20, at_ms(10002 + i));
	assert_ms(load_latency(&l, at_ms(100002)), 20.02);
}

/* Who is not asked any more is tried again. */
static void test_latency_fades(void **state)
{
	struct load l = {0};

	learn(&l, 500, at_ms(0));
	assert_ms(load_latency(&l, at_ms(10000)), 500 * 0.36788);
	assert_ms(load_latency(&l, at_ms(40000)), 500 * 0.018316);
	/* And is believed at once what it has got better. */
	learn(&l, 20, at_ms(100000));
	assert_ms(load_latency(&l, at_ms(100000)), 20.02);
}

static void look(struct load *l, const struct load *others, unsigned n, mono_time now)
{
	load_look_begin(l);
	for (unsigned i = 0; i < n; i++)
		load_look_at(l, &others[i], now);
	load_look_end(l, now);
}

static void test_others(void **state)
{
	struct load l = {0}, others[3] = {0};

	assert_true(load_is_stale(&l, at_ms(0)));
	load_add_in_flight(&l, 1);
	load_add_in_flight(&others[0], 1);
	load_add_in_flight(&others[2], 1);
	load_add_in_flight(&others[2], 1);
	look(&l, others, 3, at_ms(0));
	assert_false(load_is_stale(&l, at_ms(4)));
	assert_true(load_is_stale(&l, at_ms(5)));
	assert_int_equal(load_in_flight(&l), 4);
	load_add_in_flight(&l, 1);
	load_add_in_flight(&others[1], 1);
	assert_int_equal(load_in_flight(&l), 5);
	look(&l, others, 3, at_ms(5));
	assert_int_equal(load_in_flight(&l), 6);
	load_add_in_flight(&l, -1);
	assert_int_equal(load_in_flight(&l), 5);
}

static void test_latency_of_others(void **state)
{
	struct load l = {0}, others[3] = {0};

	/* What another has found counts as if it were one's own, and fades as that would. */
	learn(&others[1], 30, at_ms(0));
	look(&l, others, 3, at_ms(0));
	assert_ms(load_latency(&l, at_ms(0)), 30);
	assert_ms(load_latency(&l, at_ms(10000)), 30 * 0.36788);
	learn(&l, 60, at_ms(0));
	assert_ms(load_latency(&l, at_ms(0)), 45);
	learn(&others[0], 90, at_ms(0));
	look(&l, others, 3, at_ms(0));
	assert_ms(load_latency(&l, at_ms(0)), 60);
	/* However many have not asked for long, it fades. */
	look(&l, others, 3, at_ms(40000));
	assert_ms(load_latency(&l, at_ms(40000)), 60 * 0.018316);
	/* The newest says most. */
	learn(&others[2], 10, at_ms(40000));
	look(&l, others, 3, at_ms(40000));
	assert_ms(load_latency(&l, at_ms(40000)), (180 * 0.018316 + 10) / (3 * 0.018316 + 1));
}

static void test_outcomes(void **state)
{
	static const struct {
		struct outcome o;
		int ms; /* 0: says nothing */
	} cases[] = {
	    {{.status = 200, .first_byte = DUR_MS(20)}, 20},
	    {{.status = 404, .first_byte = DUR_MS(20)}, 20},
	    {{.status = 500, .first_byte = DUR_MS(20)}, 20},
	    /* Nobody is behind the gateway: not faster than the others. */
	    {{.status = 502, .first_byte = DUR_MS(2)}, 1000},
	    {{.status = 504, .first_byte = DUR_MS(3000)}, 3000},
	    /* The end of what was told with its head. */
	    {{.ended = true, .reason = REASON_DONE, .status = 200, .first_byte = DUR_MS(20)}, 0},
	    {{.ended = true, .reason = REASON_NONE, .first_byte = DUR_MS(-1)}, 0},
	    {{.ended = true, .reason = REASON_EDGE_NO_PORTS, .first_byte = DUR_MS(-1)}, 0},
	    {{.ended = true, .reason = REASON_ORIGIN_QUEUE_FULL, .first_byte = DUR_MS(-1)}, 0},
	    {{.ended = true,
	      .reason = REASON_ORIGIN_CONNECT_REFUSED,
	      .first_byte = DUR_MS(-1),
	      .whole = DUR_MS(-1)},
	     1000},
	    {{.ended = true,
	      .reason = REASON_ORIGIN_HEAD_TIMEOUT,
	      .first_byte = DUR_MS(-1),
	      .whole = DUR_MS(30000)},
	     30000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct load l = {0};

		load_learn(&l, &cases[i].o, at_ms(0));
		assert_int_equal(load_latency(&l, at_ms(0)).ns, DUR_MS(cases[i].ms).ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_peaks_count_at_once),
	    cmocka_unit_test(test_latency_fades),
	    cmocka_unit_test(test_others),
	    cmocka_unit_test(test_latency_of_others),
	    cmocka_unit_test(test_outcomes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
