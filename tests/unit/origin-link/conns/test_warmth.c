/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many connections are opened ahead of need, and when: stories told step by step, with a clock
 * and chance of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/conns/warmth.h"

enum event { LOOK, OPENED, FAILED, PREVENTED, BROKEN, LOST };

struct step {
	int64_t ms;
	enum event event;
	/* of LOOK */
	struct warmth_sight sight;
	unsigned n;
	enum warmth_state state;
};

#define SEEN(spare_, in_use_, open_, opening_)                                                     \
	{                                                                                          \
		.spare = spare_, .idle_max = 100, .in_use = in_use_, .open = open_,                \
		.dialling = opening_, .opening = opening_                                          \
	}

#define STEPS_MAX 24

static const struct story {
	const char *name;
	struct step steps[STEPS_MAX]; /* up to one at 0 ms, but for the first */
} stories[] = {
    {"nothing is wanted", {{1, LOOK, SEEN(0, 5, 5, 0), 0, WARMTH_UNWANTED}}},
    {"as many as are wanted",
     {{1, LOOK, SEEN(2, 0, 0, 0), 2, WARMTH_COLD},
      {2, LOOK, SEEN(2, 0, 2, 2), 0, WARMTH_COLD},
      {.ms = 3, .event = OPENED},
      {3, LOOK, SEEN(2, 0, 2, 1), 0, WARMTH_COLD},
      {.ms = 4, .event = OPENED},
      {4, LOOK, SEEN(2, 0, 2, 0), 0, WARMTH_READY}}},
    {"what is ordered is not ordered again",
     {{1, LOOK, {.spare = 2, .idle_max = 100, .ordered = 2, .opening = 2}, 0, WARMTH_COLD}}},
    {"one that is used has another opened",
     {{1, LOOK, SEEN(1, 0, 1, 0), 0, WARMTH_READY},
      {2, LOOK, SEEN(1, 1, 1, 0), 1, WARMTH_READY},
      {3, LOOK, SEEN(1, 1, 2, 0), 0, WARMTH_READY}}},
    {"as many as were in use lately, and one more",
     {{1, LOOK, SEEN(1, 9, 10, 0), 0, WARMTH_READY},
      {60000, LOOK, SEEN(1, 0, 4, 0), 6, WARMTH_READY},
      {91000, LOOK, SEEN(1, 0, 4, 0), 6, WARMTH_READY},
      {179000, LOOK, SEEN(1, 0, 4, 0), 6, WARMTH_READY},
      {182000, LOOK, SEEN(1, 0, 4, 0), 0, WARMTH_READY}}},
    {"long after, nothing is left of that",
     {{1, LOOK, SEEN(1, 9, 10, 0), 0, WARMTH_READY},
      {500000, LOOK, SEEN(1, 0, 1, 0), 0, WARMTH_READY}}},
    {"no more than may be idle",
     {{1, LOOK, {.spare = 1, .idle_max = 4, .in_use = 9, .open = 9}, 0, WARMTH_READY},
      {2000, LOOK, {.spare = 1, .idle_max = 4, .in_use = 0, .open = 1}, 3, WARMTH_READY}}},
    {"what ends soon is not replaced before when no more may be idle",
     {{1, LOOK, {.spare = 4, .idle_max = 5, .in_use = 1, .open = 5}, 0, WARMTH_READY},
      {2, LOOK, {.spare = 4, .idle_max = 5, .open = 5, .leaving = 5}, 0, WARMTH_READY},
      {3, LOOK, {.spare = 4, .idle_max = 5, .open = 3, .leaving = 3}, 2, WARMTH_READY}}},
    {"what ends soon is replaced before",
     {{1, LOOK, {.spare = 2, .idle_max = 100, .open = 2}, 0, WARMTH_READY},
      {2, LOOK, {.spare = 2, .idle_max = 100, .open = 2, .leaving = 2}, 2, WARMTH_READY},
      {3, LOOK, {.spare = 2, .idle_max = 100, .open = 4, .leaving = 2}, 0, WARMTH_READY}}},
    {"a server that refuses is asked less and less often, by one",
     {{1, LOOK, SEEN(3, 0, 0, 0), 3, WARMTH_COLD},
      {.ms = 2, .event = FAILED},
      {.ms = 2, .event = FAILED}, /* those under way together count once */
      {.ms = 2, .event = FAILED},
      {3, LOOK, SEEN(3, 0, 0, 0), 0, WARMTH_COLD},
      {251, LOOK, SEEN(3, 0, 0, 0), 0, WARMTH_COLD},
      {252, LOOK, SEEN(3, 0, 0, 0), 1, WARMTH_COLD},
      {253, LOOK, SEEN(3, 0, 1, 1), 0, WARMTH_COLD},
      {.ms = 260, .event = FAILED},
      {759, LOOK, SEEN(3, 0, 0, 0), 0, WARMTH_COLD},
      {760, LOOK, SEEN(3, 0, 0, 0), 1, WARMTH_COLD},
      {.ms = 770, .event = FAILED},
      {1769, LOOK, SEEN(3, 0, 0, 0), 0, WARMTH_COLD},
      {1770, LOOK, SEEN(3, 0, 0, 0), 1, WARMTH_COLD},
      {.ms = 1780, .event = OPENED},
      {1780, LOOK, SEEN(3, 0, 1, 0), 2, WARMTH_COLD},
      {.ms = 1790, .event = OPENED},
      {.ms = 1790, .event = OPENED},
      {1790, LOOK, SEEN(3, 0, 3, 0), 0, WARMTH_READY}}},
    {"connections that end as soon as they are made are failures",
     {{1, LOOK, SEEN(2, 0, 0, 0), 2, WARMTH_COLD},
      {.ms = 2, .event = OPENED},
      {.ms = 2, .event = OPENED},
      {.ms = 3, .event = BROKEN},
      {.ms = 3, .event = BROKEN},
      {4, LOOK, SEEN(2, 0, 0, 0), 0, WARMTH_COLD},
      {252, LOOK, SEEN(2, 0, 0, 0), 0, WARMTH_COLD},
      {253, LOOK, SEEN(2, 0, 0, 0), 1, WARMTH_COLD},
      {.ms = 254, .event = OPENED},
      {.ms = 255, .event = BROKEN},
      {754, LOOK, SEEN(2, 0, 0, 0), 0, WARMTH_COLD},
      {755, LOOK, SEEN(2, 0, 0, 0), 1, WARMTH_COLD},
      {.ms = 756, .event = OPENED},
      {757, LOOK, SEEN(2, 0, 1, 0), 1, WARMTH_COLD},
      {.ms = 5000, .event = OPENED},
      {.ms = 5001, .event = BROKEN},
      {5250, LOOK, SEEN(2, 0, 1, 0), 0, WARMTH_READY},
      {5251, LOOK, SEEN(2, 0, 1, 0), 1, WARMTH_READY}}},
    {"one that has lost its last connection is cold",
     {{1, LOOK, SEEN(2, 0, 2, 0), 0, WARMTH_READY},
      {2, LOOK, SEEN(2, 0, 1, 0), 1, WARMTH_READY},
      {3, LOOK, SEEN(2, 0, 1, 1), 1, WARMTH_COLD}}},
    {"one that takes fewer than are wanted is ready with those",
     {{1, LOOK, SEEN(4, 0, 0, 0), 4, WARMTH_COLD},
      {.ms = 2, .event = OPENED},
      {.ms = 3, .event = FAILED},
      {.ms = 3, .event = FAILED},
      {.ms = 3, .event = FAILED},
      {4, LOOK, SEEN(4, 0, 1, 0), 0, WARMTH_READY}}},
    {"what our own limits prevent keeps nobody waiting",
     {{1, LOOK, SEEN(1, 0, 0, 0), 1, WARMTH_COLD},
      {.ms = 2, .event = PREVENTED},
      {3, LOOK, SEEN(1, 0, 0, 0), 0, WARMTH_READY},
      {5001, LOOK, SEEN(1, 0, 0, 0), 0, WARMTH_READY},
      {5002, LOOK, SEEN(1, 0, 0, 0), 1, WARMTH_READY}}},
    {"a server that comes back up has all of them first",
     {{1, LOOK, SEEN(2, 3, 5, 0), 0, WARMTH_READY},
      {2, LOOK, SEEN(0, 0, 1, 0), 0, WARMTH_UNWANTED},
      {3, LOOK, SEEN(2, 0, 1, 0), 4, WARMTH_COLD},
      {4, LOOK, SEEN(2, 0, 5, 4), 0, WARMTH_COLD},
      {5, LOOK, SEEN(2, 0, 5, 0), 0, WARMTH_READY}}},
    {"a server that comes back is not met by all at once",
     {{1, LOOK, SEEN(30, 70, 100, 0), 0, WARMTH_READY},
      {2, LOOK, SEEN(30, 0, 0, 0), 8, WARMTH_COLD},
      {3, LOOK, SEEN(30, 0, 8, 8), 0, WARMTH_COLD},
      {.ms = 4, .event = OPENED},
      {4, LOOK, SEEN(30, 0, 8, 7), 1, WARMTH_COLD},
      {.ms = 5, .event = OPENED},
      {5, LOOK, SEEN(30, 0, 8, 0), 8, WARMTH_COLD},
      {6, LOOK, SEEN(30, 0, 16, 0), 16, WARMTH_COLD},
      {7, LOOK, SEEN(30, 0, 64, 0), 36, WARMTH_COLD},
      {8, LOOK, SEEN(30, 0, 100, 0), 0, WARMTH_READY}}},
    {"one that has lost all that were idle is cold until others are there",
     {{1, LOOK, SEEN(2, 3, 5, 0), 0, WARMTH_READY},
      {.ms = 2, .event = LOST},
      {2, LOOK, SEEN(2, 0, 1, 0), 4, WARMTH_COLD},
      {3, LOOK, SEEN(2, 0, 5, 4), 0, WARMTH_COLD},
      {4, LOOK, SEEN(2, 0, 5, 0), 0, WARMTH_READY}}},
    {"its failures are forgotten when it goes down",
     {{1, LOOK, SEEN(1, 0, 0, 0), 1, WARMTH_COLD},
      {.ms = 2, .event = FAILED},
      {3, LOOK, SEEN(0, 0, 0, 0), 0, WARMTH_UNWANTED},
      {4, LOOK, SEEN(1, 0, 0, 0), 1, WARMTH_COLD}}},
};

