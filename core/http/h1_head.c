/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The heads of HTTP/1.1 messages (RFC 9112 sections 2 to 6), strict: what two implementations might
 * read differently is refused, because that is what request smuggling is made of. Works line by
 * line, and only on whole lines, so the outcome does not depend on how the bytes arrived. Pure but
 * for the arena of the head; called by the thread that owns the connection.
 */
#include <string.h>

#include "core/http/chars.h"
#include "core/http/h1.h"

enum {
	STATE_START,
	STATE_START_AFTER_EMPTY_LINE,
	STATE_FIELDS,
	STATE_DONE,
	STATE_BAD,
};

static bool refuse(struct h1_head_parser *p, int status, const char *why)
{
	p->state = STATE_BAD;
	p->status = p->request ? status : 502;
	p->why = why;
	return false;
}

void h1_request_parser_init(struct h1_head_parser *p, const struct h1_limits *limits)
{
	*p = (struct h1_head_parser){.limits = limits, .request = true};
}

void h1_response_parser_init(struct h1_head_parser *p, const struct h1_limits *limits,
			     bool request_was_head)
{
	*p = (struct h1_head_parser){.limits = limits, .request_was_head = request_was_head};
}

bool h1_head_started(const struct h1_head_parser *p)
{
	return p->bytes > 0 || p->pending > 0;
}

static bool parse_version(struct h1_head_parser *p, struct http_head *head, struct span v)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || !http_char_is_digit(v.p[5]) ||
	    v.p[6] != '.' || !http_char_is_digit(v.p[7]))
		return refuse(p, 400, "malformed HTTP version");
	if (v.p[5] != '1')
		return refuse(p, 505, "HTTP version is not 1");
	/* RFC 9110 section 2.5: a higher one is taken as the highest that we know. */
	head->minor = v.p[7] == '0' ? 0 : 1;
	return true;
}

/* Valid, and without the colon of an empty port (RFC 3986 section 6.2.3). */
static bool take_authority(struct http_head *head, struct span authority)
{
	struct span host, port;

	if (!http_authority_split(authority, &host, &port))
		return false;
	head->authority = port.n > 0 ? authority : host;
	return true;
}

/* RFC 9112 section 3.2.2; `rest` follows "http://". */
static bool parse_absolute_form(struct h1_head_parser *p, struct http_head *head, struct span rest)
{
	size_t n = 0;
	char *path;

	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
		n++;
	if (!take_authority(head, (struct span){rest.p, n}))
		return refuse(p, 400, "invalid authority in the request target");
	rest.p += n;
	rest.n -= n;
	if (rest.n == 0) {
		/* RFC 9112 section 3.2.4. */
		head->target = head->method_id == HTTP_METHOD_OPTIONS ? SPAN("*") : SPAN("/");
		return true;
	}
	if (rest.p[0] == '/') {
		head->target = rest;
		return true;
	}
	path = arena_alloc(head->arena, rest.n + 1);
	if (!path)
		return refuse(p, 431, "no memory for the request target");
	path[0] = '/';
	memcpy(path + 1, rest.p, rest.n);
	head->target = (struct span){path, rest.n + 1};
	return true;
}

static bool has_prefix_nocase(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_equal_nocase((struct span){s.p, prefix.n}, prefix);
}

/* RFC 9112 section 3.2: the method decides which forms are possible. */
static bool parse_target(struct h1_head_parser *p, struct http_head *head, struct span target)
{
	struct span host, port;

	head->target = target;
	if (head->method_id == HTTP_METHOD_CONNECT) {
		if (!http_authority_split(target, &host, &port) || port.n == 0)
			return refuse(p, 400, "CONNECT needs host:port");
		head->authority = target;
		return true;
	}
	if (target.p[0] == '/')
		return true;
	if (target.n == 1 && target.p[0] == '*') {
		if (head->method_id != HTTP_METHOD_OPTIONS)
			return refuse(p, 400, "target * is for OPTIONS only");
		return true;
	}
	if (has_prefix_nocase(target, SPAN("http://"))) {
		head->scheme = SPAN("http");
		return parse_absolute_form(p, head, (struct span){target.p + 7, target.n - 7});
	}
	if (has_prefix_nocase(target, SPAN("https://"))) {
		head->scheme = SPAN("https");
		return parse_absolute_form(p, head, (struct span){target.p + 8, target.n - 8});
	}
	return refuse(p, 400, "invalid request target");
}

