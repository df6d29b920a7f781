/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is learned of a server's patience with idle connections: stories, with a clock of the test's
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/conns/patience.h"

#define STEPS_MAX 8

static const struct story {
	const char *name;
	/* At these times the server ends connections that have been idle for so long, in ms. */
	struct {
		int64_t at, idle;
	} ends[STEPS_MAX];
	int64_t looked_at, most; /* ms */
} stories[] = {
    {"nothing is known", {{0, 0}}, 1000, 0},
    {"one is not enough", {{10000, 10000}}, 10000, 0},
    {"two that were idle for as long", {{10000, 10000}, {20100, 10003}}, 21100, 8750},
    {"not before that second is over", {{10000, 10000}, {20100, 10003}}, 21000, 0},
    {"or nearly", {{10000, 10000}, {20100, 9500}}, 21100, 8312},
    {"two that were not", {{10000, 10000}, {20100, 6000}}, 21100, 0},
    {"all at once, as by a restart", {{5000, 5000}, {5000, 5010}, {5001, 5000}}, 6000, 0},
    {"many of a moment, and then one later",
     {{10000, 10000}, {10000, 10000}, {10200, 10000}, {20000, 10001}},
     21000,
     8750},
    {"one after the other, close together",
     {{10000, 10000}, {10400, 10000}, {10800, 10000}, {11200, 10000}},
     12200,
     8750},
    {"two restarts, at which some had been idle for as long",
     {{10000, 3000}, {10001, 200}, {10002, 7000}, {30000, 6900}, {30001, 3000}, {30500, 2900}},
     32000,
     0},
    {"a restart in between",
     {{10000, 10000}, {15000, 3000}, {25000, 10000}, {36000, 10000}},
     37000,
     8750},
    {"too short to be meant", {{1000, 500}, {3000, 500}}, 4000, 0},
    {"known for an hour", {{10000, 10000}, {20000, 10000}}, 3619999, 8750},
    {"and not for ever", {{10000, 10000}, {20000, 10000}}, 3620000, 0},
    {"then one is enough, as before",
     {{10000, 10000}, {20000, 10000}, {3630000, 10000}},
     3631000,
     8750},
};

static void test_stories(void **state)
{
	const mono_time start = {DUR_S(5000).ns};

	for (unsigned i = 0; i < ARRAY_SIZE(stories); i++) {
		const struct story *s = &stories[i];
		struct patience p = {.seen = {0}};
		int64_t most;

		for (unsigned k = 0; k < STEPS_MAX && s->ends[k].at > 0; k++)
			patience_ended(&p, DUR_MS(s->ends[k].idle),
				       mono_add(start, DUR_MS(s->ends[k].at)));
		most = dur_to_ms(patience_most(&p, mono_add(start, DUR_MS(s->looked_at))));
		if (most != s->most)
			fail_msg("%s: %lld ms", s->name, (long long)most);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
