/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program's log: one line an event, to standard error (where systemd reads it, with its level
 * as "<N>" prefix when the journal is there) as `2026-01-02T03:04:05.678Z level message`.
 * Any thread may call. Lines about what strangers do go through LOG_LIMITED, so that nobody can
 * fill a disk.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* One line a second from each place; the next line says how many were left out. */
struct log_limit {
	_Atomic int64_t next_ns;
	_Atomic uint64_t suppressed;
};
void log_write_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define LOG_LIMITED(level, ...)                                                                    \
	do {                                                                                       \
		static struct log_limit limit_;                                                    \
		log_write_limited(&limit_, level, __VA_ARGS__);                                    \
	} while (0)
