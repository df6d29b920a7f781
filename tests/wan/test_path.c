/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pure part of the delay line: when packets leave, in which order, and which never do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "tests/wan/path.h"

static const mono_time start = {1000000000};

static mono_time at(int64_t us)
{
	return mono_add(start, DUR_US(us));
}

struct step {
	int64_t arrives_us, due_us; /* due_us < 0: never */
	size_t length;
};

struct flow {
	const char *what;
	struct path_shape shape;
	struct step steps[5]; /* to the first of length 0 */
};

static const struct flow flows[] = {
    {"only distance", {.delay = {40000000}}, {{0, 40000, 100}, {0, 40000, 1500}, {7, 40007, 40}}},
    {"1500 bytes at 12 Mbit take 1 ms, one after the other",
     {.delay = {5000000}, .rate = 12000000, .queue = {10000000}},
     {{0, 6000, 1500}, {0, 7000, 1500}, {500, 8000, 1500}, {10000, 16000, 1500}}},
    {"who would wait more than 1 ms for the link is dropped, who comes later is not",
     {.delay = {5000000}, .rate = 12000000, .queue = {1000000}},
     {{0, 6000, 1500}, {0, 7000, 1500}, {0, -1, 1500}, {1000, 8000, 1500}}},
    {"all lost", {.delay = {1000000}, .loss = 1.0}, {{0, -1, 100}, {1, -1, 100}, {9, -1, 100}}},
};

static void run_flow(const struct flow *flow)
{
	struct path path;
	size_t expected = 0, got = 0;
	mono_time due;

	path_init(&path, &flow->shape, 1);
	for (const struct step *s = flow->steps; s->length; s++) {
		uint8_t bytes[1500] = {(uint8_t)(s - flow->steps)};

		assert_int_equal(path_put(&path, bytes, s->length, at(s->arrives_us)),
				 s->due_us >= 0);
		expected += s->due_us >= 0;
	}
	assert_int_equal(path_under_way(&path), expected);
	for (const struct step *s = flow->steps; s->length; s++) {
		struct path_packet *packet;

		if (s->due_us < 0)
			continue;
		assert_true(path_due(&path, &due));
		assert_int_equal(mono_since(due, start).ns, s->due_us * 1000);
		assert_null(path_take(&path, mono_add(due, DUR_NS(-1))));
		packet = path_take(&path, due);
		assert_non_null(packet);
		assert_int_equal(packet->length, s->length);
		assert_int_equal(packet->bytes[0], s - flow->steps);
		free(packet);
		got++;
	}
	assert_int_equal(got, expected);
	assert_false(path_due(&path, &due));
	assert_int_equal(path.counters.delivered, expected);
	assert_int_equal(path.counters.sent,
			 path.counters.delivered + path.counters.lost + path.counters.dropped);
	assert_int_equal(path.bytes, 0);
	path_fini(&path);
}

static void test_flows(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
		print_message("  %s\n", flows[i].what);
		run_flow(&flows[i]);
	}
}

static void test_jitter_delays_within_bounds_and_keeps_the_order(void **state)
{
	const struct path_shape shape = {.delay = DUR_MS(10), .jitter = DUR_MS(4)};
	const size_t count = 1000;
	int64_t least = INT64_MAX, most = 0, last = 0;
	struct path path;

	path_init(&path, &shape, 7);
	for (size_t i = 0; i < count; i++)
		assert_true(path_put(&path, &i, sizeof(i), at((int64_t)i * 1000)));
	for (size_t i = 0; i < count; i++) {
		struct path_packet *packet = path_take(&path, at(INT32_MAX));
		int64_t held, due;

		assert_non_null(packet);
		assert_memory_equal(packet->bytes, &i, sizeof(i));
		due = mono_since(packet->due, start).ns;
		held = due - (int64_t)i * 1000000 - shape.delay.ns;
		assert_true(due >= last);
		last = due;
		least = MIN(least, held);
		most = MAX(most, held);
		free(packet);
	}
	assert_true(least >= 0 && least < 1000000);
	assert_true(most > 3000000 && most <= shape.jitter.ns);
	path_fini(&path);
}

static uint64_t losses(uint64_t seed, uint64_t *pattern)
{
	const struct path_shape shape = {.delay = DUR_MS(1), .loss = 0.01};
	struct path path;
	uint64_t lost;

	path_init(&path, &shape, seed);
	*pattern = 0;
	for (int i = 0; i < 100000; i++) {
		if (!path_put(&path, "x", 1, start))
			*pattern = *pattern * 31 + (uint64_t)i;
		free(path_take(&path, at(1000)));
	}
	lost = path.counters.lost;
	path_fini(&path);
	return lost;
}

static void test_loss_is_what_was_asked_for_and_repeats(void **state)
{
	uint64_t first, again, other;
	uint64_t lost = losses(1, &first);

	/* 1% of 100,000 within four standard deviations of 31.5. */
	assert_in_range(lost, 1000 - 126, 1000 + 126);
	assert_int_equal(losses(1, &again), lost);
	assert_true(again == first);
	assert_in_range(losses(2, &other), 1000 - 126, 1000 + 126);
	assert_true(other != first);
}

static void test_memory_is_bounded_without_a_rate(void **state)
{
	const struct path_shape shape = {.delay = DUR_S(10)};
	static const uint8_t packet[1 << 20];
	struct path path;

	path_init(&path, &shape, 1);
	for (size_t i = 0; i < PATH_MAX_BYTES / sizeof(packet); i++)
		assert_true(path_put(&path, packet, sizeof(packet), start));
	assert_false(path_put(&path, packet, 1, start));
	assert_int_equal(path.counters.dropped, 1);
	free(path_take(&path, at(10000000)));
	assert_true(path_put(&path, packet, sizeof(packet), start));
	path_fini(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_flows),
	    cmocka_unit_test(test_jitter_delays_within_bounds_and_keeps_the_order),
	    cmocka_unit_test(test_loss_is_what_was_asked_for_and_repeats),
	    cmocka_unit_test(test_memory_is_bounded_without_a_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
