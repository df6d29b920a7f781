/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Single fields of HTTP/2. Pure but for the arena that trailers are copied into.
 */
#include "core/http/h2_fields.h"

#include "core/http/chars.h"

bool h2_field_is_valid(struct span name, struct span value)
{
	return name.n > 0 && http_chars_are(name, HTTP_CHAR_TOKEN) && http_chars_are_value(value);
}

bool h2_content_length(struct span value, uint64_t *length)
{
	*length = 0;
	for (size_t i = 0; i < value.n; i++) {
		/* Others keep it in a signed type. */
		if (!http_char_is_digit(value.p[i]) || *length > (INT64_MAX - 9) / 10)
			return false;
		*length = *length * 10 + (uint64_t)(value.p[i] - '0');
	}
	return value.n > 0;
}

bool h2_trailer_add(struct http_fields *trailers, struct arena *arena,
		    const struct h1_limits *limits, size_t *bytes, struct span name,
		    struct span value)
{
	char *own_name, *own_value;

	*bytes += name.n + value.n + H2_FIELD_OVERHEAD;
	if (*bytes > limits->head_bytes || trailers->n >= limits->fields ||
	    !h2_field_is_valid(name, value) || span_equal(name, SPAN("content-length")))
		return false;
	if (!http_field_is_fit_for_trailer(name))
		return true;
	own_name = arena_copy(arena, name.p, name.n);
	own_value = arena_copy(arena, value.p, value.n);
	return own_name != NULL && own_value != NULL &&
	       http_fields_add(trailers, arena, (struct span){own_name, name.n},
			       (struct span){own_value, value.n});
}
