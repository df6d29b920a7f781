/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A log that nobody has to wait for. Whoever has lines leaves them in a buffer, under a lock that
 * is held for no longer than it takes to copy them; a thread of the sink's own writes them, and
 * waits alone for a disk, for a reader that has stopped, or for a FIFO's reader to come. What does
 * not fit into the buffer is dropped, by whole lines, and counted.
 *
 * There are two buffers of the given capacity: one fills while the other is being written, and they
 * change places when that one is empty. So memory is bounded, and after a loss there is room for
 * many lines again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/log_output.h"

enum log_sink_event {
	LOG_SINK_FAILED,     /* value: errno; told once, until it is another one or it works */
	LOG_SINK_UNREOPENED, /* value: errno; the old file stays */
	LOG_SINK_LOST,       /* value: lines, now that there is room again */
};

struct log_sink_spec {
	const char *name; /* for people */
	struct log_target target;
	size_t capacity;
	/* Called on the sink's thread, without its lock; it may put lines into this sink. */
	void (*tell)(const char *name, enum log_sink_event event, uint64_t value);
};

struct log_sink;
/* Opens (never waiting for a reader) and starts the thread. NULL: *error is a negative errno. */
struct log_sink *log_sink_start(const struct log_sink_spec *spec, int *error);
/* Writes what is there, for as long as `patience`, then gives up; returns how many lines were left.
 * What is put afterwards is never written. */
uint64_t log_sink_stop(struct log_sink *sink, duration patience);
/* Of one that was stopped. A thread that hangs in the kernel is left behind, with its memory. */
void log_sink_destroy(struct log_sink **sink);

/* Any thread, from here on. */

/* Copies whole lines. False when they did not fit, and were counted. */
bool log_sink_put(struct log_sink *sink, const char *lines, size_t n);
/* Opens the file again by its path, on the sink's thread. */
void log_sink_reopen(struct log_sink *sink);
uint64_t log_sink_dropped(const struct log_sink *sink);
/* Waits until all is written, for as long as `patience`. Takes no lock: for a program that is about
 * to abort, in whatever state. */
void log_sink_drain(struct log_sink *sink, duration patience);
