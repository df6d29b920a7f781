/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Snapshots: published at once, kept while pinned, destroyed exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/loop/snapshot.h"

#define PUBLISHED 1000
#define ALIVE 0x600dda7au

struct data {
	struct snapshot snapshot; /* first */
	unsigned alive;
	unsigned id;
};

static struct loop_group *group;
static struct snapshot_slot slot;
static unsigned destroyed[PUBLISHED];
static unsigned n_destroyed;
static unsigned stop_at; /* stops control when so many were destroyed */

static void destroy(struct snapshot *snapshot)
{
	struct data *d = (struct data *)snapshot;

	CHECK(loop_is_owner(group->control));
	CHECK(d->alive == ALIVE);
	d->alive = 0;
	destroyed[d->id]++;
	if (++n_destroyed == stop_at)
		loop_stop_mt(group->control);
	snapshot_fini(&d->snapshot);
	free(d);
}

static void publish(unsigned id)
{
	struct data *d = xcalloc(1, sizeof(*d));
	struct snapshot *s = &d->snapshot;

	d->alive = ALIVE;
	d->id = id;
	snapshot_init(s, group, destroy);
	snapshot_publish(&slot, &s);
	CHECK(s == NULL);
}

static unsigned current_id(void)
{
	return ((struct data *)snapshot_current(&slot))->id;
}

static int setup(void **state)
{
	memset(destroyed, 0, sizeof(destroyed));
	n_destroyed = stop_at = 0;
	group = loop_group_create(2);
	snapshot_slot_init(&slot, group);
	return 0;
}

static int teardown(void **state)
{
	loop_group_destroy(&group);
	return 0;
}

static void run_until_destroyed(unsigned n)
{
	stop_at = n;
	if (n_destroyed < n)
		loop_run(group->control);
}

static void test_nothing_before_the_first_publish(void **state)
{
	assert_null(snapshot_current(&slot));
	snapshot_slot_fini(&slot);
	assert_int_equal(n_destroyed, 0);
}

static void test_an_unpinned_one_goes_after_the_grace_and_not_before(void **state)
{
	publish(0);
	assert_int_equal(current_id(), 0);
	publish(1);
	assert_int_equal(current_id(), 1);
	assert_int_equal(n_destroyed, 0);
	run_until_destroyed(1);
	assert_int_equal(destroyed[0], 1);
	snapshot_slot_fini(&slot);
	assert_int_equal(destroyed[1], 1);
	assert_int_equal(n_destroyed, 2);
}

static void test_a_pinned_one_stays_until_its_last_pin_is_gone(void **state)
{
	struct snapshot *first, *again;

	publish(0);
	first = snapshot_pin(snapshot_current(&slot), group->control);
	again = snapshot_pin(first, group->control);
	publish(1);
	publish(2);
	/* 1 was retired after 0: when it is gone, 0 has had its chance. */
	run_until_destroyed(1);
	assert_int_equal(destroyed[1], 1);
	assert_int_equal(destroyed[0], 0);
	snapshot_unpin(&first, group->control);
	assert_null(first);
	publish(3);
	run_until_destroyed(2);
	assert_int_equal(destroyed[2], 1);
	assert_int_equal(((struct data *)again)->alive, ALIVE);
	snapshot_unpin(&again, group->control);
	run_until_destroyed(3);
	assert_int_equal(destroyed[0], 1);
	snapshot_slot_fini(&slot);
	assert_int_equal(n_destroyed, 4);
}

static void test_the_end_destroys_what_still_waits(void **state)
{
	struct snapshot *pinned;

	publish(0);
	pinned = snapshot_pin(snapshot_current(&slot), group->control);
	assert_non_null(pinned);
	publish(1);
	publish(2);
	run_until_destroyed(1); /* 1; and 0 waits for its pin */
	publish(3);             /* 2 waits for its grace */
	snapshot_slot_fini(&slot);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(destroyed[i], 1);
}

/* A worker that looks at the current snapshot in each turn, and pins some for a while. */
struct reader {
	struct loop *loop;
	struct event *ev;
	struct snapshot *held[5];
	unsigned turn;
};

static void read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct reader *r = arg;
	struct snapshot **held = &r->held[r->turn % ARRAY_SIZE(r->held)];
	struct data *d = (struct data *)snapshot_current(&slot);

	CHECK(d->alive == ALIVE);
	if (*held != NULL) {
		CHECK(((struct data *)*held)->alive == ALIVE);
		snapshot_unpin(held, r->loop);
	}
	if (r->turn % 3 != 0)
		*held = snapshot_pin(&d->snapshot, r->loop);
	r->turn++;
}

static void let_go(void *arg)
{
	struct reader *r = arg;

	event_free(r->ev);
	for (unsigned i = 0; i < ARRAY_SIZE(r->held); i++)
		if (r->held[i] != NULL)
			snapshot_unpin(&r->held[i], r->loop);
}

static unsigned next_id;
static struct reader readers[2];

static void publish_next(void *arg)
{
	publish(next_id++);
	if (next_id < PUBLISHED) {
		loop_post_mt(group->control, publish_next, NULL);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(readers); i++)
		loop_post_mt(readers[i].loop, let_go, &readers[i]);
}

static void test_readers_never_see_a_destroyed_one(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	memset(readers, 0, sizeof(readers));
	next_id = 0;
	publish(next_id++);
	for (unsigned i = 0; i < ARRAY_SIZE(readers); i++) {
		struct reader *r = &readers[i];

		r->loop = group->workers[i];
		r->ev = event_new(loop_base(r->loop), fds[1], EV_WRITE | EV_PERSIST, read_cb, r);
		event_add(r->ev, NULL);
	}
	loop_group_start_workers(group);
	loop_post_mt(group->control, publish_next, NULL);
	run_until_destroyed(PUBLISHED - 1); /* all but the current one, with the workers alive */
	loop_group_stop_workers(group);
	snapshot_slot_fini(&slot);
	for (unsigned i = 0; i < PUBLISHED; i++)
		assert_int_equal(destroyed[i], 1);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_nothing_before_the_first_publish, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		test_an_unpinned_one_goes_after_the_grace_and_not_before, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_pinned_one_stays_until_its_last_pin_is_gone,
					    setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_end_destroys_what_still_waits, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_readers_never_see_a_destroyed_one, setup,
					    teardown),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
