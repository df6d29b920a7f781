/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The two clocks, read through the vDSO. Any thread.
 */
#include "core/base/clock.h"

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts); /* cannot fail for these clocks */
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

mono_time clock_mono(void)
{
	return (mono_time){read_clock(CLOCK_MONOTONIC)};
}

wall_time clock_wall(void)
{
	return (wall_time){read_clock(CLOCK_REALTIME)};
}

wall_time clock_wall_of(time_t t)
{
	if (t > INT64_MAX / 1000000000)
		return (wall_time){INT64_MAX};
	return (wall_time){(int64_t)t * 1000000000};
}
