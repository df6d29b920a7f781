/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fields of a header section, one by one, to the head of a request. Pure but for the arena of the
 * head; called by the thread that owns the connection.
 */
#include "edge/h2/h2_head.h"

#include <string.h>

#include "core/http/chars.h"
#include "core/http/h2_fields.h"

static void malformed(struct h2_head_parser *p, const char *why)
{
	if (p->verdict != H2_HEAD_OK)
		return;
	p->verdict = H2_HEAD_MALFORMED;
	p->why = why;
}

static void refuse(struct h2_head_parser *p, int status, const char *why)
{
	if (p->verdict != H2_HEAD_OK)
		return;
	p->verdict = H2_HEAD_REFUSED;
	p->status = status;
	p->why = why;
}

void h2_head_init(struct h2_head_parser *p, struct http_head *head, const struct h1_limits *limits)
{
	*p = (struct h2_head_parser){.limits = limits, .head = head};
}

static bool copy(struct h2_head_parser *p, struct span s, struct span *out)
{
	char *text = arena_copy(p->head->arena, s.p, s.n);

	*out = (struct span){text, s.n};
	if (text == NULL)
		refuse(p, 431, "no memory for the fields");
	return text != NULL;
}

/* Without the colon of an empty port (RFC 3986 section 6.2.3). */
static bool normalize_authority(struct span *authority)
{
	struct span host, port;

	if (!http_authority_split(*authority, &host, &port))
		return false;
	if (port.n == 0)
		*authority = host;
	return true;
}

/* Pseudo-header fields (RFC 9113 section 8.3.1, RFC 8441 section 4) */

static void take_method(struct h2_head_parser *p, struct span value)
{
	if (value.n == 0 || !http_chars_are(value, HTTP_CHAR_TOKEN)) {
		malformed(p, "malformed method");
		return;
	}
	if (copy(p, value, &p->head->method))
		p->head->method_id = http_method_find(value);
}

static void take_path(struct h2_head_parser *p, struct span value)
{
	if (value.n == 0 || !http_chars_are(value, HTTP_CHAR_TARGET))
		malformed(p, "malformed path");
	else if (value.n > p->limits->target_bytes)
		refuse(p, 414, "request target too long");
	else
		copy(p, value, &p->head->target);
}

static void take_authority(struct h2_head_parser *p, struct span value)
{
	struct http_head *head = p->head;

	if (copy(p, value, &head->authority) && !normalize_authority(&head->authority))
		malformed(p, "invalid authority");
}

static void take_pseudo(struct h2_head_parser *p, struct span name, struct span value)
{
	if (span_equal(name, SPAN(":method")))
		take_method(p, value);
	else if (span_equal(name, SPAN(":path")))
		take_path(p, value);
	else if (span_equal(name, SPAN(":authority")))
		take_authority(p, value);
	else if (span_equal(name, SPAN(":scheme")))
		copy(p, value, &p->scheme);
	else if (span_equal(name, SPAN(":protocol")))
		copy(p, value, &p->protocol);
	else
		malformed(p, "unknown pseudo-header field");
}

/* Fields that we act upon */

static void take_content_length(struct h2_head_parser *p, struct span value)
{
	if (p->has_content_length) {
		malformed(p, "more than one Content-Length");
		return;
	}
	p->has_content_length = true;
	if (!h2_content_length(value, &p->head->content_length))
		malformed(p, "Content-Length is not a number, or too large");
}

static void take_host(struct h2_head_parser *p, struct span value)
{
	if (p->host.p != NULL)
		malformed(p, "more than one Host");
	else if (copy(p, value, &p->host) && !normalize_authority(&p->host))
		malformed(p, "invalid Host");
}

static void take_expect(struct h2_head_parser *p, struct span value)
{
	struct span expectation;

	while (http_list_next(&value, &expectation)) {
		if (!span_equal_nocase(expectation, SPAN("100-continue")))
			refuse(p, 417, "unknown expectation");
		p->head->expect_continue = true;
	}
}

/* nghttp2 knows those of RFC 9113 section 8.2.2, and this one is of the same kind: it went with
 * Upgrade (RFC 7540 section 3.2.1). */
static bool is_of_the_connection(struct span name)
{
	return span_equal(name, SPAN("http2-settings"));
}

static void take_field(struct h2_head_parser *p, struct span name, struct span value)
{
	struct http_head *head = p->head;
	struct span own_name, own_value;

	if (!h2_field_is_valid(name, value)) {
		malformed(p, "a byte that has no place in a field");
		return;
	}
	if (++p->fields > p->limits->fields) {
		refuse(p, 431, "too many fields");
		return;
	}
	if (span_equal(name, SPAN("content-length"))) {
		take_content_length(p, value);
		return;
	}
	if (span_equal(name, SPAN("host"))) {
		take_host(p, value);
		return;
	}
	if (is_of_the_connection(name)) {
		malformed(p, "a field of the connection");
		return;
	}
	if (span_equal(name, SPAN("expect")))
		take_expect(p, value);
	p->cookies += span_equal(name, SPAN("cookie"));
	if (copy(p, name, &own_name) && copy(p, value, &own_value) &&
	    !http_fields_add(&head->fields, head->arena, own_name, own_value))
		refuse(p, 431, "no memory for the fields");
}

void h2_head_add(struct h2_head_parser *p, struct span name, struct span value)
{
	p->bytes += name.n + value.n + H2_FIELD_OVERHEAD;
	if (p->verdict != H2_HEAD_OK)
		return;
	if (p->bytes > p->limits->head_bytes)
		refuse(p, 431, "head too large");
	else if (name.n > 0 && name.p[0] == ':')
		take_pseudo(p, name, value);
	else
		take_field(p, name, value);
}

