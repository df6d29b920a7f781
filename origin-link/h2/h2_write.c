/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is written to an origin when. Frames come from nghttp2, which lets streams with content take
 * turns; their content comes straight from what is being sent, without a copy, and many frames go
 * to the stream at once. While the stream does not take more, content waits in the queue of its own
 * stream of HTTP/2. One loop.
 */
#include <string.h>

#include "core/base/check.h"
#include "origin-link/h2/h2_internal.h"

/* RFC 9113 section 4.1. */
#define FRAME_HEADER 9
/* So much is given to the stream at once: as much as it gathers. */
#define OUTPUT_BYTES STREAM_GATHER_MAX
#define OUTPUT_PIECES 32
/* Frame headers, and frames without content. */
#define OUTPUT_SMALL 8192
/* With such a piece of content the origin's leave for more, a frame for the stream and one for the
 * connection, and as much again, is no flood. */
#define UPDATES_EACH 4

struct origin_h2_output {
	struct iovec v[OUTPUT_PIECES];
	unsigned n;
	size_t bytes;
	size_t used;                      /* of `small` */
	struct slice done[OUTPUT_PIECES]; /* what it points to, to be dropped when it is written */
	unsigned n_done;
	bool last; /* it does not matter whether the stream takes it at once */
	char small[OUTPUT_SMALL];
};

static void flush(struct origin_h2 *h)
{
	struct origin_h2_output *out = h->output;

	if (out->n > 0)
		h->write_waits = !stream_write(h->stream, out->v, (int)out->n);
	for (unsigned i = 0; i < out->n_done; i++)
		slice_drop(&out->done[i]);
	out->n = out->n_done = 0;
	out->bytes = out->used = 0;
}

static void add(struct origin_h2_output *out, const void *data, size_t n)
{
	struct iovec *last = out->n > 0 ? &out->v[out->n - 1] : NULL;

	out->bytes += n;
	if (last != NULL && (char *)last->iov_base + last->iov_len == (const char *)data) {
		last->iov_len += n;
		return;
	}
	CHECK(out->n < OUTPUT_PIECES);
	out->v[out->n++] = (struct iovec){(void *)data, n};
}

static void add_small(struct origin_h2_output *out, const void *data, size_t n)
{
	CHECK(n <= sizeof(out->small) - out->used);
	memcpy(out->small + out->used, data, n);
	add(out, out->small + out->used, n);
	out->used += n;
}

static bool has_room(const struct origin_h2_output *out, size_t small, unsigned pieces)
{
	return out->used + small <= sizeof(out->small) && out->n + pieces <= OUTPUT_PIECES &&
	       out->n_done + pieces <= OUTPUT_PIECES;
}

ssize_t origin_h2_write_control(struct origin_h2 *h, const uint8_t *data, size_t n)
{
	struct origin_h2_output *out = h->output;

	if (!has_room(out, n, 1))
		flush(h);
	if (n <= sizeof(out->small)) {
		add_small(out, data, n);
	} else {
		add(out, data, n);
		flush(h);
	}
	return (ssize_t)n;
}

/* The next bytes of a stream, with the one who keeps them: kept ones are owed a drop. */
static struct slice next_piece(struct origin_h2_stream *s, size_t max)
{
	struct slice piece;

	if (s->out.bytes > 0)
		return h2_queue_take(&s->out, max);
	piece = (struct slice){.p = s->now.p, .n = MIN(s->now.n, max)};
	s->now.p += piece.n;
	s->now.n -= piece.n;
	return piece;
}

void origin_h2_write_content(struct origin_h2_stream *s, const uint8_t *header, size_t n)
{
	struct origin_h2 *h = s->session;
	struct origin_h2_output *out = h->output;
	size_t left = n;

	if (!has_room(out, FRAME_HEADER, 2))
		flush(h);
	add_small(out, header, FRAME_HEADER);
	while (left > 0) {
		struct slice piece = next_piece(s, left);

		if (!has_room(out, 0, 1))
			flush(h);
		add(out, piece.p, piece.n);
		left -= piece.n;
		if (piece.owner != NULL)
			out->done[out->n_done++] = piece;
	}
	s->sent += n;
	h2_guard_forgive(&h->guard, H2_FLOOD_WINDOW_UPDATE, UPDATES_EACH, ORIGIN_H2_FRAMES);
	h2_guard_forgive(&h->guard, H2_FLOOD_PING, 1, ORIGIN_H2_FRAMES);
	if (out->bytes >= OUTPUT_BYTES)
		flush(h);
	if (s->waits && s->out.bytes == 0)
		origin_h2_stream_ready(s);
}

bool origin_h2_write_is_full(const struct origin_h2 *h)
{
	return h->write_waits && !h->output->last;
}

static void write_all(struct origin_h2 *h, bool last)
{
	struct origin_h2_output out;
	int rv;

	out.n = out.n_done = 0;
	out.bytes = out.used = 0;
	out.last = last;
	h->output = &out;
	rv = nghttp2_session_send(h->session);
	flush(h);
	h->output = NULL;
	if (rv != 0)
		origin_h2_end(h, REASON_LIMIT, NULL);
}

void origin_h2_write(struct origin_h2 *h)
{
	if (h->state == ORIGIN_H2_OVER || h->feeding || h->output != NULL || h->write_waits ||
	    !nghttp2_session_want_write(h->session))
		return;
	write_all(h, false);
}

void origin_h2_write_last(struct origin_h2 *h)
{
	if (!h->feeding && h->output == NULL && stream_fault(h->stream) == STREAM_FAULT_NONE)
		write_all(h, true);
}
