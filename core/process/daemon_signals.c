/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Signals as events of the control loop, by signalfd(2).
 */
#include "core/process/daemon_signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/base/check.h"

#define SIGNALS_MAGIC 0x53696721u

struct daemon_signals {
	unsigned magic;
	const struct daemon_signal_ops *ops;
	void *arg;
	int fd;
	struct event *ev;
	bool stopping;
};

static sigset_t signal_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	return set;
}

void daemon_signals_block(void)
{
	sigset_t set = signal_set();

	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

void daemon_signals_unblock(void)
{
	sigset_t set = signal_set();

	CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

static void dispatch(struct daemon_signals *s, uint32_t number)
{
	switch (number) {
	case SIGHUP:
		s->ops->reload(s->arg);
		break;
	case SIGUSR1:
		s->ops->reopen_logs(s->arg);
		break;
	default:
		if (s->stopping) {
			s->ops->stop_now(s->arg);
			break;
		}
		s->stopping = true;
		s->ops->stop(s->arg);
		break;
	}
}

/* One a turn: what it brings about comes before the next. */
static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct daemon_signals *s = arg;
	struct signalfd_siginfo info;
	ssize_t n;

	MAGIC_CHECK(s, SIGNALS_MAGIC);
	n = read(fd, &info, sizeof(info));
	if (n < 0) {
		CHECK(errno == EAGAIN || errno == EINTR);
		return;
	}
	CHECK(n == sizeof(info));
	dispatch(s, info.ssi_signo);
}

struct daemon_signals *daemon_signals_create(struct loop *control,
					     const struct daemon_signal_ops *ops, void *arg)
{
	struct daemon_signals *s = xcalloc(1, sizeof(*s));
	sigset_t set = signal_set();

	s->magic = SIGNALS_MAGIC;
	s->ops = ops;
	s->arg = arg;
	s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(s->fd >= 0);
	s->ev = event_new(loop_base(control), s->fd, EV_READ | EV_PERSIST, readable_cb, s);
	CHECK(s->ev != NULL && event_add(s->ev, NULL) == 0);
	return s;
}

void daemon_signals_destroy(struct daemon_signals **signals)
{
	struct daemon_signals *s = TAKE(signals);

	if (s == NULL)
		return;
	MAGIC_CHECK(s, SIGNALS_MAGIC);
	event_free(s->ev);
	close(s->fd);
	s->magic = MAGIC_DEAD;
	free(s);
}
