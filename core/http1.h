/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * HTTP/1.1 on the wire (RFC 9112), strict. Pure: bytes in, messages out; no I/O, no clock.
 *
 * The head parser takes whole lines and copies them into the exchange's arena, so that the caller's
 * buffer can be reused at once; bytes of an incomplete line are left for the caller to keep. An
 * error is reported with the first line that shows it.
 */
#pragma once

#include "core/http.h"

enum h1_result {
	H1_OK,   /* done: head complete / data slice / end of body */
	H1_MORE, /* all complete lines consumed; needs more bytes */
	H1_BAD,  /* see *status: what a server should answer (400, 414, 431, 501, 505) */
};

struct h1_limits {
	size_t head_bytes; /* start line and fields together; also the longest line */
	unsigned fields;
	size_t target_bytes;
};

struct h1_head_parser {
	const struct h1_limits *limits;
	bool request;
	bool request_was_head; /* for responses: answers HEAD, so no content follows */
	unsigned state;
	size_t bytes; /* of the head, so far */
	int status;   /* after H1_BAD */
	const char *why;
	struct span content_length; /* raw values gathered while parsing */
	struct span transfer_encoding;
	bool has_content_length, has_transfer_encoding, has_host;
};

void h1_request_parser_init(struct h1_head_parser *p, const struct h1_limits *limits);
void h1_response_parser_init(struct h1_head_parser *p, const struct h1_limits *limits,
                             bool request_was_head);
/* `head` must have been initialised with http_head_init(). *consumed is always set. One empty line
 * before a request line is skipped (RFC 9112 section 2.2). True when bytes of a message have been
 * seen: h1_head_started(). */
enum h1_result h1_head_parse(struct h1_head_parser *p, struct http_head *head, const char *buf,
                             size_t len, size_t *consumed);
bool h1_head_started(const struct h1_head_parser *p);

/* Content: from framing to slices of the caller's buffer. */
struct h1_body {
	enum http_framing framing;
	unsigned state;
	uint64_t left; /* of the content, or of this chunk */
	size_t overhead; /* bytes of the line being read; of the trailer section */
	const struct h1_limits *limits;
	struct http_fields trailers; /* after the end of a chunked body */
	struct arena *arena;
	char line[24]; /* chunk-size line so far, extensions dropped */
	const char *why; /* after H1_BAD */
};

void h1_body_init(struct h1_body *b, const struct http_head *head, const struct h1_limits *limits);
/* H1_OK with data->n > 0: a slice; call again. H1_OK with data->n == 0: the end.
 * Trailer lines that are incomplete are left unconsumed. */
enum h1_result h1_body_parse(struct h1_body *b, const char *buf, size_t len, size_t *consumed,
                             struct span *data);
/* The connection was closed cleanly: true when that ends this body properly. */
bool h1_body_close_is_end(const struct h1_body *b);

/* Serializes a head with its framing (Content-Length / Transfer-Encoding, `Connection: close` when
 * !head->keep_alive). Requests are written in origin-form with Host first. Returns the length, or
 * 0 when `cap` is too small. */
size_t h1_write_head(const struct http_head *head, bool request, char *out, size_t cap);
/* An upper bound for h1_write_head(). */
size_t h1_head_size(const struct http_head *head);
/* "1f4\r\n"; the chunk's data is followed by "\r\n". Returns the length; out holds 20 bytes. */
size_t h1_write_chunk_header(size_t len, char out[20]);
/* "0\r\n" + trailers + "\r\n". Returns the length, or 0 when `cap` is too small. */
size_t h1_write_last_chunk(const struct http_fields *trailers, char *out, size_t cap);