static bool parse_request_line(struct h1_head_parser *p, struct http_head *head, struct span line)
{
	const char *end = line.p + line.n;
	const char *method_end = memchr(line.p, ' ', line.n);
	const char *target_end = NULL;
	struct span target;

	if (method_end)
		target_end = memchr(method_end + 1, ' ', end - method_end - 1);
	if (!target_end)
		return refuse(p, 400, "malformed request line");
	head->method = (struct span){line.p, method_end - line.p};
	if (head->method.n == 0 || !http_chars_are(head->method, HTTP_CHAR_TOKEN))
		return refuse(p, 400, "malformed method");
	head->method_id = http_method_find(head->method);
	target = (struct span){method_end + 1, target_end - method_end - 1};
	if (target.n == 0 || !http_chars_are(target, HTTP_CHAR_TARGET))
		return refuse(p, 400, "malformed request target");
	if (target.n > p->limits->target_bytes)
		return refuse(p, 414, "request target too long");
	return parse_version(p, head, (struct span){target_end + 1, end - target_end - 1}) &&
	       parse_target(p, head, target);
}

/* "HTTP/1.1 200 OK"; many servers leave out an empty reason phrase with its space. */
static bool parse_status_line(struct h1_head_parser *p, struct http_head *head, struct span line)
{
	const char *digits = line.p + 9;

	if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
		return refuse(p, 502, "malformed status line");
	for (int i = 0; i < 3; i++) {
		if (!http_char_is_digit(digits[i]))
			return refuse(p, 502, "malformed status code");
	}
	head->status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
	if (head->status < 100)
		return refuse(p, 502, "status code below 100");
	if (line.n > 12)
		head->reason_phrase = (struct span){line.p + 13, line.n - 13};
	if (!http_chars_are_value(head->reason_phrase))
		return refuse(p, 502, "malformed reason phrase");
	return parse_version(p, head, (struct span){line.p, 8});
}

static bool parse_start_line(struct h1_head_parser *p, struct http_head *head, struct span line)
{
	char *copy;

	if (line.n == 0) {
		if (!p->request || p->state != STATE_START)
			return refuse(p, 400, "empty line instead of a start line");
		p->state = STATE_START_AFTER_EMPTY_LINE;
		p->bytes = 0;
		return true;
	}
	copy = arena_copy(head->arena, line.p, line.n);
	if (!copy)
		return refuse(p, 431, "no memory for the start line");
	line.p = copy;
	p->state = STATE_FIELDS;
	return p->request ? parse_request_line(p, head, line) : parse_status_line(p, head, line);
}

const char *h1_field_parse(struct span line, bool request, struct http_field *field)
{
	size_t n = 0;

	while (n < line.n && http_char_class[(uint8_t)line.p[n]] & HTTP_CHAR_TOKEN)
		n++;
	field->name = (struct span){line.p, n};
	while (!request && n > 0 && n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	if (n == 0 || n == line.n || line.p[n] != ':')
		return "malformed field name, or a folded line";
	for (n++; n < line.n && (line.p[n] == ' ' || line.p[n] == '\t');)
		n++;
	while (line.n > n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--;
	field->value = (struct span){line.p + n, line.n - n};
	if (!http_chars_are_value(field->value))
		return "control character in a field value";
	return NULL;
}

static bool take_content_length(struct h1_head_parser *p, struct http_head *head, struct span value)
{
	uint64_t length = 0;

	if (p->has_content_length)
		return refuse(p, 400, "more than one Content-Length");
	p->has_content_length = true;
	if (value.n == 0)
		return refuse(p, 400, "empty Content-Length");
	for (size_t i = 0; i < value.n; i++) {
		if (!http_char_is_digit(value.p[i]))
			return refuse(p, 400, "Content-Length is not a number");
		/* Others keep it in a signed type. */
		if (length > (INT64_MAX - 9) / 10)
			return refuse(p, 400, "Content-Length too large");
		length = length * 10 + (value.p[i] - '0');
	}
	head->content_length = length;
	return true;
}

static void take_transfer_encoding(struct h1_head_parser *p, struct span value)
{
	struct span coding;

	p->chunked_alone = !p->has_transfer_encoding && span_equal_nocase(value, SPAN("chunked"));
	p->has_transfer_encoding = true;
	while (http_list_next(&value, &coding)) {
		p->chunked_last = span_equal_nocase(coding, SPAN("chunked"));
		p->codings_chunked += p->chunked_last;
		p->codings++;
	}
}

static bool take_connection(struct h1_head_parser *p, struct span value)
{
	struct span option;

	while (http_list_next(&value, &option)) {
		/* Each is compared with every field when they are removed. */
		if (++p->connection_options > p->limits->fields)
			return refuse(p, 431, "too many connection options");
		if (span_equal_nocase(option, SPAN("close")))
			p->connection_close = true;
		else if (span_equal_nocase(option, SPAN("keep-alive")))
			p->connection_keep_alive = true;
		else if (span_equal_nocase(option, SPAN("upgrade")))
			p->connection_upgrade = true;
	}
	return true;
}

static bool take_expect(struct h1_head_parser *p, struct http_head *head, struct span value)
{
	struct span expectation;

	/* RFC 9110 section 10.1.1: ignored from HTTP/1.0 clients. */
	if (!p->request || head->minor == 0)
		return true;
	while (http_list_next(&value, &expectation)) {
		if (!span_equal_nocase(expectation, SPAN("100-continue")))
			return refuse(p, 417, "unknown expectation");
		head->expect_continue = true;
	}
	return true;
}

/* RFC 9110 section 7.8: a token, or two with a slash between. A quote could hide a comma, and with
 * it what another reader finds behind that. */
static bool is_protocol(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '/' && !(http_char_class[(uint8_t)s.p[i]] & HTTP_CHAR_TOKEN))
			return false;
	}
	return true;
}

