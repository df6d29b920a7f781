/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Numbers, times and escaped texts for lines of the access log, see text.h. Whatever a client sends
 * becomes printable ASCII here, so that a line stays one.
 */
#include "edge/log/text.h"

#include "core/base/check.h"

static const char hex[] = "0123456789abcdef";

/* Two digits at once: half of the divisions. */
static char *put_pair(char *p, unsigned n)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";

	memcpy(p, pairs + 2 * n, 2);
	return p + 2;
}

char *log_put_number(char *p, uint64_t n)
{
	char digits[20];
	unsigned at = sizeof(digits);

	for (; n >= 100; n /= 100) {
		at -= 2;
		put_pair(digits + at, (unsigned)(n % 100));
	}
	if (n >= 10)
		p = put_pair(p, (unsigned)n);
	else
		*p++ = (char)('0' + n);
	/* Those that come after the first one or two. */
	for (; at < sizeof(digits); at += 2, p += 2)
		memcpy(p, digits + at, 2);
	return p;
}

char *log_put_us(char *p, duration d)
{
	return log_put_number(p, (uint64_t)MAX(dur_to_us(d), 0));
}

/* A second of UTC, as it is written. */
struct civil_time {
	unsigned year, month, day; /* the first of each is 1 */
	unsigned hour, minute, second;
};

/* As gmtime_r(), which takes a lock and looks for time zones. Years begin in March here, so that
 * the day that some of them have more is their last; 400 years are an era, of 146,097 days. Before
 * 1970 it is 1970. */
static struct civil_time civil_time(wall_time t)
{
	uint64_t seconds = (uint64_t)(MAX(t.ns, 0) / 1000000000);
	unsigned of_day = (unsigned)(seconds % 86400);
	/* From 1 March of the year 0. */
	unsigned days = (unsigned)(seconds / 86400) + 719468, of_era = days % 146097;
	unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
	/* Five months from March on have 153 days, and so have the next five. */
	unsigned month = (5 * of_year + 2) / 153;

	return (struct civil_time){
	    .year = days / 146097 * 400 + year + (month >= 10),
	    .month = month < 10 ? month + 3 : month - 9,
	    .day = of_year - (153 * month + 2) / 5 + 1,
	    .hour = of_day / 3600,
	    .minute = of_day / 60 % 60,
	    .second = of_day % 60,
	};
}

static char *put_year(char *p, unsigned year)
{
	return put_pair(put_pair(p, year / 100), year % 100);
}

static char *put_clock(char *p, const struct civil_time *t)
{
	p = put_pair(p, t->hour);
	*p++ = ':';
	p = put_pair(p, t->minute);
	*p++ = ':';
	return put_pair(p, t->second);
}

char *log_put_time(char *p, wall_time t)
{
	struct civil_time civil = civil_time(t);
	unsigned ms = (unsigned)(MAX(t.ns, 0) / 1000000 % 1000);

	p = put_year(p, civil.year);
	*p++ = '-';
	p = put_pair(p, civil.month);
	*p++ = '-';
	p = put_pair(p, civil.day);
	*p++ = 'T';
	p = put_clock(p, &civil);
	*p++ = '.';
	*p++ = (char)('0' + ms / 100);
	p = put_pair(p, ms % 100);
	*p++ = 'Z';
	return p;
}

char *log_put_common_time(char *p, wall_time t)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil_time civil = civil_time(t);

	p = put_pair(p, civil.day);
	*p++ = '/';
	p = log_put(p, (struct span){months + 3 * (civil.month - 1), 3});
	*p++ = '/';
	p = put_year(p, civil.year);
	*p++ = ':';
	p = put_clock(p, &civil);
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
