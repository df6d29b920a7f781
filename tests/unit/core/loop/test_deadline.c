/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Deadlines: what fires, in which order, and never early. How late is not tested.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/base/check.h"
#include "core/loop/deadline.h"

struct named {
	struct deadline deadline;
	char name;
	mono_time earliest;
	bool last;
	duration again;     /* set once more when it fires; ns == 0: not */
	struct named *then; /* set to 20 ms when it fires and is not set again */
};

static char fired[32];

static void set(struct named *n, duration after);

static void fire(struct deadline *d)
{
	struct named *n = CONTAINER_OF(d, struct named, deadline);
	size_t len = strlen(fired);

	CHECK(mono_reached(n->earliest, clock_mono()));
	CHECK(len + 1 < sizeof(fired));
	fired[len] = n->name;
	fired[len + 1] = '\0';
	if (n->again.ns != 0) {
		deadline_set(d, n->again);
		n->again.ns = 0;
	} else if (n->then != NULL) {
		set(n->then, DUR_MS(20));
	} else if (n->last) {
		loop_stop_mt(d->loop);
	}
}

static void set(struct named *n, duration after)
{
	deadline_set(&n->deadline, after);
	n->earliest = n->deadline.at;
}

static struct loop *loop;

static int setup(void **state)
{
	fired[0] = '\0';
	loop = loop_create("test");
	return 0;
}

static int teardown(void **state)
{
	loop_destroy(&loop);
	return 0;
}

static void init(struct named *n, char name)
{
	*n = (struct named){.name = name};
	deadline_init(&n->deadline, loop, fire);
}

static void test_they_fire_in_order_of_time(void **state)
{
	struct named a, b, c;

	init(&a, 'a');
	init(&b, 'b');
	init(&c, 'c');
	c.last = true;
	set(&c, DUR_MS(60));
	set(&a, DUR_MS(30));
	set(&b, DUR_MS(5));
	loop_run(loop);
	assert_string_equal(fired, "bac");
	deadline_fini(&a.deadline);
	deadline_fini(&b.deadline);
	deadline_fini(&c.deadline);
}

static void test_one_can_be_moved_both_ways_and_cleared(void **state)
{
	struct named later, sooner, cleared, end;

	init(&later, 'l');
	init(&sooner, 's');
	init(&cleared, 'x');
	init(&end, 'e');
	end.last = true;
	set(&later, DUR_MS(2));
	set(&sooner, DUR_S(3600));
	set(&cleared, DUR_MS(2));
	set(&later, DUR_MS(40));
	set(&sooner, DUR_MS(15));
	deadline_clear(&cleared.deadline);
	set(&end, DUR_MS(80));
	loop_run(loop);
	/* On a machine that stalls, both may be due at once: then either may come first. */
	assert_true(strcmp(fired, "sle") == 0 || strcmp(fired, "lse") == 0);
	deadline_fini(&later.deadline);
	deadline_fini(&sooner.deadline);
	deadline_fini(&cleared.deadline);
	deadline_fini(&end.deadline);
}

static void test_moving_later_does_not_touch_the_timer(void **state)
{
	struct named a;
	mono_time armed;

	init(&a, 'a');
	set(&a, DUR_S(1));
	armed = a.deadline.armed;
	set(&a, DUR_S(2));
	assert_true(a.deadline.armed.ns == armed.ns);
	set(&a, DUR_MS(500));
	assert_true(a.deadline.armed.ns < armed.ns);
	deadline_fini(&a.deadline);
	deadline_fini(&a.deadline); /* twice is fine */
}

static void test_one_fires_once_unless_set_again(void **state)
{
	struct named a, end;

	init(&a, 'a');
	init(&end, 'e');
	a.again = DUR_MS(5);
	a.then = &end;
	set(&a, DUR_MS(0));
	end.last = true;
	loop_run(loop);
	assert_string_equal(fired, "aae");
	deadline_fini(&a.deadline);
	deadline_fini(&end.deadline);
}

static void fire_and_end(struct deadline *d)
{
	struct loop *l = d->loop;

	deadline_fini(d);
	memset(d, 0xff, sizeof(*d));
	loop_stop_mt(l);
}

static void test_one_may_end_when_it_fires(void **state)
{
	struct deadline d;

	deadline_init(&d, loop, fire_and_end);
	deadline_set(&d, DUR_MS(1));
	loop_run(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_they_fire_in_order_of_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_can_be_moved_both_ways_and_cleared, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_moving_later_does_not_touch_the_timer, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_one_fires_once_unless_set_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_may_end_when_it_fires, setup, teardown),
	};

	return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
