/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A window that is emptied within two round trips is what holds the sender back: one is the least
 * that it takes, from the window's opening to the last byte that it lets through. Each time it has
 * twice the size, as a slow start has; what is taken slowly never makes it grow. Pure.
 */
#include "origin-link/h2/h2_window.h"

#include "core/base/check.h"

/* A loop's turn and the sender's own: on short ways they are longer than the way. */
#define RTT_LEAST DUR_MS(1)

/* Twice 100 Mbit/s. */
#define FIRST_BYTES_A_MS (2 * 100 * 1000 / 8)

size_t h2_window_first(duration rtt, size_t least, size_t most)
{
	return MAX(MIN((size_t)dur_to_ms(rtt) * FIRST_BYTES_A_MS, most), least);
}

void h2_window_init(struct h2_window *w, size_t size, mono_time now)
{
	*w = (struct h2_window){.size = size, .since = now};
}

bool h2_window_taken(struct h2_window *w, size_t n)
{
	w->taken += n;
	return w->taken >= w->size;
}

bool h2_window_emptied(struct h2_window *w, size_t max, duration rtt, mono_time now)
{
	int64_t round = MAX(rtt.ns, RTT_LEAST.ns);
	bool fast = mono_since(now, w->since).ns <= 2 * round;

	w->since = now;
	w->taken = 0;
	if (!fast || w->size >= max)
		return false;
	w->size = MIN(2 * w->size, max);
	return true;
}
