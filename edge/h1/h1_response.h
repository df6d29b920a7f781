/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a response is put onto an HTTP/1.x connection: which framing it gets for this client, and
 * which bytes go with each piece of content. The head is held back until the first content, so that
 * a small response is one send. Pure; belongs to the connection's loop.
 */
#pragma once

#include <sys/uio.h>

#include "core/http/h1.h"

struct edge_h1_response {
	struct span held; /* the serialized head, until it has gone out */
	bool chunked;
	bool bodiless; /* answers HEAD: content that comes all the same is dropped */
	char size_line[20];
};

/* Pieces to be written at once; they point into the response, the arena and the caller's data. */
struct edge_h1_pieces {
	struct iovec v[5]; /* head, chunk size, data, end of the chunk, last chunk */
	int n;
	size_t bytes;
};

/* An informational response; false when there is no room. */
bool edge_h1_response_inform(struct edge_h1_response *r, const struct http_head *head,
			     struct edge_h1_pieces *out);
/* Adapts the head's framing and persistence to the client and holds it. `keep_alive` is whether the
 * connection could go on; head->keep_alive says afterwards whether it does. False: no room. */
bool edge_h1_response_start(struct edge_h1_response *r, struct http_head *head,
			    const struct http_head *request, bool end, bool keep_alive);
/* What is still held. */
void edge_h1_response_flush(struct edge_h1_response *r, struct edge_h1_pieces *out);
void edge_h1_response_body(struct edge_h1_response *r, const void *data, size_t len, bool end,
			   struct edge_h1_pieces *out);
/* The end, with trailers where the framing can carry them. False: no room. */
bool edge_h1_response_trailers(struct edge_h1_response *r, const struct http_fields *trailers,
			       struct arena *arena, struct edge_h1_pieces *out);
