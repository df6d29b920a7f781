/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The content of HTTP/1.1 messages (RFC 9112 sections 6 and 7): from the framing that the head
 * declared to spans of the caller's buffer, in place. Pure but for the trailer fields, which
 * go into the arena of the head; called by the thread that owns the connection.
 */
#include <string.h>

#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/h1.h"

enum {
	STATE_DATA, /* all of it, or that of a chunk */
	STATE_DATA_CR,
	STATE_DATA_LF,
	STATE_SIZE,
	STATE_SIZE_SPACE, /* after the size: white space that only an extension may follow */
	STATE_EXTENSION,
	STATE_SIZE_LF,
	STATE_TRAILERS,
	STATE_DONE,
	STATE_BAD,
};

void h1_body_init(struct h1_body *b, const struct http_head *head, const struct h1_limits *limits)
{
	*b = (struct h1_body){.framing = head->framing,
			      .request = head->status == 0,
			      .limits = limits,
			      .arena = head->arena};
	switch (head->framing) {
	case HTTP_FRAMING_NONE:
		b->state = STATE_DONE;
		break;
	case HTTP_FRAMING_LENGTH:
		b->left = head->content_length;
		b->state = b->left > 0 ? STATE_DATA : STATE_DONE;
		break;
	case HTTP_FRAMING_CHUNKED:
		b->state = STATE_SIZE;
		break;
	case HTTP_FRAMING_CLOSE:
	case HTTP_FRAMING_TUNNEL:
		b->left = UINT64_MAX;
		b->state = STATE_DATA;
		break;
	}
}

bool h1_body_close_is_end(const struct h1_body *b)
{
	return b->state == STATE_DONE || b->framing == HTTP_FRAMING_CLOSE ||
	       b->framing == HTTP_FRAMING_TUNNEL;
}

bool h1_body_in_trailers(const struct h1_body *b)
{
	return b->state == STATE_TRAILERS;
}

static void refuse(struct h1_body *b, const char *why)
{
	b->state = STATE_BAD;
	b->why = why;
}

static void parse_size(struct h1_body *b, char c)
{
	int value = http_hex_value(c);

	if (value >= 0) {
		if (b->digits == 16)
			return refuse(b, "chunk size too large");
		b->digits++;
		b->left = b->left << 4 | (unsigned)value;
	} else if (b->digits == 0) {
		refuse(b, "chunk without a size");
	} else if (c == '\r') {
		b->state = STATE_SIZE_LF;
	} else if (c == ';') {
		b->state = STATE_EXTENSION;
	} else if (c == ' ' || c == '\t') {
		b->state = STATE_SIZE_SPACE;
	} else {
		refuse(b, "malformed chunk size");
	}
}

static void parse_extension(struct h1_body *b, char c)
{
	if (++b->overhead > H1_CHUNK_EXTENSIONS_MAX)
		refuse(b, "too much in chunk extensions");
	else if (c == '\r' && b->state == STATE_EXTENSION)
		b->state = STATE_SIZE_LF;
	else if (c == ';')
		b->state = STATE_EXTENSION;
	else if (b->state == STATE_SIZE_SPACE && c != ' ' && c != '\t')
		refuse(b, "malformed chunk size");
	else if (!(http_char_class[(uint8_t)c] & HTTP_CHAR_VALUE))
		refuse(b, "control character in a chunk extension");
}

/* The line of the chunk size is complete. */
static void begin_chunk(struct h1_body *b)
{
	if (b->left == 0) {
		b->overhead = 0;
		b->state = STATE_TRAILERS;
	} else {
		b->overhead -= MIN(b->overhead, b->left);
		b->state = STATE_DATA;
	}
}

/* One byte between chunks. */
static void parse_framing(struct h1_body *b, char c)
{
	switch (b->state) {
	case STATE_DATA_CR:
		if (c != '\r')
			return refuse(b, "chunk longer than its size");
		b->state = STATE_DATA_LF;
		break;
	case STATE_DATA_LF:
		if (c != '\n')
			return refuse(b, "chunk does not end with CRLF");
		b->digits = 0;
		b->state = STATE_SIZE;
		break;
	case STATE_SIZE:
		parse_size(b, c);
		break;
	case STATE_SIZE_SPACE:
	case STATE_EXTENSION:
		parse_extension(b, c);
		break;
	case STATE_SIZE_LF:
		if (c != '\n')
			return refuse(b, "chunk size does not end with CRLF");
		begin_chunk(b);
		break;
	}
}

bool http_field_is_fit_for_trailer(struct span name)
{
	static const struct span unfit[] = {
	    SPAN("Age"),
	    SPAN("Authorization"),
	    SPAN("Cache-Control"),
	    SPAN("Connection"),
	    SPAN("Cookie"),
	    SPAN("Date"),
	    SPAN("Expect"),
	    SPAN("Expires"),
	    SPAN("Forwarded"),
	    SPAN("Host"),
	    SPAN("Keep-Alive"),
	    SPAN("Location"),
	    SPAN("Max-Forwards"),
	    SPAN("Pragma"),
	    SPAN("Proxy-Authenticate"),
	    SPAN("Proxy-Authorization"),
	    SPAN("Proxy-Connection"),
	    SPAN("Range"),
	    SPAN("Retry-After"),
	    SPAN("Set-Cookie"),
	    SPAN("TE"),
	    SPAN("Trailer"),
	    SPAN("Upgrade"),
	    SPAN("Vary"),
	    SPAN("Via"),
	    SPAN("WWW-Authenticate"),
	};
	static const struct span unfit_prefixes[] = {SPAN("Content-"), SPAN("If-"),
						     SPAN("X-Forwarded-")};

	for (size_t i = 0; i < ARRAY_SIZE(unfit); i++) {
		if (span_equal_nocase(name, unfit[i]))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unfit_prefixes); i++) {
		struct span prefix = unfit_prefixes[i];

		if (name.n > prefix.n && span_equal_nocase((struct span){name.p, prefix.n}, prefix))
			return false;
	}
	return true;
}

