/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where log lines go: a file, FIFO or device that is opened here by its path, or a descriptor that
 * the program was born with. One thread at a time: the one that may wait (core/base/log_sink.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct log_output {
	const char *path; /* NULL: a descriptor that was there before us; it is not closed */
	int fd;           /* -1: a FIFO that nobody reads at present; each write tries again */
	bool regular;
	bool begin_line; /* what the file ends with is no newline: one comes first */
};

/* Never waits for a reader. `path` must stay. A FIFO that nobody reads is no error. 0, or a
 * negative errno. */
int log_output_open(struct log_output *output, const char *path);
/* The description behind `fd` is shared with other processes: its flags are left alone. */
void log_output_inherit(struct log_output *output, int fd);
/* Again by its path; on failure (a negative errno) the old file stays. *other: it is another file
 * than before, in which a line must begin from its start. Inherited ones: nothing happens. */
int log_output_reopen(struct log_output *output, bool *other);
void log_output_close(struct log_output *output);

/* Writes the first of `n` bytes of whole lines; as many lines at once as the output takes without
 * mixing them with those of other processes. Returns how many bytes were taken, or a negative
 * errno: -EAGAIN when nothing was taken for a tenth of a second. When fd is -1 afterwards, its
 * reader has gone, and whoever comes next must get lines from their start. */
ssize_t log_output_write(struct log_output *output, const char *p, size_t n);
