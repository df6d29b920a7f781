/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A deadline that moves often and rarely fires. Moving it later only stores a number: the timer
 * underneath is re-armed when it fires early. So a busy connection costs no timer operation per
 * read. Owner loop only.
 */
#pragma once

#include "core/base/clock.h"
#include "core/loop/loop.h"

struct deadline {
	struct loop *loop;
	struct event *ev;
	mono_time at;    /* when to fire; ns == 0: not set */
	mono_time armed; /* what the timer underneath is set to; ns == 0: not armed */
	void (*fire)(struct deadline *deadline);
};

void deadline_init(struct deadline *d, struct loop *loop, void (*fire)(struct deadline *));
void deadline_fini(struct deadline *d);
/* Fires once, at or soon after now + after. Replaces what was set before. */
void deadline_set(struct deadline *d, duration after);
void deadline_clear(struct deadline *d);
