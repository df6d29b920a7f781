/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Streams: the socket under a stream, its events, and how its user is called. What goes out is in
 * stream_write.c; stream_tls.c puts GnuTLS between this and the user. Called by the owner of the
 * stream: its loop's thread, or whoever holds it while it is parked.
 *
 * Owns the descriptor. Leaves time limits to the user, and the orderly end to stream_close.c.
 */
#define LOG_MODULE LOG_NET
#include "core/net/stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/net/stream_internal.h"

/* What all ready streams together take in a turn, about: a millisecond of copying and encrypting,
 * which is what a small request may have to wait for bulk. */
#define TURN_BYTES (1024 * 1024)
/* And one stream at least: a record of TLS. Smaller pieces would cost more in system calls than the
 * others gain. */
#define SHARE_MIN (16 * 1024)

struct stream_buffers *stream_buffers_create(struct loop *loop)
{
	struct stream_buffers *b = xcalloc(1, sizeof(*b));

	b->loop = loop;
	b->plain = xmalloc(STREAM_READ_MAX);
	b->gather = stream_gather_create(loop);
	b->tls = stream_tls_buffers_create();
	b->watch = stream_watch_create(loop);
	b->tickets = stream_tickets_create(loop);
	b->stalls = xmalloc(sizeof(*b->stalls));
	stalls_init(b->stalls);
	TAILQ_INIT(&b->closing);
	return b;
}

void stream_buffers_set_budget(struct stream_buffers *b, struct stream_budget *budget)
{
	LOOP_ASSERT_OWNER(b->loop);
	stalls_set_budget(b->stalls, budget);
}

void stream_buffers_set_handshakes(struct stream_buffers *b, struct handshakes *handshakes)
{
	LOOP_ASSERT_OWNER(b->loop);
	CHECK(!b->lender);
	b->lender = handshake_lender_create(handshakes, b->loop);
}

void stream_buffers_destroy(struct stream_buffers **buffers)
{
	struct stream_buffers *b = TAKE(buffers);
	struct stream *s;

	if (!b)
		return;
	LOOP_ASSERT_OWNER(b->loop);
	while ((s = TAILQ_FIRST(&b->closing)))
		stream_free(s);
	handshake_lender_destroy(&b->lender);
	stream_gather_destroy(&b->gather);
	stream_watch_destroy(&b->watch);
	stream_tickets_destroy(&b->tickets);
	stream_tls_buffers_destroy(&b->tls);
	CHECK(b->stalls->held == 0);
	free(b->stalls);
	free(b->plain);
	free(b);
}

/* States */

static const char *phase_text(enum stream_phase phase)
{
	static const char *const texts[] = {
	    [STREAM_OPEN] = "open",     [STREAM_HANDSHAKE] = "handshake", [STREAM_EARLY] = "early",
	    [STREAM_PARKED] = "parked", [STREAM_CLOSING] = "closing",
	};

	CHECK((unsigned)phase < ARRAY_SIZE(texts));
	return texts[phase];
}

static const char *out_text(enum stream_out out)
{
	static const char *const texts[] = {
	    [OUT_OPEN] = "open",
	    [OUT_ENDING] = "ending",
	    [OUT_ENDED] = "ended",
	    [OUT_FAILED] = "failed",
	};

	CHECK((unsigned)out < ARRAY_SIZE(texts));
	return texts[out];
}

static const char *in_text(enum stream_status end)
{
	return end == STREAM_AGAIN ? "open" : end == STREAM_EOF ? "ended" : "failed";
}

void stream_set_phase(struct stream *s, enum stream_phase phase)
{
	enum stream_phase from = s->phase;

	s->phase = phase;
	log_debug("fd %d: %s, now %s", s->fd, phase_text(from), phase_text(phase));
}

void stream_set_out(struct stream *s, enum stream_out out)
{
	enum stream_out from = s->out;

	s->out = out;
	log_debug("fd %d: output %s, now %s", s->fd, out_text(from), out_text(out));
}

/* Faults */

