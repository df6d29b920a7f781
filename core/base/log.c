/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program's log: a line is formatted into one buffer and leaves by one write(2), so lines of
 * different threads never mix. Any thread; nothing is owned but the level.
 */
#include "core/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/check.h"

/* Longest line; pipes take up to PIPE_BUF (4096) bytes at once. */
#define LINE_MAX_BYTES 2048

static const struct {
	const char *name;
	int syslog;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARN] = {"warn", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static _Atomic int max_level = LOG_LEVEL_INFO;
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;
static bool journal;

static void look_for_journal(void)
{
	journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, level, memory_order_relaxed);
}

static bool enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

/* Adds to a line that is cut when it is full; returns the new length. */
static size_t add(char *line, size_t n, int printed)
{
	return printed < 0 ? n : MIN(n + (size_t)printed, (size_t)LINE_MAX_BYTES - 2);
}

static void write_line(enum log_level level, const char *fmt, va_list ap, uint64_t left_out)
{
	char line[LINE_MAX_BYTES];
	const size_t cap = sizeof(line) - 1; /* room for the newline */
	wall_time now = clock_wall();
	time_t seconds = now.ns / 1000000000;
	struct tm tm;
	size_t n = 0, message;

	pthread_once(&journal_once, look_for_journal);
	gmtime_r(&seconds, &tm);
	if (journal)
		n = add(line, n, snprintf(line, cap, "<%d>", levels[level].syslog));
	n = add(line, n, (int)strftime(line + n, cap - n, "%Y-%m-%dT%H:%M:%S", &tm));
	n = add(line, n,
		snprintf(line + n, cap - n, ".%03dZ %s ", (int)(now.ns / 1000000 % 1000),
			 levels[level].name));
	message = n;
	n = add(line, n, vsnprintf(line + n, cap - n, fmt, ap));
	if (left_out > 0)
		n = add(line, n,
			snprintf(line + n, cap - n, " (%llu like this left out)",
				 (unsigned long long)left_out));
	/* A message may quote a stranger: he must not be able to forge lines or drive a terminal.
	 */
	for (size_t i = message; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* there is nowhere else to say so */
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!enabled(level))
		return;
	va_start(ap, fmt);
	write_line(level, fmt, ap, 0);
	va_end(ap);
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *fmt, ...)
{
	int64_t now = clock_mono().ns;
	int64_t next = atomic_load_explicit(&limit->next_ns, memory_order_relaxed);
	va_list ap;

	if (!enabled(level))
		return;
	if (now < next ||
	    !atomic_compare_exchange_strong(&limit->next_ns, &next, now + DUR_S(1).ns)) {
		atomic_fetch_add_explicit(&limit->suppressed, 1, memory_order_relaxed);
		return;
	}
	va_start(ap, fmt);
	write_line(level, fmt, ap, atomic_exchange(&limit->suppressed, 0));
	va_end(ap);
}
