/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The choice of a server, with a clock, random numbers and loads of the test's own: methods and
 * weights, bounded loads, tiers and what spills over, subsets, slow start, and who is tried next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "origin-link/servers/balance.h"
#include "origin-link/servers/balance_points.h"

#define SERVERS_MAX 1000

struct server {
	bool avoided;
	struct {
		unsigned in_flight;
		duration latency;
	} load;
	unsigned chosen, last; /* the second is set by whoever counts anew */
};

static struct {
	struct balance_settings settings;
	struct balance_server given[SERVERS_MAX];
	struct server servers[SERVERS_MAX];
	unsigned n;
	struct balance_table *table;
	struct balance_request request;
	struct balance_list list;
	uint64_t seed;
	unsigned n_looks;
} t;

static bool avoided(const void *arg, const void *what)
{
	return ((const struct server *)what)->avoided;
}

static unsigned in_flight(const void *arg, void *what, bool closely)
{
	t.n_looks += closely;
	return ((struct server *)what)->load.in_flight;
}

static duration latency(const void *arg, const void *what)
{
	return ((const struct server *)what)->load.latency;
}

static void begin(enum cfg_balance_method method, unsigned n)
{
	balance_table_destroy(&t.table);
	memset(&t, 0, sizeof(t));
	t.settings = (struct balance_settings){.method = method, .spill = 0.7, .bound = 1.25};
	t.n = n;
	for (unsigned i = 0; i < n; i++)
		t.given[i] = (struct balance_server){
		    .what = &t.servers[i],
		    .id = balance_mix(i + 1),
		    .weight = 1,
		    .km = -1,
		};
	t.request.now.ns = DUR_S(1000).ns;
	t.request.eyes = (struct balance_eyes){avoided, in_flight, latency, NULL};
}

static void prepare(void)
{
	balance_table_destroy(&t.table);
	t.table = balance_table_create(&t.settings, t.given, t.n, 1);
}

static unsigned number_of(const void *what)
{
	return (unsigned)((const struct server *)what - t.servers);
}

static unsigned choose(void)
{
	if (!t.table)
		prepare();
	t.request.random = balance_mix(++t.seed);
	balance_choose(t.table, &t.request, &t.list);
	t.request.turn++;
	assert_true(t.list.n > 0);
	for (unsigned i = 0; i < t.list.n; i++) {
		for (unsigned j = 0; j < i; j++)
			assert_ptr_not_equal(t.list.v[i], t.list.v[j]);
	}
	return number_of(t.list.v[0]);
}

/* How often each was chosen, of `n` times. */
static void count(unsigned n)
{
	for (unsigned i = 0; i < t.n; i++)
		t.servers[i].chosen = 0;
	while (n-- > 0)
		t.servers[choose()].chosen++;
}

static unsigned choose_key(uint64_t key)
{
	t.request.has_key = true;
	t.request.key = balance_mix(key);
	return choose();
}

/* "2013": the list. */
static const char *listed(void)
{
	static char text[BALANCE_LIST_MAX + 1];

	choose();
	for (unsigned i = 0; i < t.list.n; i++)
		text[i] = (char)('0' + number_of(t.list.v[i]));
	text[t.list.n] = '\0';
	return text;
}

/* Turns */

static void test_turns(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 3);
	assert_string_equal(listed(), "012");
	assert_string_equal(listed(), "120");
	assert_string_equal(listed(), "201");
	t.servers[2].avoided = true;
	assert_string_equal(listed(), "012");
	assert_string_equal(listed(), "102");
	assert_int_equal(listed()[2], '2');
}

/* What the one that is avoided does not get, all others share: once its neighbour got it all. */
static void test_turns_of_one_that_is_avoided(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 4);
	t.servers[2].avoided = true;
	count(4000);
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(t.servers[i].chosen, i == 2 ? 0 : 1233, i == 2 ? 0 : 1433);
}

static void test_turns_by_weight(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 3);
	t.given[0].weight = 5;
	t.given[1].weight = 3;
	count(900);
	assert_int_equal(t.servers[0].chosen, 500);
	assert_int_equal(t.servers[1].chosen, 300);
	assert_int_equal(t.servers[2].chosen, 100);
}

/* All others are in the list though one has nearly all turns. */
static void test_who_is_next_beside_a_heavy_one(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 3);
	t.given[1].weight = 1000;
	for (int i = 0; i < 50; i++)
		assert_int_equal(strlen(listed()), 3);
}