/* HTTP in another version, and TLS, which has HTTP in it (RFC 2817). */
static bool is_http(struct span s)
{
	return has_prefix_nocase(s, SPAN("HTTP/")) || has_prefix_nocase(s, SPAN("TLS/")) ||
	       span_equal_nocase(s, SPAN("h2c")) || span_equal_nocase(s, SPAN("h2"));
}

/* HTTP itself is not asked for in vain: the offer is ignored, as RFC 9113 section 3.1 has it.
 * Forwarded, it would open a way past us to an origin that takes it. So is what is no protocol. */
static void take_upgrade(struct h1_head_parser *p, struct span value)
{
	struct span protocol;

	while (http_list_next(&value, &protocol)) {
		if (is_http(protocol) || !is_protocol(protocol))
			p->refuses_upgrade = true;
		else
			p->has_upgrade = true;
	}
}

static bool take_host(struct h1_head_parser *p, struct http_head *head, struct span value)
{
	struct span host, port;

	if (!p->request)
		return true;
	if (p->has_host)
		return refuse(p, 400, "more than one Host");
	p->has_host = true;
	if (!http_authority_split(value, &host, &port))
		return refuse(p, 400, "invalid Host");
	if (head->authority.n == 0)
		head->authority = port.n > 0 ? value : host;
	return true;
}

/* What the fields that we act upon say. False: refused. */
static bool take_field(struct h1_head_parser *p, struct http_head *head,
		       const struct http_field *field)
{
	switch (field->name.n) {
	case 4:
		if (span_equal_nocase(field->name, SPAN("Host")))
			return take_host(p, head, field->value);
		break;
	case 6:
		if (span_equal_nocase(field->name, SPAN("Expect")))
			return take_expect(p, head, field->value);
		break;
	case 7:
		if (span_equal_nocase(field->name, SPAN("Upgrade")))
			take_upgrade(p, field->value);
		break;
	case 10:
		if (span_equal_nocase(field->name, SPAN("Connection")))
			return take_connection(p, field->value);
		break;
	}
	return true;
}

static bool parse_field(struct h1_head_parser *p, struct http_head *head, struct span line)
{
	struct http_field field;
	const char *why = h1_field_parse(line, p->request, &field);
	char *copy;
	size_t n;

	if (why)
		return refuse(p, 400, why);
	if (++p->fields > p->limits->fields)
		return refuse(p, 431, "too many fields");
	if (span_equal_nocase(field.name, SPAN("Content-Length")))
		return take_content_length(p, head, field.value);
	if (span_equal_nocase(field.name, SPAN("Transfer-Encoding"))) {
		take_transfer_encoding(p, field.value);
		return true;
	}
	n = field.value.p + field.value.n - line.p;
	copy = arena_copy(head->arena, line.p, n);
	if (!copy)
		return refuse(p, 431, "no memory for the fields");
	field.name.p = copy;
	field.value.p = copy + n - field.value.n;
	if (!http_fields_add(&head->fields, head->arena, field.name, field.value))
		return refuse(p, 431, "no memory for the fields");
	return take_field(p, head, &field);
}

