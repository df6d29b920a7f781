/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The orderly end of a stream, after its user has let go of it: flush, close_notify, FIN, then read
 * away what still comes, because closing a socket with unread input sends a RST, which can destroy
 * the last response on its way (RFC 9112, 9.6), or an alert. Runs on the stream's loop; owns the
 * stream.
 *
 * What a stranger can hold this way is bounded: in number a loop, in time, and in bytes read.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "core/net/stream_internal.h"

/* A descriptor and a queue each; beyond it, or what the budget allows, the oldest is ended. */
#define CLOSING_MAX 4096
/* An upload that was refused with a response goes on until the client looks for one. Reading it
 * away costs no copy; 64 MiB are 5 s at 100 Mbit/s, in which every client has looked. */
#define DISCARD_MAX (64 * 1024 * 1024)
#define DISCARD_TIME_MAX DUR_S(30)
/* What is queued is a megabyte at most, mostly: at 140 kbit/s it has left by then. */
#define FLUSH_TIME_MAX DUR_S(60)

struct stream_closing {
	struct event timer;
	duration linger;
	mono_time until;  /* of flushing, then of reading away */
	size_t discarded; /* bytes read away */
	size_t progress;  /* as it was when the timer was set */
	bool fin_seen;
};

/* Grows with each byte that the other side takes, and once it has all with each that it sends. */
static size_t progress(const struct stream *s)
{
	return s->out == OUT_ENDING ? s->queue.start : s->closing->discarded;
}

static void set_timer(struct stream *s)
{
	struct stream_closing *c = s->closing;
	int64_t left = mono_since(c->until, loop_now(s->b->loop)).ns;
	struct timeval tv = dur_to_timeval(DUR_NS(MAX(0, MIN(left, c->linger.ns))));

	c->progress = progress(s);
	CHECK(event_add(&c->timer, &tv) == 0);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct stream_closing *c;

	MAGIC_CHECK(s, STREAM_MAGIC);
	c = s->closing;
	if (progress(s) != c->progress && !mono_reached(c->until, loop_now(s->b->loop)))
		set_timer(s);
	else
		stream_free(s);
}

void stream_closing_flushed(struct stream *s)
{
	struct stream_closing *c = s->closing;

	if (c->fin_seen) {
		stream_free(s);
		return;
	}
	c->until = mono_add(loop_now(s->b->loop), DISCARD_TIME_MAX);
	set_timer(s);
}

/* One receive without a copy. > 0, 0 at FIN, or a negative errno. */
static ssize_t read_away(struct stream *s)
{
	/* Nothing is written there (tcp(7) on MSG_TRUNC). */
	ssize_t n = recv(s->fd, s->b->plain, s->recv_left, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

void stream_closing_readable(struct stream *s)
{
	struct stream_closing *c = s->closing;
	ssize_t n = read_away(s);

	if (n > 0) {
		c->discarded += n;
		if (c->discarded >= DISCARD_MAX)
			stream_free(s);
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
	event_del(&s->closing->timer);
	free(s->closing);
	s->closing = NULL;
}

static unsigned closing_max(const struct stream_buffers *b)
{
	struct stream_budget *budget = b->stalls->budget;
	unsigned max = budget ? atomic_load_explicit(&budget->closing, memory_order_relaxed) : 0;

	return max > 0 ? MIN(max, CLOSING_MAX) : CLOSING_MAX;
}

bool stream_closing_is_owed(const struct stream_buffers *b)
{
	const struct stream *s;

	TAILQ_FOREACH (s, &b->closing, closing_link) {
		if (s->out == OUT_ENDING || s->closing->discarded > 0 || s->phase == STREAM_EARLY)
			return true;
	}
	return false;
}

/* It is among those that close from here on, and has its time. */
static bool begin(struct stream *s, duration linger)
{
	struct stream_buffers *b = s->b;
	struct stream_closing *c = calloc(1, sizeof(*c));

	if (!c)
		return false;
	CHECK(event_assign(&c->timer, loop_base(b->loop), -1, 0, timer_cb, s) == 0);
	c->linger = linger;
	c->until = mono_add(loop_now(b->loop), FLUSH_TIME_MAX);
	c->fin_seen = s->end == STREAM_EOF;
	s->closing = c;
	while (b->n_closing >= closing_max(b))
		stream_free(TAILQ_FIRST(&b->closing));
	TAILQ_INSERT_TAIL(&b->closing, s, closing_link);
	b->n_closing++;
	set_timer(s);
	return true;
}

/* All is said on both sides, or nothing more can be. */
static bool is_over(const struct stream *s)
{
	if (s->out == OUT_FAILED || (s->end == STREAM_EOF && stream_is_drained(s)))
		return true;
	if (s->phase == STREAM_OPEN && s->end != STREAM_ERROR)
		return false;
	return !(s->tls && s->tls->alerted);
}

/* What is still to be said; or, in a handshake, that there will be none. While early data comes
 * nothing: until the client's last message the library writes by keys that no client expects after
 * our Finished. */
static void say_last(struct stream *s)
{
	if (s->phase == STREAM_OPEN && s->end != STREAM_ERROR)
		stream_write_last(s);
	else if (s->phase == STREAM_HANDSHAKE && s->out != OUT_FAILED)
		stream_tls_cancel(s);
	/* After an alert comes nothing but the end. */
	if (s->tls && s->tls->alerted && s->out == OUT_OPEN)
		stream_set_out(s, OUT_ENDING);
}

/* What was written in answer to early data can leave only when the handshake is done: then, or when
 * it has failed, the stream is closed in earnest. `linger` is how long that may take. */

static void close_now(void *arg)
{
	struct stream *s = arg;
	duration linger = s->closing->linger;

	stream_closing_fini(s);
	stream_close(&s, linger);
}

static void nothing(void *arg)
{
}

static const struct stream_ops closing_early = {
    .handshaken = close_now,
    .readable = nothing,
    .drained = nothing,
    .failed = close_now,
};

static bool has_early_answer(const struct stream *s)
{
	return s->phase == STREAM_EARLY && s->end == STREAM_AGAIN && s->out == OUT_OPEN &&
	       !s->closing && !stream_is_drained(s);
}

static void close_early(struct stream *s, duration linger)
{
	stream_let_go(s);
	s->ops = &closing_early;
	s->arg = s;
	s->paused = true;
	if (!begin(s, linger))
		stream_free(s);
}

void stream_close(struct stream **stream, duration linger)
{
	struct stream *s = TAKE(stream);

	if (!s)
		return;
	MAGIC_CHECK(s, STREAM_MAGIC);
	if (has_early_answer(s)) {
		close_early(s, linger);
		return;
	}
	say_last(s);
	stream_let_go(s);
	if (!is_over(s))
		stream_end_if_flushed(s);
	/* Where the other side has ended too, closing the socket is what sends the FIN. */
	if (is_over(s) || !begin(s, linger)) {
		stream_free(s);
		return;
	}
	stream_set_phase(s, STREAM_CLOSING);
	/* From here on the bytes of the other side are only read away. */
	if (s->tls)
		stream_tls_free(s);
	/* Also of one whose handshake has failed: its end is what is waited for. */
	if (s->end == STREAM_ERROR)
		s->end = STREAM_AGAIN;
	stream_arm_read(s);
	if (s->out == OUT_ENDED)
		stream_closing_flushed(s);
}
