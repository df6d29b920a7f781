/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The review of other edges' connections: after a reload each is looked at once, a few in a turn,
 * and those that it has outdated are drained; newcomers are looked at without one; connections end
 * meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/conn/conn.h"
#include "edge/conn/review.h"
#include "edge/node/view.h"

#define CONNS (5 * EDGE_REVIEW_PER_TURN + 1)

static struct {
	struct edge_common common;
	struct edge_worker worker;
	struct edge_review review;
	struct edge_conn conns[CONNS];
	unsigned drained[CONNS];
	uint64_t turn;    /* in which the last one was drained */
	unsigned in_turn; /* how many were */
	bool ends;        /* a connection ends when it is drained */
} world;

static void drain(struct edge_conn *conn, enum reason reason)
{
	uint64_t turn = loop_turn(world.worker.loop);

	assert_int_equal(reason, REASON_CLIENT_DENIED);
	if (turn != world.turn)
		world.in_turn = 0;
	world.turn = turn;
	assert_true(++world.in_turn <= EDGE_REVIEW_PER_TURN);
	world.drained[conn - world.conns]++;
	if (world.ends)
		edge_review_remove(&world.review, conn);
}

static void destroy_view(struct snapshot *snapshot)
{
	snapshot_fini(snapshot);
	free(CONTAINER_OF(snapshot, struct edge_view, snapshot));
}

static int setup(void **state)
{
	struct edge_view *view = xcalloc(1, sizeof(*view));
	struct snapshot *snapshot = &view->snapshot;

	world.common.group = loop_group_create(0);
	world.worker.common = &world.common;
	world.worker.loop = world.common.group->control;
	snapshot_slot_init(&world.common.views, world.common.group);
	/* It is no relay: no edge is let in. */
	snapshot_init(snapshot, world.common.group, destroy_view);
	snapshot_publish(&world.common.views, &snapshot);
	edge_review_init(&world.review, world.worker.loop);
	return 0;
}

static int teardown(void **state)
{
	edge_review_fini(&world.review);
	snapshot_slot_fini(&world.common.views);
	loop_group_destroy(&world.common.group);
	memset(&world, 0, sizeof(world));
	return 0;
}

/* What is no edge's stands for one that is still let in. */
static void add(unsigned i, bool outdated)
{
	static const struct edge_conn_ops ops = {.drain = drain};

	world.conns[i] =
	    (struct edge_conn){.worker = &world.worker, .ops = &ops, .client.is_edge = outdated};
	edge_review_add(&world.review, &world.conns[i]);
}

static void add_all(void)
{
	for (unsigned i = 0; i < CONNS; i++)
		add(i, false);
}

static void turn(void)
{
	loop_stop_mt(world.worker.loop);
	loop_run(world.worker.loop);
}

static void turns(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		turn();
}

static unsigned drained(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CONNS; i++)
		n += world.drained[i];
	return n;
}

static void remove_all(void)
{
	for (unsigned i = 0; i < CONNS; i++)
		edge_review_remove(&world.review, &world.conns[i]);
}

static void test_each_once_and_a_few_in_a_turn(void **state)
{
	add_all();
	turns(10);
	assert_int_equal(drained(), 0);
	for (unsigned i = 0; i < CONNS; i++)
		world.conns[i].client.is_edge = i % 3 != 0;
	edge_review_begin(&world.review);
	turn();
	assert_in_range(drained(), 1, EDGE_REVIEW_PER_TURN);
	turns(10);
	for (unsigned i = 0; i < CONNS; i++)
		assert_int_equal(world.drained[i], i % 3 != 0);
	remove_all();
}

static void test_idle_ones_were_not_told_before_the_next_reload(void **state)
{
	add_all();
	turns(10);
	for (unsigned n = 1; n <= 3; n++) {
		world.conns[n].client.is_edge = true;
		edge_review_begin(&world.review);
		turns(10);
		for (unsigned i = 1; i <= 3; i++)
			assert_int_equal(world.drained[i], i <= n ? n - i + 1 : 0);
	}
	remove_all();
}

static void test_reload_while_others_are_still_to_be_looked_at(void **state)
{
	add_all();
	turn();
	for (unsigned i = 0; i < CONNS; i++)
		world.conns[i].client.is_edge = true;
	edge_review_begin(&world.review);
	turns(10);
	assert_int_equal(drained(), CONNS);
	remove_all();
}

static void test_newcomer_whose_handshake_began_before_the_reload(void **state)
{
	edge_review_begin(&world.review);
	turn();
	add(0, true);
	turn();
	assert_int_equal(world.drained[0], 1);
	edge_review_remove(&world.review, &world.conns[0]);
}

static void test_connections_end_meanwhile(void **state)
{
	world.ends = true;
	add_all();
	turns(10);
	for (unsigned i = 0; i < CONNS; i++)
		world.conns[i].client.is_edge = true;
	edge_review_begin(&world.review);
	turns(2);
	for (unsigned i = 0; i < CONNS; i++) {
		if (world.drained[i] == 0)
			edge_review_remove(&world.review, &world.conns[i]);
	}
	turns(2);
	assert_in_range(drained(), 1, 2 * EDGE_REVIEW_PER_TURN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_each_once_and_a_few_in_a_turn),
	    TEST(test_idle_ones_were_not_told_before_the_next_reload),
	    TEST(test_reload_while_others_are_still_to_be_looked_at),
	    TEST(test_newcomer_whose_handshake_began_before_the_reload),
	    TEST(test_connections_end_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
