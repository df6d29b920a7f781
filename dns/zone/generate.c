/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/zone/generate.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/check.h"

/* Where the text has its next blank, or its end, from `at` on. */
static size_t end_of_word(const char *text, size_t len, size_t at)
{
	while (at < len && text[at] != ' ' && text[at] != '\t') {
		at += text[at] == '\\' && at + 1 < len;
		at++;
	}
	return at;
}

static size_t skip_blanks(const char *text, size_t len, size_t at)
{
	while (at < len && (text[at] == ' ' || text[at] == '\t'))
		at++;
	return at;
}

/* Up to a comment, and without the blanks before it. */
static size_t content_length(const char *text, size_t len)
{
	bool quoted = false;
	size_t n = 0;

	for (; n < len && (quoted || text[n] != ';'); n++) {
		if (text[n] == '\\' && n + 1 < len)
			n++;
		else if (text[n] == '"')
			quoted = !quoted;
	}
	while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		n--;
	return n;
}

static bool is_class(const char *word, size_t len)
{
	return (len == 2 && strncasecmp(word, "IN", 2) == 0) ||
	       (len > 5 && strncasecmp(word, "CLASS", 5) == 0);
}

/* Where TTL and class end, and the type after them. */
static size_t end_of_middle(const char *text, size_t len, size_t at)
{
	for (;;) {
		size_t word = skip_blanks(text, len, at);

		at = end_of_word(text, len, word);
		if (at == word ||
		    (!isdigit((unsigned char)text[word]) && !is_class(text + word, at - word)))
			return at;
	}
}

static char *copy(const char *text, size_t from, size_t to)
{
	return xasprintf("%.*s", (int)(to - from), text + from);
}

static bool parse_range(struct dns_generate *g, const char *text, size_t len)
{
	char buf[40], *end;
	unsigned long long v[3] = {0, 0, 1};
	unsigned n = 0;

	if (len >= sizeof(buf))
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	end = buf;
	while (n < 3) {
		if (!isdigit((unsigned char)*end))
			return false;
		v[n++] = strtoull(end, &end, 10);
		if (*end != (n == 1 ? '-' : n == 2 ? '/' : '\0'))
			break;
		end += n < 3;
	}
	if (*end != '\0' || n < 2 || v[0] > v[1] || v[1] > INT32_MAX || v[2] < 1 ||
	    v[2] > INT32_MAX)
		return false;
	g->start = (uint32_t)v[0];
	g->stop = (uint32_t)v[1];
	g->step = (uint32_t)v[2];
	return true;
}

const char *dns_generate_parse(struct dns_generate *g, const char *line, size_t len)
{
	size_t range, owner, owner_end, middle, middle_end, data;

	*g = (struct dns_generate){0};
	len = content_length(line, len);
	range = skip_blanks(line, len, 0);
	owner = end_of_word(line, len, range);
	if (!parse_range(g, line + range, owner - range))
		return "$GENERATE: the range is not START-STOP or START-STOP/STEP";
	owner = skip_blanks(line, len, owner);
	owner_end = end_of_word(line, len, owner);
	middle = skip_blanks(line, len, owner_end);
	middle_end = end_of_middle(line, len, middle);
	data = skip_blanks(line, len, middle_end);
	if (owner == owner_end || middle == middle_end || data == len)
		return "$GENERATE: not RANGE OWNER [TTL] [CLASS] TYPE DATA";
	/* Data that is one string in quotes is what stands in them, as BIND takes it. */
	if (line[data] == '"' && len - data >= 2 && line[len - 1] == '"' &&
	    memchr(line + data + 1, '"', len - data - 2) == NULL) {
		data++;
		len--;
	}
	g->owner = copy(line, owner, owner_end);
	g->middle = copy(line, middle, middle_end);
	g->data = copy(line, data, len);
	return NULL;
}

void dns_generate_fini(struct dns_generate *g)
{
	free(g->owner);
	free(g->middle);
	free(g->data);
	*g = (struct dns_generate){0};
}

/* Text that is put together; what does not fit is noticed at the end. */
struct text {
	char *to;
	size_t len, room;
	bool faulty;
};

static void put(struct text *t, char c)
{
	if (t->len + 1 < t->room)
		t->to[t->len++] = c;
	else
		t->faulty = true;
}

static void put_string(struct text *t, const char *s)
{
	while (*s != '\0')
		put(t, *s++);
}

/* The digits of a number in hexadecimal as labels, the lowest first, as reverse names of IPv6 have
 * them; `width` characters at least. */
static void put_nibbles(struct text *t, uint32_t value, unsigned width, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	do {
		put(t, digits[value & 15]);
		value >>= 4;
		width -= width > 0;
		if (width > 0 || value != 0) {
			put(t, '.');
			width -= width > 0;
		}
	} while ((width > 0 || value != 0) && !t->faulty);
}

/* "$" or "${offset[,width[,base]]}", from after the "$". Returns what comes after it. */
static const char *put_number(struct text *t, const char *format, uint32_t number)
{
	char digits[300], base[2] = "d";
	int offset = 0, used = 0;
	unsigned width = 0;

	if (*format == '{') {
		if (sscanf(format, "{%9d%n", &offset, &used) != 1 ||
		    (format[used] == ',' &&
		     sscanf(format, "{%9d,%3u%n", &offset, &width, &used) != 2) ||
		    (format[used] == ',' &&
		     sscanf(format, "{%9d,%3u,%1[doxXnN]%n", &offset, &width, base, &used) != 3) ||
		    format[used] != '}')
			t->faulty = true;
		else
			format += used + 1;
	}
	int64_t sum = (int64_t)number + offset;
	int value = (int)sum;

	if (sum > INT32_MAX || width > 255) {
		t->faulty = true;
	} else if (base[0] == 'n' || base[0] == 'N') {
		put_nibbles(t, (uint32_t)value, width, base[0] == 'N');
	} else {
		const char *print = base[0] == 'o'   ? "%0*o"
				    : base[0] == 'x' ? "%0*x"
				    : base[0] == 'X' ? "%0*X"
						     : "%0*d";

		snprintf(digits, sizeof(digits), print, (int)width, value);
		put_string(t, digits);
	}
	return format;
}

static void put_expanded(struct text *t, const char *s, uint32_t number)
{
	while (*s != '\0' && !t->faulty) {
		if (s[0] == '$' && s[1] == '$') {
			put_string(t, "\\$");
			s += 2;
		} else if (s[0] == '$') {
			s = put_number(t, s + 1, number);
		} else {
			if (s[0] == '\\' && s[1] != '\0')
				put(t, *s++);
			put(t, *s++);
		}
	}
}

size_t dns_generate_line(const struct dns_generate *g, uint32_t number,
			 char line[static DNS_GENERATE_LINE])
{
	struct text t = {.to = line, .room = DNS_GENERATE_LINE};

	put_expanded(&t, g->owner, number);
	put(&t, ' ');
	put_string(&t, g->middle);
	put(&t, ' ');
	put_expanded(&t, g->data, number);
	put(&t, '\n');
	t.to[t.len] = '\0';
	return t.faulty ? 0 : t.len;
}
