/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Streams: the socket under a stream, its two events, its output queue, and how its user is called.
 * Plain streams are wholly here; stream_tls.c puts GnuTLS between this and the user. Called by the
 * owner of the stream: its loop's thread, or whoever took it out of the pool.
 *
 * Owns the descriptor. Leaves time limits to the user, and the orderly end to stream_close.c.
 */
#include "core/net/stream.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/net/stream_internal.h"

struct stream_buffers *stream_buffers_create(struct loop *loop)
{
	struct stream_buffers *b = xcalloc(1, sizeof(*b));

	b->loop = loop;
	b->plain = xmalloc(STREAM_READ_MAX);
	b->tls = stream_tls_buffers_create();
	TAILQ_INIT(&b->closing);
	return b;
}

void stream_buffers_destroy(struct stream_buffers **buffers)
{
	struct stream_buffers *b = *buffers;
	struct stream *s;

	*buffers = NULL;
	if (!b)
		return;
	LOOP_ASSERT_OWNER(b->loop);
	while ((s = TAILQ_FIRST(&b->closing)))
		stream_free(s);
	stream_tls_buffers_destroy(&b->tls);
	free(b->plain);
	free(b);
}

/* Errors */

void stream_set_error(struct stream *s, enum reason reason, const char *fmt, ...)
{
	va_list args;

	if (s->reason != REASON_NONE)
		return;
	s->reason = reason;
	va_start(args, fmt);
	if (vasprintf(&s->error_text, fmt, args) < 0)
		s->error_text = NULL;
	va_end(args);
}

void stream_set_errno(struct stream *s, int err)
{
	stream_set_error(s, err == EPIPE ? REASON_CLIENT_CLOSED : REASON_CLIENT_RESET, "%s",
			 strerrordesc_np(err));
}

enum reason stream_reason(const struct stream *s)
{
	return s->reason;
}

const char *stream_error_text(const struct stream *s)
{
	if (s->error_text)
		return s->error_text;
	return s->reason == REASON_NONE ? "no error" : "out of memory";
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
	CHECK(!s->closing);
	if (s->left)
		*s->left = true;
	s->left = NULL;
	s->ops = NULL;
	s->arg = NULL;
	loop_task_cancel(s->b->loop, &s->again);
}

void stream_look_again(struct stream *s)
{
	bool end_untold = s->end != STREAM_AGAIN && !s->end_told;

	if (s->paused || s->handshaking)
		return;
	if (end_untold || (s->tls && stream_tls_has_buffered(s)))
		loop_defer(s->b->loop, &s->again);
}

void stream_call_readable(struct stream *s)
{
	if (stream_call(s, s->ops->readable))
		stream_look_again(s);
}

static void run_again(struct loop_task *task)
{
	struct stream *s = CONTAINER_OF(task, struct stream, again);

	MAGIC_CHECK(s, STREAM_MAGIC);
	if (s->closing) {
		/* Writing failed: nothing is left to wait for. */
		stream_free(s);
	} else if (s->write_failed) {
		if (!s->failed_told) {
			s->failed_told = true;
			s->recv_left = STREAM_READ_MAX;
			stream_call(s, s->ops->failed);
		}
	} else if (!s->paused) {
		stream_call_readable(s);
	}
}

/* Reading */

void stream_arm_read(struct stream *s)
{
	if (s->read_armed || s->end != STREAM_AGAIN)
		return;
	CHECK(event_add(&s->read_event, NULL) == 0);
	s->read_armed = true;
}

void stream_disarm_read(struct stream *s)
{
	if (s->read_armed)
		event_del(&s->read_event);
	s->read_armed = false;
}

static void read_event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	MAGIC_CHECK(s, STREAM_MAGIC);
	s->recv_left = STREAM_READ_MAX;
	if (s->closing)
		stream_closing_readable(s);
	else if (s->handshaking)
		stream_tls_handshake_readable(s);
	else if (s->paused)
		/* Only now: most pauses are over before anything more has come. */
		stream_disarm_read(s);
	else
		stream_call_readable(s);
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

