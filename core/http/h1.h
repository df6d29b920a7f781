/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * HTTP/1.1 on the wire (RFC 9112), strict. Pure: bytes in, messages out; no I/O, no clock.
 *
 * The head parser takes whole lines and copies them into the exchange's arena, so that the caller's
 * buffer can be reused at once; bytes of an incomplete line are left for the caller to keep. An
 * error is reported with the first line that shows it.
 */
#pragma once

#include "core/http/message.h"

enum h1_result {
	H1_OK,   /* done: head complete / data slice / end of body */
	H1_MORE, /* all complete lines consumed; needs more bytes */
	H1_BAD,  /* the connection is of no more use; see status and why. Said again if asked again
		  */
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
	/* After H1_BAD. What a server should answer: 400, 414, 417, 431, 501, 505 (431 also when
	 * the arena is full); 502 for every bad response. */
	int status;
	const char *why; /* a literal */

	/* private */
	unsigned state;
	size_t bytes;   /* of the head, so far */
	size_t pending; /* bytes of an incomplete line, known to hold no LF */
	unsigned fields, connection_options;
	bool has_host, has_content_length, has_transfer_encoding;
	bool connection_close, connection_keep_alive, connection_upgrade;
	bool has_upgrade, refuses_upgrade;
	bool chunked_alone; /* Transfer-Encoding is one field that says "chunked" */
	bool chunked_last;  /* and its place in the list of all codings */
	unsigned codings, codings_chunked;
};

void h1_request_parser_init(struct h1_head_parser *p, const struct h1_limits *limits);
void h1_response_parser_init(struct h1_head_parser *p, const struct h1_limits *limits,
			     bool request_was_head);
/* `head` must have been initialised with http_head_init(). *consumed is always set; the next call
 * begins with the first byte that was not consumed. One empty line before a request line is
 * skipped (RFC 9112 section 2.2). */
enum h1_result h1_head_parse(struct h1_head_parser *p, struct http_head *head, const char *buf,
			     size_t len, size_t *consumed);
/* True when bytes of a message have been seen, be it a part of its first line. */
bool h1_head_started(const struct h1_head_parser *p);

/* Chunk extensions are skipped. In sum they may exceed the content so far by this much, so that
 * nobody can keep us busy with them; no extension in use comes near it. */
#define H1_CHUNK_EXTENSIONS_MAX 4096

/* Content: from framing to slices of the caller's buffer. */
struct h1_body {
	enum http_framing framing;
	struct http_fields trailers; /* after the end of a chunked body; without those that have no
				      * place there (RFC 9110 section 6.5.1) */
	const char *why;             /* after H1_BAD; a literal */

	/* private */
	const struct h1_limits *limits;
	struct arena *arena;
	bool request;
	unsigned state;
	uint64_t left;     /* of the content, or of this chunk */
	unsigned digits;   /* of this chunk's size */
	size_t overhead;   /* unpaid bytes of extensions; then bytes of the trailer section */
	unsigned n_fields; /* of the trailer section, also those left out */
};

void h1_body_init(struct h1_body *b, const struct http_head *head, const struct h1_limits *limits);
/* Decodes what is there, in place: the content of many chunks becomes one span of `buf`, which is
 * changed. Takes all that it can at once, but no more than `max` bytes of content. H1_OK: the end
 * has been reached (which may show before any byte arrives: ask once with len 0 after the head).
 * H1_MORE: all was taken but for the start of an incomplete trailer line, and content over `max`.
 * H1_BAD: *data is what came before the fault. */
enum h1_result h1_body_decode(struct h1_body *b, char *buf, size_t len, size_t max,
			      size_t *consumed, struct span *data);
/* All content has come, and the trailer section is being read. */
bool h1_body_in_trailers(const struct h1_body *b);
/* The connection was closed cleanly: true when that ends this body properly. */
bool h1_body_close_is_end(const struct h1_body *b);

/* Serializes a head as HTTP/1.1 with its framing (Content-Length / Transfer-Encoding, `Connection:
 * close` when !head->keep_alive or the end of the connection is the end of the content,
 * `Connection: upgrade` with HTTP_FRAMING_TUNNEL, but for CONNECT). Requests are written with
 * `target` as it is and Host, from `authority`, first; TE, of which there is one at most, comes
 * with `Connection: TE`. Fields named Host (of a request), Content-Length and Transfer-Encoding are
 * left out. A response without a reason phrase gets the registered one. Spans are trusted to hold
 * no CR or LF: they come from a parser. Returns the length, or 0 when `cap` is too small. */
size_t h1_write_head(const struct http_head *head, bool request, char *out, size_t cap);
/* An upper bound for h1_write_head(). */
size_t h1_head_size(const struct http_head *head);
/* "1f4\r\n"; the chunk's data is followed by "\r\n". Returns the length; out holds 20 bytes. len is
 * not 0: that would end the content. */
size_t h1_write_chunk_header(size_t len, char out[20]);
/* "0\r\n" + trailers (may be NULL) + "\r\n". Returns the length, or 0 when `cap` is too small. */
size_t h1_write_last_chunk(const struct http_fields *trailers, char *out, size_t cap);