/* The section as a whole */

/* One field of all crumbs, in the place of the first (RFC 9113 section 8.2.3). */
static void join_cookies(struct h2_head_parser *p)
{
	struct http_fields *fields = &p->head->fields;
	const struct http_field *crumb;
	struct http_field *whole;
	unsigned from = 0, kept;
	size_t size = 0;
	char *text, *end;

	while ((crumb = http_fields_find(fields, SPAN("cookie"), &from)) != NULL)
		size += crumb->value.n + 2;
	text = end = arena_alloc(p->head->arena, size);
	if (text == NULL) {
		refuse(p, 431, "no memory for the fields");
		return;
	}
	from = 0;
	while ((crumb = http_fields_find(fields, SPAN("cookie"), &from)) != NULL) {
		/* Of an empty one only white space would be left, at the end of the value. */
		if (crumb->value.n == 0)
			continue;
		if (end > text)
			end = mempcpy(end, "; ", 2);
		end = mempcpy(end, crumb->value.p, crumb->value.n);
	}
	kept = 0;
	http_fields_find(fields, SPAN("cookie"), &kept);
	whole = &fields->v[kept - 1];
	whole->value = (struct span){text, (size_t)(end - text)};
	for (unsigned i = kept; i < fields->n; i++) {
		if (!span_equal(fields->v[i].name, SPAN("cookie")))
			fields->v[kept++] = fields->v[i];
	}
	fields->n = kept;
}

/* RFC 9113 section 8.3.1: they name the same, if both are there. */
static void check_authority(struct h2_head_parser *p)
{
	struct http_head *head = p->head;

	if (head->authority.n == 0)
		head->authority = p->host;
	else if (p->host.n > 0 && !span_equal_nocase(p->host, head->authority))
		malformed(p, "Host is not the authority");
	if (head->authority.n == 0)
		malformed(p, "no authority");
}

bool h2_head_is_websocket(const struct h2_head_parser *p)
{
	return span_equal_nocase(p->protocol, SPAN("websocket"));
}

static void finish_websocket(struct h2_head_parser *p)
{
	struct http_head *head = p->head;

	if (!h2_head_is_websocket(p)) {
		refuse(p, 501, "an unknown protocol is asked for");
		return;
	}
	head->method = SPAN("GET");
	head->method_id = HTTP_METHOD_GET;
	/* It is the edge that speaks HTTP/1.1 to the origin. */
	http_fields_remove(&head->fields, SPAN("sec-websocket-key"));
	if (!http_fields_add(&head->fields, head->arena, SPAN("Upgrade"), SPAN("websocket")))
		refuse(p, 431, "no memory for the fields");
}

static void finish_connect(struct h2_head_parser *p)
{
	struct http_head *head = p->head;
	struct span host, port;

	head->framing = HTTP_FRAMING_TUNNEL;
	head->expect_continue = false;
	if (p->has_content_length) {
		malformed(p, "Content-Length of a tunnel");
		return;
	}
	if (p->protocol.n > 0) {
		finish_websocket(p);
		return;
	}
	if (!http_authority_split(head->authority, &host, &port) || port.n == 0)
		malformed(p, "CONNECT needs host:port");
	head->target = head->authority;
}

/* An origin that speaks HTTP/1.1 may insist on a length where the method is one that has content
 * (RFC 9110 section 8.6). */
static bool is_to_say_length(enum http_method method)
{
	return method == HTTP_METHOD_POST || method == HTTP_METHOD_PUT ||
	       method == HTTP_METHOD_PATCH;
}

static void finish_framing(struct h2_head_parser *p, bool end)
{
	struct http_head *head = p->head;

	if (end && head->content_length > 0) {
		malformed(p, "the content ends before its length");
	} else if (end) {
		head->framing = p->has_content_length || is_to_say_length(head->method_id)
				    ? HTTP_FRAMING_LENGTH
				    : HTTP_FRAMING_NONE;
		head->expect_continue = false;
	} else {
		head->framing = p->has_content_length ? HTTP_FRAMING_LENGTH : HTTP_FRAMING_CHUNKED;
	}
}

static void check_target(struct h2_head_parser *p)
{
	const struct http_head *head = p->head;
	bool asterisk = span_equal(head->target, SPAN("*"));

	/* Both mean us; what it is reached by is what the connection says. */
	if (!span_equal_nocase(p->scheme, SPAN("https")) &&
	    !span_equal_nocase(p->scheme, SPAN("http")))
		malformed(p, "unknown scheme");
	else if (asterisk && head->method_id != HTTP_METHOD_OPTIONS)
		malformed(p, "target * is for OPTIONS only");
	else if (!asterisk && (head->target.n == 0 || head->target.p[0] != '/'))
		malformed(p, "malformed path");
}

enum h2_verdict h2_head_finish(struct h2_head_parser *p, bool end)
{
	bool is_connect = p->head->method_id == HTTP_METHOD_CONNECT;

	if (p->verdict != H2_HEAD_OK)
		return p->verdict;
	if (p->head->method.n == 0) {
		malformed(p, "no method");
		return p->verdict;
	}
	check_authority(p);
	if (p->verdict == H2_HEAD_OK && (!is_connect || p->protocol.n > 0))
		check_target(p);
	if (p->verdict == H2_HEAD_OK && is_connect)
		finish_connect(p);
	else if (p->verdict == H2_HEAD_OK)
		finish_framing(p, end);
	if (p->verdict == H2_HEAD_OK && p->cookies > 1)
		join_cookies(p);
	return p->verdict;
}
