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
#include "edge/keys/remote/relay.h"
#include "edge/keys/signer.h"

/* Signers that die at once, or cannot be started, are not started more often than that. */
#define RESTART DUR_MS(500)
#define CONTROL_FD 3

struct keeper {
	int edge;
	/* Of pidfd_open(): the socket alone would not tell of its end, as an edge that was taken
	 * can hand its own end of it to the signer; and no signal comes from one that was root's
	 * and is not any more. */
	int edge_process;
	struct signer_settings settings;
	struct signer_started started;
	pid_t signer; /* 0: none */
};

/* Anew: with no memory of the edge, and at other addresses. */
static void execute(const struct signer_settings *settings, char *fd)
{
	char signatures[16], seconds[16];
	char *const signer[] = {(char *)EDGE_SIGNER_NAME, fd,  signatures, seconds,
				(char *)settings->config, NULL};
	char *const relay[] = {(char *)EDGE_RELAY_NAME,
			       fd,
			       (char *)settings->relay.servers,
			       (char *)settings->relay.certificate,
			       (char *)settings->relay.key,
			       (char *)settings->relay.ca,
			       NULL};

	snprintf(signatures, sizeof(signatures), "%u", (unsigned)settings->signatures);
	snprintf(seconds, sizeof(seconds), "%u", (unsigned)settings->seconds);
	execv("/proc/self/exe", settings->relay.servers[0] != '\0' ? relay : signer);
}

_Noreturn static void be_signer(const struct keeper *keeper, int control, pid_t parent)
{
	char fd[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (dup2(control, CONTROL_FD) < 0)
		_exit(1);
	close_range(CONTROL_FD + 1, ~0u, 0);
	snprintf(fd, sizeof(fd), "%d", CONTROL_FD);
	execute(&keeper->settings, fd);
	_exit(1);
}

/* Where that fails the control socket is closed, and so the signer ends. */
static void tell_edge(const struct keeper *keeper, int control)
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
	sendmsg(keeper->edge, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* There may be none after that: what it takes may be short for a while. */
static void start(struct keeper *keeper)
{
	pid_t self = getpid(), signer;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return;
	signer = fork();
	if (signer == 0)
		be_signer(keeper, fds[1], self);
	close(fds[1]);
	if (signer > 0) {
		keeper->signer = signer;
		keeper->started.generation++;
		tell_edge(keeper, fds[0]);
	}
	close(fds[0]);
}

static void end_signer(struct keeper *keeper)
{
	int ended = 0;

	if (keeper->signer == 0)
		return;
	kill(keeper->signer, SIGKILL);
	while (waitpid(keeper->signer, &ended, 0) < 0 && errno == EINTR)
		;
	keeper->signer = 0;
	keeper->started.ended = ended;
}

/* Until the signer has died, or is to; where there is none to look at, until it is time for
 * another. False: the edge is gone. */
static bool watch(const struct keeper *keeper)
{
	int signer = keeper->signer != 0 ? (int)syscall(SYS_pidfd_open, keeper->signer, 0) : -1;
	int patience_ms = signer < 0 ? (int)dur_to_ms(RESTART) : -1;
	struct pollfd fds[] = {
	    {keeper->edge, POLLIN, 0}, {keeper->edge_process, POLLIN, 0}, {signer, POLLIN, 0}};
	struct signer_hangs hangs;
	bool here = true, dead = false;

	while (here && !dead) {
		int n = poll(fds, ARRAY_SIZE(fds), patience_ms);

		if (n < 0)
			continue;
		here = fds[1].revents == 0;
		dead = n == 0 || fds[2].revents != 0;
		if (fds[0].revents != 0) {
			ssize_t got = recv(keeper->edge, &hangs, sizeof(hangs), MSG_DONTWAIT);

			here &= got > 0;
			dead |=
			    got == sizeof(hangs) && hangs.generation == keeper->started.generation;
		}
	}
	if (signer >= 0)
		close(signer);
	return here;
}

#define IS_TEXT(member) (memchr(member, 0, sizeof(member)) != NULL)

static bool are_texts(const struct signer_settings *settings)
{
	return IS_TEXT(settings->config) && IS_TEXT(settings->relay.servers) &&
	       IS_TEXT(settings->relay.certificate) && IS_TEXT(settings->relay.key) &&
	       IS_TEXT(settings->relay.ca);
}

_Noreturn static void keep(int edge, int edge_process)
{
	struct keeper keeper = {.edge = edge, .edge_process = edge_process};
	bool here = recv(edge, &keeper.settings, sizeof(keeper.settings), 0) ==
			(ssize_t)sizeof(keeper.settings) &&
		    are_texts(&keeper.settings);

	while (here) {
		mono_time next = mono_add(clock_mono(), RESTART);

		start(&keeper);
		here = watch(&keeper);
		end_signer(&keeper);
		if (here && !mono_reached(next, clock_mono()))
			usleep((useconds_t)dur_to_us(RESTART));
	}
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
	int fds[2], edge;

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
	edge = (int)syscall(SYS_pidfd_open, parent, 0);
	if (edge < 0 || getppid() != parent)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NAME, "signer-keeper");
	ignore_signals();
	keep(fds[1], edge);
}
