/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * HTTP messages (RFC 9110), whatever version carried them. A head and its fields live in the
 * arena of their exchange; spans point into it. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"

/* Bytes that belong to somebody else; not NUL-terminated. */
struct span {
	const char *p;
	size_t n;
};
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
#define SPAN_FMT "%.*s"
#define SPAN_ARG(s) (int)(s).n, (s).p

struct span span_of(const char *nul_terminated);
bool span_equal(struct span a, struct span b);
bool span_bytes_equal_nocase(const char *a, const char *b, size_t n);
/* ASCII only, as field names and hosts are compared. Most differ in length: that much is told here,
 * without a call. */
static inline bool span_equal_nocase(struct span a, struct span b)
{
	return a.n == b.n && span_bytes_equal_nocase(a.p, b.p, a.n);
}

enum http_method {
	HTTP_METHOD_OTHER, /* any other token; see head->method */
	HTTP_METHOD_GET,
	HTTP_METHOD_HEAD,
	HTTP_METHOD_POST,
	HTTP_METHOD_PUT,
	HTTP_METHOD_DELETE,
	HTTP_METHOD_CONNECT,
	HTTP_METHOD_OPTIONS,
	HTTP_METHOD_TRACE,
	HTTP_METHOD_PATCH,
};

enum http_method http_method_find(struct span name);
/* RFC 9110 section 9.2.2. */
bool http_method_is_idempotent(enum http_method m);

struct http_field {
	struct span name;  /* as received; compared without case */
	struct span value; /* trimmed of optional white space */
};

struct http_fields {
	struct http_field *v;
	unsigned n, cap;
};

/* Where the content of a message ends (RFC 9112 section 6.3). */
enum http_framing {
	HTTP_FRAMING_NONE, /* no content by nature: a request without, 1xx, 204, 304, or the answer
			    * to HEAD. Any other response that is empty has HTTP_FRAMING_LENGTH. */
	HTTP_FRAMING_LENGTH,  /* content_length bytes */
	HTTP_FRAMING_CHUNKED, /* unknown length, self-delimiting (chunked, or an HTTP/2 stream) */
	HTTP_FRAMING_CLOSE,   /* until the connection closes (responses only) */
	HTTP_FRAMING_TUNNEL,  /* another protocol in both directions, or a request for one */
};

struct http_head {
	struct arena *arena;
	/* requests */
	enum http_method method_id;
	struct span method;
	struct span scheme; /* "https"; set by the receiving side. The HTTP/1.1 parser leaves that
			     * of an absolute-form target here, else nothing. */
	struct span
	    authority;      /* from the target's absolute form, else Host; valid; may hold a port */
	struct span target; /* origin-form: path and query; "*" for OPTIONS; CONNECT: authority */
	/* responses */
	int status;
	struct span reason_phrase;
	/* both */
	uint8_t minor;   /* 0 is HTTP/1.0; 1 for all later versions */
	bool keep_alive; /* may the connection carry another message after this one */
	bool expect_continue;
	enum http_framing framing;
	uint64_t content_length; /* with HTTP_FRAMING_LENGTH, or if declared */
	bool length_declared; /* with HTTP_FRAMING_NONE: a response to HEAD or a 304 that states the
			       * length it would have */
	/* Without the framing: no Content-Length, Transfer-Encoding. Host is still among them, but
	 * `authority` is what counts and what is sent. */
	struct http_fields fields;
};

/* host [":" port] by RFC 3986 section 3.2 without user information: false when it is not valid. An
 * IPv6 host keeps its brackets; the port is digits up to 65535, or empty. */
bool http_authority_split(struct span authority, struct span *host, struct span *port);

/* In decimal, put into `space`. */
#define HTTP_DIGITS_MAX 20
struct span http_digits(uint64_t value, char space[HTTP_DIGITS_MAX]);

/* An HTTP/1.1 message without fields or content that leaves the connection open. */
void http_head_init(struct http_head *head, struct arena *arena);
/* The same message with a vector of fields of its own in `arena`, so that a head can be rewritten
 * and still be known as received. Spans are shared: their bytes must outlive both. False when the
 * arena is full; *copy is then untouched. */
bool http_head_copy(struct http_head *copy, const struct http_head *head, struct arena *arena);
/* Whether some origins take both for the same field: see http_name_folded(). */
bool http_name_reads_as(struct span name, struct span other);
/* First field of that name from `from` on, or NULL; *from (may be NULL) becomes the index after. */
const struct http_field *http_fields_find(const struct http_fields *f, struct span name,
					  unsigned *from);
/* The only field of that name; NULL: there is none, or several. */
const struct http_field *http_fields_only(const struct http_fields *f, struct span name);
/* Whether the list of that name has the member, without regard to case; what follows "=" in one
 * does not count. */
bool http_fields_list_has(const struct http_fields *f, struct span name, struct span member);
/* Spans are kept, not copied. False when the arena is full. */
bool http_fields_add(struct http_fields *f, struct arena *a, struct span name, struct span value);
void http_fields_remove(struct http_fields *f, struct span name);
/* Overwrites the values of that name, which stand in an arena: nobody is to read them any more. */
void http_fields_wipe(const struct http_fields *f, struct span name);
/* One in the place of all of that name, at the end. False when the arena is full. */
bool http_fields_set(struct http_fields *f, struct arena *a, struct span name, struct span value);
/* One more member of a list: all fields of that name become one, at the end. False when the arena
 * is full. */
bool http_fields_append(struct http_fields *f, struct arena *a, struct span name,
			struct span member);
/* A response depends on that field of the request (Vary, RFC 9110 section 12.5.5). False when the
 * arena is full. */
bool http_fields_vary(struct http_fields *f, struct arena *a, struct span name);
/* Without spaces and tabs at its ends. */
struct span http_trim(struct span s);
/* Whether it is a field of one connection, even if Connection does not name it. */
bool http_field_is_hop_by_hop(struct span name);
/* Next member of a comma-separated list (RFC 9110 section 5.6.1), trimmed; false at the end.
 * Quoted strings are not split. *rest is advanced. */
bool http_list_next(struct span *rest, struct span *member);
/* Removes Connection, what it names, and the other hop-by-hop fields (RFC 9110 section 7.6.1):
 * Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade. Trailer stays. */
void http_fields_remove_hop_by_hop(struct http_fields *f);
/* True for 1xx, 204, 304. */
bool http_status_has_no_content(int status);
/* By the IANA registry; "" when it is not there. */
const char *http_status_text(int status);
