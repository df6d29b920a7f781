/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The program's log: levels by module, the form of a line, and the way that it takes. A line is
 * formatted into one buffer and leaves whole, so lines of different threads never mix. Any thread.
 */
#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log_sink.h"
#include "core/base/printable.h"

/* Longest line; pipes take up to PIPE_BUF (4096) bytes at once. */
#define LINE_MAX_BYTES 2048

/* Some thousands of lines, twice: a reader that is restarted misses nothing. */
#define WRITER_CAPACITY (256 * 1024)
#define STOP_PATIENCE DUR_S(1)
#define DRAIN_PATIENCE DUR_MS(200)
/* Without a writer, for a reader that does not read. */
#define DIRECT_PATIENCE_MS 1000

static const struct {
	const char *name;
	int syslog;
} levels[LOG_N_LEVELS] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARN] = {"warn", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

const struct log_module_desc log_modules[LOG_N_MODULES] = {
    [LOG_PROCESS] = {"process", "start, stop, signals, control socket, and all the rest"},
    [LOG_CONFIG] = {"config", "configurations: read, taken into use, given up"},
    [LOG_NET] = {"net", "connections as the kernel has them: opened, stalled, closed"},
    [LOG_TLS] = {"tls", "handshakes, tickets, certificates"},
    [LOG_CLIENT] = {"client", "connections of clients: let in, waiting, displaced, ended"},
    [LOG_HTTP] = {"http", "HTTP of clients: requests, responses, what was malformed"},
    [LOG_EXCHANGE] = {"exchange", "requests: their site and route, and how they ended"},
    [LOG_ORIGIN] = {"origin", "requests to origins: the server chosen, repeats, the end"},
    [LOG_RESOLVER] = {"resolver", "addresses of origins, from DNS"},
    [LOG_PROBE] = {"probe", "health checks"},
    [LOG_POOL] = {"pool", "connections to origins: opened, leased, given back, closed"},
    [LOG_DNS] = {"dns", "the responder: queries, TCP connections"},
    [LOG_ZONE] = {"zone", "zone files"},
};

_Atomic int log_levels[LOG_N_MODULES] = {[0 ... LOG_N_MODULES - 1] = LOG_LEVEL_INFO};
static _Atomic int configured = -1; /* the level of the last log_set_level() */

static pthread_once_t journal_once = PTHREAD_ONCE_INIT;
static bool journal;

/* Once started it is never freed while the program lives: whoever logs late finds it. */
static struct log_sink *_Atomic writer;
static _Atomic bool writing;            /* lines go to the writer */
static _Atomic uint64_t dropped_before; /* without a writer, or by an earlier one */

/* Levels */

const char *log_level_text(enum log_level level)
{
	CHECK((unsigned)level < LOG_N_LEVELS);
	return levels[level].name;
}

int log_level_find(const char *name)
{
	for (int i = 0; i < LOG_N_LEVELS; i++) {
		if (strcmp(levels[i].name, name) == 0)
			return i;
	}
	return -1;
}

int log_module_find(const char *name)
{
	for (int i = 0; i < LOG_N_MODULES; i++) {
		if (strcmp(log_modules[i].name, name) == 0)
			return i;
	}
	return -1;
}

void log_set_module_level(enum log_module module, enum log_level level)
{
	CHECK((unsigned)module < LOG_N_MODULES);
	atomic_store_explicit(&log_levels[module], level, memory_order_relaxed);
}

enum log_level log_module_level(enum log_module module)
{
	CHECK((unsigned)module < LOG_N_MODULES);
	return (enum log_level)atomic_load_explicit(&log_levels[module], memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	if (atomic_exchange(&configured, (int)level) == (int)level)
		return;
	for (int i = 0; i < LOG_N_MODULES; i++)
		log_set_module_level((enum log_module)i, level);
}

/* Lines */

/* systemd.exec(5): the variable names what standard error was. Children inherit it, when theirs has
 * long been a terminal or a file. */
static void look_for_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	journal = stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
		  fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Adds to a line that is cut when it is full; returns the new length. */
static size_t add(char *line, size_t n, int printed)
{
	return printed < 0 ? n : MIN(n + (size_t)printed, (size_t)LINE_MAX_BYTES - 2);
}

/* Once it has begun, a line is written wholly or not at all, unless it goes to a file. */
static void write_directly(const char *line, size_t n)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&fd, 1, DIRECT_PATIENCE_MS) <= 0 || write(STDERR_FILENO, line, n) < 0)
		atomic_fetch_add(&dropped_before, 1); /* there is nowhere else to say so */
}