static void test_more_than_a_list_has(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 1000);
	count(2000);
	for (unsigned i = 0; i < t.n; i++)
		assert_int_equal(t.servers[i].chosen, 2);
	assert_int_equal(t.list.n, BALANCE_LIST_MAX);
}

/* Least in flight */

static void test_idle_servers_take_turns(void **state)
{
	begin(CFG_BALANCE_LEAST_REQUESTS, 3);
	t.given[2].weight = 2;
	count(400);
	assert_int_equal(t.servers[0].chosen, 100);
	assert_int_equal(t.servers[1].chosen, 100);
	assert_int_equal(t.servers[2].chosen, 200);
}

static void test_least_in_flight(void **state)
{
	static const struct {
		unsigned in_flight[3], weights[3], chosen;
	} cases[] = {
	    {{5, 4, 6}, {1, 1, 1}, 1}, {{0, 0, 1}, {1, 1, 1}, 0},   {{2, 1, 1}, {1, 1, 1}, 1},
	    {{3, 3, 5}, {1, 1, 2}, 2}, {{9, 10, 4}, {9, 10, 1}, 0}, {{0, 1, 1}, {1, 100, 100}, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(CFG_BALANCE_LEAST_REQUESTS, 3);
		for (unsigned s = 0; s < 3; s++) {
			t.servers[s].load.in_flight = cases[i].in_flight[s];
			t.given[s].weight = cases[i].weights[s];
		}
		for (int turn = 0; turn < 3; turn++) {
			t.request.turn = 0;
			assert_int_equal(choose(), cases[i].chosen);
		}
	}
}

/* What is under way at each server, when requests come and go, and one server is ten times slower.
 */
static void test_slow_one_gets_less(void **state)
{
	unsigned long ends[4][64] = {{0}}, clock;
	unsigned slow = 0;

	begin(CFG_BALANCE_LEAST_REQUESTS, 4);
	for (clock = 0; clock < 20000; clock++) {
		unsigned s;

		for (s = 0; s < 4; s++) {
			for (unsigned i = 0; i < 64; i++) {
				if (ends[s][i] != 0 && ends[s][i] <= clock) {
					ends[s][i] = 0;
					t.servers[s].load.in_flight--;
				}
			}
		}
		s = choose();
		slow += s == 3;
		for (unsigned i = 0; i < 64; i++) {
			if (ends[s][i] == 0) {
				ends[s][i] = clock + (s == 3 ? 100 : 10);
				t.servers[s].load.in_flight++;
				break;
			}
		}
	}
	/* Its part of the work is 1 in 31; by turns it would have been 5,000. */
	assert_in_range(slow, 400, 1200);
}

/* A thousand are not all looked at. */
static void test_few_looks_at_many(void **state)
{
	begin(CFG_BALANCE_LEAST_REQUESTS, 1000);
	for (unsigned i = 0; i < t.n; i++)
		t.servers[i].load.in_flight = i % 2 ? 50 : 3;
	count(1000);
	assert_true(t.n_looks <= 5000);
	for (unsigned i = 1; i < t.n; i += 2)
		assert_int_equal(t.servers[i].chosen, 0);
}

/* Latency */

static void test_faster_of_two(void **state)
{
	begin(CFG_BALANCE_LATENCY, 2);
	t.servers[0].load.latency = DUR_MS(130);
	t.servers[1].load.latency = DUR_MS(20);
	for (int i = 0; i < 20; i++)
		assert_string_equal(listed(), "10");
	/* Seven wait there: 8 x 20 ms are more than 130. */
	t.servers[1].load.in_flight = 7;
	assert_string_equal(listed(), "01");
	t.servers[1].load.in_flight = 5;
	assert_string_equal(listed(), "10");
	/* It can do twice as much at a time. */
	t.given[1].weight = 2;
	prepare();
	t.servers[1].load.in_flight = 10;
	assert_string_equal(listed(), "10");
}

/* The slowest of three is one of two drawn at times, and never the better of them. */
static void test_slowest_is_left_alone(void **state)
{
	begin(CFG_BALANCE_LATENCY, 4);
	for (unsigned i = 0; i < 4; i++)
		t.servers[i].load.latency = DUR_MS(i == 2 ? 500 : 20);
	count(1200);
	assert_int_equal(t.servers[2].chosen, 0);
	for (unsigned i = 0; i < 4; i++) {
		if (i != 2)
			assert_in_range(t.servers[i].chosen, 300, 500);
	}
}

static void test_one_that_is_not_known_is_tried_once(void **state)
{
	begin(CFG_BALANCE_LATENCY, 2);
	t.servers[0].load.latency = DUR_MS(20);
	assert_int_equal(choose(), 1);
	t.servers[1].load.in_flight = 1;
	for (int i = 0; i < 20; i++)
		assert_int_equal(choose(), 0);
}

static void test_draws_are_by_weight(void **state)
{
	begin(CFG_BALANCE_LATENCY, 20);
	for (unsigned i = 0; i < 20; i++) {
		t.servers[i].load.latency = DUR_MS(20);
		t.given[i].weight = i < 10 ? 3 : 1;
	}
	count(8000);
	for (unsigned i = 0; i < 20; i++)
		assert_in_range(t.servers[i].chosen, i < 10 ? 480 : 120, i < 10 ? 720 : 290);
}

static void test_fast_but_avoided(void **state)
{
	begin(CFG_BALANCE_LATENCY, 3);
	for (unsigned i = 0; i < 3; i++)
		t.servers[i].load.latency = DUR_MS(20);
	t.servers[1].load.latency = DUR_MS(1);
	t.servers[1].avoided = true;
	for (int i = 0; i < 20; i++) {
		assert_int_not_equal(choose(), 1);
		assert_int_equal(number_of(t.list.v[2]), 1);
	}
}

/* Hash */

static void test_keys_keep_their_server(void **state)
{
	unsigned first[200];

	begin(CFG_BALANCE_HASH, 10);
	for (unsigned key = 0; key < 200; key++)
		first[key] = choose_key(key);
	/* One goes down: its keys go to those that were next in their lists, no other moves. */
	t.given[4].state = BALANCE_DOWN;
	for (unsigned key = 0; key < 200; key++) {
		unsigned next;

		prepare();
		assert_int_not_equal(choose_key(key), 4);
		if (first[key] != 4) {
			assert_int_equal(number_of(t.list.v[0]), first[key]);
			continue;
		}
		next = number_of(t.list.v[0]);
		t.given[4].state = BALANCE_UP;
		prepare();
		assert_int_equal(choose_key(key), 4);
		assert_int_equal(number_of(t.list.v[1]), next);
		t.given[4].state = BALANCE_DOWN;
	}
}

/* The order in which servers are written, and others that come, change nothing for a key. */
static void test_keys_find_servers_by_id(void **state)
{
	uint64_t first[100];

	begin(CFG_BALANCE_HASH, 10);
	for (unsigned key = 0; key < 100; key++)
		first[key] = t.given[choose_key(key)].id;
	for (unsigned i = 0; i < 10; i++)
		t.given[i].id = balance_mix(10 - i);
	prepare();
	for (unsigned key = 0; key < 100; key++)
		assert_true(t.given[choose_key(key)].id == first[key]);
}

static void test_bounded_load(void **state)
{
	unsigned home, next;

	begin(CFG_BALANCE_HASH, 4);
	home = choose_key(1);
	next = number_of(t.list.v[1]);
	/* A few of its own are no reason to leave it, though all others are idle. */
	t.servers[home].load.in_flight = 9;
	t.request.now.ns += DUR_S(1).ns;
	assert_int_equal(choose_key(1), home);
	for (unsigned i = 0; i < 4; i++)
		t.servers[i].load.in_flight = 40;
	/* 1.25 x (170 + 1) / 4 = 53.4 */
	t.servers[home].load.in_flight = 50;
	t.request.now.ns += DUR_S(1).ns;
	assert_int_equal(choose_key(1), home);
	t.servers[home].load.in_flight = 60;
	t.request.now.ns += DUR_S(1).ns;
	assert_int_equal(choose_key(1), next);
	/* When all are over it, it is at home again. */
	t.settings.bound = 1;
	for (unsigned i = 0; i < 4; i++)
		t.servers[i].load.in_flight = 100;
	prepare();
	for (unsigned i = 0; i < 4; i++)
		t.servers[i].load.in_flight = 200;
	assert_int_equal(choose_key(1), home);
}

/* One key that everybody asks for does not kill its server. */
static void test_hot_key_spreads(void **state)
{
	begin(CFG_BALANCE_HASH, 10);
	for (unsigned i = 0; i < 1000; i++) {
		t.request.now.ns += DUR_MS(200).ns;
		t.servers[choose_key(1)].load.in_flight++;
	}
	for (unsigned i = 0; i < 10; i++)
		assert_true(t.servers[i].load.in_flight <= 126);
}

static void test_without_a_key_the_least_busy(void **state)
{
	begin(CFG_BALANCE_HASH, 3);
	count(300);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(t.servers[i].chosen, 100);
}

/* Tiers */

/* How much of the requests goes to the first, second and third priority, of ten servers each, in
 * percent. */
static void assert_spill(const unsigned down[3], const unsigned percent[3])
{
	unsigned n[3] = {0};

	begin(CFG_BALANCE_ROUND_ROBIN, 30);
	for (unsigned i = 0; i < 30; i++) {
		t.given[i].priority = i / 10;
		if (i % 10 < down[i / 10])
			t.given[i].state = BALANCE_DOWN;
	}
	for (unsigned i = 0; i < 20000; i++)
		n[choose() / 10]++;
	for (unsigned i = 0; i < 3; i++) {
		unsigned share = (n[i] + 100) / 200;

		assert_in_range(share, percent[i] > 0 ? percent[i] - 1 : 0, percent[i] + 1);
		assert_true(percent[i] > 0 || n[i] == 0);
	}
}

#define SPILL(a, b, c, x, y, z)                                                                    \
	assert_spill((const unsigned[]){a, b, c}, (const unsigned[]){x, y, z})

static void test_spill(void **state)
{
	SPILL(0, 0, 0, 100, 0, 0);
	/* 70% are enough. */
	SPILL(3, 0, 0, 100, 0, 0);
	SPILL(4, 0, 0, 86, 14, 0);
	SPILL(9, 0, 0, 14, 86, 0);
	SPILL(10, 0, 0, 0, 100, 0);
	SPILL(10, 10, 0, 0, 0, 100);
	SPILL(5, 8, 0, 71, 29, 0);
	SPILL(8, 8, 0, 29, 29, 43);
	/* All together are not enough: in proportion. */
	SPILL(8, 8, 8, 33, 33, 33);
	SPILL(9, 8, 7, 17, 33, 50);
	/* All are down: as if none were. */
	SPILL(10, 10, 10, 100, 0, 0);
}

/* What is next when a whole priority does not answer, and is not known to be down yet. */
static void test_others_are_in_the_list(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 30);
	for (unsigned i = 0; i < 30; i++)
		t.given[i].priority = i >= 20;
	choose();
	assert_int_equal(t.list.n, BALANCE_LIST_MAX);
	for (unsigned i = 0; i < BALANCE_LIST_MAX; i++)
		assert_int_equal(number_of(t.list.v[i]) >= 20, i >= 12);
	for (unsigned i = 0; i < 20; i++)
		t.servers[i].avoided = true;
	assert_true(choose() >= 20);
}

