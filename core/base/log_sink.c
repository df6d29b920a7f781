/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Buffers and thread of a log, see log_sink.h. What the thread is writing lies in `draining`, which
 * nobody else touches; it stays there until it has been written, however often that fails, so that
 * a line that a full disk has torn is completed when there is room.
 */
#include "core/base/log_sink.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/check.h"
#include "core/base/thread.h"

#define SINK_MAGIC 0x53696e6bu

/* Until what has failed is tried again: a full disk, a FIFO without a reader. */
#define FAILED_PAUSE DUR_S(1)
/* The output has just been waited for; this only keeps one that says otherwise from being a loop.
 */
#define UNREAD_PAUSE DUR_MS(10)
/* Beyond the patience of log_sink_stop(): for the thread to see that it is over. */
#define STOP_GRACE DUR_MS(500)
#define DRAIN_STEP DUR_MS(1)

struct log_sink {
	unsigned magic;
	/* Immutable while the thread runs. */
	pthread_t thread;
	char *name, *path; /* its own: the thread may outlive whoever started it */
	size_t capacity;
	void (*tell)(const char *name, enum log_sink_event event, uint64_t value);
	/* Under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t wake;  /* the thread */
	pthread_cond_t ended; /* log_sink_stop() */
	char *filling;
	size_t n_filling;
	uint64_t n_lost; /* since the buffers last changed places */
	bool idle;       /* the thread waits for lines */
	bool reopen;
	bool stopping, has_ended;
	mono_time give_up; /* once stopping */
	/* The thread's. */
	struct log_output output;
	char *draining;
	size_t n_draining, n_written;
	int error; /* of the last write; 0: it went well, or is to be tried again */
	int told;  /* the last error that was told; 0: none since it worked */
	/* Who stopped it. */
	bool left_behind; /* the thread goes on using all this */
	/* Any thread. */
	_Atomic uint64_t dropped;
	_Atomic size_t pending; /* bytes in both buffers that have not been written */
};

/* The sink whose thread this is. */
static _Thread_local struct log_sink *own;

static struct timespec to_timespec(mono_time t)
{
	return (struct timespec){.tv_sec = t.ns / 1000000000, .tv_nsec = t.ns % 1000000000};
}

