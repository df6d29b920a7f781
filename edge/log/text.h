/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What lines of the access log are written with: by hand, as it is done for every request. Each
 * writes at `p`, where there is room enough, and returns where it has ended. Pure.
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/http/message.h"

/* The most that a byte becomes: "\u00ff". */
#define EDGE_LOG_ESCAPED 6

static inline char *log_put(char *p, struct span s)
{
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

char *log_put_number(char *p, uint64_t n);
/* Microseconds; 0 for what is less. */
char *log_put_us(char *p, duration d);
/* "2026-01-02T03:04:05.678Z" */
char *log_put_time(char *p, wall_time t);
/* "02/Jan/2026:03:04:05 +0000" */
char *log_put_common_time(char *p, wall_time t);
/* A string of JSON with its quotes, of plain ASCII: of a longer one `max` bytes, and a mark that
 * says so. */
char *log_put_json(char *p, struct span s, size_t max);
/* As Apache writes it: a backslash before quotes and backslashes, \xff for what is no plain ASCII.
 * Cut likewise. */
char *log_put_escaped(char *p, struct span s, size_t max);
