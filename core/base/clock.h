/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Time. Monotonic time, wall time and durations are different types, so that they cannot be mixed
 * by mistake. State machines take the time as a parameter; only loops and programs read a clock.
 * Any thread may call everything here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

typedef struct {
	int64_t ns;
} duration;

typedef struct {
	int64_t ns; /* CLOCK_MONOTONIC */
} mono_time;

typedef struct {
	int64_t ns; /* CLOCK_REALTIME, since 1970 */
} wall_time;

mono_time clock_mono(void);
wall_time clock_wall(void);
/* Some certificates are good for a thousand years; ours end in 2262. */
wall_time clock_wall_of(time_t t);

#define DUR_NS(n) ((duration){(int64_t)(n)})
#define DUR_US(n) ((duration){(int64_t)(n)*1000})
#define DUR_MS(n) ((duration){(int64_t)(n)*1000000})
#define DUR_S(n) ((duration){(int64_t)(n)*1000000000})

static inline int64_t dur_to_ms(duration d)
{
	return d.ns / 1000000;
}

static inline int64_t dur_to_us(duration d)
{
	return d.ns / 1000;
}

static inline struct timeval dur_to_timeval(duration d)
{
	return (struct timeval){.tv_sec = d.ns / 1000000000, .tv_usec = d.ns % 1000000000 / 1000};
}

static inline mono_time mono_add(mono_time t, duration d)
{
	return (mono_time){t.ns + d.ns};
}

/* later - earlier */
static inline duration mono_since(mono_time later, mono_time earlier)
{
	return (duration){later.ns - earlier.ns};
}

/* True when `t` has been reached at `now`. */
static inline bool mono_reached(mono_time t, mono_time now)
{
	return now.ns >= t.ns;
}
