/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A file of whole lines that all loops of a group append to. Each loop fills a buffer of its own;
 * O_APPEND keeps the buffers of different loops apart in the file. The control thread opens,
 * reopens and closes; it owns the descriptor, whose number never changes, so that loops need no
 * lock to read it.
 */
#include "core/process/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"

#define LOG_FILE_MAGIC 0x4c466c65u
#define BUFFER_BYTES (64 * 1024)
#define CACHE_LINE 64

/* One loop's part; its owner only, until the workers were joined. */
struct shard {
	_Alignas(CACHE_LINE) struct log_file *file;
	struct event *timer; /* NULL: nothing was ever appended */
	char *buf;
	size_t n;
};

struct log_file {
	unsigned magic;
	char *path; /* NULL: standard output */
	int fd;
	_Atomic uint64_t dropped;
	unsigned n_shards;
	struct shard *shards;
};

static int open_path(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
}

struct log_file *log_file_open(const char *path, struct loop_group *group, char **error)
{
	bool is_stdout = strcmp(path, "-") == 0;
	int fd = is_stdout ? STDOUT_FILENO : open_path(path);
	struct log_file *file;

	if (fd < 0) {
		*error = xasprintf("cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	file = xcalloc(1, sizeof(*file));
	file->magic = LOG_FILE_MAGIC;
	file->path = is_stdout ? NULL : xstrdup(path);
	file->fd = fd;
	file->n_shards = group->n_workers + 1;
	file->shards = aligned_alloc(CACHE_LINE, file->n_shards * sizeof(*file->shards));
	CHECK(file->shards != NULL);
	for (unsigned i = 0; i < file->n_shards; i++)
		file->shards[i] = (struct shard){.file = file};
	return file;
}

static uint64_t count_lines(const char *p, size_t n)
{
	uint64_t lines = 0;

	for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		lines++;
	return lines;
}

static void write_out(struct log_file *file, const char *p, size_t n)
{
	ssize_t written;
	uint64_t lost;

	do
		written = write(file->fd, p, n);
	while (written < 0 && errno == EINTR);
	if (written == (ssize_t)n)
		return;
	lost = count_lines(p + MAX(written, 0), n - (size_t)MAX(written, 0));
	atomic_fetch_add_explicit(&file->dropped, lost, memory_order_relaxed);
	LOG_LIMITED(LOG_LEVEL_ERROR, "cannot write to %s: %s; %llu lines lost so far",
		    file->path != NULL ? file->path : "standard output",
		    written < 0 ? strerror(errno) : "no room",
		    (unsigned long long)log_file_dropped(file));
}

static void flush(struct shard *shard)
{
	if (shard->n == 0)
		return;
	write_out(shard->file, shard->buf, shard->n);
	shard->n = 0;
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct shard *shard = arg;

	MAGIC_CHECK(shard->file, LOG_FILE_MAGIC);
	flush(shard);
}

void log_file_append(struct log_file *file, struct loop *loop, const char *line, size_t len)
{
	const struct timeval second = dur_to_timeval(DUR_S(1));
	struct shard *shard = &file->shards[loop_index(loop)];

	LOOP_ASSERT_OWNER(loop);
	CHECK(loop_index(loop) < file->n_shards);
	CHECK(len > 0 && line[len - 1] == '\n');
	if (shard->timer == NULL) {
		shard->timer = evtimer_new(loop_base(loop), timer_cb, shard);
		CHECK(shard->timer != NULL);
		shard->buf = xmalloc(BUFFER_BYTES);
	}
	if (len > BUFFER_BYTES - shard->n)
		flush(shard);
	if (len > BUFFER_BYTES) {
		write_out(file, line, len);
		return;
	}
	/* A timer that is left from a flush by fullness just fires early. */
	if (shard->n == 0 && !evtimer_pending(shard->timer, NULL))
		CHECK(event_add(shard->timer, &second) == 0);
	memcpy(shard->buf + shard->n, line, len);
	shard->n += len;
}

uint64_t log_file_dropped(const struct log_file *file)
{
	return atomic_load_explicit(&file->dropped, memory_order_relaxed);
}

void log_file_reopen(struct log_file *file)
{
	int fd;

	MAGIC_CHECK(file, LOG_FILE_MAGIC);
	if (file->path == NULL)
		return;
	fd = open_path(file->path);
	/* dup3() swaps the file behind the number at once: writers see the old one or the new. */
	if (fd < 0 || dup3(fd, file->fd, O_CLOEXEC) < 0)
		log_error("cannot reopen %s: %s", file->path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void log_file_close(struct log_file **filep)
{
	struct log_file *file = TAKE(filep);

	if (file == NULL)
		return;
	MAGIC_CHECK(file, LOG_FILE_MAGIC);
	for (unsigned i = 0; i < file->n_shards; i++) {
		struct shard *shard = &file->shards[i];

		flush(shard);
		if (shard->timer != NULL)
			event_free(shard->timer);
		free(shard->buf);
	}
	if (file->path != NULL)
		close(file->fd);
	file->magic = MAGIC_DEAD;
	free(file->shards);
	free(file->path);
	free(file);
}