static void test_keys_stay_in_their_priority(void **state)
{
	unsigned first[200], n = 0;

	begin(CFG_BALANCE_HASH, 20);
	for (unsigned i = 0; i < 20; i++) {
		t.given[i].priority = i / 10;
		if (i < 5)
			t.given[i].state = BALANCE_DOWN;
	}
	for (unsigned key = 0; key < 200; key++) {
		first[key] = choose_key(key);
		n += first[key] >= 10;
	}
	/* 1 - 0.5 / 0.7 = 29% */
	assert_in_range(n, 40, 80);
	for (unsigned key = 0; key < 200; key++)
		assert_int_equal(choose_key(key), first[key]);
}

static void test_near_ones_first(void **state)
{
	static const double km[] = {50, 340, 360, 8000, 8900, -1};

	begin(CFG_BALANCE_ROUND_ROBIN, 6);
	for (unsigned i = 0; i < 6; i++)
		t.given[i].km = km[i];
	assert_string_equal(listed(), "012345");
	assert_string_equal(listed(), "102435");
	/* What is farther away takes over as another priority would. */
	t.given[0].state = t.given[1].state = BALANCE_DOWN;
	prepare();
	assert_string_equal(listed(), "2345");
	/* Priorities come before distances. */
	t.given[2].priority = t.given[3].priority = 1;
	prepare();
	assert_int_equal(choose(), 4);
}

