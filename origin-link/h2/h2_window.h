/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How far the window of a stream or a connection is opened to the origin: as far as content is
 * really taken within a round trip, and no further. Pure: no clock of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"

struct h2_window {
	size_t size;
	/* since when so many bytes were taken */
	mono_time since;
	uint64_t taken;
};

/* What a stream begins with: as much as a client takes at 100 Mbit/s over that way, and as much
 * again, for the origin is told of what was taken by halves of it; within those two. */
size_t h2_window_first(duration rtt, size_t least, size_t most);
void h2_window_init(struct h2_window *w, size_t size, mono_time now);
/* So many bytes more. True: as much as the window holds, in sum, for h2_window_emptied(). */
bool h2_window_taken(struct h2_window *w, size_t n);
/* True: it has grown, to at most `max`. `rtt`: of the way to the origin. */
bool h2_window_emptied(struct h2_window *w, size_t max, duration rtt, mono_time now);
