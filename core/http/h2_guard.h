/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counts what the other side of HTTP/2 does that costs it nothing and us something: of each kind a
 * burst is free, and a part of it is forgiven every second. Pure: no clock of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"

#define H2_FLOOD_LIST(X)                                                                           \
	X(H2_FLOOD_RESET, "reset")                                                                 \
	X(H2_FLOOD_MADE_RESET, "made_reset")                                                       \
	X(H2_FLOOD_PING, "ping")                                                                   \
	X(H2_FLOOD_SETTINGS, "settings")                                                           \
	X(H2_FLOOD_PRIORITY, "priority")                                                           \
	X(H2_FLOOD_EMPTY, "empty")                                                                 \
	X(H2_FLOOD_WINDOW_UPDATE, "window_update")                                                 \
	X(H2_FLOOD_TINY_WINDOW, "tiny_window")                                                     \
	X(H2_FLOOD_CONTINUATION, "continuation")                                                   \
	X(H2_FLOOD_HEADER_LIST, "header_list")                                                     \
	X(H2_FLOOD_UNKNOWN, "unknown")

enum h2_flood {
#define X(id, name) id,
	H2_FLOOD_LIST(X)
#undef X
	    H2_FLOODS
};

const char *h2_flood_text(enum h2_flood kind);

/* Seconds in which a whole burst is forgiven. */
#define H2_FORGIVEN_IN 10

struct h2_guard {
	/* When all that was counted of the kind is forgiven; ns == 0: nothing was counted. */
	mono_time clear_at[H2_FLOODS];
};

/* Counts `n`; false when it is more than a burst of `burst`. */
bool h2_guard_count(struct h2_guard *guard, enum h2_flood kind, unsigned n, unsigned burst,
		    mono_time now);
/* Something useful was done that such frames go with: `n` of them are forgiven. */
void h2_guard_forgive(struct h2_guard *guard, enum h2_flood kind, unsigned n, unsigned burst);