const char *stream_fault_text(enum stream_fault fault)
{
	static const char *const texts[] = {
	    [STREAM_FAULT_NONE] = "none",
	    [STREAM_FAULT_CLOSED] = "closed",
	    [STREAM_FAULT_RESET] = "reset",
	    [STREAM_FAULT_TIMED_OUT] = "timed out",
	    [STREAM_FAULT_HANDSHAKE] = "handshake failed",
	    [STREAM_FAULT_CERTIFICATE] = "certificate not accepted",
	    [STREAM_FAULT_MALFORMED] = "malformed",
	    [STREAM_FAULT_STALLED] = "stalled",
	    [STREAM_FAULT_NO_MEMORY] = "out of memory",
	};

	CHECK((unsigned)fault < ARRAY_SIZE(texts));
	return texts[fault];
}

void stream_set_fault(struct stream *s, enum stream_fault fault, const char *fmt, ...)
{
	va_list args;

	if (s->fault != STREAM_FAULT_NONE)
		return;
	s->fault = fault;
	va_start(args, fmt);
	if (vasprintf(&s->fault_detail, fmt, args) < 0)
		s->fault_detail = NULL;
	va_end(args);
	log_debug("fd %d: fault: %s (%s)", s->fd, stream_fault_text(fault), stream_fault_detail(s));
}

void stream_forget_fault(struct stream *s)
{
	s->fault = STREAM_FAULT_NONE;
	free(s->fault_detail);
	s->fault_detail = NULL;
}

static enum stream_fault fault_of_errno(int err)
{
	switch (err) {
	case EPIPE:
		return STREAM_FAULT_CLOSED;
	case ETIMEDOUT:
	/* What TCP says in place of a timeout when a router had complained meanwhile. */
	case EHOSTUNREACH:
	case ENETUNREACH:
		return STREAM_FAULT_TIMED_OUT;
	case ENOMEM:
	case ENOBUFS:
		return STREAM_FAULT_NO_MEMORY;
	default:
		return STREAM_FAULT_RESET;
	}
}

void stream_set_errno(struct stream *s, int err)
{
	stream_set_fault(s, fault_of_errno(err), "%s", strerrordesc_np(err));
}

enum stream_fault stream_fault(const struct stream *s)
{
	return s->fault;
}

const char *stream_fault_detail(const struct stream *s)
{
	return s->fault_detail ? s->fault_detail : stream_fault_text(s->fault);
}

/* The user */

bool stream_call(struct stream *s, void (*fn)(void *arg))
{
	bool left = false;

	CHECK(s->left == NULL);
	s->left = &left;
	fn(s->arg);
	if (left)
		return false;
	s->left = NULL;
	return true;
}

void stream_let_go(struct stream *s)
{
	LOOP_ASSERT_OWNER(s->b->loop);
	CHECK(s->phase != STREAM_CLOSING);
	stream_gather_drop(s);
	stream_unwatch(s);
	stream_tickets_forget(s);
	if (s->left)
		*s->left = true;
	s->left = NULL;
	if (s->held > 0)
		stream_hold(s, 0);
	s->ops = NULL;
	s->arg = NULL;
	loop_task_cancel(s->b->loop, &s->again);
}

void stream_look_again(struct stream *s)
{
	bool ended = s->end != STREAM_AGAIN;

	if (s->paused || (s->phase != STREAM_OPEN && s->phase != STREAM_EARLY))
		return;
	if (ended ? !s->end_told : s->tls && stream_tls_has_buffered(s))
		loop_defer(s->b->loop, &s->again);
}

static void call_readable(struct stream *s)
{
	if (stream_call(s, s->ops->readable))
		stream_look_again(s);
}

static void run_again(struct loop_task *task)
{
	struct stream *s = CONTAINER_OF(task, struct stream, again);

	MAGIC_CHECK(s, STREAM_MAGIC);
	if (s->phase == STREAM_CLOSING) {
		/* Writing failed: nothing is left to wait for. */
		stream_free(s);
	} else if (s->out == OUT_FAILED && !s->failed_told) {
		s->failed_told = true;
		s->recv_left = STREAM_READ_MAX;
		if (stream_call(s, s->ops->failed))
			stream_look_again(s);
	} else if (!s->paused && (s->phase == STREAM_OPEN || s->phase == STREAM_EARLY)) {
		/* Of a handshake that has failed nothing can be read. */
		call_readable(s);
	}
}