static void init_cond(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	CHECK(pthread_condattr_init(&attr) == 0);
	CHECK(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CHECK(pthread_cond_init(cond, &attr) == 0);
	pthread_condattr_destroy(&attr);
}

static uint64_t count_lines(const char *p, size_t n)
{
	uint64_t lines = 0;

	for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		lines++;
	return lines;
}

/* The thread */

static void swap_buffers_locked(struct log_sink *s)
{
	char *empty = s->draining;

	s->draining = s->filling;
	s->n_draining = s->n_filling;
	s->n_written = 0;
	s->filling = empty;
	s->n_filling = 0;
}

/* Whoever reads next shall get the line that was begun from its start. */
static void rewind_to_line(struct log_sink *s)
{
	const char *last = s->n_written > 0 ? memrchr(s->draining, '\n', s->n_written) : NULL;
	size_t start = last != NULL ? (size_t)(last + 1 - s->draining) : 0;

	atomic_fetch_add(&s->pending, s->n_written - start);
	s->n_written = start;
}

static void write_some(struct log_sink *s)
{
	ssize_t n =
	    log_output_write(&s->output, s->draining + s->n_written, s->n_draining - s->n_written);
	int error = n < 0 ? (int)-n : 0;

	if (n > 0) {
		s->n_written += (size_t)n;
		atomic_fetch_sub(&s->pending, (size_t)n);
	}
	if (s->output.target.kind == LOG_TARGET_FILE && s->output.fd < 0)
		rewind_to_line(s);
	atomic_fetch_add_explicit(&s->dropped, s->output.lost, memory_order_relaxed);
	s->output.lost = 0;
	if (n > 0)
		s->told = 0;
	if (error != 0 && error != EAGAIN && error != s->told) {
		s->told = error;
		s->tell(s->name, LOG_SINK_FAILED, (uint64_t)error);
	}
	s->error = error;
}

static void reopen(struct log_sink *s)
{
	bool other;
	int error = log_output_reopen(&s->output, &other);

	if (error < 0)
		s->tell(s->name, LOG_SINK_UNREOPENED, (uint64_t)-error);
	if (other)
		rewind_to_line(s);
}

/* Before the next attempt, if there is to be one. */
static void pause_locked(struct log_sink *s)
{
	duration pause = s->error == EAGAIN ? UNREAD_PAUSE : FAILED_PAUSE;
	mono_time until = mono_add(clock_mono(), pause);
	struct timespec at = to_timespec(until);

	if (s->stopping)
		return;
	while (!s->reopen && !s->stopping && !mono_reached(until, clock_mono()))
		pthread_cond_timedwait(&s->wake, &s->lock, &at);
	s->error = 0;
}

static bool has_news_locked(const struct log_sink *s)
{
	return s->n_filling > 0 || s->n_lost > 0;
}

static bool is_done_locked(const struct log_sink *s)
{
	bool failed = s->error != 0 && s->error != EAGAIN;

	if (!s->stopping)
		return false;
	return failed || (s->n_written == s->n_draining && !has_news_locked(s)) ||
	       mono_reached(s->give_up, clock_mono());
}

/* One thing that takes time; the lock is held before and after it. */
static void step_locked(struct log_sink *s)
{
	uint64_t lost = 0;

	if (s->reopen) {
		s->reopen = false;
		pthread_mutex_unlock(&s->lock);
		reopen(s);
		pthread_mutex_lock(&s->lock);
		return;
	}
	if (s->n_written == s->n_draining && !has_news_locked(s)) {
		s->idle = true;
		pthread_cond_wait(&s->wake, &s->lock);
		s->idle = false;
		return;
	}
	if (s->n_written == s->n_draining) {
		swap_buffers_locked(s);
		lost = s->n_lost;
		s->n_lost = 0;
	}
	pthread_mutex_unlock(&s->lock);
	if (lost > 0)
		s->tell(s->name, LOG_SINK_LOST, lost);
	if (s->n_draining > 0)
		write_some(s);
	pthread_mutex_lock(&s->lock);
	if (s->error != 0)
		pause_locked(s);
}

static void *run(void *arg)
{
	struct log_sink *s = arg;

	MAGIC_CHECK(s, SINK_MAGIC);
	own = s;
	pthread_mutex_lock(&s->lock);
	while (!is_done_locked(s))
		step_locked(s);
	pthread_mutex_unlock(&s->lock);
	log_output_close(&s->output);
	pthread_mutex_lock(&s->lock);
	s->has_ended = true;
	pthread_cond_signal(&s->ended);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Its owner */

static void sink_free(struct log_sink *s)
{
	pthread_cond_destroy(&s->ended);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s->filling);
	free(s->draining);
	free(s->name);
	free(s->path);
	s->magic = MAGIC_DEAD;
	free(s);
}

struct log_sink *log_sink_start(const struct log_sink_spec *spec, int *error)
{
	struct log_sink *s = xcalloc(1, sizeof(*s));
	struct log_target target = spec->target;

	s->magic = SINK_MAGIC;
	s->capacity = spec->capacity;
	s->name = xstrdup(spec->name);
	s->tell = spec->tell;
	CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
	init_cond(&s->wake);
	init_cond(&s->ended);
	s->filling = xmalloc(s->capacity);
	s->draining = xmalloc(s->capacity);
	s->path = target.path != NULL ? xstrdup(target.path) : NULL;
	target.path = s->path;
	*error = log_output_open(&s->output, &target);
	if (*error < 0) {
		sink_free(s);
		return NULL;
	}
	/* All signals are blocked in it: a write over a limit (SIGXFSZ) or to nobody (SIGPIPE) is
	 * an error like others. */
	*error = thread_start(&s->thread, "log", run, s);
	if (*error < 0) {
		log_output_close(&s->output);
		sink_free(s);
		return NULL;
	}
	return s;
}

uint64_t log_sink_stop(struct log_sink *s, duration patience)
{
	struct timespec at;
	uint64_t left;
	bool has_ended;

	MAGIC_CHECK(s, SINK_MAGIC);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	s->give_up = mono_add(clock_mono(), patience);
	at = to_timespec(mono_add(s->give_up, STOP_GRACE));
	pthread_cond_signal(&s->wake);
	while (!s->has_ended) {
		if (pthread_cond_timedwait(&s->ended, &s->lock, &at) == ETIMEDOUT)
			break;
	}
	has_ended = s->has_ended;
	left = count_lines(s->filling, s->n_filling);
	if (has_ended)
		left += count_lines(s->draining + s->n_written, s->n_draining - s->n_written);
	pthread_mutex_unlock(&s->lock);
	if (has_ended)
		CHECK(pthread_join(s->thread, NULL) == 0);
	else
		pthread_detach(s->thread); /* what hangs in the kernel cannot be waited for */
	s->left_behind = !has_ended;
	return left;
}

void log_sink_destroy(struct log_sink **sinkp)
{
	struct log_sink *s = TAKE(sinkp);

	if (s == NULL)
		return;
	MAGIC_CHECK(s, SINK_MAGIC);
	CHECK(s->stopping);
	if (!s->left_behind)
		sink_free(s);
}

/* Any thread */

bool log_sink_put(struct log_sink *s, const char *lines, size_t n)
{
	bool fits;

	pthread_mutex_lock(&s->lock);
	/* After a loss nothing is taken until there is room for many lines: the gap is in one
	 * place.
	 */
	fits = n <= s->capacity - s->n_filling && s->n_lost == 0;
	if (fits) {
		memcpy(s->filling + s->n_filling, lines, n);
		s->n_filling += n;
		atomic_fetch_add_explicit(&s->pending, n, memory_order_relaxed);
	} else {
		uint64_t lost = count_lines(lines, n);

		s->n_lost += lost;
		atomic_fetch_add_explicit(&s->dropped, lost, memory_order_relaxed);
	}
	if (s->idle)
		pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return fits;
}

void log_sink_reopen(struct log_sink *s)
{
	MAGIC_CHECK(s, SINK_MAGIC);
	pthread_mutex_lock(&s->lock);
	s->reopen = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

uint64_t log_sink_dropped(const struct log_sink *s)
{
	return atomic_load_explicit(&s->dropped, memory_order_relaxed);
}

void log_sink_drain(struct log_sink *s, duration patience)
{
	const struct timespec step = {.tv_nsec = DRAIN_STEP.ns};
	mono_time until = mono_add(clock_mono(), patience);

	if (own == s)
		return;
	while (atomic_load(&s->pending) > 0 && !mono_reached(until, clock_mono()))
		nanosleep(&step, NULL);
}
