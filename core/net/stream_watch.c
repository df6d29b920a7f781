/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Watching streams that are not being read. A paused stream has no read event once something waits
 * to be read, and epoll tells of errors only to those who wait for something: so a reset would go
 * unnoticed until the next write, and with it go whatever the user holds for that stream. They are
 * therefore asked once a second, many with one system call. Runs on the streams' loop.
 */
#include <poll.h>
#include <stdlib.h>

#include "core/base/check.h"
#include "core/net/sock.h"
#include "core/net/stream_internal.h"

#define INTERVAL DUR_S(1)
/* A system call of some 30 us, and 2 KiB on the stack. */
#define BATCH 256

struct stream_watch {
	TAILQ_HEAD(, stream) streams;
	struct event timer; /* pending while there are streams */
};

/* It is told by failed(), like an error of writing: the connection is gone in both directions. */
static void judge(struct stream *s, short what)
{
	int err = what & POLLERR ? -sock_error(s->fd) : 0;

	if (err != 0) {
		stream_set_errno(s, err);
		stream_fail_writing(s);
	} else if (what != 0) {
		/* Both sides have ended in good order: nothing more can happen. */
		stream_unwatch(s);
	}
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream_watch *w = arg;
	struct stream *next = TAILQ_FIRST(&w->streams);

	while (next) {
		struct pollfd fds[BATCH];
		struct stream *streams[BATCH];
		unsigned n = 0;

		for (; next && n < BATCH; next = TAILQ_NEXT(next, watch_link), n++) {
			streams[n] = next;
			fds[n] = (struct pollfd){.fd = next->fd}; /* errors are told unasked */
		}
		if (poll(fds, n, 0) <= 0)
			continue;
		for (unsigned i = 0; i < n; i++)
			judge(streams[i], fds[i].revents);
	}
}

void stream_watch(struct stream *s)
{
	struct stream_watch *w = s->b->watch;
	struct timeval tv = dur_to_timeval(INTERVAL);

	if (s->watched)
		return;
	if (TAILQ_EMPTY(&w->streams))
		CHECK(event_add(&w->timer, &tv) == 0);
	TAILQ_INSERT_TAIL(&w->streams, s, watch_link);
	s->watched = true;
}

void stream_unwatch(struct stream *s)
{
	struct stream_watch *w;

	if (!s->watched)
		return;
	w = s->b->watch;
	s->watched = false;
	TAILQ_REMOVE(&w->streams, s, watch_link);
	if (TAILQ_EMPTY(&w->streams))
		event_del(&w->timer);
}

struct stream_watch *stream_watch_create(struct loop *loop)
{
	struct stream_watch *w = xmalloc(sizeof(*w));

	TAILQ_INIT(&w->streams);
	CHECK(event_assign(&w->timer, loop_base(loop), -1, EV_PERSIST, timer_cb, w) == 0);
	return w;
}

void stream_watch_destroy(struct stream_watch **watchp)
{
	struct stream_watch *watch = TAKE(watchp);

	if (!watch)
		return;
	CHECK(TAILQ_EMPTY(&watch->streams));
	free(watch);
}
