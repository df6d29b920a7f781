/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes what is made of fields: lists, authorities, and heads as they are forwarded, with requests
 * that came by HTTP/2 and are written as HTTP/1.1. The first byte chooses; the rest is fields,
 * "name:value" between record separators (0x1e), so that any other byte can be tried. What must
 * hold: a list is divided as a plain reading of it says; and what is forwarded is read by a strict
 * parser as the one message that it was, with nothing in it that is for one connection only.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/http/chars.h"
#include "core/http/h1.h"
#include "edge/exchange/forward.h"
#include "edge/h2/h2_head.h"

#define SEPARATOR 0x1e
#define ARENA_CAP (1 << 20)
#define CHOOSE_KIND 3
#define CHOOSE_END 4
#define CHOOSE_TRUSTED 8
#define CHOOSE_UNDERSCORES 16

enum { LISTS, BY_HTTP1, BY_HTTP2, RESPONSE };

static const struct h1_limits limits = {
    .head_bytes = 1 << 16, .fields = 200, .target_bytes = 1 << 14};
/* What is written is longer than what was read: by what the edge adds, and by what it joins. */
static const struct h1_limits wide = {
    .head_bytes = 1 << 20, .fields = 1000, .target_bytes = 1 << 16};

static struct edge_forward forward_of(uint8_t choice)
{
	static const char *trusted[] = {"x-real-ip", "true-client-ip"};
	static const struct cfg_strings trusted_fields = {trusted, ARRAY_SIZE(trusted)};

	return (struct edge_forward){
	    .client_ip = "192.0.2.1",
	    .client_is_trusted = (choice & CHOOSE_TRUSTED) != 0,
	    .trusted_fields = &trusted_fields,
	    .underscores =
		(choice & CHOOSE_UNDERSCORES) != 0 ? CFG_UNDERSCORES_PASS : CFG_UNDERSCORES_DROP,
	    .pseudonym = SPAN("perigee-x"),
	};
}

/* The next field of the input; false at its end. A name may begin with a colon. */
static bool next_field(struct span *rest, struct span *name, struct span *value)
{
	const char *end, *colon;
	size_t n;

	if (rest->n == 0)
		return false;
	end = memchr(rest->p, SEPARATOR, rest->n);
	n = end != NULL ? (size_t)(end - rest->p) : rest->n;
	colon = n > 1 ? memchr(rest->p + 1, ':', n - 1) : NULL;
	*name = (struct span){rest->p, colon != NULL ? (size_t)(colon - rest->p) : n};
	*value = (struct span){rest->p + name->n, n - name->n};
	if (colon != NULL) {
		value->p++;
		value->n--;
	}
	n += end != NULL;
	rest->p += n;
	rest->n -= n;
	return true;
}

/* Lists */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void check_list(struct span value)
{
	struct span rest = value, member;
	const char *at = value.p, *end = value.p + value.n;

	while (http_list_next(&rest, &member)) {
		CHECK(member.n > 0 && member.p >= at && member.p + member.n <= end);
		CHECK(!is_blank(member.p[0]) && !is_blank(member.p[member.n - 1]));
		/* Between two members there is nothing but commas and white space. */
		for (; at < member.p; at++)
			CHECK(*at == ',' || is_blank(*at));
		if (memchr(member.p, '"', member.n) == NULL)
			CHECK(memchr(member.p, ',', member.n) == NULL);
		at = member.p + member.n;
	}
	for (; at < end; at++)
		CHECK(*at == ',' || is_blank(*at));
}

static void check_authority(struct span value)
{
	struct span host, port;

	if (!http_authority_split(value, &host, &port))
		return;
	CHECK(host.n > 0 && host.n + port.n <= value.n);
	CHECK(port.n == 0 || host.n + 1 + port.n == value.n);
	for (size_t i = 0; i < value.n; i++)
		CHECK(memchr("/?#@\\ \t\r\n\"<>", value.p[i], 12) == NULL);
	for (size_t i = 0; i < port.n; i++)
		CHECK(http_char_is_digit(port.p[i]));
}

static void check_lists(struct span rest)
{
	struct span name, value;

	while (next_field(&rest, &name, &value)) {
		check_list(value);
		check_authority(value);
	}
}

/* Heads */

static bool add_fields(struct http_head *head, struct span rest)
{
	struct span name, value;

	while (next_field(&rest, &name, &value)) {
		/* What the parser lets through; of expectations only one. */
		if (name.n == 0 || !http_chars_are(name, HTTP_CHAR_TOKEN) ||
		    !http_chars_are_value(value) || span_equal_nocase(name, SPAN("Expect")))
			return false;
		while (value.n > 0 && is_blank(value.p[0]))
			value = (struct span){value.p + 1, value.n - 1};
		while (value.n > 0 && is_blank(value.p[value.n - 1]))
			value.n--;
		if (!http_fields_add(&head->fields, head->arena, name, value))
			return false;
	}
	return true;
}

static unsigned count(const struct http_fields *fields, struct span name)
{
	unsigned from = 0, n = 0;

	while (http_fields_find(fields, name, &from) != NULL)
		n++;
	return n;
}