/* States */

static void test_states(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 3);
	t.given[0].state = BALANCE_DOWN;
	t.given[1].state = t.given[2].state = BALANCE_UNPROVEN;
	assert_string_equal(listed(), "12");
	assert_int_equal(balance_table_state(t.table), BALANCE_UNPROVEN);
	t.given[2].state = BALANCE_UP;
	prepare();
	assert_string_equal(listed(), "2");
	for (unsigned i = 0; i < 3; i++)
		t.given[i].state = BALANCE_DOWN;
	prepare();
	t.request.turn = 0;
	assert_string_equal(listed(), "012");
	assert_int_equal(balance_table_state(t.table), BALANCE_DOWN);
	t.n = 0;
	prepare();
	balance_choose(t.table, &t.request, &t.list);
	assert_int_equal(t.list.n, 0);
}

static void test_same_server_twice(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 3);
	t.given[2].what = t.given[0].what;
	assert_string_equal(listed(), "01");
	assert_string_equal(listed(), "01");
	assert_string_equal(listed(), "10");
}

/* Slow start */

static void test_curve_of_slow_start(void **state)
{
	static const struct {
		int seconds;
		double share;
	} cases[] = {{0, 0.1}, {2, 0.1}, {5, 0.25}, {10, 0.5}, {19, 0.95}, {20, 1}, {500, 1}};
	const mono_time since = {DUR_S(7).ns};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double share =
		    balance_slow_share(since, mono_add(since, DUR_S(cases[i].seconds)), DUR_S(20));

		assert_true(share > cases[i].share - 1e-9 && share < cases[i].share + 1e-9);
	}
	assert_true(balance_slow_share((mono_time){0}, since, DUR_S(20)) == 1);
	assert_true(balance_slow_share(since, since, DUR_S(0)) == 1);
}

