/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What every version of HTTP shares: methods, status codes, authorities, lists and the fields of a
 * message. Pure but for the arena of the message; called by the thread that owns the exchange.
 */
#include "core/http/message.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/base/check.h"
#include "core/http/chars.h"

#define T HTTP_CHAR_TOKEN
#define G HTTP_CHAR_TARGET
#define V HTTP_CHAR_VALUE
#define R HTTP_CHAR_REG_NAME

const uint8_t http_char_class[256] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = T | G | V | R,
    ['"'] = G | V,
    ['#'] = T | V,
    ['$' ... '\''] = T | G | V | R,
    ['(' ... ')'] = G | V | R,
    ['*' ... '+'] = T | G | V | R,
    [','] = G | V | R,
    ['-' ... '.'] = T | G | V | R,
    ['/'] = G | V,
    ['0' ... '9'] = T | G | V | R,
    [':'] = G | V,
    [';'] = G | V | R,
    ['<'] = G | V,
    ['='] = G | V | R,
    ['>' ... '@'] = G | V,
    ['A' ... 'Z'] = T | G | V | R,
    ['[' ... ']'] = G | V,
    ['^'] = T | G | V,
    ['_'] = T | G | V | R,
    ['`'] = T | G | V,
    ['a' ... 'z'] = T | G | V | R,
    ['{'] = G | V,
    ['|'] = T | G | V,
    ['}'] = G | V,
    ['~'] = T | G | V | R,
    [0x80 ... 0xff] = V,
};

#undef T
#undef G
#undef V
#undef R

/* Eight bytes of which none is below SP or DEL. HTAB may be in a value, but is rare. */
static bool are_visible(const char *p)
{
	const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
	uint64_t w, del, below_space;

	memcpy(&w, p, 8);
	/* The high bit of some byte is set if and only if some byte is what we look for. */
	below_space = (w - 0x20 * ones) & ~w & high;
	del = ((w ^ 0x7f * ones) - ones) & ~(w ^ 0x7f * ones) & high;
	return (below_space | del) == 0;
}

bool http_chars_are_value(struct span s)
{
	size_t i = 0;

	if (s.n < 8)
		return http_chars_are(s, HTTP_CHAR_VALUE);
	while (s.n - i > 8 && are_visible(s.p + i))
		i += 8;
	/* The last eight, some of them for the second time. */
	return (s.n - i <= 8 && are_visible(s.p + s.n - 8)) ||
	       http_chars_are((struct span){s.p + i, s.n - i}, HTTP_CHAR_VALUE);
}

struct span span_of(const char *nul_terminated)
{
	return (struct span){nul_terminated, strlen(nul_terminated)};
}

bool span_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_bytes_equal_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char lower = a[i] | 0x20;

		if (a[i] == b[i])
			continue;
		if (lower != (b[i] | 0x20) || lower < 'a' || lower > 'z')
			return false;
	}
	return true;
}

enum http_method http_method_find(struct span name)
{
	static const struct {
		struct span name;
		enum http_method id;
	} methods[] = {
	    {SPAN("GET"), HTTP_METHOD_GET},         {SPAN("HEAD"), HTTP_METHOD_HEAD},
	    {SPAN("POST"), HTTP_METHOD_POST},       {SPAN("PUT"), HTTP_METHOD_PUT},
	    {SPAN("DELETE"), HTTP_METHOD_DELETE},   {SPAN("CONNECT"), HTTP_METHOD_CONNECT},
	    {SPAN("OPTIONS"), HTTP_METHOD_OPTIONS}, {SPAN("TRACE"), HTTP_METHOD_TRACE},
	    {SPAN("PATCH"), HTTP_METHOD_PATCH},
	};

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (span_equal(name, methods[i].name))
			return methods[i].id;
	}
	return HTTP_METHOD_OTHER;
}

