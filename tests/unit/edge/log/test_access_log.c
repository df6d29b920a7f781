/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which requests get a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/log/access_log.h"

#define REQUESTS 20000

static struct edge_log_rules *rules_of(double sample, enum cfg_log_failures failures)
{
	struct cfg_access_log config = {
	    .format = CFG_LOG_JSON,
	    .sample = sample,
	    .failures = failures,
	};

	return edge_log_rules_create(&config);
}

static bool is_wanted(double sample, enum cfg_log_failures failures, int status, enum reason end,
		      const char *id, uint64_t number)
{
	struct edge_log_rules *rules = rules_of(sample, failures);
	struct edge_facts facts = {.request_id = span_of(id)};
	struct edge_log_entry e = {.facts = &facts, .status = status, .end = end};
	bool wanted = edge_log_is_wanted(rules, &e, number);

	edge_log_rules_destroy(&rules);
	return wanted;
}

/* Near enough to what was asked for: five times the deviation of so many throws. */
static void assert_share(unsigned n, double percent)
{
	double expected = REQUESTS * percent / 100, slack = 5 * 0.5 * 141.5;

	assert_true((double)n >= expected - slack && (double)n <= expected + slack);
}

static void test_share_of_requests(void **state)
{
	static const double samples[] = {0, 1, 10, 50, 99, 100};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		unsigned by_number = 0, by_id = 0;

		for (unsigned k = 0; k < REQUESTS; k++) {
			char id[32];

			snprintf(id, sizeof(id), "id-%u", k);
			by_number +=
			    is_wanted(samples[i], CFG_LOG_FAILURES_ALL, 200, REASON_DONE, "", k);
			by_id +=
			    is_wanted(samples[i], CFG_LOG_FAILURES_ALL, 200, REASON_DONE, id, 0);
		}
		assert_share(by_number, samples[i]);
		assert_share(by_id, samples[i]);
		if (samples[i] == 0 || samples[i] == 100) {
			assert_int_equal(by_number, REQUESTS * samples[i] / 100);
			assert_int_equal(by_id, REQUESTS * samples[i] / 100);
		}
	}
}

/* All edges that a request comes by decide alike, and a larger sample has all of a smaller one. */
static void test_an_id_decides(void **state)
{
	for (unsigned k = 0; k < 1000; k++) {
		char id[32];
		bool one, two;

		snprintf(id, sizeof(id), "%u", k);
		one = is_wanted(30, CFG_LOG_FAILURES_ALL, 200, REASON_DONE, id, k);
		two = is_wanted(30, CFG_LOG_FAILURES_ALL, 200, REASON_DONE, id, k + 1);
		assert_int_equal(one, two);
		assert_true(!one || is_wanted(60, CFG_LOG_FAILURES_ALL, 200, REASON_DONE, id, 0));
	}
}

static void test_failures(void **state)
{
	static const struct {
		int status;
		enum reason end;
		bool failed;
	} cases[] = {
	    {200, REASON_DONE, false},
	    {404, REASON_DONE, false},
	    {429, REASON_LIMIT, false},
	    {408, REASON_CLIENT_BODY_TIMEOUT, false},
	    {500, REASON_DONE, true},
	    {502, REASON_ORIGIN_CLOSED, true},
	    {200, REASON_ORIGIN_TRUNCATED, true},
	    {200, REASON_CLIENT_CLOSED, true},
	    {0, REASON_CLIENT_CLOSED, true},
	    {101, REASON_TUNNEL_IDLE_TIMEOUT, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(
		    is_wanted(0, CFG_LOG_FAILURES_ALL, cases[i].status, cases[i].end, "", 0),
		    cases[i].failed);
		assert_false(
		    is_wanted(0, CFG_LOG_FAILURES_SAMPLED, cases[i].status, cases[i].end, "", 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_share_of_requests),
	    cmocka_unit_test(test_an_id_decides),
	    cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
