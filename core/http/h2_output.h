/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Frames on their way from nghttp2 to a stream: many go there at once, and content goes without a
 * copy. Large, and so on the stack of who has nghttp2 write; nothing is left in it after
 * h2_output_flush(). The connection's loop.
 */
#pragma once

#include <sys/uio.h>

#include "core/http/flow.h"
#include "core/net/stream.h"

/* RFC 9113 section 4.1. */
#define H2_FRAME_HEADER 9
#define H2_OUTPUT_PIECES 32
/* Frame headers, and frames without content. */
#define H2_OUTPUT_SMALL 8192

struct h2_output {
	/* Gives what is in `v` to the stream, also when that is nothing. */
	void (*write)(struct h2_output *out);
	void *arg; /* the owner's */
	struct iovec v[H2_OUTPUT_PIECES];
	unsigned n;
	size_t bytes;
	size_t used;                         /* of `small` */
	struct slice done[H2_OUTPUT_PIECES]; /* what it points to, to be dropped when written */
	unsigned n_done;
	bool last; /* it does not matter whether the stream takes it at once */
	char small[H2_OUTPUT_SMALL];
};

void h2_output_init(struct h2_output *out, void (*write)(struct h2_output *out), void *arg,
		    bool last);
/* Has all of it written, and drops what that was owed. */
void h2_output_flush(struct h2_output *out);
/* A frame without content, which is copied, or written at once. */
void h2_output_add_control(struct h2_output *out, const void *data, size_t n);
/* The header of a frame with content. */
void h2_output_add_header(struct h2_output *out, const void *header);
/* Content, to be dropped if it has an owner. */
void h2_output_add_content(struct h2_output *out, struct slice piece);
/* As much as the stream gathers: to be flushed. */
bool h2_output_is_much(const struct h2_output *out);
