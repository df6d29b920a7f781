/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a response is put onto an HTTP/1.x connection: which framing it gets for this client, and
 * which bytes go with each piece of content. Pure; belongs to the connection's loop.
 */
#pragma once

#include <sys/uio.h>

#include "core/http/h1.h"

struct h1_response {
	bool chunked;
	bool bodiless; /* answers HEAD: content that comes all the same is dropped */
	char size_line[20];
};

/* Pieces to be written at once; they point into the response and the caller's data. */
struct h1_pieces {
	struct iovec v[4]; /* chunk size, data, end of the chunk, last chunk */
	int n;
	size_t bytes;
};

/* Adapts the head's framing and persistence to the client. `keep_alive` is whether the connection
 * could go on; head->keep_alive says afterwards whether it does. False: no room in its arena. */
bool h1_response_start(struct h1_response *r, struct http_head *head,
		       const struct http_head *request, bool end, bool keep_alive);
void h1_response_body(struct h1_response *r, const void *data, size_t len, bool end,
		      struct h1_pieces *out);
/* Whether the framing can carry trailers, which are the end then. */
bool h1_response_takes_trailers(const struct h1_response *r);
