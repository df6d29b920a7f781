/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * When a second connection is begun beside a first, and where to: by table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/request/race.h"

static void test_looks(void **state)
{
	static const struct {
		enum race_stage stage;
		bool others;
		enum race_step step;
	} rows[] = {
	    /* Its server may not even have been asked. */
	    {RACE_WAITS, true, RACE_LOOK_LATER},
	    {RACE_WAITS, false, RACE_OVER},
	    {RACE_DIALS, true, RACE_START},
	    /* Nobody to run against. */
	    {RACE_DIALS, false, RACE_OVER},
	    /* The way is open: another one would be no faster. */
	    {RACE_SECURES, true, RACE_OVER},
	    {RACE_SECURES, false, RACE_OVER},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(race_look(rows[i].stage, rows[i].others), rows[i].step);
}

/* Families take turns (RFC 8305 section 4), and within one the order is the balancer's. */
static void test_rivals(void **state)
{
	static const struct {
		const char *first, *others[4];
		unsigned rival;
	} rows[] = {
	    {"[2001:db8::1]:80", {"[2001:db8::2]:80", "192.0.2.1:80", "192.0.2.2:80"}, 1},
	    {"192.0.2.1:80", {"192.0.2.2:80", "192.0.2.3:80", "[2001:db8::1]:80"}, 2},
	    {"192.0.2.1:80", {"192.0.2.2:80", "192.0.2.3:80"}, 0},
	    {"192.0.2.1:80", {"[2001:db8::2]:80"}, 0},
	    {"192.0.2.1:80", {"192.0.2.2:80"}, 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_addr first, v[4];
		const struct net_addr *others[4];
		unsigned n = 0;

		assert_true(net_addr_parse(rows[i].first, 0, &first));
		for (; n < 4 && rows[i].others[n]; n++) {
			assert_true(net_addr_parse(rows[i].others[n], 0, &v[n]));
			others[n] = &v[n];
		}
		assert_int_equal(race_rival(&first, others, n), rows[i].rival);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_looks),
	    cmocka_unit_test(test_rivals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
