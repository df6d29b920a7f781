/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See signer_channels.h.
 */
#include "edge/keys/signer_channels.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/thread.h"
#include "core/process/daemon.h"
#include "edge/keys/signer_message.h"

/* Each is a thread. An edge has one for each thread that does handshakes. */
#define CHANNELS_MAX 2048

static struct {
	signer_answer_fn *answer;
	atomic_uint n;
} channels;

void signer_protect(void)
{
	struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};

	/* Nobody without CAP_SYS_PTRACE reads its memory, and it leaves no core. */
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	/* Keys are not to be swapped out. With less than all that it is allowed to lock it would
	 * run out of memory. */
	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0)
		mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

/* False: that is the channel's end. */
static bool answer(int fd, const void *packet, size_t n)
{
	char out[SIGNER_MESSAGE_MAX];
	size_t size = channels.answer(packet, n, out);

	return size > 0 && send(fd, out, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void *serve_channel(void *arg)
{
	int fd = (int)(intptr_t)arg;
	/* One more than any message: what is longer is cut, and no message then. */
	char packet[SIGNER_MESSAGE_MAX + 1];
	ssize_t n;

	do {
		n = recv(fd, packet, sizeof(packet), 0);
	} while ((n < 0 && errno == EINTR) || (n > 0 && answer(fd, packet, (size_t)n)));
	close(fd);
	atomic_fetch_sub(&channels.n, 1);
	return NULL;
}

static void open_channel(int fd)
{
	pthread_t thread;

	if (atomic_fetch_add(&channels.n, 1) < CHANNELS_MAX &&
	    thread_start(&thread, "channel", serve_channel, (void *)(intptr_t)fd) == 0) {
		pthread_detach(thread);
		return;
	}
	atomic_fetch_sub(&channels.n, 1);
	close(fd);
}

/* What there is room for: where one would do, alignment leaves room for two. */
#define PASSED_MAX 2

/* -1: none came with it, or more than one, which are closed. */
static int passed_descriptor(struct msghdr *message)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(message);
	int fds[PASSED_MAX];
	size_t n;

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return -1;
	n = MIN((c->cmsg_len - CMSG_LEN(0)) / sizeof(*fds), PASSED_MAX);
	memcpy(fds, CMSG_DATA(c), n * sizeof(*fds));
	if (n == 1)
		return fds[0];
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	return -1;
}

/* False at the end of the control socket. */
static bool serve_control(int control)
{
	char packet[SIGNER_MESSAGE_MAX], passed[CMSG_SPACE(PASSED_MAX * sizeof(int))];
	struct iovec iov = {packet, sizeof(packet)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = passed,
				 .msg_controllen = sizeof(passed)};
	ssize_t n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
	struct signer_request request;
	int fd;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	fd = passed_descriptor(&message);
	if (fd < 0)
		return true;
	if (signer_request_parse(&request, packet, (size_t)n) && request.verb == SIGNER_OPEN)
		open_channel(fd);
	else
		close(fd);
	return true;
}

void signer_channels_serve(int control, signer_answer_fn *answer_fn)
{
	channels.answer = answer_fn;
	daemon_raise_file_limit(); /* each channel takes one */
	while (serve_control(control))
		;
}
