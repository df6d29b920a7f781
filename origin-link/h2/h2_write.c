/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What is written to an origin when. Frames come from nghttp2, which lets streams with content take
 * turns; their content comes straight from what is being sent, without a copy, and many frames go
 * to the stream at once. While the stream does not take more, content waits in the queue of its own
 * stream of HTTP/2. One loop.
 */
#include "core/base/check.h"
#include "core/http/h2_output.h"
#include "origin-link/h2/h2_internal.h"

/* With such a piece of content the origin's leave for more, a frame for the stream and one for the
 * connection, and as much again, is no flood. */
#define UPDATES_EACH 4

static void give_to_stream(struct h2_output *out)
{
	struct origin_h2 *h = out->arg;

	if (out->n > 0)
		h->write_waits = !stream_write(h->stream, out->v, (int)out->n);
}

ssize_t origin_h2_write_control(struct origin_h2 *h, const uint8_t *data, size_t n)
{
	h2_output_add_control(h->output, data, n);
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
	struct h2_output *out = h->output;
	size_t left = n;

	h2_output_add_header(out, header);
	while (left > 0) {
		struct slice piece = next_piece(s, left);

		h2_output_add_content(out, piece);
		left -= piece.n;
	}
	s->sent += n;
	h2_guard_forgive(&h->guard, H2_FLOOD_WINDOW_UPDATE, UPDATES_EACH, ORIGIN_H2_FRAMES);
	h2_guard_forgive(&h->guard, H2_FLOOD_PING, 1, ORIGIN_H2_FRAMES);
	if (h2_output_is_much(out))
		h2_output_flush(out);
	if (s->waits && s->out.bytes == 0)
		origin_h2_stream_ready(s);
}

bool origin_h2_write_is_full(const struct origin_h2 *h)
{
	return h->write_waits && !h->output->last;
}

static void write_all(struct origin_h2 *h, bool last)
{
	struct h2_output out;
	int rv;

	h2_output_init(&out, give_to_stream, h, last);
	h->output = &out;
	rv = nghttp2_session_send(h->session);
	h2_output_flush(&out);
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