/* `line` without its CRLF. */
static void parse_trailer(struct h1_body *b, struct span line)
{
	struct http_field field;
	const char *why = h1_field_parse(line, b->request, &field);
	size_t n;
	char *copy;

	if (why)
		return refuse(b, why);
	if (++b->n_fields > b->limits->fields)
		return refuse(b, "too many trailer fields");
	if (span_equal_nocase(field.name, SPAN("Content-Length")) ||
	    span_equal_nocase(field.name, SPAN("Transfer-Encoding")))
		return refuse(b, "framing in the trailer section");
	if (!http_field_is_fit_for_trailer(field.name))
		return;
	n = field.value.p + field.value.n - line.p;
	copy = arena_copy(b->arena, line.p, n);
	if (!copy || !http_fields_add(&b->trailers, b->arena, (struct span){copy, field.name.n},
				      (struct span){copy + n - field.value.n, field.value.n}))
		refuse(b, "no memory for the trailer fields");
}

/* Takes a line of the trailer section; returns its length, or 0 when it is incomplete. */
static size_t take_trailer_line(struct h1_body *b, const char *buf, size_t len)
{
	const char *lf = memchr(buf, '\n', len);
	size_t n = lf ? (size_t)(lf + 1 - buf) : len;

	if (n > b->limits->head_bytes - b->overhead) {
		refuse(b, "trailer section too large");
		return 0;
	}
	if (!lf)
		return 0;
	if (n < 2 || buf[n - 2] != '\r') {
		refuse(b, "trailer line does not end with CRLF");
		return 0;
	}
	b->overhead += n;
	if (n > 2)
		parse_trailer(b, (struct span){buf, n - 2});
	else
		b->state = STATE_DONE;
	return b->state == STATE_BAD ? 0 : n;
}

static struct span take_data(struct h1_body *b, const char *buf, size_t len)
{
	struct span data = {buf, MIN(len, b->left)};

	if (b->framing == HTTP_FRAMING_CLOSE || b->framing == HTTP_FRAMING_TUNNEL)
		return data;
	b->left -= data.n;
	if (b->left == 0)
		b->state = b->framing == HTTP_FRAMING_CHUNKED ? STATE_DATA_CR : STATE_DONE;
	return data;
}

/* Up to the end of one piece of content, or to the first line that is not whole. */
static enum h1_result parse(struct h1_body *b, const char *buf, size_t len, size_t max,
			    size_t *consumed, struct span *data)
{
	size_t at = 0;

	*data = (struct span){NULL, 0};
	while (at < len && b->state < STATE_DONE) {
		if (b->state == STATE_DATA) {
			*data = take_data(b, buf + at, MIN(len - at, max));
			*consumed = at + data->n;
			return data->n > 0 ? H1_OK : H1_MORE;
		}
		if (b->state == STATE_TRAILERS) {
			size_t n = take_trailer_line(b, buf + at, len - at);

			if (n == 0)
				break;
			at += n;
		} else {
			parse_framing(b, buf[at]);
			if (b->state != STATE_BAD)
				at++;
		}
	}
	*consumed = at;
	if (b->state == STATE_BAD)
		return H1_BAD;
	return b->state == STATE_DONE ? H1_OK : H1_MORE;
}

/* A whole chunk that is just "size CRLF data CRLF", which nearly all are: its length in `buf`, or 0
 * when it is anything else, which is then for the slow way to judge. */
static size_t whole_chunk(const char *buf, size_t len, struct span *data)
{
	size_t size = 0, at = 0;
	int value;

	/* Seven digits: nothing can overflow, and no buffer holds more. */
	while (at < len && at < 7 && (value = http_hex_value(buf[at])) >= 0) {
		size = size << 4 | (unsigned)value;
		at++;
	}
	if (size == 0 || len - at < size + 4 || buf[at] != '\r' || buf[at + 1] != '\n')
		return 0;
	*data = (struct span){buf + at + 2, size};
	at += 2 + size;
	return buf[at] == '\r' && buf[at + 1] == '\n' ? at + 2 : 0;
}

/* Adds what was found to what was found before, closing the gap that the framing leaves. */
static void append(struct span *all, struct span data)
{
	if (all->n == 0) {
		*all = data;
		return;
	}
	/* Both are in the caller's buffer, which it lets us change. */
	memmove((char *)all->p + all->n, data.p, data.n);
	all->n += data.n;
}

enum h1_result h1_body_decode(struct h1_body *b, char *buf, size_t len, size_t max,
			      size_t *consumed, struct span *data)
{
	enum h1_result result = H1_MORE;
	size_t at = 0;

	*data = (struct span){NULL, 0};
	while (at < len || b->state == STATE_DONE) {
		struct span piece;
		size_t used = 0;

		if (b->state == STATE_SIZE && b->digits == 0)
			used = whole_chunk(buf + at, len - at, &piece);
		if (used > 0 && piece.n <= max - data->n) {
			b->overhead -= MIN(b->overhead, piece.n);
			append(data, piece);
			at += used;
			continue;
		}
		/* Who only asks whether it has ended may have no buffer. */
		result = parse(b, at > 0 ? buf + at : buf, len - at, max - data->n, &used, &piece);
		at += used;
		if (piece.n > 0)
			append(data, piece);
		else
			break;
		result = H1_MORE;
	}
	*consumed = at;
	return b->state == STATE_BAD ? H1_BAD : result;
}
