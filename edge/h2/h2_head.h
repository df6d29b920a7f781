/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The head of a request from the fields of an HTTP/2 header section (RFC 9113 section 8), as strict
 * as the parser of HTTP/1.1: the request will be written as that, so what would be dangerous there
 * is refused here. Pure: fields in, a head out; no I/O, no clock.
 *
 * What nghttp2 has seen to before: the frames and HPACK; pseudo-header fields come first, once, and
 * none is missing or unknown; names are in lower case; no connection-specific fields.
 */
#pragma once

#include "core/http/h1.h"

enum h2_verdict {
	H2_HEAD_OK,
	H2_HEAD_MALFORMED, /* a stream error (RFC 9113 section 8.1.1) */
	H2_HEAD_REFUSED,   /* to be answered with `status` */
};

struct h2_head_parser {
	const struct h1_limits *limits;
	struct http_head *head;
	enum h2_verdict verdict; /* the first that was not H2_HEAD_OK stays */
	int status;              /* with H2_HEAD_REFUSED */
	const char *why;         /* a literal */
	size_t bytes;            /* of the section, as HTTP/1.1 would write it */

	/* private */
	unsigned fields, cookies;
	bool has_content_length;
	struct span scheme, host, protocol;
};

/* `head` was initialised with http_head_init(). */
void h2_head_init(struct h2_head_parser *p, struct http_head *head, const struct h1_limits *limits);
/* A field, pseudo or not, in its order; copied. */
void h2_head_add(struct h2_head_parser *p, struct span name, struct span value);
/* The section is whole; `end`: and so is the request. */
enum h2_verdict h2_head_finish(struct h2_head_parser *p, bool end);
/* An extended CONNECT (RFC 8441): it became a request for a WebSocket as HTTP/1.1 has it, but for
 * Sec-WebSocket-Key. */
bool h2_head_is_websocket(const struct h2_head_parser *p);
