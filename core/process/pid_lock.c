/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The lock is flock(2)'s, which belongs to the open file and ends with it. As the file is removed
 * at the end, one that was locked may be another than the one that has the name by now: then it is
 * tried again with that one.
 */
#include "core/process/pid_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/check.h"

/* The longest process id, newline and NUL. */
#define PID_TEXT 24

/* 0 when it cannot be told, as in the moment before the holder has written it. */
static long holder_of(int fd)
{
	char text[PID_TEXT];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[MAX(n, 0)] = '\0';
	return strtol(text, NULL, 10);
}

static char *held_error(int fd, const char *path)
{
	long pid = holder_of(fd);

	if (pid > 0)
		return xasprintf("already running: process %ld holds %s", pid, path);
	return xasprintf("already running: another process holds %s", path);
}

static bool still_has_name(int fd, const char *path)
{
	struct stat locked, named;

	return fstat(fd, &locked) == 0 && lstat(path, &named) == 0 &&
	       locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

static bool write_pid(int fd)
{
	char text[PID_TEXT];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

int pid_lock_take(const char *path, char **error)
{
	for (;;) {
		/* Whoever may read a file may lock it: others may not. */
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);

		if (fd < 0) {
			*error = xasprintf("cannot open %s: %s", path, strerrordesc_np(errno));
			return -1;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			*error = errno == EWOULDBLOCK ? held_error(fd, path)
						      : xasprintf("cannot lock %s: %s", path,
								  strerrordesc_np(errno));
			close(fd);
			return -1;
		}
		if (!still_has_name(fd, path)) {
			close(fd); /* its holder has removed it meanwhile */
			continue;
		}
		if (write_pid(fd))
			return fd;
		*error = xasprintf("cannot write %s: %s", path, strerrordesc_np(errno));
		pid_lock_give(&fd, path);
		return -1;
	}
}

void pid_lock_give(int *fd, const char *path)
{
	if (*fd < 0)
		return;
	/* While it is locked: nobody else has it. Unless somebody has removed it, and another one
	 * is there. */
	if (still_has_name(*fd, path))
		unlink(path);
	close(*fd);
	*fd = -1;
}
