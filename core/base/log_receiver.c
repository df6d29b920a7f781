/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A log's lines for who takes them one by one (log_output.h): as datagrams, or as entries of
 * systemd's journal. A Unix socket tells when its reader is slow or gone, and no line that it has
 * taken is lost; UDP may tell that one that was sent before has not arrived. The journal's own
 * library blocks while the journal is slow, for which the thread of a sink is made, but says
 * nothing when there is no journal, so that this is looked at before.
 */
#define SD_JOURNAL_SUPPRESS_LOCATION /* it would be that of this file, for every entry */
#include "core/base/log_output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

/* One after the other without a look at anything else: a stop need not wait for longer. */
#define LINES_AT_ONCE 64
#define WRITABLE_MS 100
/* systemd's own; see sd_journal_sendv(3). */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

static int connect_to(int family, const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (connect(fd, sa, len) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int log_receiver_connect(const struct log_target *target)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t n;

	if (target->kind == LOG_TARGET_UDP)
		return connect_to(target->addr.sa.sa_family, &target->addr.sa,
				  net_addr_len(&target->addr));
	n = strlen(target->path);
	if (n >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, target->path, n);
	return connect_to(AF_UNIX, (const struct sockaddr *)&un, sizeof(un));
}

bool log_receiver_is_unread(int error)
{
	return error == ENOENT || error == ECONNREFUSED || error == ECONNRESET ||
	       error == ENOTCONN || error == EPIPE;
}

/* A line was not sent: what that says of those before it, and of the socket. */
static void failed(struct log_output *output, int error)
{
	if (!log_receiver_is_unread(error))
		return;
	if (output->target.kind == LOG_TARGET_UDP) {
		output->lost++;
		return;
	}
	close(output->fd);
	output->fd = -1;
}

/* As many bytes as it has, with its newline; or a negative errno. */
static ssize_t send_line(struct log_output *output, const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);
	size_t len = end != NULL ? (size_t)(end - p) : n;
	int error;

	if (send(output->fd, p, len, MSG_NOSIGNAL) >= 0)
		return (ssize_t)(len + (end != NULL));
	error = errno;
	/* No datagram may be as long; the next ones are shorter. */
	if (error == EMSGSIZE) {
		output->lost++;
		return (ssize_t)(len + (end != NULL));
	}
	failed(output, error);
	return -error;
}

ssize_t log_receiver_write_datagrams(struct log_output *output, const char *p, size_t n)
{
	struct pollfd poll_fd = {.fd = output->fd, .events = POLLOUT};
	size_t sent = 0;

	if (poll(&poll_fd, 1, WRITABLE_MS) == 0)
		return -EAGAIN;
	for (unsigned i = 0; i < LINES_AT_ONCE && sent < n; i++) {
		ssize_t line = send_line(output, p + sent, n - sent);

		if (line < 0) {
			/* Those before it count first. */
			output->failed = (int)line;
			break;
		}
		sent += (size_t)line;
	}
	return (ssize_t)sent;
}

/* 0, or a negative errno. */
static int send_entry(const char *p, size_t n)
{
	struct iovec fields[LOG_FIELDS_MAX];
	int n_fields = 0;

	while (n > 0 && n_fields < LOG_FIELDS_MAX) {
		const char *end = memchr(p, LOG_FIELD_END, n);
		size_t len = end != NULL ? (size_t)(end - p) : n;

		fields[n_fields++] = (struct iovec){.iov_base = (char *)p, .iov_len = len};
		len += end != NULL;
		p += len;
		n -= len;
	}
	return n_fields > 0 ? sd_journal_sendv(fields, n_fields) : 0;
}

ssize_t log_receiver_write_entries(const char *p, size_t n)
{
	size_t sent = 0;

	if (access(JOURNAL_SOCKET, F_OK) != 0)
		return -errno;
	for (unsigned i = 0; i < LINES_AT_ONCE && sent < n; i++) {
		const char *end = memchr(p + sent, '\n', n - sent);
		size_t len = end != NULL ? (size_t)(end - p) - sent : n - sent;
		int error = send_entry(p + sent, len);

		if (error < 0)
			return sent > 0 ? (ssize_t)sent : error;
		sent += len + (end != NULL);
	}
	return (ssize_t)sent;
}
