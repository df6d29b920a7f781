/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Paths in normal form. Nearly all are when they come: one scan finds that out. The others are
 * written anew, segment by segment, which never makes them longer.
 */
#include "core/http/path.h"

#include <string.h>

#include "core/http/chars.h"

struct reader {
	const char *at, *end; /* of the path as it came */
	char *out;
	size_t n; /* of out */
	struct http_path *path;
	const char *unsure; /* where the first segment begins that is read differently; or NULL */
	bool merged;        /* slashes were */
	bool plain_dots, encoded_dots; /* dot segments without and with percent-encoding */
	const char *why;
};

static bool is_dots(const char *segment, size_t n)
{
	return (n == 1 && segment[0] == '.') || (n == 2 && segment[0] == '.' && segment[1] == '.');
}

/* Whether a segment that begins at `at` may be of dots. */
static bool begins_dots(struct span path, size_t at)
{
	return at + 1 == path.n || path.p[at + 1] == '/' || path.p[at + 1] == '.';
}

/* Every path goes through this: one look into a table for each byte, mostly. */
static bool is_normal(struct span path)
{
	static const bool unusual[256] = {
	    ['%'] = true, ['\\'] = true, [';'] = true, ['/'] = true, ['.'] = true,
	};

	for (size_t i = 1; i < path.n; i++) {
		char c = path.p[i];

		if (!unusual[(unsigned char)c])
			continue;
		if (c != '/' && c != '.')
			return false;
		if (path.p[i - 1] == '/' && (c == '/' || begins_dots(path, i)))
			return false;
	}
	return true;
}

static bool is_octet(const char *p, const char *end)
{
	return end - p >= 2 && http_hex_value(p[0]) >= 0 && http_hex_value(p[1]) >= 0;
}

static unsigned char octet(const char *p)
{
	return (unsigned char)(http_hex_value(p[0]) << 4 | http_hex_value(p[1]));
}

/* The next byte to who decodes as often as there is something to decode. */
static unsigned char next_decoded(const char **at, const char *end)
{
	unsigned char c = (unsigned char)*(*at)++;

	while (c == '%' && is_octet(*at, end)) {
		c = octet(*at);
		*at += 2;
	}
	return c;
}

static bool ends_segment(unsigned char c)
{
	return c == '/' || c == '\\' || c == ';';
}

/* What somebody could find from `at` on that must not be there; NULL: nothing. */
static const char *what_is_hidden(const char *at, const char *end)
{
	char segment[3]; /* as much of it as matters */
	size_t n = 0;

	for (bool more = true; more;) {
		unsigned char c;

		more = at < end;
		c = more ? next_decoded(&at, end) : '/';
		if (c == '\0')
			return "%00 in the path";
		if (!ends_segment(c)) {
			if (n < sizeof(segment))
				segment[n++] = (char)c;
			continue;
		}
		if (is_dots(segment, n))
			return "a dot segment beside what not everybody takes for a slash";
		n = 0;
	}
	return NULL;
}

static void put(struct reader *r, char c)
{
	r->out[r->n++] = c;
}

/* What stands at `from` is read differently: it stays as it is. */
static void put_unsure(struct reader *r, const char *from, const char *segment)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *at = from;
	unsigned char c;

	if (!r->unsure) {
		r->unsure = segment;
		r->path->sure = r->n;
		c = next_decoded(&at, r->end);
		r->path->then = (char)(ends_segment(c) ? '/' : c);
	}
	put(r, *from);
	if (*from == '%') {
		c = octet(from + 1);
		put(r, hex[c >> 4]);
		put(r, hex[c & 15]);
	}
}

/* Whether a hexadecimal digit stands at *at, be it encoded itself; *at is then after it. */
static bool take_digit(const char **at, const char *end)
{
	bool is_encoded = *at < end && **at == '%' && is_octet(*at + 1, end);

	if (*at == end || http_hex_value(is_encoded ? (char)octet(*at + 1) : **at) < 0)
		return false;
	*at += is_encoded ? 3 : 1;
	return true;
}

/* Whether "%25" is followed by what makes one more percent-encoding of it. */
static bool is_encoded_again(const char *at, const char *end)
{
	return take_digit(&at, end) && take_digit(&at, end);
}

