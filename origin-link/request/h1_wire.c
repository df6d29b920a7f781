/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An attempt over HTTP/1.1: writes the request, and is what the attempt and the connection call;
 * what comes back is h1_receive.c's. Runs on the request's loop; owns what h1_receive.c holds.
 */
#include "origin-link/request/h1_wire.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/check.h"
#include "origin-link/request/request_internal.h"

static struct stream *stream_of(const struct attempt *a)
{
	return lease_stream(&a->lease);
}

/* Writing */

static size_t trailers_size(const struct http_fields *trailers)
{
	size_t size = sizeof("0\r\n\r\n");

	for (unsigned i = 0; trailers && i < trailers->n; i++)
		size += trailers->v[i].name.n + trailers->v[i].value.n + sizeof(": \r\n");
	return size;
}

/* Memory for a head and a trailer section; NULL when there is none. Their size is bounded by what
 * the client's side lets in. */
static char *scratch(struct olink_worker *w, size_t size)
{
	if (w->scratch_size < size) {
		char *grown = realloc(w->scratch, size);

		if (!grown)
			return NULL;
		w->scratch = grown;
		w->scratch_size = size;
	}
	return w->scratch;
}

/* A piece as it is written, with the head in front if that has not gone before. */
struct text {
	char chunk[20];
	struct iovec iov[5];
	int n;
};

static void put(struct text *text, const void *p, size_t n)
{
	CHECK(n > 0);
	text->iov[text->n++] = (struct iovec){(void *)p, n};
}

static void put_head(struct text *text, const struct http_head *head, char *out, size_t size)
{
	struct http_head ours = *head;

	/* What the client wants of its connection says nothing about ours. */
	ours.keep_alive = true;
	put(text, out, h1_write_head(&ours, true, out, size));
}

static void put_data(struct text *text, struct slice data, bool chunked)
{
	if (chunked)
		put(text, text->chunk, h1_write_chunk_header(data.n, text->chunk));
	put(text, data.p, data.n);
	if (chunked)
		put(text, "\r\n", 2);
}

/* False when memory is gone. */
static bool compose(struct attempt *a, const struct wire_piece *piece, struct text *text)
{
	bool chunked = a->request->head->framing == HTTP_FRAMING_CHUNKED;
	size_t head_size = piece->head ? h1_head_size(piece->head) : 0;
	size_t tail_size = chunked && piece->end ? trailers_size(piece->trailers) : 0;
	char *out = scratch(a->request->worker, MAX(head_size + tail_size, 1));

	text->n = 0;
	if (!out)
		return false;
	if (head_size > 0)
		put_head(text, piece->head, out, head_size);
	if (piece->data.n > 0)
		put_data(text, piece->data, chunked);
	out += head_size;
	if (tail_size > 0)
		put(text, out, h1_write_last_chunk(piece->trailers, out, tail_size));
	return true;
}

static enum wire_sent wire_send(struct attempt *a, const struct wire_piece *piece)
{
	struct text text;
	bool more = true;

	if (!compose(a, piece, &text))
		return WIRE_NO_MEMORY;
	if (piece->head)
		a->h1.sent_before = stream_sent(stream_of(a));
	for (int i = 0; i < text.n; i++)
		a->h1.sent += text.iov[i].iov_len;
	if (text.n > 0)
		more = stream_write(stream_of(a), text.iov, text.n);
	if (piece->end && a->request->is_tunnel)
		stream_end_writing(stream_of(a));
	return more ? WIRE_SENT : WIRE_QUEUED;
}

static bool wire_is_drained(const struct attempt *a)
{
	return stream_is_drained(stream_of(a));
}

static uint64_t wire_progress(const struct attempt *a)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	/* Of a Unix socket more is asked for as it is taken. Known in vain of a socket that has
	 * failed: its stream tells. */
	if (getsockopt(stream_fd(stream_of(a)), IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return a->h1.sent;
	return info.tcpi_bytes_acked;
}

static int wire_socket(const struct attempt *a)
{
	return stream_fd(stream_of(a));
}

/* Reading */

static void wire_grant(struct attempt *a)
{
	if (!a->paused)
		return;
	a->paused = false;
	stream_resume(stream_of(a));
	/* The stream does not know what is held here. */
	if (a->h1.held.n > 0)
		loop_defer(request_loop(a->request), &a->request->turn_end);
	watch_update(a);
}

static void wire_go_on(struct attempt *a)
{
	if (a->h1.held.n > 0)
		h1_receive(a);
}

/* Its end */

static void wire_end(struct attempt *a, enum attempt_end how)
{
	static const struct linger now = {.l_onoff = 1};

	slice_drop(&a->h1.held);
	/* What was in a tunnel may be incomplete in a way that only a reset tells. */
	if (how == ATTEMPT_BREAK && a->request->is_tunnel)
		setsockopt(wire_socket(a), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

const struct wire_ops h1_wire_ops = {
    .name = "HTTP/1.1",
    .send = wire_send,
    .grant = wire_grant,
    .go_on = wire_go_on,
    .is_drained = wire_is_drained,
    .progress = wire_progress,
    .socket = wire_socket,
    .end = wire_end,
};

/* The connection */

static void readable_cb(void *arg)
{
	h1_receive(arg);
}

static void drained_cb(void *arg)
{
	attempt_drained(arg);
}

/* Writing failed, or the connection broke while nothing was read. An origin that answers and closes
 * without reading all of the request does that to us: its answer, or the rest of it, is still there
 * to be read. */
static void failed_cb(void *arg)
{
	struct attempt *a = arg;
	enum stream_fault fault = stream_fault(stream_of(a));
	bool ours = fault == STREAM_FAULT_STALLED || fault == STREAM_FAULT_NO_MEMORY;

	if (!ours)
		h1_receive(a);
	if (a->state != ATTEMPT_OPEN)
		return;
	if (a->request->response == RESPONSE_BODY && !ours)
		attempt_unsendable(a, h1_reason(a));
	else
		h1_died(a);
}

const struct stream_ops h1_wire_stream_ops = {
    .readable = readable_cb,
    .drained = drained_cb,
    .failed = failed_cb,
};
