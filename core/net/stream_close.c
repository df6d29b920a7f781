/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The orderly end of a stream, after its user has let go of it: flush, close_notify, FIN, then read
 * away what still comes, because closing a socket with unread input sends a RST, which can destroy
 * the last response on its way (RFC 9112, 9.6). Runs on the stream's loop; owns the stream.
 *
 * What a stranger can hold this way is bounded: in number a loop, in time, and in bytes read.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/check.h"
#include "core/net/stream_internal.h"

/* A descriptor and a queue each; beyond it the oldest is ended. */
#define CLOSING_MAX 4096
/* Enough for a request that was on its way; whoever sends more is held back by TCP. */
#define DISCARD_MAX (256 * 1024)
/* While flushing, the linger time begins anew with each progress, but not more often than this:
 * somebody may be reading byte by byte. */
#define EXTENSIONS_MAX 20

struct stream_closing {
	struct event *timer;
	struct timeval linger;
	size_t discarded;
	size_t queue_start; /* when the timer was set: to see progress */
	unsigned extensions;
	bool fin_seen;
};

static void set_timer(struct stream *s)
{
	s->closing->queue_start = s->queue.start;
	CHECK(event_add(s->closing->timer, &s->closing->linger) == 0);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct stream_closing *c;

	MAGIC_CHECK(s, STREAM_MAGIC);
	c = s->closing;
	if (s->out == OUT_ENDING && s->queue.start != c->queue_start &&
	    c->extensions < EXTENSIONS_MAX) {
		c->extensions++;
		set_timer(s);
	} else {
		stream_free(s);
	}
}

void stream_closing_flushed(struct stream *s)
{
	if (s->closing->fin_seen)
		stream_free(s);
	else
		set_timer(s);
}

void stream_closing_readable(struct stream *s)
{
	struct stream_closing *c = s->closing;
	ssize_t n = stream_recv(s, s->b->plain, STREAM_READ_MAX);

	if (n > 0) {
		c->discarded += n;
		if (c->discarded >= DISCARD_MAX)
			stream_disarm_read(s);
	} else if (n == 0 && s->out != OUT_ENDED) {
		c->fin_seen = true;
		stream_disarm_read(s);
	} else if (n != -EAGAIN) {
		stream_free(s);
	}
}

void stream_closing_fini(struct stream *s)
{
	TAILQ_REMOVE(&s->b->closing, s, closing_link);
	s->b->n_closing--;
	event_free(s->closing->timer);
	free(s->closing);
	s->closing = NULL;
}

static bool begin(struct stream *s, duration linger, bool fin_seen)
{
	struct stream_buffers *b = s->b;
	struct stream_closing *c = calloc(1, sizeof(*c));

	if (!c)
		return false;
	c->timer = evtimer_new(loop_base(b->loop), timer_cb, s);
	if (!c->timer) {
		free(c);
		return false;
	}
	c->linger = dur_to_timeval(linger);
	c->fin_seen = fin_seen;
	s->closing = c;
	s->phase = STREAM_CLOSING;
	if (b->n_closing >= CLOSING_MAX)
		stream_free(TAILQ_FIRST(&b->closing));
	TAILQ_INSERT_TAIL(&b->closing, s, closing_link);
	b->n_closing++;
	set_timer(s);
	return true;
}

void stream_close(struct stream **stream, duration linger)
{
	struct stream *s = *stream;
	bool fin_seen;

	*stream = NULL;
	if (!s)
		return;
	MAGIC_CHECK(s, STREAM_MAGIC);
	fin_seen = !s->tls && s->end == STREAM_EOF;
	if (s->phase == STREAM_OPEN && s->end != STREAM_ERROR)
		stream_end_writing(s);
	stream_let_go(s);
	if (s->phase != STREAM_OPEN || s->end == STREAM_ERROR || s->out == OUT_FAILED ||
	    !begin(s, linger, fin_seen)) {
		stream_free(s);
		return;
	}
	if (s->tls) {
		/* From here on the bytes of the other side are only read away. */
		stream_tls_free(s);
		s->end = STREAM_AGAIN;
	}
	stream_arm_read(s);
	if (s->out == OUT_ENDED)
		stream_closing_flushed(s);
}
