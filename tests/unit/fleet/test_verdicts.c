/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of verdicts: what readers are told of an address and of an edge, by a clock that the
 * test turns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "core/base/check.h"
#include "fleet/verdicts.h"

#define EDGES 3

/* Two edges with two addresses of IPv4 and one of IPv6, and one with none. */
struct fixture {
	struct cfg_fleet fleet;
	struct cfg_edge edges[EDGES];
	struct net_addr addrs[2][3];
	struct fleet_pulse *pulse;
	struct fleet_verdicts *table;
};

static const struct cfg_check check = {
    .interval = {5000000000},
    .timeout = {2000000000},
    .host = "",
    .path = "/",
    .rise = 2,
    .fall = 2,
};

static mono_time at(double seconds)
{
	return (mono_time){(int64_t)((1000 + seconds) * 1e9)};
}

static void make_fleet(struct fixture *f)
{
	static const char *const texts[2][3] = {
	    {"192.0.2.1", "192.0.2.2", "2001:db8::1"},
	    {"198.51.100.1", "198.51.100.2", "2001:db8::2"},
	};
	static const char *const names[EDGES] = {"fra1", "nyc1", "nil1"};

	f->fleet = (struct cfg_fleet){.edges = f->edges, .n_edges = EDGES};
	for (unsigned i = 0; i < EDGES; i++) {
		f->edges[i] = (struct cfg_edge){.name = names[i], .id = i, .check = check};
		if (i == 2)
			continue;
		for (unsigned k = 0; k < 3; k++)
			assert_true(net_addr_parse(texts[i][k], 0, &f->addrs[i][k]));
		f->edges[i].addresses = (struct cfg_addrs){.v = f->addrs[i], .n = 3};
	}
}

static struct fleet_verdict *verdict(struct fixture *f, unsigned edge, unsigned address)
{
	return fleet_verdicts_at(f->table, edge, address);
}

static struct fleet_verdicts *make_table(struct fixture *f)
{
	struct diag *diag = diag_create();
	struct fleet_verdicts *t = fleet_verdicts_load(&f->fleet, diag);

	assert_non_null(t);
	diag_destroy(&diag);
	fleet_verdicts_join(t, f->pulse);
	return t;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	make_fleet(f);
	f->pulse = fleet_pulse_create();
	f->table = make_table(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fleet_verdicts_unref(&f->table);
	fleet_pulse_unref(&f->pulse);
	free(f);
	return 0;
}

static void probe(struct fixture *f, unsigned edge, unsigned address, enum probe_cause cause,
		  mono_time now)
{
	struct fleet_verdict *v = verdict(f, edge, address);

	bool changed = cause == PROBE_NO_ROUTE ? health_forget(&v->health, cause)
					       : health_record(&v->health, cause);

	fleet_verdict_renewed(v, changed, DUR_MS(3), now);
}

/* "uu? ?" etc.: a letter for each address at that time, edges apart. */
static const char *states(struct fixture *f, mono_time now)
{
	static char text[16];
	char *p = text;

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < 3; k++)
			*p++ = "?ud"[fleet_verdict_state(verdict(f, i, k), now)];
		*p++ = ' ';
	}
	p[-1] = '\0';
	return text;
}

static void probe_all(struct fixture *f, enum probe_cause cause, mono_time now)
{
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < 3; k++)
			probe(f, i, k, cause, now);
	}
}

static void test_each_address_has_its_verdict(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(states(f, at(0)), "??? ???");
	probe(f, 0, 0, PROBE_OK, at(0));
	probe(f, 0, 1, PROBE_REFUSED, at(0));
	assert_string_equal(states(f, at(0)), "ud? ???");
	assert_int_equal(fleet_verdict_cause(verdict(f, 0, 1)), PROBE_REFUSED);
	assert_int_equal(fleet_verdict_probe_time(verdict(f, 0, 1)).ns, DUR_MS(3).ns);
}

/* What the probes of the first edge's addresses say, and what that makes of its families. */
struct family_case {
	enum probe_cause found[3];
	enum health_state any, v4, v6;
};

static void expect_family_states(struct fixture *f, const struct family_case *c)
{
	for (unsigned k = 0; k < 3; k++) {
		health_init(&verdict(f, 0, k)->health, 1, 1);
		if (c->found[k] != PROBE_PENDING)
			probe(f, 0, k, c->found[k], at(0));
	}
	assert_int_equal(fleet_verdicts_edge_state(f->table, 0, AF_UNSPEC, at(0)), c->any);
	assert_int_equal(fleet_verdicts_edge_state(f->table, 0, AF_INET, at(0)), c->v4);
	assert_int_equal(fleet_verdicts_edge_state(f->table, 0, AF_INET6, at(0)), c->v6);
}