void stream_hand_over(struct stream *s, const struct stream_ops *ops, void *arg)
{
	LOOP_ASSERT_OWNER(s->b->loop);
	CHECK(s->phase == STREAM_OPEN || s->phase == STREAM_HANDSHAKE || s->phase == STREAM_EARLY);
	s->ops = ops;
	s->arg = arg;
	stream_look_again(s);
}

/* Reading */

void stream_arm_read(struct stream *s)
{
	if (s->read_armed || s->end != STREAM_AGAIN)
		return;
	CHECK(event_add(&s->read_event, NULL) == 0);
	s->read_armed = true;
	stream_unwatch(s);
}

void stream_disarm_read(struct stream *s)
{
	if (s->read_armed)
		event_del(&s->read_event);
	s->read_armed = false;
	if (s->ops && s->phase == STREAM_OPEN && s->end != STREAM_ERROR && s->out != OUT_FAILED)
		stream_watch(s);
}

/* What one of the streams that are ready in this turn may take. How many there will be is not known
 * before the end: about as many as in the turn before, and no less than there were so far. */
static size_t share(struct stream_buffers *b)
{
	struct stream_turn *t = &b->turn;
	uint64_t now = loop_turn(b->loop);

	if (now != t->number) {
		t->ready_before = now == t->number + 1 ? t->ready : 0;
		t->ready = 0;
		t->number = now;
	}
	t->ready++;
	return MAX(SHARE_MIN, MIN(STREAM_READ_MAX, TURN_BYTES / MAX(t->ready, t->ready_before)));
}

static void read_event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	MAGIC_CHECK(s, STREAM_MAGIC);
	s->recv_left = share(s->b);
	if (s->phase == STREAM_CLOSING)
		stream_closing_readable(s);
	else if (s->phase == STREAM_HANDSHAKE || s->phase == STREAM_EARLY)
		stream_handshake_readable(s);
	else if (s->paused)
		/* Only now: most pauses are over before anything more has come. */
		stream_disarm_read(s);
	else
		call_readable(s);
}

ssize_t stream_recv(struct stream *s, void *buf, size_t len)
{
	ssize_t n;

	if (s->recv_left == 0)
		return -EAGAIN;
	len = MIN(len, s->recv_left);
	n = recv(s->fd, buf, len, MSG_DONTWAIT);
	if (n < 0) {
		s->recv_left = 0;
		return errno == EINTR ? -EAGAIN : -errno;
	}
	s->received += n;
	/* A short read has emptied the socket: the next one would be a system call for nothing. */
	s->recv_left = (size_t)n < len ? 0 : s->recv_left - n;
	return n;
}

void stream_end_reading(struct stream *s, enum stream_status end)
{
	if (s->end == STREAM_AGAIN)
		s->end = end;
	stream_disarm_read(s);
}

uint64_t stream_received(const struct stream *s)
{
	return s->received;
}

static size_t plain_read(struct stream *s, void *buf, size_t len)
{
	ssize_t n = stream_recv(s, buf, len);

	if (n > 0)
		return n;
	if (n == 0) {
		/* A send that was answered by a reset has taken the error; recv() then shows a FIN
		 * that the other side never sent. */
		stream_end_reading(s, s->out == OUT_FAILED ? STREAM_ERROR : STREAM_EOF);
	} else if (n != -EAGAIN) {
		stream_set_errno(s, -n);
		stream_end_reading(s, STREAM_ERROR);
	}
	return 0;
}

ssize_t stream_read(struct stream *s, void *buf, size_t len)
{
	size_t n = 0;

	LOOP_ASSERT_OWNER(s->b->loop);
	CHECK(len > 0);
	if (s->end == STREAM_AGAIN && s->phase == STREAM_OPEN)
		n = s->tls ? stream_tls_read(s, buf, len) : plain_read(s, buf, len);
	else if (s->end == STREAM_AGAIN && s->phase == STREAM_EARLY)
		n = stream_early_read(s, buf, len);
	if (n > 0)
		return n;
	s->end_told = s->end != STREAM_AGAIN;
	return s->end;
}

void stream_pause(struct stream *s)
{
	LOOP_ASSERT_OWNER(s->b->loop);
	s->paused = true;
}

void stream_resume(struct stream *s)
{
	LOOP_ASSERT_OWNER(s->b->loop);
	s->paused = false;
	stream_arm_read(s);
	stream_look_again(s);
}