static void check_end_to_end(const struct http_head *head)
{
	const struct http_fields *fields = &head->fields;
	const struct http_field *te = http_fields_find(fields, SPAN("TE"), NULL);

	CHECK(count(fields, SPAN("Connection")) == 0 && count(fields, SPAN("Keep-Alive")) == 0);
	CHECK(count(fields, SPAN("Proxy-Connection")) == 0);
	CHECK(count(fields, SPAN("Upgrade")) == (head->framing == HTTP_FRAMING_TUNNEL));
	CHECK(te == NULL ||
	      (span_equal(te->value, SPAN("trailers")) && count(fields, SPAN("TE")) == 1));
	CHECK(count(fields, SPAN("Via")) == 1);
}

/* Whether each field of the one but those that the writer makes is in the other, in order. */
static void check_fields(const struct http_fields *sent, const struct http_fields *read)
{
	unsigned at = 0;

	for (unsigned i = 0; i < sent->n; i++) {
		const struct http_field *f = &sent->v[i];

		if (span_equal_nocase(f->name, SPAN("Host")) ||
		    span_equal_nocase(f->name, SPAN("Content-Length")) ||
		    span_equal_nocase(f->name, SPAN("Transfer-Encoding")))
			continue;
		while (at < read->n && !span_equal(read->v[at].name, f->name))
			at++;
		CHECK(at < read->n && span_equal(read->v[at].value, f->value));
		at++;
	}
}

/* Read again by who takes it for HTTP/1.1. */
static void check_written(const struct http_head *head, bool request)
{
	struct h1_head_parser parser;
	size_t cap = h1_head_size(head), n, used;
	char *text = xmalloc(cap);
	struct http_head read;
	struct arena arena;

	arena_init(&arena, ARENA_CAP * 4);
	http_head_init(&read, &arena);
	n = h1_write_head(head, request, text, cap);
	CHECK(n > 0);
	if (request)
		h1_request_parser_init(&parser, &wide);
	else
		h1_response_parser_init(&parser, &wide, false);
	CHECK(h1_head_parse(&parser, &read, text, n, &used) == H1_OK && used == n);
	if (request) {
		CHECK(span_equal(read.method, head->method));
		CHECK(span_equal(read.target, head->target));
		CHECK(span_equal_nocase(read.authority, head->authority));
		CHECK(count(&read.fields, SPAN("Host")) == 1);
		CHECK(read.framing == head->framing);
	}
	CHECK(read.framing != HTTP_FRAMING_LENGTH || read.content_length == head->content_length);
	check_fields(&head->fields, &read.fields);
	arena_fini(&arena);
	free(text);
}

static void check_request(struct http_head *head, uint8_t choice)
{
	struct edge_forward f = forward_of(choice);

	if (edge_forward_request(head, &f) != 0)
		return;
	check_end_to_end(head);
	CHECK(count(&head->fields, SPAN("X-Forwarded-For")) == 1);
	CHECK(count(&head->fields, SPAN("Forwarded")) == 1);
	check_written(head, true);
}

static void check_by_http1(struct http_head *head, struct span rest, uint8_t choice)
{
	head->method = SPAN("GET");
	head->method_id = HTTP_METHOD_GET;
	head->target = SPAN("/x");
	head->authority = SPAN("a.test");
	head->scheme = SPAN("https");
	if (add_fields(head, rest))
		check_request(head, choice);
}

static bool has_capitals(struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] >= 'A' && name.p[i] <= 'Z')
			return true;
	}
	return false;
}

static void check_by_http2(struct http_head *head, struct span rest, uint8_t choice)
{
	struct h2_head_parser parser;
	struct span name, value;

	h2_head_init(&parser, head, &limits);
	while (next_field(&rest, &name, &value)) {
		/* nghttp2 sees to that (RFC 9113 section 8.2.1). */
		if (value.n > 0 && (is_blank(value.p[0]) || is_blank(value.p[value.n - 1])))
			return;
		if (has_capitals(name))
			return;
		h2_head_add(&parser, name, value);
	}
	if (h2_head_finish(&parser, (choice & CHOOSE_END) != 0) != H2_HEAD_OK ||
	    head->method_id == HTTP_METHOD_CONNECT)
		return;
	head->scheme = SPAN("https");
	check_request(head, choice);
}

static void check_response(struct http_head *head, struct span rest, uint8_t choice)
{
	struct edge_forward f = forward_of(choice);

	head->status = 200;
	head->framing = HTTP_FRAMING_LENGTH;
	head->content_length = 3;
	if (!add_fields(head, rest) || !edge_forward_response(head, &f, SPAN("today")))
		return;
	check_end_to_end(head);
	check_written(head, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head head;
	struct arena arena;
	struct span rest;

	if (size == 0)
		return 0;
	rest = (struct span){(const char *)data + 1, size - 1};
	arena_init(&arena, ARENA_CAP);
	http_head_init(&head, &arena);
	switch (data[0] & CHOOSE_KIND) {
	case LISTS:
		check_lists(rest);
		break;
	case BY_HTTP1:
		check_by_http1(&head, rest, data[0]);
		break;
	case BY_HTTP2:
		check_by_http2(&head, rest, data[0]);
		break;
	case RESPONSE:
		check_response(&head, rest, data[0]);
		break;
	}
	arena_fini(&arena);
	return 0;
}