/* One address that is dead took the whole edge down, when it was the first, or was not seen. */
static void test_edge_is_up_by_any_of_its_addresses(void **state)
{
	struct fixture *f = *state;
	static const struct family_case cases[] = {
	    {{PROBE_REFUSED, PROBE_OK, PROBE_REFUSED}, HEALTH_UP, HEALTH_UP, HEALTH_DOWN},
	    {{PROBE_OK, PROBE_REFUSED, PROBE_PENDING}, HEALTH_UP, HEALTH_UP, HEALTH_UNKNOWN},
	    {{PROBE_REFUSED, PROBE_PENDING, PROBE_OK}, HEALTH_UP, HEALTH_UNKNOWN, HEALTH_UP},
	    {{PROBE_REFUSED, PROBE_REFUSED, PROBE_REFUSED}, HEALTH_DOWN, HEALTH_DOWN, HEALTH_DOWN},
	    {{PROBE_REFUSED, PROBE_PENDING, PROBE_REFUSED},
	     HEALTH_UNKNOWN,
	     HEALTH_UNKNOWN,
	     HEALTH_DOWN},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		expect_family_states(f, &cases[i]);
	assert_int_equal(fleet_verdicts_edge_state(f->table, 2, AF_UNSPEC, at(0)), HEALTH_UNKNOWN);
}

/* A name server without IPv6 said of dead edges that they might be up, and of none that it is. */
static void test_addresses_without_a_route_took_no_part_of_their_edge(void **state)
{
	struct fixture *f = *state;
	static const struct family_case cases[] = {
	    {{PROBE_OK, PROBE_REFUSED, PROBE_NO_ROUTE}, HEALTH_UP, HEALTH_UP, HEALTH_UP},
	    {{PROBE_REFUSED, PROBE_REFUSED, PROBE_NO_ROUTE}, HEALTH_DOWN, HEALTH_DOWN, HEALTH_DOWN},
	    {{PROBE_REFUSED, PROBE_PENDING, PROBE_NO_ROUTE},
	     HEALTH_UNKNOWN,
	     HEALTH_UNKNOWN,
	     HEALTH_UNKNOWN},
	    {{PROBE_NO_ROUTE, PROBE_NO_ROUTE, PROBE_OK}, HEALTH_UP, HEALTH_UP, HEALTH_UP},
	    {{PROBE_NO_ROUTE, PROBE_REFUSED, PROBE_OK}, HEALTH_UP, HEALTH_DOWN, HEALTH_UP},
	    {{PROBE_NO_ROUTE, PROBE_NO_ROUTE, PROBE_NO_ROUTE},
	     HEALTH_UNKNOWN,
	     HEALTH_UNKNOWN,
	     HEALTH_UNKNOWN},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		expect_family_states(f, &cases[i]);
}

/* Each start and each reload of such a machine took three seconds. */
static void test_settled_without_addresses_that_have_no_route(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch;

	for (unsigned i = 0; i < 2; i++) {
		probe(f, i, 0, PROBE_OK, at(0));
		probe(f, i, 1, PROBE_OK, at(0));
		/* What the edge is told to be may change by it. */
		epoch = fleet_verdicts_epoch(f->table);
		probe(f, i, 2, PROBE_NO_ROUTE, at(0));
		assert_int_equal(fleet_verdicts_epoch(f->table), epoch + 1);
	}
	assert_null(fleet_verdicts_unsettled(f->table));
	/* Nor is it told again and again that they have grown old. */
	epoch = fleet_verdicts_epoch(f->table);
	probe(f, 0, 2, PROBE_NO_ROUTE, at(5));
	assert_int_equal(fleet_verdicts_look(f->table, at(6)), 0);
	assert_int_equal(fleet_verdicts_epoch(f->table), epoch);
	/* A route that goes takes what was known with it. */
	probe(f, 0, 2, PROBE_OK, at(7));
	probe(f, 0, 2, PROBE_NO_ROUTE, at(8));
	assert_int_equal(fleet_verdict_state(verdict(f, 0, 2), at(8)), HEALTH_UNKNOWN);
	assert_int_equal(fleet_verdicts_epoch(f->table), epoch + 2);
}

/* Workers went on believing what a control loop that was stuck had found out long ago. */
static void test_verdict_that_nobody_renewed_was_believed(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch;

	probe_all(f, PROBE_OK, at(0));
	probe(f, 1, 0, PROBE_OK, at(5));
	/* 3 x 5 s + 2 s */
	assert_string_equal(states(f, at(17)), "uuu uuu");
	assert_true(fleet_verdicts_fresh(f->table, at(17)));
	assert_string_equal(states(f, at(17.1)), "??? u??");
	assert_false(fleet_verdicts_fresh(f->table, at(17.1)));
	assert_string_equal(states(f, at(23)), "??? ???");

	/* When control looks again, it counts each of them once. */
	epoch = fleet_verdicts_epoch(f->table);
	assert_int_equal(fleet_verdicts_look(f->table, at(17.1)), 5);
	assert_int_not_equal(fleet_verdicts_epoch(f->table), epoch);
	assert_true(fleet_verdicts_fresh(f->table, at(18)));
	assert_int_equal(fleet_verdicts_look(f->table, at(18)), 0);
	assert_int_equal(fleet_verdicts_look(f->table, at(23)), 1);

	/* The next word decides, whatever was known before. */
	epoch = fleet_verdicts_epoch(f->table);
	probe(f, 0, 0, PROBE_REFUSED, at(24));
	probe(f, 0, 1, PROBE_OK, at(24));
	assert_string_equal(states(f, at(24)), "du? ???");
	assert_int_equal(fleet_verdicts_epoch(f->table), epoch + 2);
}

static void test_short_intervals_have_ten_seconds(void **state)
{
	struct fixture *f = *state;
	struct cfg_check often = check;

	often.interval = often.timeout = DUR_MS(250);
	fleet_verdict_retune(verdict(f, 0, 0), &often);
	probe_all(f, PROBE_OK, at(0));
	assert_string_equal(states(f, at(9.9)), "uuu uuu");
	assert_true(fleet_verdicts_fresh(f->table, at(9.9)));
	assert_false(fleet_verdicts_fresh(f->table, at(10.1)));
	assert_string_equal(states(f, at(10.1)), "?uu uuu");
}

static void test_epoch_moves_with_what_is_told(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch;

	probe_all(f, PROBE_OK, at(0));
	epoch = fleet_verdicts_epoch(f->table);
	probe_all(f, PROBE_OK, at(1));
	assert_int_equal(fleet_verdicts_epoch(f->table), epoch);
	probe(f, 0, 0, PROBE_REFUSED, at(2)); /* failing */
	assert_true(fleet_verdict_failing(verdict(f, 0, 0)));
	assert_int_equal(fleet_verdicts_epoch(f->table), epoch + 1);
	probe(f, 0, 0, PROBE_REFUSED, at(3)); /* down */
	assert_int_equal(fleet_verdicts_epoch(f->table), epoch + 2);
	probe(f, 0, 0, PROBE_TIMED_OUT, at(4)); /* still */
	assert_int_equal(fleet_verdicts_epoch(f->table), epoch + 2);
}

static void test_recalled_verdict_holds_until_the_first_probe(void **state)
{
	struct fixture *f = *state;

	fleet_verdict_recall(verdict(f, 0, 0), HEALTH_UP, PROBE_OK, at(-1000), at(0));
	fleet_verdict_recall(verdict(f, 0, 1), HEALTH_DOWN, PROBE_REFUSED, at(-1000), at(0));
	assert_string_equal(states(f, at(1)), "ud? ???");
	assert_string_equal(states(f, at(17.1)), "??? ???");
	/* It takes two of them otherwise. */
	probe(f, 0, 0, PROBE_TIMED_OUT, at(2));
	probe(f, 0, 1, PROBE_OK, at(2));
	assert_string_equal(states(f, at(2)), "du? ???");
	probe(f, 0, 1, PROBE_TIMED_OUT, at(3));
	assert_string_equal(states(f, at(3)), "du? ???");
}

static void test_settled_without_drained_edges(void **state)
{
	struct fixture *f = *state;
	struct fleet_verdicts *drained;
	char *waits_for;

	for (unsigned k = 0; k < 3; k++)
		probe(f, 0, k, PROBE_OK, at(0));
	waits_for = fleet_verdicts_unsettled(f->table);
	assert_string_equal(waits_for, "edge nyc1");
	free(waits_for);
	f->edges[1].admin = CFG_ADMIN_DRAINED;
	drained = make_table(f);
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned k = 0; k < 3; k++)
			fleet_verdicts_keep(drained, i, k, verdict(f, i, k));
	}
	assert_null(fleet_verdicts_unsettled(drained));
	fleet_verdicts_unref(&drained);
}

