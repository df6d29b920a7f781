/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Outliers, by table and a clock that is given: each row is what the servers of an origin do from
 * one second to the next, and who is left out then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/health/outlier.h"

#define SERVERS_MAX 4
#define AT(second) ((mono_time){DUR_S(1000 + (second)).ns})

static const struct cfg_outliers settings = {
    .enabled = true,
    .failures = 5,
    .gateway_errors = 8,
    .share = 50,
    .latency = 3,
    .requests = 20,
    .window = DUR_S(10),
    .ejection = DUR_S(10),
    .ejection_max = DUR_S(35),
    .most = 50,
};

struct world {
	unsigned n;
	struct outlier outliers[SERVERS_MAX];
	int second;
};

/* What a server does in a second:
 *   '.' 10 good ones, of 100 ms      'x' 3 failures             'm' 9 good ones and 3 failures
 *   's' 10 good ones, of 500 ms      'g' 4 gateway errors       'b' 1 good one, 3 failures
 *   '-' nothing                      'D' nothing: it is down by the checks */
static struct outlier_member does(char what)
{
	struct outlier_member m = {.is_up = true};
	struct outlier_counts *c = &m.news;

	switch (what) {
	case '.':
	case 's':
		*c = (struct outlier_counts){.answers = 10, .whole = 10, .timed = 10};
		c->us = what == 's' ? 5000000 : 1000000;
		break;
	case 'm':
		*c = (struct outlier_counts){.answers = 9, .whole = 9, .failures = 3};
		break;
	case 'b':
		*c = (struct outlier_counts){.answers = 1, .whole = 1, .failures = 3};
		break;
	case 'x':
		c->failures = 3;
		break;
	case 'g':
		*c = (struct outlier_counts){.answers = 4, .whole = 4, .gateway_errors = 4};
		break;
	case 'D':
		m.is_up = false;
		break;
	default:
		assert_int_equal(what, '-');
	}
	return m;
}

/* A second: what each does, and what each is then: 'U' in use, or its cause. */
static void step(struct world *w, const char *what, char shown[SERVERS_MAX + 1])
{
	static const char causes[] = {'U', 'F', 'G', 'S', 'L'};
	struct outlier_member v[SERVERS_MAX];
	enum outlier_event events[SERVERS_MAX];

	w->n = (unsigned)strlen(what);
	for (unsigned i = 0; i < w->n; i++) {
		v[i] = does(what[i]);
		v[i].outlier = &w->outliers[i];
	}
	outlier_look(&settings, v, w->n, AT(w->second++), events);
	for (unsigned i = 0; i < w->n; i++)
		shown[i] = causes[w->outliers[i].cause];
	shown[w->n] = '\0';
}

static const struct row {
	const char *name, *seconds, *shown;
} rows[] = {
    {"failures in a row", ".x .x .-", "UU UF UF"},
    {"a look with a good one ends the row", ".x .. .x .x", "UU UU UU UF"},
    {"gateway errors in a row", ".g .g", "UU UG"},
    {"failures count as gateway errors too, not the other way round", ".x .g .x", "UU UU UG"},
    {"idle seconds are no good ones", ".x .- .x", "UU UU UF"},
    {"never the last", "x x x", "U U U"},
    {"one of two, and then no more", "xx xx xx", "UU FU FU"},
    {"half of four", "xxxx xxxx xxxx", "UUUU FFUU FFUU"},
    {"one of three", "xxx xxx xxx", "UUU FUU FUU"},
    {"who is left when the others go down is taken back at once", ".x .x D-", "UU UF UU"},
    {"one that is down counts for none", "xD xD xD", "UU UU UU"},
    {"one that is down is not left out", ".x .D .D", "UU UU UU"},
    {"a share of failures, when the window ends", ".b .b .b .b .b .b .b .b .b .b .b",
     "UU UU UU UU UU UU UU UU UU UU US"},
    {"a smaller share is not enough", ".m .m .m .m .m .m .m .m .m .m .m",
     "UU UU UU UU UU UU UU UU UU UU UU"},
    {"slower than the others", "..s ..s ..s ..s ..s ..s ..s ..s ..s ..s ..s",
     "UUU UUU UUU UUU UUU UUU UUU UUU UUU UUU UUL"},
    {"all slow is none slow", "ss ss ss ss ss ss ss ss ss ss ss ss",
     "UU UU UU UU UU UU UU UU UU UU UU UU"},
    {"back after its time", ".x .x .- .- .- .- .- .- .- .- .- .- .-",
     "UU UF UF UF UF UF UF UF UF UF UF UU UU"},
};

static void test_table(void **unused)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *seconds = rows[i].seconds, *shown = rows[i].shown;
		struct world w = {0};
		char got[SERVERS_MAX + 1], what[SERVERS_MAX + 1];

		for (unsigned s = 0; *seconds; s++) {
			size_t n = strcspn(seconds, " ");

			assert_int_equal(n, strcspn(shown, " "));
			memcpy(what, seconds, n);
			what[n] = '\0';
			step(&w, what, got);
			if (strncmp(got, shown, n) != 0)
				fail_msg("%s: after second %u %s, not %.*s", rows[i].name, s + 1,
					 got, (int)n, shown);
			seconds += n + (seconds[n] == ' ');
			shown += n + (shown[n] == ' ');
		}
	}
}

/* Seconds that it is left out for, the next time it fails. */
static int left_out_for(struct world *w)
{
	char got[SERVERS_MAX + 1];
	int from;

	for (step(w, ".x", got); got[1] == 'U'; step(w, ".x", got))
		;
	from = w->second;
	for (step(w, ".-", got); got[1] != 'U'; step(w, ".-", got))
		;
	return w->second - from;
}

static void be_good_for(struct world *w, int seconds)
{
	char got[SERVERS_MAX + 1];

	while (seconds-- > 0)
		step(w, "..", got);
}

static void test_longer_each_time_and_less_again(void **unused)
{
	struct world w = {0};

	assert_int_equal(left_out_for(&w), 10);
	assert_int_equal(left_out_for(&w), 20);
	assert_int_equal(left_out_for(&w), 30);
	assert_int_equal(left_out_for(&w), 35);
	assert_int_equal(w.outliers[1].times, 4);
	/* 35 s in use make up for one of them, and the next fault is the fourth again. */
	be_good_for(&w, 36);
	assert_int_equal(w.outliers[1].times, 3);
	assert_int_equal(left_out_for(&w), 35);
	be_good_for(&w, 400);
	assert_int_equal(w.outliers[1].times, 0);
	assert_int_equal(left_out_for(&w), 10);
}

/* A check says that it can be talked to again, not that it answers well. */
static void test_check_ends_what_it_can_judge(void **unused)
{
	struct world w = {0};
	char got[SERVERS_MAX + 1];

	step(&w, ".x", got);
	step(&w, ".x", got);
	assert_string_equal(got, "UF");
	assert_true(outlier_checked(&w.outliers[1], AT(w.second)));
	assert_false(outlier_checked(&w.outliers[1], AT(w.second)));
	step(&w, ".g", got);
	assert_string_equal(got, "UU");
	step(&w, ".g", got);
	assert_string_equal(got, "UG");
	assert_false(outlier_checked(&w.outliers[1], AT(w.second)));
	assert_int_equal(w.outliers[1].times, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_longer_each_time_and_less_again),
	    cmocka_unit_test(test_check_ends_what_it_can_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
