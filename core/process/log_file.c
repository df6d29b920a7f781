/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A log of whole lines that all loops of a group append to. Each loop fills a buffer of its own,
 * and leaves it to the sink (core/base/log_sink.h), whose thread opens, writes and reopens.
 */
#include "core/process/log_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/log_sink.h"

#define LOG_FILE_MAGIC 0x4c466c65u
#define BUFFER_BYTES (64 * 1024)
#define CACHE_LINE 64
/* Some ten thousand lines, twice: a second's worth of a busy node, for a disk that pauses. */
#define SINK_CAPACITY (4 * 1024 * 1024)
#define CLOSE_PATIENCE DUR_S(1)

/* One loop's part; its owner only, until the workers were joined. */
struct shard {
	_Alignas(CACHE_LINE) struct log_file *file;
	struct event *timer; /* NULL: nothing was ever appended */
	char *buf;
	size_t n;
};

struct log_file {
	unsigned magic;
	char *name;
	struct log_sink *sink;
	unsigned n_shards;
	struct shard *shards;
};

/* A FIFO, or a socket. */
static bool is_unread(int error)
{
	return error == ENXIO || error == EPIPE || error == ECONNREFUSED;
}

static void tell(const char *name, enum log_sink_event event, uint64_t value)
{
	switch (event) {
	case LOG_SINK_FAILED:
		LOG_LIMITED(LOG_LEVEL_ERROR, "cannot write to %s: %s", name,
			    is_unread((int)value) ? "nobody reads it"
						  : strerrordesc_np((int)value));
		break;
	case LOG_SINK_UNREOPENED:
		log_error("cannot reopen %s: %s; the old file stays", name,
			  strerrordesc_np((int)value));
		break;
	case LOG_SINK_LOST:
		LOG_LIMITED(LOG_LEVEL_WARN, "%s takes lines again: %llu were dropped", name,
			    (unsigned long long)value);
		break;
	}
}

struct log_file *log_file_open(const char *name, const struct log_target *target,
			       struct loop_group *group, char **error)
{
	struct log_sink_spec spec = {
	    .name = name,
	    .target = *target,
	    .capacity = SINK_CAPACITY,
	    .tell = tell,
	};
	struct log_file *file;
	struct log_sink *sink;
	int failed;

	sink = log_sink_start(&spec, &failed);
	if (sink == NULL) {
		*error = xasprintf("cannot open %s: %s", name, strerrordesc_np(-failed));
		return NULL;
	}
	file = xcalloc(1, sizeof(*file));
	file->magic = LOG_FILE_MAGIC;
	file->name = xstrdup(name);
	file->sink = sink;
	file->n_shards = group->n_workers + 1;
	file->shards = aligned_alloc(CACHE_LINE, file->n_shards * sizeof(*file->shards));
	CHECK(file->shards != NULL);
	for (unsigned i = 0; i < file->n_shards; i++)
		file->shards[i] = (struct shard){.file = file};
	return file;
}

static void leave(struct log_file *file, const char *lines, size_t n)
{
	if (!log_sink_put(file->sink, lines, n))
		LOG_LIMITED(LOG_LEVEL_WARN,
			    "%s does not take lines as fast as they come: %llu dropped so far",
			    file->name, (unsigned long long)log_file_dropped(file));
}

static void flush(struct shard *shard)
{
	if (shard->n == 0)
		return;
	leave(shard->file, shard->buf, shard->n);
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
		leave(file, line, len);
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
	return log_sink_dropped(file->sink);
}

void log_file_reopen(struct log_file *file)
{
	MAGIC_CHECK(file, LOG_FILE_MAGIC);
	log_sink_reopen(file->sink);
}

void log_file_close(struct log_file **filep)
{
	struct log_file *file = TAKE(filep);
	uint64_t left;

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
	left = log_sink_stop(file->sink, CLOSE_PATIENCE);
	if (left > 0)
		log_warn("%s did not take the last %llu lines", file->name,
			 (unsigned long long)left);
	log_sink_destroy(&file->sink);
	file->magic = MAGIC_DEAD;
	free(file->shards);
	free(file->name);
	free(file);
}
