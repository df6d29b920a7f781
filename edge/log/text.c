/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Numbers, times and escaped texts for lines of the access log, see text.h. Whatever a client sends
 * becomes printable ASCII here, so that a line stays one.
 */
#include "edge/log/text.h"

#include <time.h>

#include "core/base/check.h"

static const char hex[] = "0123456789abcdef";

char *log_put_number(char *p, uint64_t n)
{
	char digits[20];
	unsigned len = 0;

	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	while (len > 0)
		*p++ = digits[--len];
	return p;
}

char *log_put_us(char *p, duration d)
{
	return log_put_number(p, (uint64_t)MAX(dur_to_us(d), 0));
}

static char *put_digits(char *p, unsigned n, unsigned width)
{
	for (unsigned i = width; i > 0; i--, n /= 10)
		p[i - 1] = (char)('0' + n % 10);
	return p + width;
}

static struct tm broken_down(wall_time t)
{
	time_t second = (time_t)(t.ns / 1000000000);
	struct tm tm;

	CHECK(gmtime_r(&second, &tm) != NULL);
	return tm;
}

static char *put_clock(char *p, const struct tm *tm)
{
	p = put_digits(p, (unsigned)tm->tm_hour, 2);
	*p++ = ':';
	p = put_digits(p, (unsigned)tm->tm_min, 2);
	*p++ = ':';
	return put_digits(p, (unsigned)tm->tm_sec, 2);
}

char *log_put_time(char *p, wall_time t)
{
	struct tm tm = broken_down(t);

	p = put_digits(p, (unsigned)tm.tm_year + 1900, 4);
	*p++ = '-';
	p = put_digits(p, (unsigned)tm.tm_mon + 1, 2);
	*p++ = '-';
	p = put_digits(p, (unsigned)tm.tm_mday, 2);
	*p++ = 'T';
	p = put_clock(p, &tm);
	*p++ = '.';
	p = put_digits(p, (unsigned)(t.ns / 1000000 % 1000), 3);
	*p++ = 'Z';
	return p;
}

char *log_put_common_time(char *p, wall_time t)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = broken_down(t);

	p = put_digits(p, (unsigned)tm.tm_mday, 2);
	*p++ = '/';
	p = log_put(p, (struct span){months + 3 * tm.tm_mon, 3});
	*p++ = '/';
	p = put_digits(p, (unsigned)tm.tm_year + 1900, 4);
	*p++ = ':';
	p = put_clock(p, &tm);
	return log_put(p, SPAN(" +0000"));
}

/* What may stand as it is; most texts are made of nothing else. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* One byte at all eight places. */
#define EACH(c) (UINT64_C(0x0101010101010101) * (c))
/* The high bit of places that are zero, and perhaps of some above such a one. */
#define ZEROES(word) (((word)-EACH(1)) & ~(word)&EACH(0x80))

/* The same of eight bytes at once: most of the time for a line went into looking at each. */
static bool are_plain(uint64_t word)
{
	uint64_t strange = word & EACH(0x80);

	strange |= (word - EACH(0x20)) & ~word & EACH(0x80);
	strange |= ZEROES(word ^ EACH('"')) | ZEROES(word ^ EACH('\\')) | ZEROES(word ^ EACH(0x7f));
	return strange == 0;
}

/* The first bytes of `s` that are plain are written, and taken off it. */
static char *put_plain(char *p, struct span *s)
{
	uint64_t word;

	while (s->n >= sizeof(word) && (memcpy(&word, s->p, sizeof(word)), are_plain(word))) {
		memcpy(p, &word, sizeof(word));
		p += sizeof(word);
		s->p += sizeof(word);
		s->n -= sizeof(word);
	}
	while (s->n > 0 && is_plain((unsigned char)*s->p)) {
		*p++ = *s->p++;
		s->n--;
	}
	return p;
}

static char *put_byte(char *p, unsigned char c, struct span mark)
{
	if (c == '"' || c == '\\') {
		*p++ = '\\';
		*p++ = (char)c;
		return p;
	}
	p = log_put(p, mark);
	*p++ = hex[c >> 4];
	*p++ = hex[c & 15];
	return p;
}

static char *put_text(char *p, struct span s, size_t max, struct span mark)
{
	bool cut = s.n > max;

	if (cut)
		s.n = max - 3;
	while ((p = put_plain(p, &s)), s.n > 0) {
		p = put_byte(p, (unsigned char)*s.p, mark);
		s.p++;
		s.n--;
	}
	return cut ? log_put(p, SPAN("...")) : p;
}

char *log_put_json(char *p, struct span s, size_t max)
{
	*p++ = '"';
	p = put_text(p, s, max, SPAN("\\u00"));
	*p++ = '"';
	return p;
}

char *log_put_escaped(char *p, struct span s, size_t max)
{
	return put_text(p, s, max, SPAN("\\x"));
}
