/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Connecting, without blocking: a socket waited for with one event that also carries the time
 * limit. Runs on the loop of who dials; owns the socket until it is handed over. Which address,
 * and what to do after a failure, is left to the caller.
 */
#include "origin-link/conns/dial.h"

#include <errno.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/sock.h"

static void finish(struct dial *d, enum reason reason)
{
	int fd = d->fd;

	d->fd = -1;
	event_free(d->ev);
	d->ev = NULL;
	if (reason != REASON_NONE && fd >= 0) {
		close(fd);
		fd = -1;
	}
	d->done(d, fd, reason);
}

static void ready_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;
	int error = d->error;

	if (d->fd >= 0) {
		if (what & EV_TIMEOUT) {
			finish(d, REASON_ORIGIN_CONNECT_TIMEOUT);
			return;
		}
		error = sock_error(d->fd);
	}
	switch (error) {
	case 0:
		finish(d, REASON_NONE);
		break;
	case -ECONNREFUSED:
		finish(d, REASON_ORIGIN_CONNECT_REFUSED);
		break;
	case -ETIMEDOUT:
		finish(d, REASON_ORIGIN_CONNECT_TIMEOUT);
		break;
	default:
		finish(d, REASON_ORIGIN_CONNECT_FAILED);
	}
}

void dial_init(struct dial *d, struct loop *loop,
	       void (*done)(struct dial *dial, int fd, enum reason reason))
{
	*d = (struct dial){.loop = loop, .fd = -1, .done = done};
}

void dial_start(struct dial *d, const struct net_addr *addr, duration timeout)
{
	struct timeval tv = dur_to_timeval(timeout);
	int fd = sock_connect_tcp(addr);

	LOOP_ASSERT_OWNER(d->loop);
	CHECK(!d->ev);
	d->error = 0;
	if (fd < 0) {
		/* No route, no descriptors, refused at once: told from the loop like any other. */
		d->error = fd;
		d->fd = -1;
		tv = (struct timeval){0};
	} else {
		d->fd = fd;
	}
	d->ev = event_new(loop_base(d->loop), d->fd, d->fd >= 0 ? EV_WRITE : 0, ready_cb, d);
	CHECK(d->ev && event_add(d->ev, &tv) == 0);
}

void dial_cancel(struct dial *d)
{
	if (!d->ev)
		return;
	event_free(d->ev);
	d->ev = NULL;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}