bool http_method_is_idempotent(enum http_method m)
{
	switch (m) {
	case HTTP_METHOD_GET:
	case HTTP_METHOD_HEAD:
	case HTTP_METHOD_PUT:
	case HTTP_METHOD_DELETE:
	case HTTP_METHOD_OPTIONS:
	case HTTP_METHOD_TRACE:
		return true;
	case HTTP_METHOD_OTHER:
	case HTTP_METHOD_POST:
	case HTTP_METHOD_CONNECT:
	case HTTP_METHOD_PATCH:
		break;
	}
	return false;
}

static bool is_ipv6(struct span s)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return strlen(text) == s.n && inet_pton(AF_INET6, text, &addr) == 1;
}

static bool is_reg_name(struct span s)
{
	const char *end = s.p + s.n;

	if (s.n == 0 || !http_chars_are(s, HTTP_CHAR_REG_NAME))
		return false;
	for (const char *p = s.p; (p = memchr(p, '%', end - p)) != NULL; p += 3) {
		if (end - p < 3 || http_hex_value(p[1]) < 0 || http_hex_value(p[2]) < 0)
			return false;
	}
	return true;
}

static bool is_port(struct span s)
{
	unsigned value = 0;

	if (s.n > 5)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!http_char_is_digit(s.p[i]))
			return false;
		value = value * 10 + (s.p[i] - '0');
	}
	return value <= UINT16_MAX;
}

bool http_authority_split(struct span authority, struct span *host, struct span *port)
{
	bool literal = authority.n > 0 && authority.p[0] == '[';
	const char *end = NULL;

	if (authority.n == 0)
		return false;
	if (literal) {
		end = memchr(authority.p, ']', authority.n);
		if (!end || !is_ipv6((struct span){authority.p + 1, end - authority.p - 1}))
			return false;
		end++;
	} else {
		end = memchr(authority.p, ':', authority.n);
		if (!end)
			end = authority.p + authority.n;
	}
	*host = (struct span){authority.p, end - authority.p};
	*port = (struct span){end, authority.n - host->n};
	if (!literal && !is_reg_name(*host))
		return false;
	if (port->n == 0)
		return true;
	if (port->p[0] != ':')
		return false;
	port->p++;
	port->n--;
	return is_port(*port);
}

void http_head_init(struct http_head *head, struct arena *arena)
{
	*head = (struct http_head){.arena = arena, .minor = 1, .keep_alive = true};
}

bool http_head_copy(struct http_head *copy, const struct http_head *head, struct arena *arena)
{
	struct http_fields fields = head->fields;

	if (fields.cap > 0) {
		/* With the same room to grow: who copies a head is about to change it. */
		fields.v = arena_alloc(arena, fields.cap * sizeof(*fields.v));
		if (!fields.v)
			return false;
		if (fields.n > 0)
			memcpy(fields.v, head->fields.v, fields.n * sizeof(*fields.v));
	}
	*copy = *head;
	copy->arena = arena;
	copy->fields = fields;
	return true;
}

const struct http_field *http_fields_find(const struct http_fields *f, struct span name,
					  unsigned *from)
{
	for (unsigned i = from ? *from : 0; i < f->n; i++) {
		if (span_equal_nocase(f->v[i].name, name)) {
			if (from)
				*from = i + 1;
			return &f->v[i];
		}
	}
	return NULL;
}

bool http_fields_add(struct http_fields *f, struct arena *a, struct span name, struct span value)
{
	if (f->n == f->cap) {
		/* Most messages have fewer than 16 fields; the outgrown array stays in the arena.
		 */
		unsigned cap = f->cap ? 2 * f->cap : 16;
		struct http_field *v = arena_alloc(a, cap * sizeof(*v));

		if (!v)
			return false;
		if (f->n > 0)
			memcpy(v, f->v, f->n * sizeof(*v));
		f->v = v;
		f->cap = cap;
	}
	f->v[f->n++] = (struct http_field){name, value};
	return true;
}

void http_fields_remove(struct http_fields *f, struct span name)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < f->n; i++) {
		if (!span_equal_nocase(f->v[i].name, name))
			f->v[kept++] = f->v[i];
	}
	f->n = kept;
}

