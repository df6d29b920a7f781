/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The breaker, by table and a clock that is given: what happens from one second to the next, and
 * the states that follow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/health/breaker.h"

static const struct cfg_breaker settings = {
    .enabled = true,
    .share = 50,
    .requests = 20,
    .window = DUR_S(10),
    .open = DUR_S(5),
    .trials = 3,
};

/* '.' 10 good, 'x' 10 bad, 'm' 6 good and 4 bad, 'o' one good, 'f' one bad, '-' nothing;
 * 'C' closed, 'O' open, 'T' trial. */
static const struct row {
	const char *name, *seconds, *states;
} rows[] = {
    {"all is well", "......", "CCCCCC"},
    {"half of a window fails", ".x", "CO"},
    {"less than half does not matter", "mmmmmmmmmmmm", "CCCCCCCCCCCC"},
    {"too few to say", "ffffffffff", "CCCCCCCCCC"},
    {"enough of them", "xx", "CO"},
    {"what failed in the window before is forgotten", "x----------.", "CCCCCCCCCCCC"},
    {"and what came after it is not", "x----------xx", "CCCCCCCCCCCCO"},
    {"open for its time, then on trial", "xx-----", "COOOOOT"},
    {"what ends while it is open was begun before", "xxxxxx-", "COOOOOT"},
    {"trials go well", "xx-----ooo.", "COOOOOTTTCC"},
    {"one fails", "xx-----ofo.", "COOOOOTTTCC"},
    {"most of them fail", "xx-----off-----", "COOOOOTTTOOOOOT"},
    {"all of them fail", "xx-----x-----", "COOOOOTOOOOOT"},
    {"no word of the trials: others are tried", "xx----------ooo", "COOOOOTTTTTTTTC"},
    {"what was counted on trial does not count when closed", "xx-----ooof.", "COOOOOTTTCCC"},
};

static void test_table(void **unused)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct breaker b = {0};

		for (unsigned s = 0; row->seconds[s]; s++) {
			struct breaker_counts news = {0};
			char c = row->seconds[s];
			enum breaker_state before = b.state;
			bool began;

			news.good = c == '.' ? 10 : c == 'm' ? 6 : c == 'o';
			news.bad = c == 'x' ? 10 : c == 'm' ? 4 : c == 'f';
			began = breaker_look(&b, &settings, &news, (mono_time){DUR_S(100 + s).ns});
			if ("COT"[b.state] != row->states[s])
				fail_msg("%s: after second %u %s", row->name, s + 1,
					 breaker_state_text(b.state));
			assert_true(began || b.state == before);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
