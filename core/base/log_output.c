/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening and writing of a log's file, see log_output.h; datagrams and the journal are passed on to
 * their own. Everything but a regular file is asked first whether it takes something, so that a
 * reader who has stopped holds up nobody for ever.
 */
#include "core/base/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"

/* At once into a regular file: what a disk that fills up can tear is still a part of it. */
#define FILE_PIECE (64 * 1024)
/* Into anything else: so much is written wholly or not at all where poll() saw room. */
#define OTHER_PIECE PIPE_BUF
#define WRITABLE_MS 100

static int open_path(const char *path)
{
	/* Without O_NONBLOCK, a FIFO would be waited for until somebody reads it. */
	int fd =
	    open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

	return fd < 0 ? -errno : fd;
}

static bool is_datagram(const struct log_target *target)
{
	return target->kind == LOG_TARGET_SOCKET || target->kind == LOG_TARGET_UDP;
}

/* A descriptor, or a negative errno. */
static int open_target(const struct log_target *target)
{
	return is_datagram(target) ? log_receiver_connect(target) : open_path(target->path);
}

/* A negative errno of open_target() that only says that nobody reads at present. */
static bool is_unread(const struct log_target *target, int error)
{
	struct stat st;

	if (is_datagram(target))
		return log_receiver_is_unread(-error);
	return error == -ENXIO && stat(target->path, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* Whether a regular file ends in the middle of a line. Who may not read it is not told. */
static bool ends_torn(const char *path, off_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char last = '\n';

	if (fd < 0)
		return false;
	if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

static void take_fd(struct log_output *output, int fd)
{
	struct stat st;

	output->fd = fd;
	output->regular = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	output->begin_line = output->regular && output->target.kind == LOG_TARGET_FILE &&
			     ends_torn(output->target.path, st.st_size);
}

int log_output_open(struct log_output *output, const struct log_target *target)
{
	int fd;

	*output = (struct log_output){.target = *target, .fd = -1};
	if (target->kind == LOG_TARGET_JOURNAL)
		return 0;
	/* The description behind an inherited one is shared with other processes: its flags are
	 * left alone. */
	fd = target->kind == LOG_TARGET_INHERITED ? target->fd : open_target(target);
	if (fd < 0 && target->kind != LOG_TARGET_INHERITED && !is_unread(target, fd))
		return fd;
	take_fd(output, MAX(fd, -1));
	return 0;
}

/* Those are not ours. */
static bool is_opened(const struct log_target *target)
{
	return target->kind != LOG_TARGET_INHERITED && target->kind != LOG_TARGET_JOURNAL;
}

static bool is_same_file(int a, int b)
{
	struct stat of_a, of_b;

	return a >= 0 && b >= 0 && fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 &&
	       of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

int log_output_reopen(struct log_output *output, bool *other)
{
	int fd, old = output->fd;

	*other = false;
	if (!is_opened(&output->target))
		return 0;
	fd = open_target(&output->target);
	if (fd < 0 && !is_unread(&output->target, fd))
		return fd;
	if (is_same_file(old, fd)) {
		close(fd);
		return 0;
	}
	*other = true;
	take_fd(output, MAX(fd, -1));
	if (old >= 0)
		close(old);
	return 0;
}

void log_output_close(struct log_output *output)
{
	if (is_opened(&output->target) && output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

static size_t piece(const char *p, size_t n, size_t max)
{
	const char *last;

	if (n <= max)
		return n;
	last = memrchr(p, '\n', max);
	return last != NULL ? (size_t)(last + 1 - p) : max;
}

static ssize_t write_once(struct log_output *output, const char *p, size_t n)
{
	struct pollfd poll_fd = {.fd = output->fd, .events = POLLOUT};
	ssize_t written;

	if (!output->regular && poll(&poll_fd, 1, WRITABLE_MS) == 0)
		return -EAGAIN;
	written = write(output->fd, p, n);
	return written >= 0 ? written : errno == EINTR ? 0 : -errno;
}

/* 0, or why there is no descriptor to write to. */
static int find_reader(struct log_output *output)
{
	int fd;

	if (output->fd >= 0 || output->target.kind == LOG_TARGET_JOURNAL)
		return 0;
	if (output->target.kind == LOG_TARGET_INHERITED)
		return -EBADF;
	fd = open_target(&output->target);
	if (fd < 0)
		return fd;
	take_fd(output, fd);
	return 0;
}

static ssize_t write_file(struct log_output *output, const char *p, size_t n)
{
	ssize_t written;

	if (output->begin_line) {
		written = write_once(output, "\n", 1);
		output->begin_line = written <= 0;
		if (written < 0)
			return written;
	}
	written = write_once(output, p, piece(p, n, output->regular ? FILE_PIECE : OTHER_PIECE));
	if (written == -EPIPE && output->target.kind == LOG_TARGET_FILE) {
		close(output->fd);
		output->fd = -1;
	}
	return written;
}

ssize_t log_output_write(struct log_output *output, const char *p, size_t n)
{
	int error = output->failed;

	output->failed = 0;
	if (error == 0)
		error = find_reader(output);
	if (error < 0)
		return error;
	if (output->target.kind == LOG_TARGET_JOURNAL)
		return log_receiver_write_entries(p, n);
	if (is_datagram(&output->target))
		return log_receiver_write_datagrams(output, p, n);
	return write_file(output, p, n);
}