static void test_slow_start(void **state)
{
	static const enum cfg_balance_method methods[] = {
	    CFG_BALANCE_ROUND_ROBIN,
	    CFG_BALANCE_LEAST_REQUESTS,
	    CFG_BALANCE_LATENCY,
	};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		begin(methods[i], 4);
		t.settings.slow_start = DUR_S(20);
		t.given[1].up_since = t.request.now;
		for (unsigned s = 0; s < 4; s++)
			t.servers[s].load.latency = DUR_MS(20);
		/* A tenth of its quarter, then half of it, then all. */
		count(4000);
		assert_in_range(t.servers[1].chosen, 60, 150);
		t.request.now.ns += DUR_S(10).ns;
		count(4000);
		assert_in_range(t.servers[1].chosen, 400, 620);
		t.request.now.ns += DUR_S(10).ns;
		count(4000);
		assert_in_range(t.servers[1].chosen, 900, 1100);
	}
}

/* Where all have just come up none can wait for another. */
static void test_slow_start_of_all(void **state)
{
	begin(CFG_BALANCE_LEAST_REQUESTS, 3);
	t.settings.slow_start = DUR_S(20);
	for (unsigned i = 0; i < 3; i++)
		t.given[i].up_since = t.request.now;
	count(3000);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(t.servers[i].chosen, 800, 1200);
}

/* It gets its keys one after the other, and none goes away again. */
static void test_slow_start_of_keys(void **state)
{
	bool had[400] = {false};
	unsigned last = 0;

	begin(CFG_BALANCE_HASH, 4);
	t.settings.slow_start = DUR_S(20);
	t.given[1].up_since = t.request.now;
	for (int second = 0; second <= 20; second += 5) {
		unsigned n = 0;

		for (unsigned key = 0; key < 400; key++) {
			bool has = choose_key(key) == 1;

			assert_true(has || !had[key]);
			had[key] = has;
			n += has;
		}
		assert_true(n >= last);
		last = n;
		t.request.now.ns += DUR_S(5).ns;
	}
	assert_in_range(last, 60, 150);
}

/* Subsets */

