/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Deadlines on top of libevent's timers. Owner loop only; owns the timer, and nothing else.
 */
#include "core/loop/deadline.h"

#include "core/base/check.h"

/* libevent's clock is coarse (one kernel tick behind, 4 ms at 250 Hz). Without this much more, a
 * timer would find itself early and be armed once again for the rest. */
#define SLACK DUR_MS(5)

static void arm(struct deadline *d, mono_time now)
{
	duration left = mono_since(d->at, now);
	struct timeval tv;

	left.ns = MAX(left.ns, 0) + SLACK.ns;
	tv = dur_to_timeval(left);
	d->armed = d->at;
	CHECK(event_add(d->ev, &tv) == 0);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct deadline *d = arg;
	mono_time now = loop_now(d->loop);

	d->armed.ns = 0;
	if (d->at.ns == 0)
		return;
	if (!mono_reached(d->at, now)) {
		arm(d, now);
		return;
	}
	d->at.ns = 0;
	d->fire(d); /* may end it */
}

void deadline_init(struct deadline *d, struct loop *loop, void (*fire)(struct deadline *))
{
	*d = (struct deadline){.loop = loop, .fire = fire};
	d->ev = evtimer_new(loop_base(loop), timer_cb, d);
	CHECK(d->ev != NULL);
}

void deadline_fini(struct deadline *d)
{
	if (d->ev == NULL)
		return;
	LOOP_ASSERT_OWNER(d->loop);
	event_free(d->ev);
	d->ev = NULL;
}

void deadline_set(struct deadline *d, duration after)
{
	mono_time now = loop_now(d->loop);

	LOOP_ASSERT_OWNER(d->loop);
	d->at = mono_add(now, after);
	if (d->armed.ns == 0 || d->at.ns < d->armed.ns)
		arm(d, now);
}

void deadline_clear(struct deadline *d)
{
	LOOP_ASSERT_OWNER(d->loop);
	/* The timer stays: it fires once for nothing, which is cheaper than taking it out each
	 * time. */
	d->at.ns = 0;
}
