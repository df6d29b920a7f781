/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Looks once an hour which certificates of the published view have come into the last third of
 * their time, or have expired, and says so in the log. What is so when a view is loaded, its load
 * has said. Control loop.
 */
#pragma once

#include <event2/event_struct.h>

#include "core/base/clock.h"

struct loop;
struct snapshot_slot;

struct edge_expiry {
	unsigned magic;
	struct event timer;
	struct snapshot_slot *views;
	wall_time last;
};

/* Once there is a view. */
void edge_expiry_start(struct edge_expiry *e, struct loop *control, struct snapshot_slot *views);
/* Also when it was never started, and all is zero. */
void edge_expiry_stop(struct edge_expiry *e);