static void test_subsets(void **state)
{
	bool mine[100] = {false}, after;
	unsigned n = 0, new = 0;

	begin(CFG_BALANCE_ROUND_ROBIN, 100);
	t.settings.subset = 10;
	t.settings.self = 7;
	count(1000);
	for (unsigned i = 0; i < 100; i++) {
		mine[i] = t.servers[i].chosen > 0;
		n += mine[i];
		assert_true(!mine[i] || t.servers[i].chosen == 100);
	}
	assert_int_equal(n, 10);
	/* One of them goes: another takes its place, the rest stay. */
	for (unsigned i = 0; i < 100; i++) {
		if (mine[i]) {
			t.given[i].state = BALANCE_DOWN;
			break;
		}
	}
	prepare();
	count(1000);
	for (unsigned i = 0; i < 100; i++) {
		after = t.servers[i].chosen > 0;
		new += after && !mine[i];
		assert_true(after || !mine[i] || t.given[i].state == BALANCE_DOWN);
	}
	assert_int_equal(new, 1);
}

/* A hundred edges with ten of a hundred servers each leave none alone, and heap on none. */
static void test_subsets_of_many_edges(void **state)
{
	begin(CFG_BALANCE_ROUND_ROBIN, 100);
	t.settings.subset = 10;
	for (unsigned edge = 0; edge < 100; edge++) {
		t.settings.self = balance_mix(edge + 12345);
		prepare();
		for (unsigned i = 0; i < balance_table_size(t.table); i++)
			t.servers[number_of(balance_table_what(t.table, i))].last++;
	}
	for (unsigned i = 0; i < 100; i++)
		assert_in_range(t.servers[i].last, 2, 24);
}

/* One that was asked for */

static void test_server_that_was_asked_for(void **state)
{
	begin(CFG_BALANCE_LEAST_REQUESTS, 30);
	t.settings.finds_servers = true;
	t.given[25].priority = 3;
	t.request.has_server = true;
	for (unsigned i = 0; i < 30; i++) {
		t.request.server = t.given[i].id;
		t.servers[i].load.in_flight = 1000;
		assert_int_equal(choose(), i);
		assert_true(t.list.is_server);
	}
	t.servers[5].avoided = true;
	t.request.server = t.given[5].id;
	assert_int_not_equal(choose(), 5);
	assert_false(t.list.is_server);
	t.given[6].state = BALANCE_DOWN;
	prepare();
	t.request.server = t.given[6].id;
	assert_int_not_equal(choose(), 6);
	assert_false(t.list.is_server);
	t.request.server = 12345;
	choose();
	assert_false(t.list.is_server);
}

static int teardown(void **state)
{
	balance_table_destroy(&t.table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_turns),
	    cmocka_unit_test(test_turns_of_one_that_is_avoided),
	    cmocka_unit_test(test_turns_by_weight),
	    cmocka_unit_test(test_who_is_next_beside_a_heavy_one),
	    cmocka_unit_test(test_more_than_a_list_has),
	    cmocka_unit_test(test_idle_servers_take_turns),
	    cmocka_unit_test(test_least_in_flight),
	    cmocka_unit_test(test_slow_one_gets_less),
	    cmocka_unit_test(test_few_looks_at_many),
	    cmocka_unit_test(test_faster_of_two),
	    cmocka_unit_test(test_slowest_is_left_alone),
	    cmocka_unit_test(test_one_that_is_not_known_is_tried_once),
	    cmocka_unit_test(test_draws_are_by_weight),
	    cmocka_unit_test(test_fast_but_avoided),
	    cmocka_unit_test(test_keys_keep_their_server),
	    cmocka_unit_test(test_keys_find_servers_by_id),
	    cmocka_unit_test(test_bounded_load),
	    cmocka_unit_test(test_hot_key_spreads),
	    cmocka_unit_test(test_without_a_key_the_least_busy),
	    cmocka_unit_test(test_spill),
	    cmocka_unit_test(test_others_are_in_the_list),
	    cmocka_unit_test(test_keys_stay_in_their_priority),
	    cmocka_unit_test(test_near_ones_first),
	    cmocka_unit_test(test_states),
	    cmocka_unit_test(test_same_server_twice),
	    cmocka_unit_test(test_curve_of_slow_start),
	    cmocka_unit_test(test_slow_start),
	    cmocka_unit_test(test_slow_start_of_all),
	    cmocka_unit_test(test_slow_start_of_keys),
	    cmocka_unit_test(test_subsets),
	    cmocka_unit_test(test_subsets_of_many_edges),
	    cmocka_unit_test(test_server_that_was_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
