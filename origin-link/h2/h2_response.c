/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fields of a header section, one by one, to the head of a response. Pure but for the arena of the
 * head; called by the thread that owns the connection.
 */
#include "origin-link/h2/h2_response.h"

#include <string.h>

#include "core/http/chars.h"
#include "core/http/h2_fields.h"

static void refuse(struct h2_response_parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
}

void h2_response_init(struct h2_response_parser *p, struct http_head *head,
		      const struct h1_limits *limits, bool answers_head, bool answers_connect)
{
	*p = (struct h2_response_parser){
	    .limits = limits,
	    .head = head,
	    .answers_head = answers_head,
	    .answers_connect = answers_connect,
	};
}

static void take_status(struct h2_response_parser *p, struct span value)
{
	if (value.n != 3 || value.p[0] < '1' || !http_char_is_digit(value.p[0]) ||
	    !http_char_is_digit(value.p[1]) || !http_char_is_digit(value.p[2])) {
		refuse(p, "malformed status code");
		return;
	}
	p->head->status = (value.p[0] - '0') * 100 + (value.p[1] - '0') * 10 + (value.p[2] - '0');
	/* RFC 9113 section 8.6. */
	if (p->head->status == 101)
		refuse(p, "another protocol, which HTTP/2 has no way to");
}

static void take_field(struct h2_response_parser *p, struct span name, struct span value)
{
	struct http_head *head = p->head;
	char *own;

	if (!h2_field_is_valid(name, value)) {
		refuse(p, "a byte that has no place in a field");
		return;
	}
	if (++p->fields > p->limits->fields) {
		refuse(p, "too many fields");
		return;
	}
	if (span_equal(name, SPAN("content-length"))) {
		if (p->has_content_length)
			refuse(p, "more than one Content-Length");
		p->has_content_length = true;
		if (!h2_content_length(value, &head->content_length))
			refuse(p, "Content-Length is not a number, or too large");
		return;
	}
	/* Both in one: half as many calls, and each is rounded up. */
	own = arena_alloc(head->arena, name.n + value.n);
	if (own) {
		memcpy(own, name.p, name.n);
		memcpy(own + name.n, value.p, value.n);
	}
	if (!own || !http_fields_add(&head->fields, head->arena, (struct span){own, name.n},
				     (struct span){own + name.n, value.n}))
		refuse(p, "no memory for the fields");
}

void h2_response_add(struct h2_response_parser *p, struct span name, struct span value)
{
	p->bytes += name.n + value.n + H2_FIELD_OVERHEAD;
	if (p->why)
		return;
	if (p->bytes > p->limits->head_bytes)
		refuse(p, "head too large");
	else if (name.n > 0 && name.p[0] == ':')
		take_status(p, value);
	else
		take_field(p, name, http_trim(value));
}

/* RFC 9110 section 8.6, RFC 9113 section 8.1.1. */
static void finish_framing(struct h2_response_parser *p, bool end)
{
	struct http_head *head = p->head;
	int status = head->status;

	if (p->answers_head || http_status_has_no_content(status)) {
		head->framing = HTTP_FRAMING_NONE;
		head->length_declared = p->has_content_length && status >= 200 && status != 204;
	} else if (end && p->has_content_length && head->content_length > 0) {
		refuse(p, "the content ends before its length");
	} else {
		head->framing =
		    end || p->has_content_length ? HTTP_FRAMING_LENGTH : HTTP_FRAMING_CHUNKED;
	}
}

bool h2_response_finish(struct h2_response_parser *p, bool end)
{
	struct http_head *head = p->head;

	if (p->why)
		return false;
	if (head->status == 0)
		refuse(p, "no status code");
	else if (head->status < 200 && end)
		refuse(p, "it ends with an informational response");
	else if (p->answers_connect && head->status >= 200 && head->status < 300)
		head->framing = HTTP_FRAMING_TUNNEL;
	else
		finish_framing(p, end);
	return !p->why;
}
