/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Pieces in a row, and a little buffer for those that do not stay where they are. The connection's
 * loop.
 */
#include "core/http/h2_output.h"

#include <string.h>

#include "core/base/check.h"

void h2_output_init(struct h2_output *out, void (*write)(struct h2_output *out), void *arg,
		    bool last)
{
	out->write = write;
	out->arg = arg;
	out->n = out->n_done = 0;
	out->bytes = out->used = 0;
	out->last = last;
}

void h2_output_flush(struct h2_output *out)
{
	out->write(out);
	for (unsigned i = 0; i < out->n_done; i++)
		slice_drop(&out->done[i]);
	out->n = out->n_done = 0;
	out->bytes = out->used = 0;
}

static void add(struct h2_output *out, const void *data, size_t n)
{
	struct iovec *last = out->n > 0 ? &out->v[out->n - 1] : NULL;

	out->bytes += n;
	if (last != NULL && (char *)last->iov_base + last->iov_len == (const char *)data) {
		last->iov_len += n;
		return;
	}
	CHECK(out->n < H2_OUTPUT_PIECES);
	out->v[out->n++] = (struct iovec){(void *)data, n};
}

static void add_small(struct h2_output *out, const void *data, size_t n)
{
	CHECK(n <= sizeof(out->small) - out->used);
	memcpy(out->small + out->used, data, n);
	add(out, out->small + out->used, n);
	out->used += n;
}

static bool has_room(const struct h2_output *out, size_t small, unsigned pieces)
{
	return out->used + small <= sizeof(out->small) && out->n + pieces <= H2_OUTPUT_PIECES &&
	       out->n_done + pieces <= H2_OUTPUT_PIECES;
}

void h2_output_add_control(struct h2_output *out, const void *data, size_t n)
{
	if (!has_room(out, n, 1))
		h2_output_flush(out);
	if (n <= sizeof(out->small)) {
		add_small(out, data, n);
	} else {
		add(out, data, n);
		h2_output_flush(out);
	}
}

void h2_output_add_header(struct h2_output *out, const void *header)
{
	/* The content is to leave with it. */
	if (!has_room(out, H2_FRAME_HEADER, 2))
		h2_output_flush(out);
	add_small(out, header, H2_FRAME_HEADER);
}

void h2_output_add_content(struct h2_output *out, struct slice piece)
{
	if (!has_room(out, 0, 1))
		h2_output_flush(out);
	add(out, piece.p, piece.n);
	if (piece.owner != NULL)
		out->done[out->n_done++] = piece;
}

bool h2_output_is_much(const struct h2_output *out)
{
	return out->bytes >= STREAM_GATHER_MAX;
}
