/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The access log's line. Everything from outside is escaped so that a line is always one line of
 * proper JSON in plain ASCII, whatever a client sent.
 */
#include "edge/log/access_log.h"

#include <string.h>
#include <time.h>

#include "core/base/check.h"

#define NAME_MAX_LEN 64 /* sites and origins: the operator's, but bounded all the same */

static char *put(char *p, struct span s)
{
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

static char *put_number(char *p, uint64_t n)
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

static char *put_digits(char *p, unsigned n, unsigned width)
{
	for (unsigned i = width; i > 0; i--, n /= 10)
		p[i - 1] = (char)('0' + n % 10);
	return p + width;
}

static char *put_string(char *p, struct span s, size_t max)
{
	static const char hex[] = "0123456789abcdef";
	bool cut = s.n > max;

	if (cut)
		s.n = max - 3;
	*p++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c >= 0x20 && c < 0x7f) {
			*p++ = (char)c;
		} else {
			p = put(p, SPAN("\\u00"));
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		}
	}
	if (cut)
		p = put(p, SPAN("..."));
	*p++ = '"';
	return p;
}

static char *put_time(char *p, wall_time t)
{
	time_t second = (time_t)(t.ns / 1000000000);
	struct tm tm;

	CHECK(gmtime_r(&second, &tm) != NULL);
	*p++ = '"';
	p = put_digits(p, (unsigned)tm.tm_year + 1900, 4);
	*p++ = '-';
	p = put_digits(p, (unsigned)tm.tm_mon + 1, 2);
	*p++ = '-';
	p = put_digits(p, (unsigned)tm.tm_mday, 2);
	*p++ = 'T';
	p = put_digits(p, (unsigned)tm.tm_hour, 2);
	*p++ = ':';
	p = put_digits(p, (unsigned)tm.tm_min, 2);
	*p++ = ':';
	p = put_digits(p, (unsigned)tm.tm_sec, 2);
	*p++ = '.';
	p = put_digits(p, (unsigned)(t.ns / 1000000 % 1000), 3);
	return put(p, SPAN("Z\""));
}

static char *put_name(char *p, const char *s)
{
	return put_string(p, span_of(s), NAME_MAX_LEN);
}

size_t edge_access_log_format(const struct edge_log_entry *e, char out[EDGE_LOG_LINE_MAX])
{
	char server[NET_ADDR_TEXT] = "";
	char *p = out;

	if (e->server.sa.sa_family != AF_UNSPEC)
		net_addr_format(&e->server, server);
	p = put_time(put(p, SPAN("{\"time\":")), e->time);
	p = put_name(put(p, SPAN(",\"client\":")), e->client);
	p = put_string(put(p, SPAN(",\"method\":")), e->method, EDGE_LOG_METHOD_MAX);
	p = put_string(put(p, SPAN(",\"host\":")), e->host, EDGE_LOG_HOST_MAX);
	p = put_string(put(p, SPAN(",\"target\":")), e->target, EDGE_LOG_TARGET_MAX);
	p = put_name(put(p, SPAN(",\"protocol\":")), e->protocol);
	p = put_name(put(p, SPAN(",\"tls\":")), e->tls);
	p = put_number(put(p, SPAN(",\"status\":")), (uint64_t)e->status);
	p = put_number(put(p, SPAN(",\"bytes_in\":")), e->bytes_in);
	p = put_number(put(p, SPAN(",\"bytes\":")), e->bytes_out);
	p = put_name(put(p, SPAN(",\"site\":")), e->site);
	p = put_name(put(p, SPAN(",\"origin\":")), e->origin);
	p = put_name(put(p, SPAN(",\"server\":")), server);
	p = put(put(p, SPAN(",\"reused\":")), e->reused ? SPAN("true") : SPAN("false"));
	p = put_number(put(p, SPAN(",\"duration_us\":")), (uint64_t)MAX(dur_to_us(e->total), 0));
	if (e->first_byte.ns >= 0)
		p = put_number(put(p, SPAN(",\"first_byte_us\":")),
			       (uint64_t)dur_to_us(e->first_byte));
	p = put_name(put(p, SPAN(",\"end\":")), reason_text(e->end));
	p = put(p, SPAN("}\n"));
	CHECK(p <= out + EDGE_LOG_LINE_MAX);
	return (size_t)(p - out);
}