/* RFC 9112 section 6.1, and 6.3 items 3 and 4. */
static bool check_transfer_encoding(struct h1_head_parser *p, const struct http_head *head)
{
	if (p->has_content_length)
		return refuse(p, 400, "both Transfer-Encoding and Content-Length");
	if (head->minor == 0)
		return refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
	if (p->chunked_alone)
		return true;
	if (p->codings > 1 && p->codings_chunked == 1 && p->chunked_last)
		return refuse(p, 501, "unknown transfer coding");
	return refuse(p, 400, "Transfer-Encoding is not chunked");
}

/* Whether a request asks for another protocol: by CONNECT, or by Upgrade (RFC 9110 section 7.8).
 * One with content does not: it may be served by HTTP, and its content has to go first. */
static bool asks_for_tunnel(const struct h1_head_parser *p, const struct http_head *head)
{
	if (head->method_id == HTTP_METHOD_CONNECT)
		return true;
	return p->has_upgrade && !p->refuses_upgrade && p->connection_upgrade && head->minor == 1 &&
	       head->framing == HTTP_FRAMING_NONE;
}

/* The empty line: what the head as a whole means (RFC 9112 section 6.3). */
static bool finish(struct h1_head_parser *p, struct http_head *head)
{
	if (p->request && head->minor == 1 && !p->has_host)
		return refuse(p, 400, "no Host");
	if (p->has_transfer_encoding && !check_transfer_encoding(p, head))
		return false;

	if (!p->request && (p->request_was_head || http_status_has_no_content(head->status))) {
		head->framing = HTTP_FRAMING_NONE;
		/* RFC 9110 section 8.6: it means nothing in 1xx and 204. */
		head->length_declared =
		    p->has_content_length && head->status >= 200 && head->status != 204;
	} else if (p->has_transfer_encoding) {
		head->framing = HTTP_FRAMING_CHUNKED;
	} else if (p->has_content_length) {
		head->framing = HTTP_FRAMING_LENGTH;
	} else {
		head->framing = p->request ? HTTP_FRAMING_NONE : HTTP_FRAMING_CLOSE;
	}
	if (p->request && asks_for_tunnel(p, head))
		head->framing = HTTP_FRAMING_TUNNEL;
	head->keep_alive = !p->connection_close && (head->minor == 1 || p->connection_keep_alive) &&
			   head->framing != HTTP_FRAMING_CLOSE;
	/* Nobody waits for leave to send nothing. */
	if (head->framing == HTTP_FRAMING_NONE || head->framing == HTTP_FRAMING_TUNNEL)
		head->expect_continue = false;
	p->state = STATE_DONE;
	return true;
}

static bool refuse_long_line(struct h1_head_parser *p)
{
	if (p->state == STATE_FIELDS)
		return refuse(p, 431, "head too large");
	return refuse(p, 414, "start line too long");
}

/* `line` ends with LF. False: refused. */
static bool parse_line(struct h1_head_parser *p, struct http_head *head, struct span line)
{
	if (line.n > p->limits->head_bytes - p->bytes)
		return refuse_long_line(p);
	if (line.n < 2 || line.p[line.n - 2] != '\r')
		return refuse(p, 400, "line does not end with CRLF");
	p->bytes += line.n;
	line.n -= 2;
	if (p->state != STATE_FIELDS)
		return parse_start_line(p, head, line);
	return line.n > 0 ? parse_field(p, head, line) : finish(p, head);
}

enum h1_result h1_head_parse(struct h1_head_parser *p, struct http_head *head, const char *buf,
			     size_t len, size_t *consumed)
{
	size_t at = 0;

	*consumed = 0;
	while (p->state < STATE_DONE && at + p->pending < len) {
		size_t known = at + p->pending;
		const char *lf = memchr(buf + known, '\n', len - known);

		if (!lf) {
			p->pending = len - at;
			if (p->pending > p->limits->head_bytes - p->bytes)
				refuse_long_line(p);
			break;
		}
		p->pending = 0;
		if (!parse_line(p, head, (struct span){buf + at, lf + 1 - buf - at}))
			break;
		at = lf + 1 - buf;
		*consumed = at;
	}
	if (p->state == STATE_BAD)
		return H1_BAD;
	return p->state == STATE_DONE ? H1_OK : H1_MORE;
}
