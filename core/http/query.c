/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See query.h.
 */
#include "core/http/query.h"

#include <string.h>

#include "core/http/chars.h"

struct span http_query_of(struct span target)
{
	const char *mark = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;

	if (!mark)
		return (struct span){0};
	return (struct span){mark + 1, target.n - (size_t)(mark + 1 - target.p)};
}

bool http_query_next(struct span *rest, const char *separators, struct http_param *param)
{
	const char *equals;
	size_t n = 0;

	while (rest->n > 0 && strchr(separators, *rest->p))
		rest->p++, rest->n--;
	if (rest->n == 0)
		return false;
	while (n < rest->n && !strchr(separators, rest->p[n]))
		n++;
	equals = memchr(rest->p, '=', n);
	*param = (struct http_param){.name = {rest->p, n}};
	if (equals) {
		param->name.n = (size_t)(equals - rest->p);
		param->value = (struct span){equals + 1, n - param->name.n - 1};
	}
	rest->p += n;
	rest->n -= n;
	return true;
}

char http_query_byte(struct span *raw)
{
	char c = *raw->p;
	size_t n = 1;

	if (c == '+') {
		c = ' ';
	} else if (c == '%' && raw->n > 2 && http_hex_value(raw->p[1]) >= 0 &&
		   http_hex_value(raw->p[2]) >= 0) {
		c = (char)(http_hex_value(raw->p[1]) << 4 | http_hex_value(raw->p[2]));
		n = 3;
	}
	raw->p += n;
	raw->n -= n;
	return c;
}

bool http_query_same(struct span raw, struct span other)
{
	while (raw.n > 0 && other.n > 0) {
		if (http_query_byte(&raw) != http_query_byte(&other))
			return false;
	}
	return raw.n == other.n;
}

bool http_query_equal(struct span raw, struct span text)
{
	size_t n = 0;

	while (raw.n > 0) {
		if (n == text.n || http_query_byte(&raw) != text.p[n++])
			return false;
	}
	return n == text.n;
}

size_t http_query_decode(struct span raw, char *out)
{
	size_t n = 0;

	while (raw.n > 0)
		out[n++] = http_query_byte(&raw);
	return n;
}
