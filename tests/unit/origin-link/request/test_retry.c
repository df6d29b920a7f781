/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rule of what is tried again, by a table; and, whatever the case, that nothing which may have
 * been done is done twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/request/retry.h"

#define CONNECT (1U << CFG_RETRY_CONNECT)
#define IDLE (1U << CFG_RETRY_IDLE)
#define RESET (1U << CFG_RETRY_RESET)
#define STATUSES .statuses = {{502, 504}, {429, 429}}, .n_statuses = 2

static const struct retry_rule usual = {.attempts = 1, .on = CONNECT | IDLE};
static const struct retry_rule never = {.attempts = 0, .on = CONNECT | IDLE};
static const struct retry_rule eager = {.attempts = 3, .on = CONNECT | IDLE | RESET, STATUSES};

struct line {
	const char *name;
	const struct retry_rule *rule;
	struct retry_case c;
	enum retry_verdict verdict;
	enum retry_cost cost;
};

#define BROKE .cause = RETRY_BROKE, .reason = REASON_ORIGIN_RESET
/* That may be done twice, and of which all is there. */
#define TWICE .idempotent = true, .whole = true

static const struct line lines[] = {
    {"an idle connection was closed",
     &usual,
     {BROKE, TWICE, .reused = true},
     RETRY_SAME,
     RETRY_COUNTED},
    {"once", &usual, {BROKE, TWICE, .reused = true, .n = 1}, RETRY_NO, RETRY_FREE},
    {"a new one broke", &usual, {BROKE, TWICE}, RETRY_NO, RETRY_FREE},
    {"a new one broke, and that is on", &eager, {BROKE, TWICE}, RETRY_NEXT, RETRY_ASKED},
    {"as often as may be", &eager, {BROKE, TWICE, .n = 2}, RETRY_NEXT, RETRY_ASKED},
    {"no more often", &eager, {BROKE, TWICE, .n = 3}, RETRY_NO, RETRY_FREE},
    {"not idempotent", &eager, {BROKE, .whole = true, .reused = true}, RETRY_NO, RETRY_FREE},
    {"content is gone", &eager, {BROKE, .idempotent = true, .reused = true}, RETRY_NO, RETRY_FREE},
    {"an answer has begun",
     &eager,
     {BROKE, TWICE, .reused = true, .answered = true},
     RETRY_NO,
     RETRY_FREE},
    {"it is not wanted", &never, {BROKE, TWICE, .reused = true}, RETRY_NO, RETRY_FREE},
    {"nothing was sent, on an idle one",
     &usual,
     {BROKE, .whole = true, .unacted = true, .reused = true},
     RETRY_SAME,
     RETRY_FREE},
    {"nothing was sent, on a new one",
     &usual,
     {BROKE, .whole = true, .unacted = true},
     RETRY_NEXT,
     RETRY_FREE},
    {"nothing was sent, and it is not wanted",
     &never,
     {BROKE, .whole = true, .unacted = true, .reused = true},
     RETRY_SAME,
     RETRY_FREE},
    {"nothing was sent, again, as when servers are restarted one after the other",
     &usual,
     {BROKE, .whole = true, .unacted = true, .n = 2},
     RETRY_NEXT,
     RETRY_FREE},
    {"nothing was sent, too often",
     &never,
     {BROKE, .whole = true, .unacted = true, .reused = true, .n = 3},
     RETRY_NO,
     RETRY_FREE},
    {"what was sent was refused unseen",
     &eager,
     {BROKE, .whole = true, .unacted = true, .n = 2},
     RETRY_NEXT,
     RETRY_FREE},
    {"the same, of which content is gone", &eager, {BROKE, .unacted = true}, RETRY_NO, RETRY_FREE},
    {"our memory is gone",
     &eager,
     {.cause = RETRY_BROKE, .reason = REASON_LIMIT, TWICE, .reused = true},
     RETRY_NO,
     RETRY_FREE},
    {"a server has vanished",
     &usual,
     {.cause = RETRY_VANISHED, TWICE},
     RETRY_ONLY_OTHER,
     RETRY_COUNTED},
    {"an idle connection has",
     &usual,
     {.cause = RETRY_VANISHED, TWICE, .reused = true},
     RETRY_NEXT,
     RETRY_COUNTED},
    {"a third server has",
     &usual,
     {.cause = RETRY_VANISHED, TWICE, .n = 2},
     RETRY_ONLY_OTHER,
     RETRY_COUNTED},
    {"a server has vanished with what must not be done twice",
     &eager,
     {.cause = RETRY_VANISHED, .whole = true},
     RETRY_NO,
     RETRY_FREE},
    {"it takes long", &usual, {.cause = RETRY_TOOK_LONG, TWICE}, RETRY_NEXT, RETRY_ASKED},
    {"it takes long, and must not be done twice",
     &eager,
     {.cause = RETRY_TOOK_LONG, .whole = true},
     RETRY_NO,
     RETRY_FREE},
    {"a status that is listed",
     &eager,
     {.cause = RETRY_STATUS, .status = 503, TWICE, .answered = true},
     RETRY_NEXT,
     RETRY_ASKED},
    {"another that is listed",
     &eager,
     {.cause = RETRY_STATUS, .status = 429, TWICE, .answered = true},
     RETRY_NEXT,
     RETRY_ASKED},
    {"one that is not",
     &eager,
     {.cause = RETRY_STATUS, .status = 500, TWICE, .answered = true},
     RETRY_NO,
     RETRY_FREE},
    {"none is",
     &usual,
     {.cause = RETRY_STATUS, .status = 503, TWICE, .answered = true},
     RETRY_NO,
     RETRY_FREE},
    {"a status, for what must not be done twice",
     &eager,
     {.cause = RETRY_STATUS, .status = 503, .whole = true, .answered = true},
     RETRY_NO,
     RETRY_FREE},
    {"a status, and content is gone",
     &eager,
     {.cause = RETRY_STATUS, .status = 503, .idempotent = true, .answered = true},
     RETRY_NO,
     RETRY_FREE},
};

static void test_rule(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct line *l = &lines[i];
		struct retry_decision d = retry_decide(l->rule, &l->c);

		if (d.verdict != l->verdict || d.cost != l->cost)
			fail_msg("%s: verdict %d, cost %d", l->name, d.verdict, d.cost);
	}
}

/* Every combination of facts: none lets what is not idempotent, has lost its content or is answered
 * be sent twice after the server may have acted upon it, nor goes on without end. */
static void test_never_twice(void **state)
{
	static const enum reason reasons[] = {REASON_ORIGIN_RESET, REASON_ORIGIN_CLOSED,
					      REASON_LIMIT};
	unsigned n = 0;

	for (unsigned bits = 0; bits < 1U << 5; bits++) {
		for (unsigned i = 0; i < 4 * ARRAY_SIZE(reasons) * 5; i++) {
			struct retry_case c = {
			    .cause = (enum retry_cause)(i % 4),
			    .reason = reasons[i / 4 % ARRAY_SIZE(reasons)],
			    .status = 503,
			    .unacted = bits & 1,
			    .idempotent = bits & 2,
			    .whole = bits & 4,
			    .answered = bits & 8,
			    .reused = bits & 16,
			    .n = i / 12,
			};
			bool safe = c.whole && (c.unacted || c.idempotent);

			if (retry_decide(&eager, &c).verdict == RETRY_NO)
				continue;
			n++;
			assert_true(safe);
			assert_true(c.n < 3 || c.cause == RETRY_VANISHED);
			assert_true(!c.answered || c.cause == RETRY_STATUS || c.unacted);
		}
	}
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rule),
	    cmocka_unit_test(test_never_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
