/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The path of a request target in its normal form (RFC 3986 section 6.2.2), for whoever decides by
 * it: percent-encoding decoded, dot segments removed, and slashes merged, as most origins do. What
 * is sent on is the target as it came. Pure but for the arena; any thread.
 *
 * An origin may read a path in another way than we do, and so serve what another route was meant
 * for. What is read differently:
 *
 *  - "%2F" is a slash to nginx and Apache, a part of a name to others
 *  - "\" and "%5C" are slashes to IIS
 *  - ";" and what follows it in a segment is left out by Tomcat, Jetty and others of their kind
 *  - "%2561" is "a" to who decodes twice
 *  - ".." is a name like others to who routes by the target as it was sent (Express, Django), and
 *    "%2E%2E" to who removes dot segments first and decodes then
 *
 * Such a path is taken only if all that may be made of it has the same answer: see
 * edge/route/route.h for how `sure`, `then` and `climbed` tell. Where these stand together with dot
 * segments, or ".." with dot segments that are written in the other way, too much can be made of
 * it, and it is refused; so are "%00" and what is not percent-encoding.
 */
#pragma once

#include "core/http/message.h"

struct http_path {
	/* Begins with a slash. All is decoded but what is read differently: that is as it came,
	 * with hexadecimal digits in upper case. */
	struct span text;
	/* The bytes of `text` that everybody reads the same way: all, or up to the first that is
	 * not. */
	size_t sure;
	/* With sure < text.n, what may come there instead: '/' when a segment may end there (and
	 * another begin, or not), else another byte. */
	char then;
	/* What stood before the first ".."; empty without one. */
	struct span climbed;
};

enum http_path_result {
	HTTP_PATH_OK,
	HTTP_PATH_BAD,
	HTTP_PATH_NO_ROOM, /* in the arena */
};

/* Of a target in origin form, whose query is left out; "*" is the server as a whole, so "/". *path
 * points into the target when that is in normal form already, else into the arena, which needs no
 * more than twice the target's length. With HTTP_PATH_BAD, *why says what is wrong (a literal). */
enum http_path_result http_path_parse(struct http_path *path, struct span target,
				      struct arena *arena, const char **why);
/* True when `path` is `prefix` or goes on below it. */
bool http_path_is_under(struct span path, struct span prefix);
