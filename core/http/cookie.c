/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See cookie.h. What is between two semicolons and has no "=" is a name without a value, as for
 * browsers.
 */
#include "core/http/cookie.h"

#include <string.h>

#include "core/http/query.h"

/* Up to the next semicolon; false at the end. */
static bool next_piece(struct span *rest, struct span *piece)
{
	const char *end;

	if (rest->n == 0)
		return false;
	end = memchr(rest->p, ';', rest->n);
	*piece = (struct span){rest->p, end != NULL ? (size_t)(end - rest->p) : rest->n};
	rest->p += piece->n + (end != NULL);
	rest->n -= piece->n + (end != NULL);
	return true;
}

static bool split(struct span piece, struct span *name, struct span *value)
{
	struct http_param pair;

	if (!http_query_next(&piece, ";", &pair))
		return false;
	*name = http_trim(pair.name);
	*value = http_trim(pair.value);
	return true;
}

bool http_cookie_find(const struct http_fields *fields, struct span name, struct span *value)
{
	const struct http_field *field;
	unsigned from = 0;

	while ((field = http_fields_find(fields, SPAN("Cookie"), &from)) != NULL) {
		struct span rest = field->value, piece, its_name;

		while (next_piece(&rest, &piece)) {
			if (split(piece, &its_name, value) && span_equal(its_name, name))
				return true;
		}
	}
	return false;
}

/* `to` has room for all of `value`. */
static struct span without(struct span value, struct span name, char *to)
{
	struct span rest = value, piece, its_name, its_value, left = {to, 0};

	while (next_piece(&rest, &piece)) {
		piece = http_trim(piece);
		if (piece.n == 0 ||
		    (split(piece, &its_name, &its_value) && span_equal(its_name, name)))
			continue;
		if (left.n > 0) {
			memcpy(to + left.n, "; ", 2);
			left.n += 2;
		}
		memcpy(to + left.n, piece.p, piece.n);
		left.n += piece.n;
	}
	return left;
}

/* Where pieces are divided by ";" alone the text grows. */
static size_t size_without(struct span value)
{
	size_t n = value.n;

	for (size_t i = 0; i < value.n; i++)
		n += value.p[i] == ';';
	return n;
}

bool http_cookie_strip(struct http_fields *fields, struct arena *arena, struct span name)
{
	struct span value;
	unsigned kept = 0;

	if (!http_cookie_find(fields, name, &value))
		return true;
	for (unsigned i = 0; i < fields->n; i++) {
		struct http_field field = fields->v[i];

		if (span_equal_nocase(field.name, SPAN("Cookie"))) {
			char *to = arena_alloc(arena, size_without(field.value) + 1);

			if (to == NULL)
				return false;
			field.value = without(field.value, name, to);
			if (field.value.n == 0)
				continue;
		}
		fields->v[kept++] = field;
	}
	fields->n = kept;
	return true;
}
