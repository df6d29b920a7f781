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

#include "core/clock.h"

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

/* A file that many loops append whole lines to (the access log): each loop has its own buffer,
 * written when it is full and once a second. "-" is standard output. */
struct log_file;
struct loop;
struct loop_group;
/* NULL when it cannot be opened; *error (malloc'd, caller frees) then says why. */
struct log_file *log_file_open(const char *path, struct loop_group *group, char **error);
/* Owner: any loop of the group. Copies the line (newline included); never blocks on a full pipe
 * for longer than one write; a line that cannot be written is counted and dropped. */
void log_file_append(struct log_file *file, struct loop *loop, const char *line, size_t len);
/* Any thread: lines dropped so far. */
uint64_t log_file_dropped(const struct log_file *file);
/* Control thread: reopens by path (after rotation); keeps the old one if that fails. What loops
 * still have in their buffers goes to the new one. */
void log_file_reopen(struct log_file *file);
/* After the workers were joined and before the group is destroyed: writes what is left. */
void log_file_close(struct log_file **file);