const struct http_field *http_fields_only(const struct http_fields *f, struct span name)
{
	unsigned from = 0;
	const struct http_field *field = http_fields_find(f, name, &from);

	return field && !http_fields_find(f, name, &from) ? field : NULL;
}

void http_fields_wipe(const struct http_fields *f, struct span name)
{
	const struct http_field *field;
	unsigned from = 0;

	while ((field = http_fields_find(f, name, &from))) {
		if (field->value.n > 0)
			explicit_bzero((void *)field->value.p, field->value.n);
	}
}

bool http_name_reads_as(struct span name, struct span other)
{
	if (name.n != other.n)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (http_name_folded(name.p[i]) != http_name_folded(other.p[i]))
			return false;
	}
	return true;
}

bool http_fields_set(struct http_fields *f, struct arena *a, struct span name, struct span value)
{
	http_fields_remove(f, name);
	return http_fields_add(f, a, name, value);
}

static char *put(char *p, struct span s)
{
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

bool http_fields_append(struct http_fields *f, struct arena *a, struct span name,
			struct span member)
{
	const struct http_field *field;
	unsigned from = 0;
	size_t size = member.n;
	char *text, *p;

	while ((field = http_fields_find(f, name, &from)) != NULL)
		size += field->value.n + 2;
	if (size == member.n)
		return http_fields_add(f, a, name, member);
	p = text = arena_alloc(a, size);
	if (text == NULL)
		return false;
	from = 0;
	while ((field = http_fields_find(f, name, &from)) != NULL) {
		if (p > text && field->value.n > 0)
			p = put(p, SPAN(", "));
		p = put(p, field->value);
	}
	if (p > text && member.n > 0)
		p = put(p, SPAN(", "));
	p = put(p, member);
	http_fields_remove(f, name);
	return http_fields_add(f, a, name, (struct span){text, (size_t)(p - text)});
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

struct span http_trim(struct span s)
{
	while (s.n > 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Where the member at the start of `s` ends: at a comma that is not quoted, or with `s`. */
static size_t member_length(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '\\' && quoted)
			i++;
		else if (s.p[i] == ',' && !quoted)
			return i;
	}
	return s.n;
}

struct span http_digits(uint64_t value, char space[HTTP_DIGITS_MAX])
{
	size_t at = HTTP_DIGITS_MAX;

	do {
		space[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return (struct span){space + at, HTTP_DIGITS_MAX - at};
}

bool http_list_next(struct span *rest, struct span *member)
{
	while (rest->n > 0) {
		size_t n = member_length(*rest);
		size_t taken = n < rest->n ? n + 1 : n;

		*member = http_trim((struct span){rest->p, n});
		rest->p += taken;
		rest->n -= taken;
		if (member->n > 0)
			return true;
	}
	return false;
}

bool http_fields_list_has(const struct http_fields *f, struct span name, struct span member)
{
	const struct http_field *field;
	unsigned from = 0;

	while ((field = http_fields_find(f, name, &from)) != NULL) {
		struct span rest = field->value, found;

		while (http_list_next(&rest, &found)) {
			const char *equals = memchr(found.p, '=', found.n);

			if (equals)
				found =
				    http_trim((struct span){found.p, (size_t)(equals - found.p)});
			if (span_equal_nocase(found, member))
				return true;
		}
	}
	return false;
}

bool http_fields_vary(struct http_fields *f, struct arena *a, struct span name)
{
	return http_fields_list_has(f, SPAN("Vary"), SPAN("*")) ||
	       http_fields_list_has(f, SPAN("Vary"), name) ||
	       http_fields_append(f, a, SPAN("Vary"), name);
}

bool http_field_is_hop_by_hop(struct span name)
{
	switch (name.n) {
	case 2:
		return span_equal_nocase(name, SPAN("TE"));
	case 7:
		return span_equal_nocase(name, SPAN("Upgrade"));
	case 10:
		return span_equal_nocase(name, SPAN("Connection")) ||
		       span_equal_nocase(name, SPAN("Keep-Alive"));
	case 16:
		return span_equal_nocase(name, SPAN("Proxy-Connection"));
	case 17:
		return span_equal_nocase(name, SPAN("Transfer-Encoding"));
	default:
		return false;
	}
}

/* Empties the names of the fields that this value of Connection names. */
static void unname_listed(struct http_fields *f, struct span connection)
{
	struct span option;

	while (http_list_next(&connection, &option)) {
		if (http_field_is_hop_by_hop(option))
			continue;
		for (unsigned i = 0; i < f->n; i++) {
			if (span_equal_nocase(f->v[i].name, option))
				f->v[i].name.n = 0;
		}
	}
}

void http_fields_remove_hop_by_hop(struct http_fields *f)
{
	const struct http_field *connection;
	unsigned from = 0, kept = 0;

	while ((connection = http_fields_find(f, SPAN("Connection"), &from)) != NULL)
		unname_listed(f, connection->value);
	for (unsigned i = 0; i < f->n; i++) {
		if (f->v[i].name.n > 0 && !http_field_is_hop_by_hop(f->v[i].name))
			f->v[kept++] = f->v[i];
	}
	f->n = kept;
}

bool http_status_has_no_content(int status)
{
	return (status >= 100 && status <= 199) || status == 204 || status == 304;
}

/* The IANA HTTP Status Code Registry, without what it calls unused. */
const char *http_status_text(int status)
{
	static const char *const texts[] = {
	    [100] = "Continue",
	    [101] = "Switching Protocols",
	    [102] = "Processing",
	    [103] = "Early Hints",
	    [104] = "Upload Resumption Supported",
	    [200] = "OK",
	    [201] = "Created",
	    [202] = "Accepted",
	    [203] = "Non-Authoritative Information",
	    [204] = "No Content",
	    [205] = "Reset Content",
	    [206] = "Partial Content",
	    [207] = "Multi-Status",
	    [208] = "Already Reported",
	    [226] = "IM Used",
	    [300] = "Multiple Choices",
	    [301] = "Moved Permanently",
	    [302] = "Found",
	    [303] = "See Other",
	    [304] = "Not Modified",
	    [305] = "Use Proxy",
	    [307] = "Temporary Redirect",
	    [308] = "Permanent Redirect",
	    [400] = "Bad Request",
	    [401] = "Unauthorized",
	    [402] = "Payment Required",
	    [403] = "Forbidden",
	    [404] = "Not Found",
	    [405] = "Method Not Allowed",
	    [406] = "Not Acceptable",
	    [407] = "Proxy Authentication Required",
	    [408] = "Request Timeout",
	    [409] = "Conflict",
	    [410] = "Gone",
	    [411] = "Length Required",
	    [412] = "Precondition Failed",
	    [413] = "Content Too Large",
	    [414] = "URI Too Long",
	    [415] = "Unsupported Media Type",
	    [416] = "Range Not Satisfiable",
	    [417] = "Expectation Failed",
	    [421] = "Misdirected Request",
	    [422] = "Unprocessable Content",
	    [423] = "Locked",
	    [424] = "Failed Dependency",
	    [425] = "Too Early",
	    [426] = "Upgrade Required",
	    [428] = "Precondition Required",
	    [429] = "Too Many Requests",
	    [431] = "Request Header Fields Too Large",
	    [451] = "Unavailable For Legal Reasons",
	    [500] = "Internal Server Error",
	    [501] = "Not Implemented",
	    [502] = "Bad Gateway",
	    [503] = "Service Unavailable",
	    [504] = "Gateway Timeout",
	    [505] = "HTTP Version Not Supported",
	    [506] = "Variant Also Negotiates",
	    [507] = "Insufficient Storage",
	    [508] = "Loop Detected",
	    [510] = "Not Extended",
	    [511] = "Network Authentication Required",
	};

	if (status < 0 || (size_t)status >= ARRAY_SIZE(texts) || !texts[status])
		return "";
	return texts[status];
}
