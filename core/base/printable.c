/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One pass over UTF-8; what is not well-formed (RFC 3629 section 4) counts as single bytes.
 */
#include "core/base/printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* The longest that a byte becomes: a control character "\u001b". Of longer sequences each byte
 * becomes less. */
#define ESCAPE_MAX 6

struct range {
	uint32_t first, last;
};

/* Controls, and of Unicode's "format" characters those that any text may have: soft hyphen, Arabic
 * letter mark, Mongolian vowel separator, joiners and directional marks, separators of lines and
 * paragraphs, embeddings, overrides and isolates, byte order mark, annotations, tags. */
static const struct range hidden[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
    {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
};

static bool is_hidden(uint32_t character)
{
	for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++) {
		if (character >= hidden[i].first && character <= hidden[i].last)
			return true;
	}
	return false;
}

/* How many bytes the character at `p` has, which ends with NUL; 0: it is none. */
static unsigned decode(const unsigned char *p, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n < 2 ? p[0] : p[0] & (0x7fu >> n);

	for (unsigned i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (n == 0 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || p[0] >= 0xf8)
		return 0;
	*character = c;
	return n;
}

char *printable(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	char *copy = xreallocarray(NULL, strlen(text) + 1, ESCAPE_MAX), *out = copy;

	while (*p != '\0') {
		uint32_t c = 0;
		unsigned n = decode(p, &c);

		if (n == 0) {
			out += sprintf(out, "\\x%02x", *p++);
			continue;
		}
		if (is_hidden(c)) {
			out += sprintf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
		} else {
			memcpy(out, p, n);
			out += n;
		}
		p += n;
	}
	*out = '\0';
	return copy;
}

bool printable_fault(const char *text, size_t len, uint32_t *character)
{
	for (size_t i = 0; i < len;) {
		unsigned n = decode((const unsigned char *)text + i, character);

		if (n == 0)
			*character = 0xfffd;
		if (n == 0 || is_hidden(*character))
			return true;
		i += n;
	}
	return false;
}

void printable_mask(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint32_t character = 0;
		unsigned n = decode((const unsigned char *)text + i, &character);

		if (n == 0 || is_hidden(character))
			memset(text + i, '?', MAX(n, 1));
		i += MAX(n, 1);
	}
}