/* Copies what comes up to a slash or the end. False: it is no path. */
static bool read_segment(struct reader *r)
{
	const char *segment = r->at;

	while (r->at < r->end && *r->at != '/') {
		const char *from = r->at++;
		unsigned char c = (unsigned char)*from;

		if (c == '%') {
			if (!is_octet(r->at, r->end)) {
				r->why = "a \"%\" without two hexadecimal digits in the path";
				return false;
			}
			c = octet(r->at);
			r->at += 2;
			if (c == '\0') {
				r->why = "%00 in the path";
				return false;
			}
		}
		if (c == '%' && is_encoded_again(r->at, r->end) && !is_octet(r->at, r->end)) {
			r->why = "encoded digits after \"%25\" in the path";
			return false;
		}
		if (ends_segment(c) || (c == '%' && is_octet(r->at, r->end)))
			put_unsure(r, from, segment);
		else
			put(r, (char)c);
	}
	return true;
}

static enum http_path_result climb(struct reader *r, struct arena *arena)
{
	/* To who does not merge slashes there is a level between two of them. */
	if (r->merged) {
		r->why = "\"..\" after \"//\" in the path";
		return HTTP_PATH_BAD;
	}
	if (r->path->climbed.n == 0) {
		r->path->climbed = (struct span){arena_copy(arena, r->out, r->n), r->n};
		if (!r->path->climbed.p)
			return HTTP_PATH_NO_ROOM;
	}
	if (r->n > 1)
		r->n--;
	while (r->out[r->n - 1] != '/')
		r->n--;
	return HTTP_PATH_OK;
}

/* RFC 3986 section 5.2.4: a dot segment of `n` dots was read, from `n_read` bytes. */
static enum http_path_result remove_dots(struct reader *r, size_t n, size_t n_read,
					 struct arena *arena)
{
	enum http_path_result result = HTTP_PATH_OK;

	r->n -= n;
	r->plain_dots |= n_read == n;
	r->encoded_dots |= n_read != n;
	if (n == 2)
		result = climb(r, arena);
	/* Who decodes after it has removed dot segments takes the encoded ones for names. */
	if (result == HTTP_PATH_OK && r->path->climbed.n > 0 && r->plain_dots && r->encoded_dots) {
		r->why = "\"..\" and percent-encoded dot segments in one path";
		result = HTTP_PATH_BAD;
	}
	return result;
}

static enum http_path_result read_path(struct reader *r, struct arena *arena)
{
	enum http_path_result result = HTTP_PATH_OK;

	put(r, *r->at++);
	while (r->at < r->end && result == HTTP_PATH_OK) {
		const char *from = r->at;
		size_t start = r->n, n, n_read;
		bool more;

		if (!read_segment(r))
			return HTTP_PATH_BAD;
		n = r->n - start;
		n_read = (size_t)(r->at - from);
		more = r->at < r->end;
		r->at += more;
		if (n == 0)
			r->merged |= more;
		else if (!r->unsure && is_dots(r->out + start, n))
			result = remove_dots(r, n, n_read, arena);
		else if (more)
			put(r, '/');
	}
	return result;
}

/* What is in `path`, as it came. */
static enum http_path_result write_anew(struct http_path *path, struct arena *arena,
					const char **why)
{
	struct reader r = {.at = path->text.p, .end = path->text.p + path->text.n, .path = path};
	enum http_path_result result;

	r.out = arena_alloc(arena, path->text.n);
	if (!r.out)
		return HTTP_PATH_NO_ROOM;
	result = read_path(&r, arena);
	if (result == HTTP_PATH_OK && r.unsure)
		r.why = what_is_hidden(r.unsure, r.end);
	*why = r.why;
	path->text = (struct span){r.out, r.n};
	if (!r.unsure)
		path->sure = r.n;
	return result == HTTP_PATH_OK && r.why ? HTTP_PATH_BAD : result;
}

enum http_path_result http_path_parse(struct http_path *path, struct span target,
				      struct arena *arena, const char **why)
{
	const char *query = memchr(target.p, '?', target.n);
	size_t n = query ? (size_t)(query - target.p) : target.n;

	if (span_equal(target, SPAN("*"))) {
		*path = (struct http_path){.text = SPAN("/"), .sure = 1};
		return HTTP_PATH_OK;
	}
	*path = (struct http_path){.text = {target.p, n}, .sure = n};
	if (n == 0 || target.p[0] != '/') {
		*why = "a path that does not begin with \"/\"";
		return HTTP_PATH_BAD;
	}
	return is_normal(path->text) ? HTTP_PATH_OK : write_anew(path, arena, why);
}

bool http_path_is_under(struct span path, struct span prefix)
{
	if (path.n < prefix.n || memcmp(path.p, prefix.p, prefix.n) != 0)
		return false;
	return path.n == prefix.n || prefix.p[prefix.n - 1] == '/' || path.p[prefix.n] == '/';
}
