/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The head of a response from the fields of an HTTP/2 header section (RFC 9113 section 8.3.2), as
 * strict as the parser of HTTP/1.1: it may be written as that. Pure: fields in, a head out.
 *
 * What nghttp2 has seen to before: the frames and HPACK; :status comes first, once, and nothing
 * else of its kind; names are in lower case; no connection-specific fields.
 */
#pragma once

#include "core/http/h1.h"

struct h2_response_parser {
	const struct h1_limits *limits;
	struct http_head *head;
	bool answers_head, answers_connect;
	const char *why; /* it is of no use: a literal; NULL: it is sound so far */

	/* private */
	size_t bytes; /* as HTTP/1.1 would write it */
	unsigned fields;
	bool has_content_length;
};

/* `head` was initialised with http_head_init(). `answers_head`: so that it has no content.
 * `answers_connect`: a success begins a tunnel. */
void h2_response_init(struct h2_response_parser *p, struct http_head *head,
		      const struct h1_limits *limits, bool answers_head, bool answers_connect);
/* A field, pseudo or not, in its order; copied. */
void h2_response_add(struct h2_response_parser *p, struct span name, struct span value);
/* The section is whole; `end`: and so is the response. False: see why. */
bool h2_response_finish(struct h2_response_parser *p, bool end);
