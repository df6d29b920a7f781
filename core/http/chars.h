/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Classes of bytes and the field line, shared by the HTTP parsers. Pure.
 */
#pragma once

#include "core/http/message.h"

#define HTTP_CHAR_TOKEN 1    /* tchar, RFC 9110 section 5.6.2 */
#define HTTP_CHAR_TARGET 2   /* visible ASCII but '#': browsers send more than RFC 3986 allows */
#define HTTP_CHAR_VALUE 4    /* field-vchar, SP, HTAB, RFC 9110 section 5.5 */
#define HTTP_CHAR_REG_NAME 8 /* RFC 3986 section 3.2.2; '%' must be followed by two digits */

extern const uint8_t http_char_class[256];

/* One pass without a branch per byte. True for an empty span. */
static inline bool http_chars_are(struct span s, unsigned char_class)
{
	unsigned all = char_class;

	for (size_t i = 0; i < s.n; i++)
		all &= http_char_class[(uint8_t)s.p[i]];
	return all != 0;
}

/* The same for HTTP_CHAR_VALUE, eight bytes at a time: values are most of a head. */
bool http_chars_are_value(struct span s);

static inline bool http_char_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* -1 when it is not a hexadecimal digit. */
static inline int http_hex_value(char c)
{
	if (http_char_is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A sign of a field's name, as origins have it that make variables of fields (CGI, WSGI, PHP): all
 * take '_' for '-', some (lighttpd, Apache 2.2) everything else that is neither a letter nor a
 * digit. */
static inline char http_name_folded(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}

/* A field line without its CRLF; the spans point into it. NULL, or what is wrong with it. White
 * space before the colon is left out of a response, and is a fault of a request (RFC 9112
 * section 5.1). */
const char *h1_field_parse(struct span line, bool request, struct http_field *field);
/* RFC 9110 section 6.5.1: routing, authentication, control and what describes the content come too
 * late in a trailer; merged into a head behind us they could do harm. */
bool http_field_is_fit_for_trailer(struct span name);
