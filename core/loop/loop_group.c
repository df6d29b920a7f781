/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A program's loops, and the grace period by which they retire shared data. The group belongs to
 * the control thread; workers only count down a grace.
 *
 * A grace posts one mail to each loop. Mail runs in the middle of a turn, so the mail posts itself
 * once more: when it runs again, the turn in which it came is over.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/check.h"
#include "core/loop/loop.h"
#include "core/loop/loop_internal.h"

struct group {
	struct loop_group public;
	bool workers_running;
};

struct grace {
	struct loop *control;
	void (*fn)(void *arg);
	void *arg;
	_Atomic unsigned waiting; /* loops whose turn has not ended yet */
};

/* One loop's part in a grace. */
struct grace_turn {
	struct grace *grace;
	struct loop *loop;
};

static struct group *group_of(struct loop_group *public)
{
	return CONTAINER_OF(public, struct group, public);
}

struct loop_group *loop_group_create_around(struct loop **control, unsigned n_workers)
{
	struct group *group = xcalloc(1, sizeof(*group));
	struct loop_group *public = &group->public;
	char name[24];

	LOOP_ASSERT_OWNER(*control);
	public->control = TAKE(control);
	public->workers = xcalloc(n_workers, sizeof(struct loop *));
	public->n_workers = n_workers;
	for (unsigned i = 0; i < n_workers; i++) {
		snprintf(name, sizeof(name), "worker%u", i + 1);
		public->workers[i] = loop_create_indexed(name, i + 1);
	}
	return public;
}

struct loop_group *loop_group_create(unsigned n_workers)
{
	struct loop *control = loop_create("control");

	return loop_group_create_around(&control, n_workers);
}

static void stop_first_workers(struct loop_group *public, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		loop_stop_mt(public->workers[i]);
	for (unsigned i = 0; i < n; i++)
		loop_join(public->workers[i]);
}

bool loop_group_start_workers(struct loop_group *public)
{
	struct group *group = group_of(public);

	LOOP_ASSERT_OWNER(public->control);
	CHECK(!group->workers_running);
	for (unsigned i = 0; i < public->n_workers; i++) {
		if (!loop_start(public->workers[i])) {
			stop_first_workers(public, i);
			return false;
		}
	}
	group->workers_running = true;
	return true;
}

void loop_group_stop_workers(struct loop_group *public)
{
	struct group *group = group_of(public);

	LOOP_ASSERT_OWNER(public->control);
	if (!group->workers_running)
		return;
	stop_first_workers(public, public->n_workers);
	group->workers_running = false;
}

void loop_group_destroy(struct loop_group **groupp)
{
	struct loop_group *public = TAKE(groupp);

	if (public == NULL)
		return;
	CHECK(!group_of(public)->workers_running);
	/* Control last: the others' last mail may end a grace, which calls back on control. */
	for (unsigned i = 0; i < public->n_workers; i++)
		loop_destroy(&public->workers[i]);
	loop_destroy(&public->control);
	free(public->workers);
	free(group_of(public));
}

static void grace_over(void *arg)
{
	struct grace *grace = arg;
	void (*fn)(void *) = grace->fn;
	void *fn_arg = grace->arg;

	free(grace);
	fn(fn_arg);
}

static void turn_ended(void *arg)
{
	struct grace_turn *part = arg;
	struct grace *grace = part->grace;

	free(part);
	if (atomic_fetch_sub(&grace->waiting, 1) > 1)
		return;
	/* Directly where possible: mail posted while control is being destroyed would be lost. */
	if (loop_is_owner(grace->control))
		grace_over(grace);
	else
		loop_post_mt(grace->control, grace_over, grace);
}

static void turn_begun(void *arg)
{
	struct grace_turn *part = arg;

	if (loop_is_in_turn(part->loop))
		loop_post_mt(part->loop, turn_ended, part);
	else
		turn_ended(part);
}

static void post_part(struct grace *grace, struct loop *loop)
{
	struct grace_turn *part = xmalloc(sizeof(*part));

	part->grace = grace;
	part->loop = loop;
	loop_post_mt(loop, turn_begun, part);
}

void loop_group_after_grace(struct loop_group *public, void (*fn)(void *arg), void *arg)
{
	/* Workers that do not run have no turn to end. Control has: it may be inside the very turn
	 * that still uses what is to be retired. */
	unsigned workers = group_of(public)->workers_running ? public->n_workers : 0;
	struct grace *grace = xcalloc(1, sizeof(*grace));

	LOOP_ASSERT_OWNER(public->control);
	grace->control = public->control;
	grace->fn = fn;
	grace->arg = arg;
	atomic_init(&grace->waiting, workers + 1);
	for (unsigned i = 0; i < workers; i++)
		post_part(grace, public->workers[i]);
	post_part(grace, public->control);
}