static size_t plain_read(struct stream *s, void *buf, size_t len)
{
	ssize_t n = stream_recv(s, buf, len);

	if (n > 0)
		return n;
	if (n == 0) {
		/* A send that was answered by a reset has taken the error; recv() then shows a FIN
		 * that the other side never sent. */
		stream_end_reading(s, s->write_failed ? STREAM_ERROR : STREAM_EOF);
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
	if (s->end == STREAM_AGAIN && !s->handshaking)
		n = s->tls ? stream_tls_read(s, buf, len) : plain_read(s, buf, len);
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

static bool queue_append(struct stream_queue *q, const void *data, size_t len)
{
	size_t used = q->end - q->start;

	if (len > q->size - q->end && used + len <= q->size / 2) {
		memmove(q->data, q->data + q->start, used);
		q->start = 0;
		q->end = used;
	} else if (len > q->size - q->end) {
		size_t size = MAX(2 * q->size, used + len);
		char *grown = malloc(size);

		if (!grown)
			return false;
		if (used > 0)
			memcpy(grown, q->data + q->start, used);
		free(q->data);
		*q = (struct stream_queue){.data = grown, .end = used, .size = size};
	}
	memcpy(q->data + q->end, data, len);
	q->end += len;
	return true;
}

static void queue_clear(struct stream_queue *q)
{
	free(q->data);
	*q = (struct stream_queue){0};
}

static bool queue_empty(const struct stream_queue *q)
{
	return q->start == q->end;
}

static void arm_write(struct stream *s)
{
	if (s->write_armed || queue_empty(&s->queue))
		return;
	CHECK(event_add(&s->write_event, NULL) == 0);
	s->write_armed = true;
}

static void disarm_write(struct stream *s)
{
	if (s->write_armed)
		event_del(&s->write_event);
	s->write_armed = false;
}

void stream_fail_writing(struct stream *s)
{
	if (s->write_failed)
		return;
	s->write_failed = true;
	disarm_write(s);
	queue_clear(&s->queue);
	if (s->b)
		loop_defer(s->b->loop, &s->again);
}

/* Bytes taken; 0 also when it has failed. */
static size_t send_now(struct stream *s, const struct iovec *iov, int n)
{
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = MIN(n, IOV_MAX)};
	ssize_t sent = sendmsg(s->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent >= 0)
		return sent;
	if (errno != EAGAIN && errno != EINTR) {
		stream_set_errno(s, errno);
		stream_fail_writing(s);
	}
	return 0;
}

void stream_send(struct stream *s, const struct iovec *iov, int n)
{
	size_t sent = 0;

	if (s->write_failed)
		return;
	if (queue_empty(&s->queue))
		sent = send_now(s, iov, n);
	for (int i = 0; i < n && !s->write_failed; i++) {
		size_t skip = MIN(sent, iov[i].iov_len);

		sent -= skip;
		if (skip == iov[i].iov_len)
			continue;
		if (!queue_append(&s->queue, (char *)iov[i].iov_base + skip,
				  iov[i].iov_len - skip)) {
			stream_set_error(s, REASON_LIMIT, "out of memory");
			stream_fail_writing(s);
		}
	}
	if (s->b)
		arm_write(s);
}

static void write_event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct stream_queue *q = &s->queue;
	struct iovec iov;

	MAGIC_CHECK(s, STREAM_MAGIC);
	iov = (struct iovec){q->data + q->start, q->end - q->start};
	q->start += send_now(s, &iov, 1);
	if (s->write_failed || !queue_empty(q))
		return;
	queue_clear(q);
	disarm_write(s);
	if (s->closing)
		stream_closing_drained(s);
	else if (!s->handshaking)
		stream_call(s, s->ops->drained);
}

bool stream_write(struct stream *s, const struct iovec *iov, int n)
{
	LOOP_ASSERT_OWNER(s->b->loop);
	CHECK(!s->handshaking);
	if (s->tls)
		stream_tls_write(s, iov, n);
	else
		stream_send(s, iov, n);
	return !s->write_failed && queue_empty(&s->queue);
}

bool stream_is_drained(const struct stream *s)
{
	return queue_empty(&s->queue);
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

struct stream *stream_new(struct stream_buffers *b, int fd, const struct stream_ops *ops, void *arg)
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
	return s;
}

struct stream *stream_create_plain(struct stream_buffers *b, int fd, const struct stream_ops *ops,
				   void *arg)
{
	struct stream *s = stream_new(b, fd, ops, arg);

	if (s)
		stream_arm_read(s);
	return s;
}

void stream_free(struct stream *s)
{
	if (s->b)
		loop_task_cancel(s->b->loop, &s->again);
	if (s->closing)
		stream_closing_fini(s);
	stream_disarm_read(s);
	disarm_write(s);
	if (s->tls)
		stream_tls_free(s);
	queue_clear(&s->queue);
	close(s->fd);
	free(s->error_text);
	s->magic = MAGIC_DEAD;
	free(s);
}

void stream_destroy(struct stream **stream)
{
	struct stream *s = *stream;

	*stream = NULL;
	if (!s)
		return;
	MAGIC_CHECK(s, STREAM_MAGIC);
	stream_let_go(s);
	stream_free(s);
}

/* The pool */

void stream_park(struct stream *s)
{
	CHECK(!s->handshaking && queue_empty(&s->queue));
	stream_let_go(s);
	if (s->tls)
		stream_tls_keep(s);
	stream_disarm_read(s);
	s->paused = false;
	s->b = NULL;
}

bool stream_parked_is_alive(struct stream *s)
{
	char byte;

	MAGIC_CHECK(s, STREAM_MAGIC);
	CHECK(!s->b);
	if (s->end != STREAM_AGAIN || s->write_failed)
		return false;
	if (s->tls)
		return stream_tls_parked_is_alive(s) && queue_empty(&s->queue);
	return recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void stream_unpark(struct stream *s, struct stream_buffers *b, const struct stream_ops *ops,
		   void *arg)
{
	MAGIC_CHECK(s, STREAM_MAGIC);
	CHECK(!s->b);
	attach(s, b, ops, arg);
	stream_arm_read(s);
	arm_write(s);
	if (s->write_failed)
		loop_defer(b->loop, &s->again);
	else
		stream_look_again(s);
}

void stream_parked_destroy(struct stream **stream)
{
	struct stream *s = *stream;

	*stream = NULL;
	if (!s)
		return;
	MAGIC_CHECK(s, STREAM_MAGIC);
	CHECK(!s->b);
	stream_free(s);
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}
