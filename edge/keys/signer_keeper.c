/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The keeper's whole life, see signer_keeper.h. One thread.
 */
#include "edge/keys/signer_keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/clock.h"
#include "edge/keys/signer.h"

/* Signers that die at once are not started more often than that. */
#define RESTART DUR_MS(500)
#define CONTROL_FD 3

struct keeper {
	int edge;
	struct signer_settings settings;
	struct signer_started started;
	pid_t signer;
};

_Noreturn static void be_signer(const struct keeper *keeper, int control, pid_t parent)
{
	char fd[16], signatures[16], seconds[16];
	char *const argv[] = {(char *)EDGE_SIGNER_NAME,        fd,  signatures, seconds,
			      (char *)keeper->settings.config, NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (dup2(control, CONTROL_FD) < 0)
		_exit(1);
	close_range(CONTROL_FD + 1, ~0u, 0);
	snprintf(fd, sizeof(fd), "%d", CONTROL_FD);
	snprintf(signatures, sizeof(signatures), "%u", (unsigned)keeper->settings.signatures);
	snprintf(seconds, sizeof(seconds), "%u", (unsigned)keeper->settings.seconds);
	/* Anew: with no memory of the edge, and at other addresses. */
	execv("/proc/self/exe", argv);
	_exit(1);
}

static bool tell_edge(const struct keeper *keeper, int control)
{
	char passed[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {(void *)&keeper->started, sizeof(keeper->started)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = passed,
				 .msg_controllen = sizeof(passed)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &control, sizeof(control));
	return sendmsg(keeper->edge, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(keeper->started);
}

/* False: the edge is gone. */
static bool start(struct keeper *keeper)
{
	pid_t self = getpid();
	int fds[2];
	bool ok;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return false;
	keeper->started.generation++;
	keeper->signer = fork();
	if (keeper->signer == 0)
		be_signer(keeper, fds[1], self);
	close(fds[1]);
	ok = keeper->signer > 0 && tell_edge(keeper, fds[0]);
	close(fds[0]);
	return ok;
}

static void end_signer(struct keeper *keeper)
{
	int ended = 0;

	kill(keeper->signer, SIGKILL);
	while (waitpid(keeper->signer, &ended, 0) < 0 && errno == EINTR)
		;
	keeper->started.ended = ended;
}

/* Until the signer has died, or is to; false: the edge is gone. */
static bool watch(const struct keeper *keeper)
{
	int signer = (int)syscall(SYS_pidfd_open, keeper->signer, 0);
	struct pollfd fds[] = {{keeper->edge, POLLIN, 0}, {signer, POLLIN, 0}};
	struct signer_hangs hangs;
	bool here = signer >= 0, dead = false;

	while (here && !dead) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		dead = fds[1].revents != 0;
		if (fds[0].revents != 0) {
			ssize_t n = recv(keeper->edge, &hangs, sizeof(hangs), MSG_DONTWAIT);

			here = n > 0;
			dead |=
			    n == sizeof(hangs) && hangs.generation == keeper->started.generation;
		}
	}
	close(signer);
	return here;
}

_Noreturn static void keep(int edge)
{
	struct keeper keeper = {.edge = edge};
	bool here = recv(edge, &keeper.settings, sizeof(keeper.settings), 0) ==
			(ssize_t)sizeof(keeper.settings) &&
		    memchr(keeper.settings.config, 0, sizeof(keeper.settings.config)) != NULL;

	while (here && start(&keeper)) {
		mono_time next = mono_add(clock_mono(), RESTART);

		here = watch(&keeper);
		end_signer(&keeper);
		if (!mono_reached(next, clock_mono()))
			usleep((useconds_t)dur_to_us(RESTART));
	}
	if (keeper.signer > 0)
		kill(keeper.signer, SIGKILL);
	_exit(0);
}

/* A terminal's and systemd's are for the edge, which may have handshakes under way. The signer
 * inherits it. */
static void ignore_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};

	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

int edge_signer_keep(void)
{
	pid_t parent = getpid(), child;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	child = fork();
	if (child < 0) {
		int error = errno;

		close(fds[0]);
		close(fds[1]);
		return -error;
	}
	if (child > 0) {
		close(fds[1]);
		return fds[0];
	}
	close(fds[0]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NAME, "signer-keeper");
	ignore_signals();
	keep(fds[1]);
}