static void tell(const struct story *story)
{
	const mono_time start = {DUR_S(100000).ns};
	struct warmth w = {.period_began = start};

	for (unsigned i = 0; i < STEPS_MAX && (i == 0 || story->steps[i].ms > 0); i++) {
		const struct step *s = &story->steps[i];
		mono_time now = mono_add(start, DUR_MS(s->ms));
		unsigned n = 0;

		switch (s->event) {
		case LOOK:
			n = warmth_look(&w, &s->sight, now);
			if (n != s->n || w.state != s->state)
				fail_msg("%s, at %lld ms: %u more, %s", story->name,
					 (long long)s->ms, n, warmth_state_text(w.state));
			break;
		case OPENED:
			warmth_opened(&w, now);
			break;
		case FAILED:
			warmth_failed(&w, now, 0);
			break;
		case PREVENTED:
			warmth_prevented(&w, now);
			break;
		case LOST:
			warmth_lost(&w);
			break;
		case BROKEN:
			warmth_broken(&w, now, 0);
			break;
		}
	}
}

static void test_stories(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(stories); i++)
		tell(&stories[i]);
}

/* Each wait is between half of what it may be and that, and never more than half a minute. */
static void test_waits(void **state)
{
	static const int64_t most[] = {250,  500,   1000,  2000,  4000,
				       8000, 16000, 30000, 30000, 30000};
	static const unsigned chances[] = {0, 1, 512, 1023, 1024, 0xffffffff};

	for (unsigned c = 0; c < ARRAY_SIZE(chances); c++) {
		mono_time now = {DUR_S(1).ns};
		struct warmth w = {.period_began = now};

		for (unsigned i = 0; i < ARRAY_SIZE(most); i++) {
			int64_t rest;

			warmth_failed(&w, now, chances[c]);
			rest = dur_to_ms(mono_since(w.rests_until, now));
			assert_in_range(rest, most[i] / 2, most[i]);
			now = w.rests_until;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stories),
	    cmocka_unit_test(test_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
