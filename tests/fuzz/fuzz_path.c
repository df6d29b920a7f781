/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes paths and the routes that they lead to. The input is a target. What must hold: a path in
 * normal form is one, and its own normal form; and where a route is found, every origin of those
 * that are imitated here finds the path under the same route.
 */
#include "config/fleet.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/http/chars.h"
#include "edge/facts/facts.h"
#include "edge/route/route.h"

#define TARGET_MAX 512

/* How an origin reads a path. */
enum {
	DECODES_SLASHES = 1,         /* "%2F" is a slash */
	TAKES_BACKSLASHES = 2,       /* for slashes */
	LEAVES_OUT_PARAMETERS = 4,   /* ";x", before it decodes */
	LEAVES_OUT_ENCODED_ONES = 8, /* and after it */
	DECODES_TWICE = 16,
	MERGES_LATE = 32, /* slashes, after it has removed dot segments */
	READERS = 64,
};

/* No byte of a target: a slash that this reader takes for a part of a name. */
#define NO_SLASH '\1'

static const struct cfg_route cfgs[] = {
    {.path = "/api/admin"}, {.path = "/public"}, {.path = "/api"}, {.path = "/a"}, {.path = "/"},
};
static struct edge_route routes[ARRAY_SIZE(cfgs)];
static const struct edge_site site = {.routes = routes, .n_routes = ARRAY_SIZE(routes)};

static size_t leave_out_parameters(char *p, size_t n)
{
	bool out = false;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		out = p[i] != '/' && (out || p[i] == ';');
		if (!out)
			p[kept++] = p[i];
	}
	return kept;
}

static size_t decode(char *p, size_t n, unsigned reader)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (c == '%' && n - i > 2 && http_hex_value(p[i + 1]) >= 0 &&
		    http_hex_value(p[i + 2]) >= 0) {
			c = (char)(http_hex_value(p[i + 1]) << 4 | http_hex_value(p[i + 2]));
			i += 2;
			if (c == '/' && !(reader & DECODES_SLASHES))
				c = NO_SLASH;
		}
		p[kept++] = c;
	}
	return kept;
}

static size_t merge(char *p, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] != '/' || kept == 0 || p[kept - 1] != '/')
			p[kept++] = p[i];
	}
	return kept;
}

/* RFC 3986 section 5.2.4. */
static size_t remove_dots(char *p, size_t n)
{
	size_t kept = 1;

	for (size_t i = 1, end; i <= n; i = end + 1) {
		for (end = i; end < n && p[end] != '/';)
			end++;
		if (end - i == 2 && memcmp(p + i, "..", 2) == 0) {
			for (kept -= kept > 1; p[kept - 1] != '/';)
				kept--;
		} else if (end - i != 1 || p[i] != '.') {
			memmove(p + kept, p + i, end - i);
			kept += end - i;
			if (end < n)
				p[kept++] = '/';
		}
	}
	return kept;
}

/* The path as this reader sees it, in place. */
static size_t read_as(unsigned reader, char *p, size_t n)
{
	if (reader & LEAVES_OUT_PARAMETERS)
		n = leave_out_parameters(p, n);
	n = decode(p, n, reader);
	if (reader & DECODES_TWICE)
		n = decode(p, n, reader);
	for (size_t i = 0; i < n && reader & TAKES_BACKSLASHES; i++) {
		if (p[i] == '\\')
			p[i] = '/';
	}
	if (reader & LEAVES_OUT_ENCODED_ONES)
		n = leave_out_parameters(p, n);
	if (!(reader & MERGES_LATE))
		n = merge(p, n);
	return merge(p, remove_dots(p, n));
}

static const struct edge_route *route_of(struct span path)
{
	for (unsigned i = 0; i < site.n_routes; i++) {
		if (http_path_is_under(path, span_of(routes[i].cfg->path)))
			return &routes[i];
	}
	return NULL;
}

static void check_readers(struct span target, const struct http_path *path)
{
	const char *query = memchr(target.p, '?', target.n);
	size_t n = query ? (size_t)(query - target.p) : target.n;
	struct edge_facts facts = {.path = path};
	const struct edge_route *found;
	char text[TARGET_MAX];

	for (unsigned i = 0; i < ARRAY_SIZE(routes); i++)
		routes[i] = (struct edge_route){.cfg = &cfgs[i], .path = span_of(cfgs[i].path)};
	if (span_equal(target, SPAN("*")) ||
	    edge_route_find(&site, &facts, &found) != EDGE_ROUTE_FOUND)
		return;
	for (unsigned reader = 0; reader < READERS; reader++) {
		memcpy(text, target.p, n);
		CHECK(route_of((struct span){text, read_as(reader, text, n)}) == found);
	}
	/* Who takes "." for a name, as "%2E" too, is at least on the way to it. */
	memcpy(text, target.p, n);
	n = merge(text, remove_dots(text, n));
	n = decode(text, n, 0);
	CHECK(http_path_is_under(span_of(found->cfg->path),
				 span_of(route_of((struct span){text, n})->cfg->path)));
	/* Who takes ".." for one finds the same. */
	if (path->climbed.n > 0)
		CHECK(route_of(path->climbed) == found);
}

static void check_normal(const struct http_path *path, struct span target)
{
	char *again = xmalloc(3 * path->text.n + 1);
	struct http_path second;
	struct arena arena;
	const char *why;
	size_t n = 0;

	CHECK(path->text.n > 0 && path->text.n <= MAX(target.n, 1) && path->text.p[0] == '/');
	CHECK(path->sure <= path->text.n && path->climbed.n <= target.n);
	CHECK(memmem(path->text.p, path->text.n, "//", 2) == NULL);
	for (size_t i = 0; i < path->text.n; i++) {
		char c = path->text.p[i];

		if (i >= path->sure || (c > ' ' && c < 0x7f && c != '%' && c != '?'))
			again[n++] = c;
		else
			n += (size_t)sprintf(again + n, "%%%02X", (unsigned char)c);
	}
	arena_init(&arena, 65536);
	if (path->sure == path->text.n) {
		CHECK(http_path_parse(&second, (struct span){again, n}, &arena, &why) ==
		      HTTP_PATH_OK);
		CHECK(span_equal(second.text, path->text) && second.sure == second.text.n);
		CHECK(second.climbed.n == 0);
	}
	arena_fini(&arena);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = xmalloc(size > 0 ? size : 1);
	struct span target = {copy, size};
	struct http_path path;
	struct arena arena;
	const char *why = NULL;

	/* From a copy of its exact size, so that a sanitizer sees a read beyond it. */
	if (size > 0)
		memcpy(copy, data, size);
	arena_init(&arena, 65536);
	if (size <= TARGET_MAX && http_chars_are(target, HTTP_CHAR_TARGET)) {
		switch (http_path_parse(&path, target, &arena, &why)) {
		case HTTP_PATH_OK:
			check_normal(&path, target);
			check_readers(target, &path);
			break;
		case HTTP_PATH_BAD:
			CHECK(why != NULL);
			break;
		case HTTP_PATH_NO_ROOM:
			CHECK(!"64 KiB are enough");
		}
	}
	arena_fini(&arena);
	free(copy);
	return 0;
}
