/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The end of the program for bugs of ours and for exhausted memory. Any thread, whatever locks it
 * holds. It does not go through the log, so that it works whatever state that is in; what the log
 * still holds gets a moment to be written before. Nobody is waited for who does not read.
 */
#include "core/base/check.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"

static _Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void die(const char *fmt, ...)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_drain();
	if (n > 0 && poll(&fd, 1, 0) > 0 &&
	    write(STDERR_FILENO, line, MIN((size_t)n, sizeof(line) - 1)) < 0)
		abort(); /* nobody is there to read why */
	abort();
}

void check_failed(const char *expr, const char *file, int line, const char *func)
{
	die("bug: CHECK(%s) failed in %s() at %s:%d\n", expr, func, file, line);
}

void check_out_of_memory(size_t size)
{
	die("out of memory: %zu bytes\n", size);
}

static void *or_die(void *p, size_t size)
{
	if (p == NULL && size > 0)
		check_out_of_memory(size);
	return p;
}

void *xmalloc(size_t size)
{
	return or_die(malloc(size), size);
}

void *xcalloc(size_t count, size_t size)
{
	return or_die(calloc(count, size), count > 0 ? size : 0);
}

void *xreallocarray(void *ptr, size_t count, size_t size)
{
	return or_die(reallocarray(ptr, count, size), count > 0 ? size : 0);
}

char *xstrdup(const char *s)
{
	return or_die(strdup(s), 1);
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return or_die(n < 0 ? NULL : s, 1);
}
