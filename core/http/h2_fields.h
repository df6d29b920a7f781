/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fields of an HTTP/2 header section (RFC 9113 section 8.2), for whoever makes a head of them, of a
 * request or a response: as strict as the parser of HTTP/1.1, as which the message may be written.
 * Pure.
 */
#pragma once

#include "core/http/h1.h"

/* What each field has in HTTP/1.1 beside its name and value: a section counts as that is written.
 */
#define H2_FIELD_OVERHEAD 4

/* Its bytes have their place in a field. That the name is in lower case nghttp2 has seen to. */
bool h2_field_is_valid(struct span name, struct span value);
/* A Content-Length; false: it is no number, or too large. */
bool h2_content_length(struct span value, uint64_t *length);
/* Adds a field of the trailer section to `trailers`, unless it has no place there; copied. False:
 * malformed, or more than the limits allow. *bytes: of the section so far. */
bool h2_trailer_add(struct http_fields *trailers, struct arena *arena,
		    const struct h1_limits *limits, size_t *bytes, struct span name,
		    struct span value);
