/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Streams: what goes out. Small writes are gathered, of one stream of the loop at a time, before
 * they are encrypted; large ones go straight on, behind what was gathered before them. What the
 * socket then does not take is queued, and the write event exists only while something is.
 *
 * What is gathered was written before everything that GnuTLS does of its own afterwards, so whoever
 * makes it do something final (close_notify, reading what may be broken) flushes first. Called by
 * the owner of the stream.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "core/net/stream_internal.h"

/* A write of a record or more is not worth the copy. */
#define SMALL_WRITE (16 * 1024)
/* Pieces of a large write that go out together with what was gathered. */
#define PIECES_MAX 15

/* Of one loop. */
struct stream_gather {
	struct loop *loop;
	struct stream *stream; /* whose it is; NULL: nobody's */
	size_t len;
	struct loop_task at_end; /* of the turn */
	char data[STREAM_GATHER_MAX];
};

/* The queue */

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

/* The queues' memory, and what the user holds beside it. */
void stream_count_held(struct stream *s)
{
	size_t waiting = s->tls ? s->tls->early.waiting.size : 0;

	stall_set_held(s->b->stalls, &s->stall, s->queue.size + waiting + s->held);
}

void stream_queue_clear(struct stream *s)
{
	free(s->queue.data);
	s->queue = (struct stream_queue){0};
	if (s->b)
		stream_count_held(s);
}

size_t stream_queued(const struct stream *s)
{
	return s->queue.end - s->queue.start;
}

bool stream_queue_is_empty(const struct stream *s)
{
	return stream_queued(s) == 0;
}

bool stream_is_drained(const struct stream *s)
{
	return stream_queue_is_empty(s) && (!s->tls || s->tls->early.waiting.end == 0);
}

/* The socket */

void stream_arm_write(struct stream *s)
{
	if (s->write_armed || stream_queue_is_empty(s))
		return;
	CHECK(event_add(&s->write_event, NULL) == 0);
	s->write_armed = true;
}

void stream_disarm_write(struct stream *s)
{
	if (s->write_armed)
		event_del(&s->write_event);
	s->write_armed = false;
}

void stream_fail_writing(struct stream *s)
{
	if (s->out == OUT_FAILED)
		return;
	stream_set_out(s, OUT_FAILED);
	stream_disarm_write(s);
	s->held = 0;
	stream_early_forget(s);
	stream_queue_clear(s);
	if (!s->b)
		return;
	stream_gather_drop(s);
	stream_unwatch(s);
	loop_defer(s->b->loop, &s->again);
}

static size_t total(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

uint64_t stream_sent(const struct stream *s)
{
	return s->sent;
}

/* Bytes taken; 0 also when it has failed. */
static size_t send_now(struct stream *s, const struct iovec *iov, int n)
{
	struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = MIN(n, IOV_MAX)};
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
	ssize_t sent;

	/* The last bytes wait for the FIN, which follows at once when they have been taken. Of more
	 * than a few that is not certain, and then they would wait for an acknowledgement. */
	if (s->out == OUT_ENDING && total(iov, n) < SMALL_WRITE)
		flags |= MSG_MORE;
	/* The kernel takes one piece, which most are, with less ado. */
	sent = n == 1 ? send(s->fd, iov->iov_base, iov->iov_len, flags)
		      : sendmsg(s->fd, &message, flags);
	if (sent >= 0) {
		s->sent += (uint64_t)sent;
		return sent;
	}
	if (errno != EAGAIN && errno != EINTR) {
		stream_set_errno(s, errno);
		stream_fail_writing(s);
	}
	return 0;
}

/* More is queued than before: is that too much for the node? */
static void keep_within_budget(struct stream *s)
{
	struct stalls *stalls = s->b->stalls;
	struct stall *stall;

	stream_count_held(s);
	while ((stall = stalls_to_cut(stalls, &s->stall))) {
		struct stream *cut = CONTAINER_OF(stall, struct stream, stall);

		atomic_fetch_add_explicit(&stalls->budget->cut, 1, memory_order_relaxed);
		stream_set_fault(cut, STREAM_FAULT_STALLED,
				 "cut off: took nothing for longest of all that hold memory");
		stream_fail_writing(cut);
	}
}

static void queue_rest(struct stream *s, const struct iovec *iov, int n, size_t sent)
{
	for (int i = 0; i < n; i++) {
		size_t skip = MIN(sent, iov[i].iov_len);

		sent -= skip;
		if (skip == iov[i].iov_len)
			continue;
		if (!queue_append(&s->queue, (char *)iov[i].iov_base + skip,
				  iov[i].iov_len - skip)) {
			stream_set_fault(s, STREAM_FAULT_NO_MEMORY, "out of memory");
			stream_fail_writing(s);
			return;
		}
	}
	if (stream_queue_is_empty(s) || !s->b)
		return;
	keep_within_budget(s);
	stream_arm_write(s);
}

void stream_send(struct stream *s, const struct iovec *iov, int n)
{
	size_t sent = 0;

	if (s->out == OUT_FAILED)
		return;
	if (stream_queue_is_empty(s))
		sent = send_now(s, iov, n);
	if (s->out != OUT_FAILED)
		queue_rest(s, iov, n, sent);
}

void stream_end_if_flushed(struct stream *s)
{
	if (s->out != OUT_ENDING || !stream_queue_is_empty(s))
		return;
	if (shutdown(s->fd, SHUT_WR) < 0) {
		stream_set_errno(s, errno);
		stream_fail_writing(s);
		return;
	}
	stream_set_out(s, OUT_ENDED);
}

