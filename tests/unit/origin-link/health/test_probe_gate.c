/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The gate of probes: a few begin at once, in order, and none while the loop is behind with
 * handshakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/loop/loop.h"
#include "origin-link/health/probe_gate.h"

#define PASSES 500

static struct loop *loop;
static struct probe_gate *gate;
static struct probe_pass passes[PASSES];
static unsigned n_gone, n_wanted;

static void go(struct probe_pass *pass)
{
	assert_ptr_equal(pass, &passes[n_gone]);
	assert_false(pass->waits);
	if (++n_gone == n_wanted)
		loop_stop_mt(loop);
}

static int setup(void **state)
{
	loop = loop_create("test");
	gate = probe_gate_create(loop);
	n_gone = 0;
	n_wanted = PASSES;
	for (unsigned i = 0; i < PASSES; i++)
		passes[i] = (struct probe_pass){.go = go};
	return 0;
}

static int teardown(void **state)
{
	probe_gate_destroy(&gate);
	loop_destroy(&loop);
	return 0;
}

static void enter_all(void)
{
	for (unsigned i = 0; i < PASSES; i++)
		probe_gate_enter(gate, &passes[i]);
}

static void test_one_begins_at_once(void **state)
{
	probe_gate_enter(gate, &passes[0]);
	assert_int_equal(n_gone, 1);
}

static void test_many_begin_in_order_a_few_at_a_time(void **state)
{
	enter_all();
	assert_true(n_gone >= 1 && n_gone < PASSES / 2);
	loop_run(loop);
	assert_int_equal(n_gone, PASSES);
}

static void test_cancelled_ones_do_not_begin(void **state)
{
	enter_all();
	for (unsigned i = n_gone; i < PASSES; i++)
		probe_gate_cancel(gate, &passes[i]);
	probe_gate_cancel(gate, &passes[0]); /* has gone */
	loop_stop_mt(loop);
	loop_run(loop);
	assert_true(n_gone < PASSES / 2);
}

static struct loop_task tasks[64];
static unsigned n_run;

static void run(struct loop_task *task)
{
	if (++n_run >= 1000)
		return;
	/* It comes again: the loop is as far behind as before. */
	assert_int_equal(n_gone, 0);
	loop_queue_background(loop, task);
}

static void test_none_begins_while_the_loop_is_behind(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(tasks); i++) {
		tasks[i].run = run;
		loop_queue_background(loop, &tasks[i]);
	}
	assert_true(loop_background_waits(loop, 64));
	assert_false(loop_background_waits(loop, 65));
	probe_gate_enter(gate, &passes[0]);
	assert_int_equal(n_gone, 0);
	n_wanted = 1;
	loop_run(loop);
	assert_true(n_run >= 1000);
	assert_int_equal(n_gone, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_one_begins_at_once),
	    TEST(test_many_begin_in_order_a_few_at_a_time),
	    TEST(test_cancelled_ones_do_not_begin),
	    TEST(test_none_begins_while_the_loop_is_behind),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