/* Writing */

static void write_event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	MAGIC_CHECK(s, STREAM_MAGIC);
	stream_send_queued(s);
	if (s->out == OUT_FAILED || !stream_queue_is_empty(s))
		return;
	if (s->phase == STREAM_CLOSING)
		stream_closing_flushed(s);
	else if (s->phase == STREAM_OPEN)
		stream_call(s, s->ops->drained);
}

/* Life */

static void attach(struct stream *s, struct stream_buffers *b, const struct stream_ops *ops,
		   void *arg)
{
	struct event_base *base = loop_base(b->loop);

	LOOP_ASSERT_OWNER(b->loop);
	s->b = b;
	s->ops = ops;
	s->arg = arg;
	CHECK(event_assign(&s->read_event, base, s->fd, EV_READ | EV_PERSIST, read_event_cb, s) ==
	      0);
	CHECK(event_assign(&s->write_event, base, s->fd, EV_WRITE | EV_PERSIST, write_event_cb,
			   s) == 0);
}

struct stream *stream_create(struct stream_buffers *b, int fd, const struct stream_ops *ops,
			     void *arg)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return NULL;
	}
	s->magic = STREAM_MAGIC;
	s->fd = fd;
	s->end = STREAM_AGAIN;
	s->again.run = run_again;
	attach(s, b, ops, arg);
	stream_arm_read(s);
	log_debug("fd %d: opened", fd);
	return s;
}

void stream_free(struct stream *s)
{
	log_debug("fd %d: closed while %s, input %s, output %s", s->fd, phase_text(s->phase),
		  in_text(s->end), out_text(s->out));
	if (s->b)
		loop_task_cancel(s->b->loop, &s->again);
	if (s->closing)
		stream_closing_fini(s);
	stream_disarm_read(s);
	stream_disarm_write(s);
	if (s->tls)
		stream_tls_free(s);
	stream_queue_clear(s);
	close(s->fd);
	free(s->fault_detail);
	s->magic = MAGIC_DEAD;
	free(s);
}

void stream_destroy(struct stream **stream)
{
	struct stream *s = TAKE(stream);

	if (!s)
		return;
	MAGIC_CHECK(s, STREAM_MAGIC);
	stream_let_go(s);
	stream_free(s);
}

void stream_abort(struct stream **stream)
{
	const struct linger none = {.l_onoff = 1};
	struct stream *s = *stream;

	if (!s)
		return;
	/* It fails on a connection that is gone already, which will do too. */
	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	stream_destroy(stream);
}

/* From one loop to another */

void stream_park(struct stream *s)
{
	CHECK(s->phase == STREAM_OPEN && stream_is_drained(s));
	stream_flush(s);
	if (!stream_is_drained(s))
		stream_fail_writing(s);
	if (s->tls)
		stream_tls_keep(s);
	stream_let_go(s);
	stream_disarm_read(s);
	s->paused = false;
	stream_set_phase(s, STREAM_PARKED);
	s->b = NULL;
}

bool stream_parked_is_alive(struct stream *s)
{
	char byte;

	MAGIC_CHECK(s, STREAM_MAGIC);
	CHECK(s->phase == STREAM_PARKED);
	if (s->end != STREAM_AGAIN || s->out != OUT_OPEN)
		return false;
	if (s->tls)
		return stream_tls_parked_is_alive(s) && stream_is_drained(s);
	return recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void stream_unpark(struct stream *s, struct stream_buffers *b, const struct stream_ops *ops,
		   void *arg)
{
	MAGIC_CHECK(s, STREAM_MAGIC);
	CHECK(s->phase == STREAM_PARKED);
	stream_set_phase(s, STREAM_OPEN);
	attach(s, b, ops, arg);
	stream_count_held(s);
	stream_arm_read(s);
	stream_arm_write(s);
	if (s->out == OUT_FAILED)
		loop_defer(b->loop, &s->again);
	else
		stream_look_again(s);
}

void stream_parked_destroy(struct stream **stream)
{
	struct stream *s = TAKE(stream);

	if (!s)
		return;
	MAGIC_CHECK(s, STREAM_MAGIC);
	CHECK(s->phase == STREAM_PARKED);
	stream_free(s);
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}
