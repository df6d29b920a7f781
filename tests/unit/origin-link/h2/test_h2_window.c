/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How far windows grow: as far as content is taken, by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/h2/h2_window.h"

#define MIB (1024 * 1024)

/* What a window of 1 MiB has come to after ten seconds at that pace. */
static size_t grown(duration rtt, uint64_t bytes_a_second)
{
	const duration tick = DUR_MS(1);
	mono_time now = {1};
	struct h2_window w;
	uint64_t sent = 0, taken = 0;

	h2_window_init(&w, MIB, now);
	for (unsigned i = 0; i < 10000; i++) {
		size_t n;

		now = mono_add(now, tick);
		sent += bytes_a_second / 1000;
		/* No more than a window in a round trip. */
		n = MIN(sent - taken, w.size * (uint64_t)tick.ns / (uint64_t)MAX(rtt.ns, tick.ns));
		taken += n;
		sent = taken;
		if (h2_window_taken(&w, n))
			h2_window_emptied(&w, 24 * MIB, rtt, now);
	}
	return w.size;
}

static void test_a_window_fits_the_way(void **state)
{
	static const struct {
		duration rtt;
		uint64_t pace;
		size_t least, most;
	} cases[] = {
	    {{150000000}, 125000000, 18750000, 24 * MIB}, /* 150 ms x 1 Gbit/s */
	    {{150000000}, 12500000, 1875000, 8 * MIB},    /* 100 Mbit/s */
	    {{150000000}, 1000000, MIB, MIB},
	    {{20000000}, 12500000, MIB, MIB},
	    {{0}, 1000000, MIB, MIB},
	    {{0}, 10000000, MIB, MIB},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = grown(cases[i].rtt, cases[i].pace);

		assert_in_range(size, cases[i].least, cases[i].most);
	}
}

static void test_a_reader_that_stops_gets_no_more(void **state)
{
	mono_time now = {1};
	struct h2_window w;

	h2_window_init(&w, MIB, now);
	assert_true(h2_window_taken(&w, MIB));
	assert_true(h2_window_emptied(&w, 24 * MIB, DUR_MS(100), mono_add(now, DUR_MS(150))));
	assert_int_equal(w.size, 2 * MIB);
	assert_false(h2_window_taken(&w, MIB));
	assert_true(h2_window_taken(&w, MIB));
	assert_false(h2_window_emptied(&w, 24 * MIB, DUR_MS(100), mono_add(now, DUR_S(2))));
	assert_int_equal(w.size, 2 * MIB);
}

static void test_a_stream_begins_with_what_a_long_way_holds(void **state)
{
	static const struct {
		duration rtt;
		size_t least, most;
	} cases[] = {
	    {{0}, MIB, MIB},
	    {{20000000}, MIB, MIB},
	    {{76000000}, 3 * MIB / 2, 2 * MIB},
	    {{150000000}, 3 * MIB, 4 * MIB},
	    {{900000000}, 4 * MIB, 4 * MIB},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_in_range(h2_window_first(cases[i].rtt, MIB, 4 * MIB), cases[i].least,
				cases[i].most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_window_fits_the_way),
	    cmocka_unit_test(test_a_reader_that_stops_gets_no_more),
	    cmocka_unit_test(test_a_stream_begins_with_what_a_long_way_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