static void leave(const char *lines, size_t n)
{
	if (atomic_load(&writing))
		log_sink_put(atomic_load(&writer), lines, n);
	else
		write_directly(lines, n);
}

void log_text(const char *lines)
{
	leave(lines, strlen(lines));
}

static void write_line(enum log_module module, enum log_level level, const char *fmt, va_list ap,
		       uint64_t left_out)
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
	if (level == LOG_LEVEL_DEBUG)
		n = add(line, n, snprintf(line + n, cap - n, "%s: ", log_modules[module].name));
	message = n;
	n = add(line, n, vsnprintf(line + n, cap - n, fmt, ap));
	if (left_out > 0)
		n = add(line, n,
			snprintf(line + n, cap - n, " (%llu like this left out)",
				 (unsigned long long)left_out));
	/* A message may quote a stranger: he must not be able to forge lines or drive a terminal.
	 */
	line[n] = '\0';
	printable_mask(line + message, n - message);
	line[n++] = '\n';
	leave(line, n);
}

void log_write(enum log_module module, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(module, level, fmt, ap, 0);
	va_end(ap);
}

void log_write_limited(struct log_limit *limit, enum log_module module, enum log_level level,
		       const char *fmt, ...)
{
	int64_t now = clock_mono().ns;
	int64_t next = atomic_load_explicit(&limit->next_ns, memory_order_relaxed);
	va_list ap;

	if (now < next ||
	    !atomic_compare_exchange_strong(&limit->next_ns, &next, now + DUR_S(1).ns)) {
		atomic_fetch_add_explicit(&limit->suppressed, 1, memory_order_relaxed);
		return;
	}
	va_start(ap, fmt);
	write_line(module, level, fmt, ap, atomic_exchange(&limit->suppressed, 0));
	va_end(ap);
}

/* The writer */

static void tell(const char *name, enum log_sink_event event, uint64_t value)
{
	/* Of what cannot be written nothing can be said, until it can. */
	if (event == LOG_SINK_LOST)
		log_warn("%llu lines of this log are missing before this: %s did not take them",
			 (unsigned long long)value, name);
}

bool log_start_writer(void)
{
	static const struct log_sink_spec spec = {
	    .name = "standard error",
	    .target = {.kind = LOG_TARGET_INHERITED, .fd = STDERR_FILENO},
	    .capacity = WRITER_CAPACITY,
	    .tell = tell,
	};
	struct log_sink *old = atomic_load(&writer), *new;
	int error;

	CHECK(!atomic_load(&writing));
	new = log_sink_start(&spec, &error);
	if (new == NULL) {
		log_error("cannot start the thread that writes the log: %s",
			  strerrordesc_np(-error));
		return false;
	}
	if (old == NULL)
		CHECK(atexit(log_stop_writer) == 0);
	else
		atomic_fetch_add(&dropped_before, log_sink_dropped(old));
	atomic_store(&writer, new);
	log_sink_destroy(&old);
	atomic_store(&writing, true);
	return true;
}

void log_stop_writer(void)
{
	if (!atomic_load(&writing))
		return;
	log_sink_stop(atomic_load(&writer), STOP_PATIENCE);
	atomic_store(&writing, false);
}

uint64_t log_dropped(void)
{
	const struct log_sink *sink = atomic_load(&writer);

	return atomic_load(&dropped_before) + (sink != NULL ? log_sink_dropped(sink) : 0);
}

void log_drain(void)
{
	if (atomic_load(&writing))
		log_sink_drain(atomic_load(&writer), DRAIN_PATIENCE);
}

void log_keep_standard_fds(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest number that is free is the one that is taken. */
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			CHECK(open("/dev/null", O_RDWR) == fd);
	}
}
