/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program's log: one line an event, to standard error (where systemd reads it, with its level
 * as "<N>" prefix when the journal is there) as `2026-01-02T03:04:05.678Z level message`, and for
 * traces `... debug module: message`. Any thread may call. Lines about what strangers do go through
 * LOG_LIMITED, so that nobody can fill a disk.
 *
 * Between log_start_writer() and log_stop_writer() nobody who logs waits for whoever reads: a
 * thread writes (core/base/log_sink.h), and what it cannot write in time is dropped and counted.
 * Before and after, and in programs without a writer, a line is written at once.
 *
 * Levels are set by module. A file that belongs to one says so before its includes:
 *
 *	#define LOG_MODULE LOG_POOL
 *
 * What is not logged costs a load and a branch; its arguments are not evaluated.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
#define LOG_N_LEVELS (LOG_LEVEL_DEBUG + 1)

enum log_module {
	LOG_PROCESS,
	LOG_CONFIG,
	LOG_NET,
	LOG_TLS,
	LOG_CLIENT,
	LOG_HTTP,
	LOG_EXCHANGE,
	LOG_ORIGIN,
	LOG_RESOLVER,
	LOG_PROBE,
	LOG_POOL,
	LOG_DNS,
	LOG_ZONE,
	LOG_N_MODULES,
};

#ifndef LOG_MODULE
#define LOG_MODULE LOG_PROCESS
#endif

struct log_module_desc {
	const char *name; /* as operators write it */
	const char *help; /* one line */
};
extern const struct log_module_desc log_modules[LOG_N_MODULES];

const char *log_level_text(enum log_level level);
/* Exact names; -1: there is none such. */
int log_level_find(const char *name);
int log_module_find(const char *name);

/* What the configuration says, whenever it was read: a level that is the same as the last time
 * leaves alone what was changed by log_set_module_level() since. */
void log_set_level(enum log_level level);
void log_set_module_level(enum log_module module, enum log_level level);
enum log_level log_module_level(enum log_module module);

/* 256 KiB of lines wait at most while 256 KiB are being written. The writer is stopped at exit(),
 * if not before: what cannot be written in a second is given up, and so is a thread that hangs.
 * False when there can be no thread, which was logged. */
bool log_start_writer(void);
void log_stop_writer(void);
/* Whole lines as they are: what a command line tool would print. */
void log_text(const char *lines);
/* Lines that could not be written in time. */
uint64_t log_dropped(void);
/* Before an abort: what was logged gets a moment to be written. Takes no lock. */
void log_drain(void);
/* Closed standard descriptors become /dev/null, before a socket or a file takes their numbers and
 * gets the log. */
void log_keep_standard_fds(void);

extern _Atomic int log_levels[LOG_N_MODULES];
#define LOG_ENABLED(level)                                                                         \
	((int)(level) <= atomic_load_explicit(&log_levels[LOG_MODULE], memory_order_relaxed))

void log_write(enum log_module module, enum log_level level, const char *fmt, ...)
    __attribute__((cold, format(printf, 3, 4)));
#define LOG_WRITE(level, ...)                                                                      \
	do {                                                                                       \
		if (__builtin_expect(LOG_ENABLED(level), 0))                                       \
			log_write(LOG_MODULE, level, __VA_ARGS__);                                 \
	} while (0)

#define log_error(...) LOG_WRITE(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_WRITE(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_WRITE(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_WRITE(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* One line a second from each place; the next line says how many were left out. */
struct log_limit {
	_Atomic int64_t next_ns;
	_Atomic uint64_t suppressed;
};
void log_write_limited(struct log_limit *limit, enum log_module module, enum log_level level,
		       const char *fmt, ...) __attribute__((cold, format(printf, 4, 5)));
#define LOG_LIMITED_BY(limit, level, ...)                                                          \
	do {                                                                                       \
		if (__builtin_expect(LOG_ENABLED(level), 0))                                       \
			log_write_limited(limit, LOG_MODULE, level, __VA_ARGS__);                  \
	} while (0)
#define LOG_LIMITED(level, ...)                                                                    \
	do {                                                                                       \
		static struct log_limit limit_;                                                    \
		LOG_LIMITED_BY(&limit_, level, __VA_ARGS__);                                       \
	} while (0)
