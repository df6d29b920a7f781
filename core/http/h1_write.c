/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * HTTP/1.1 messages into the caller's buffer. It alone decides what the framing fields say. Pure.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/h1.h"

/* A buffer being filled; once something does not fit, nothing more does. */
struct out {
	char *p;
	size_t left;
	bool full;
};

static void put(struct out *o, struct span s)
{
	if (s.n > o->left)
		o->full = true;
	if (o->full || s.n == 0)
		return;
	memcpy(o->p, s.p, s.n);
	o->p += s.n;
	o->left -= s.n;
}

static void put_number(struct out *o, uint64_t value)
{
	char digits[HTTP_DIGITS_MAX];

	put(o, http_digits(value, digits));
}

static void put_field(struct out *o, struct span name, struct span value)
{
	put(o, name);
	put(o, SPAN(": "));
	put(o, value);
	put(o, SPAN("\r\n"));
}

/* The writer's own, whatever a filter may have added. */
static bool is_written_apart(struct span name, bool request)
{
	switch (name.n) {
	case 4:
		return request && span_equal_nocase(name, SPAN("Host"));
	case 14:
		return span_equal_nocase(name, SPAN("Content-Length"));
	case 17:
		return span_equal_nocase(name, SPAN("Transfer-Encoding"));
	default:
		return false;
	}
}

static struct span reason_phrase(const struct http_head *head)
{
	return head->reason_phrase.n > 0 ? head->reason_phrase
					 : span_of(http_status_text(head->status));
}

static void put_framing(struct out *o, const struct http_head *head)
{
	if (head->framing == HTTP_FRAMING_CHUNKED) {
		put(o, SPAN("Transfer-Encoding: chunked\r\n"));
	} else if (head->framing == HTTP_FRAMING_LENGTH || head->length_declared) {
		put(o, SPAN("Content-Length: "));
		put_number(o, head->content_length);
		put(o, SPAN("\r\n"));
	}
	if (head->framing == HTTP_FRAMING_TUNNEL && head->method_id != HTTP_METHOD_CONNECT)
		put(o, SPAN("Connection: upgrade\r\n"));
	else if (!head->keep_alive || head->framing == HTTP_FRAMING_CLOSE)
		put(o, SPAN("Connection: close\r\n"));
}

size_t h1_write_head(const struct http_head *head, bool request, char *out, size_t cap)
{
	struct out o = {out, cap, false};

	if (request) {
		put(&o, head->method);
		put(&o, SPAN(" "));
		put(&o, head->target);
		put(&o, SPAN(" HTTP/1.1\r\n"));
		put_field(&o, SPAN("Host"), head->authority);
	} else {
		put(&o, SPAN("HTTP/1.1 "));
		put_number(&o, head->status);
		put(&o, SPAN(" "));
		put(&o, reason_phrase(head));
		put(&o, SPAN("\r\n"));
	}
	for (unsigned i = 0; i < head->fields.n; i++) {
		const struct http_field *f = &head->fields.v[i];

		if (!is_written_apart(f->name, request))
			put_field(&o, f->name, f->value);
		/* RFC 9110 section 10.1.4: it is for the next hop alone. */
		if (request && span_equal_nocase(f->name, SPAN("TE")))
			put(&o, SPAN("Connection: TE\r\n"));
	}
	put_framing(&o, head);
	put(&o, SPAN("\r\n"));
	return o.full ? 0 : cap - o.left;
}

size_t h1_head_size(const struct http_head *head)
{
	/* The longest of each part that is not a span. */
	size_t size = sizeof("  HTTP/1.1\r\nHost: \r\n"
			     "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n") +
		      sizeof("Connection: TE\r\n") +
		      sizeof("Content-Length: 18446744073709551615\r\n");

	size += head->method.n + head->target.n + head->authority.n;
	size += reason_phrase(head).n + 3;
	for (unsigned i = 0; i < head->fields.n; i++)
		size += head->fields.v[i].name.n + head->fields.v[i].value.n + 4;
	return size;
}

size_t h1_write_chunk_header(size_t len, char out[20])
{
	CHECK(len > 0);
	return snprintf(out, 20, "%zx\r\n", len);
}

size_t h1_write_last_chunk(const struct http_fields *trailers, char *out, size_t cap)
{
	struct out o = {out, cap, false};

	put(&o, SPAN("0\r\n"));
	for (unsigned i = 0; trailers && i < trailers->n; i++)
		put_field(&o, trailers->v[i].name, trailers->v[i].value);
	put(&o, SPAN("\r\n"));
	return o.full ? 0 : cap - o.left;
}