void stream_send_queued(struct stream *s)
{
	struct stream_queue *q = &s->queue;
	struct iovec iov = {q->data + q->start, q->end - q->start};
	size_t sent = send_now(s, &iov, 1);

	if (s->out == OUT_FAILED)
		return;
	q->start += sent;
	if (sent > 0)
		stall_progressed(s->b->stalls, &s->stall);
	if (!stream_queue_is_empty(s))
		return;
	stream_queue_clear(s);
	stream_disarm_write(s);
	stream_end_if_flushed(s);
}

/* Gathering */

static void send_plaintext(struct stream *s, const struct iovec *iov, int n)
{
	if (s->tls) {
		stream_tls_encrypt(s, iov, n);
		stream_tls_flush(s);
	} else {
		stream_send(s, iov, n);
	}
}

void stream_flush(struct stream *s)
{
	struct stream_gather *g = s->b->gather;
	struct iovec iov = {g->data, g->len};

	if (g->stream != s)
		return;
	stream_gather_drop(s);
	send_plaintext(s, &iov, 1);
}

void stream_gather_drop(struct stream *s)
{
	struct stream_gather *g = s->b->gather;

	if (g->stream != s)
		return;
	g->stream = NULL;
	g->len = 0;
}

static void flush_at_end(struct loop_task *task)
{
	struct stream_gather *g = CONTAINER_OF(task, struct stream_gather, at_end);

	if (g->stream)
		stream_flush(g->stream);
}

static void gather(struct stream *s, const struct iovec *iov, int n)
{
	struct stream_gather *g = s->b->gather;

	g->stream = s;
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > 0)
			memcpy(g->data + g->len, iov[i].iov_base, iov[i].iov_len);
		g->len += iov[i].iov_len;
	}
	loop_defer_last(g->loop, &g->at_end);
}

/* What was gathered and what follows it, in one go. */
static void send_with_gathered(struct stream *s, const struct iovec *iov, int n)
{
	struct stream_gather *g = s->b->gather;
	struct iovec all[PIECES_MAX + 1];

	if (g->stream != s || n > PIECES_MAX) {
		stream_flush(s);
		send_plaintext(s, iov, n);
		return;
	}
	all[0] = (struct iovec){g->data, g->len};
	memcpy(all + 1, iov, n * sizeof(*iov));
	stream_gather_drop(s);
	send_plaintext(s, all, n + 1);
}

struct stream_gather *stream_gather_create(struct loop *loop)
{
	struct stream_gather *g = xmalloc(sizeof(*g));

	g->loop = loop;
	g->stream = NULL;
	g->len = 0;
	g->at_end = (struct loop_task){.run = flush_at_end};
	return g;
}

void stream_gather_destroy(struct stream_gather **gather)
{
	struct stream_gather *g = TAKE(gather);

	if (!g)
		return;
	CHECK(!g->stream);
	loop_task_cancel(g->loop, &g->at_end);
	free(g);
}

/* The user */

/* Until the handshake is done. */
static void keep_waiting(struct stream *s, const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len == 0)
			continue;
		if (!queue_append(&s->tls->early.waiting, iov[i].iov_base, iov[i].iov_len)) {
			stream_set_fault(s, STREAM_FAULT_NO_MEMORY, "out of memory");
			stream_fail_writing(s);
			return;
		}
	}
	keep_within_budget(s);
}

bool stream_write(struct stream *s, const struct iovec *iov, int n)
{
	struct stream_gather *g = s->b->gather;
	size_t len = total(iov, n);

	LOOP_ASSERT_OWNER(s->b->loop);
	CHECK(s->phase == STREAM_OPEN || s->phase == STREAM_EARLY);
	CHECK(s->out == OUT_OPEN || s->out == OUT_FAILED);
	if (s->out == OUT_FAILED)
		return false;
	if (s->phase == STREAM_EARLY) {
		keep_waiting(s, iov, n);
		return s->out != OUT_FAILED && stream_is_drained(s);
	}
	if (s->tls)
		stream_tls_flush(s); /* what the user made GnuTLS send */
	if (g->stream && g->stream != s)
		stream_flush(g->stream);
	if (len >= SMALL_WRITE || g->len + len > sizeof(g->data))
		send_with_gathered(s, iov, n);
	else if (len > 0)
		gather(s, iov, n);
	return s->out != OUT_FAILED && stream_is_drained(s);
}

void stream_hold(struct stream *s, size_t n)
{
	bool more = n > s->held;

	if (s->out == OUT_FAILED)
		return;
	if (!more)
		stall_progressed(s->b->stalls, &s->stall);
	s->held = n;
	if (more)
		keep_within_budget(s);
	else
		stream_count_held(s);
}

void stream_write_last(struct stream *s)
{
	struct stream_gather *g = s->b->gather;
	struct iovec iov = {g->data, g->len};
	int n = g->stream == s ? 1 : 0;

	if (s->out != OUT_OPEN)
		return;
	stream_set_out(s, OUT_ENDING);
	stream_gather_drop(s);
	if (!s->tls) {
		stream_send(s, &iov, n);
		return;
	}
	stream_tls_encrypt(s, &iov, n);
	stream_tickets_forget(s); /* it could only come after close_notify */
	stream_tls_say_goodbye(s);
	stream_tls_flush(s);
}

void stream_end_writing(struct stream *s)
{
	LOOP_ASSERT_OWNER(s->b->loop);
	CHECK(s->phase == STREAM_OPEN);
	stream_write_last(s);
	stream_end_if_flushed(s);
}