static void test_fixed_table(void **state)
{
	struct fixture *f = *state;
	struct fleet_verdicts *t = fleet_verdicts_fixed(&f->fleet);
	uint64_t epoch = fleet_verdicts_epoch(t);

	assert_int_equal(fleet_verdicts_edge_state(t, 0, AF_UNSPEC, at(0)), HEALTH_UNKNOWN);
	fleet_verdicts_set(t, 0, FLEET_ALL_ADDRESSES, HEALTH_UP, false);
	fleet_verdicts_set(t, 0, 1, HEALTH_DOWN, false);
	fleet_verdicts_set(t, 0, 2, HEALTH_UP, true);
	assert_int_equal(fleet_verdict_state(fleet_verdicts_at(t, 0, 0), at(1e8)), HEALTH_UP);
	assert_int_equal(fleet_verdict_state(fleet_verdicts_at(t, 0, 1), at(0)), HEALTH_DOWN);
	assert_false(fleet_verdict_failing(fleet_verdicts_at(t, 0, 0)));
	assert_true(fleet_verdict_failing(fleet_verdicts_at(t, 0, 2)));
	assert_true(fleet_verdicts_fresh(t, at(1e8)));
	assert_int_equal(fleet_verdicts_epoch(t), epoch + 3);
	fleet_verdicts_unref(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_each_address_has_its_verdict, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_edge_is_up_by_any_of_its_addresses, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_verdict_that_nobody_renewed_was_believed, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_short_intervals_have_ten_seconds, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_epoch_moves_with_what_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_recalled_verdict_holds_until_the_first_probe,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(test_settled_without_drained_edges, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_addresses_without_a_route_took_no_part_of_their_edge, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_settled_without_addresses_that_have_no_route,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(test_fixed_table, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
