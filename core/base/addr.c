/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Addresses and prefixes: text to value and back, comparison. Pure but for the texts that
 * net_addr_shown() keeps for each thread, and the paths of Unix sockets, each of which is kept once
 * for all; any thread.
 *
 * A dual-stack socket names IPv4 clients as ::ffff:192.0.2.1. Everything here that compares or
 * prints treats that as 192.0.2.1.
 */
#include "core/base/addr.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "core/base/check.h"

#define MAPPED_BITS 96

/* The address bytes with IPv4-mapped reduced to IPv4; returns how many, 4 or 16. */
static unsigned address_bytes(const struct net_addr *a, const uint8_t **bytes)
{
	if (a->sa.sa_family == AF_INET) {
		*bytes = (const uint8_t *)&a->in.sin_addr;
		return 4;
	}
	CHECK(a->sa.sa_family == AF_INET6);
	*bytes = a->in6.sin6_addr.s6_addr;
	if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		*bytes += MAPPED_BITS / 8;
		return 4;
	}
	return 16;
}

static struct {
	pthread_mutex_t lock;
	char **paths; /* under lock */
	unsigned n;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *known_path_locked(const char *path)
{
	for (unsigned i = 0; i < known.n; i++) {
		if (strcmp(known.paths[i], path) == 0)
			return known.paths[i];
	}
	known.paths = xreallocarray(known.paths, known.n + 1, sizeof(*known.paths));
	known.paths[known.n] = xstrdup(path);
	return known.paths[known.n++];
}

bool net_addr_unix(const char *path, struct net_addr *out)
{
	if (strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return false;
	*out = (struct net_addr){.un = {.family = AF_UNIX}};
	pthread_mutex_lock(&known.lock);
	out->un.path = known_path_locked(path);
	pthread_mutex_unlock(&known.lock);
	return true;
}

socklen_t net_addr_len(const struct net_addr *a)
{
	CHECK(a->sa.sa_family != AF_UNIX);
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

uint16_t net_addr_port(const struct net_addr *a)
{
	if (a->sa.sa_family == AF_UNIX)
		return 0;
	return ntohs(a->sa.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

void net_addr_set_port(struct net_addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_UNIX)
		return;
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons(port);
	else
		a->in6.sin6_port = htons(port);
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
	const uint8_t *pa, *pb;
	unsigned na, nb;

	if (a->sa.sa_family == AF_UNIX || b->sa.sa_family == AF_UNIX)
		return a->sa.sa_family == b->sa.sa_family && a->un.path == b->un.path;
	na = address_bytes(a, &pa);
	nb = address_bytes(b, &pb);
	return na == nb && memcmp(pa, pb, na) == 0 && net_addr_port(a) == net_addr_port(b);
}

/* Below 65,536. Each line of an access log has addresses: printf() would be a tenth of a request.
 */
static char *put_decimal(char *p, unsigned value)
{
	unsigned width = 1 + (value >= 10) + (value >= 100) + (value >= 1000) + (value >= 10000);

	for (char *at = p + width; at > p; value /= 10)
		*--at = (char)('0' + value % 10);
	return p + width;
}

static char *put_ipv4(char *p, const uint8_t bytes[4])
{
	for (unsigned i = 0; i < 4; i++) {
		p = put_decimal(p, bytes[i]);
		*p++ = '.';
	}
	return p - 1;
}

const char *net_addr_format_ip(const struct net_addr *a, char buf[NET_ADDR_TEXT])
{
	const uint8_t *bytes;

	if (address_bytes(a, &bytes) == 4)
		*put_ipv4(buf, bytes) = '\0';
	else
		CHECK(inet_ntop(AF_INET6, bytes, buf, NET_ADDR_TEXT) != NULL);
	return buf;
}

const char *net_addr_format(const struct net_addr *a, char buf[NET_ADDR_TEXT])
{
	const uint8_t *bytes;
	char *p = buf;

	if (a->sa.sa_family == AF_UNIX) {
		snprintf(buf, NET_ADDR_TEXT, "unix:%s", a->un.path);
		return buf;
	}
	if (address_bytes(a, &bytes) == 4) {
		p = put_ipv4(p, bytes);
	} else {
		*p++ = '[';
		CHECK(inet_ntop(AF_INET6, bytes, p, INET6_ADDRSTRLEN) != NULL);
		p += strlen(p);
		*p++ = ']';
	}
	*p++ = ':';
	*put_decimal(p, net_addr_port(a)) = '\0';
	return buf;
}

const char *net_addr_shown(const struct net_addr *a)
{
	static _Thread_local char texts[4][NET_ADDR_TEXT];
	static _Thread_local unsigned next;

	return net_addr_format(a, texts[next++ % ARRAY_SIZE(texts)]);
}

/* Decimal digits only: no sign, no space, no empty string. */
static bool parse_number(const char *text, unsigned max, unsigned *out)
{
	unsigned value = 0;

	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > max)
			return false;
	}
	*out = value;
	return true;
}

static bool parse_ip(const char *text, struct net_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &out->in.sin_addr) == 1) {
		out->sa.sa_family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, text, &out->in6.sin6_addr) == 1) {
		out->sa.sa_family = AF_INET6;
		return true;
	}
	return false;
}

bool net_addr_parse(const char *text, uint16_t default_port, struct net_addr *out)
{
	char host[NET_ADDR_TEXT];
	const char *port_text = NULL;
	unsigned port = default_port;

	if (strlen(text) >= sizeof(host))
		return false;
	strcpy(host, text);
	if (host[0] == '[') {
		char *end = strchr(host, ']');

		/* Only IPv6 is written in brackets. */
		if (end == NULL || memchr(host, ':', (size_t)(end - host)) == NULL)
			return false;
		if (end[1] == ':')
			port_text = end + 2;
		else if (end[1] != '\0')
			return false;
		*end = '\0';
		memmove(host, host + 1, (size_t)(end - host));
		if (port_text != NULL)
			port_text = text + (port_text - host);
	} else {
		char *colon = strchr(host, ':');

		if (colon != NULL && strchr(colon + 1, ':') == NULL) {
			*colon = '\0';
			port_text = colon + 1;
		}
	}
	if (port_text != NULL && !parse_number(port_text, 65535, &port))
		return false;
	if (!parse_ip(strcmp(host, "*") == 0 ? "::" : host, out))
		return false;
	net_addr_set_port(out, (uint16_t)port);
	return true;
}

static void clear_host_bits(uint8_t bytes[16], unsigned len)
{
	for (unsigned i = 0; i < 16; i++) {
		if (len >= (i + 1) * 8)
			continue;
		bytes[i] &= len <= i * 8 ? 0 : (uint8_t)(0xff << (8 - len % 8));
	}
}

struct net_prefix net_prefix_of(const struct net_addr *a)
{
	struct net_prefix p = {0};
	const uint8_t *bytes;
	unsigned n = address_bytes(a, &bytes);

	p.family = n == 4 ? AF_INET : AF_INET6;
	p.len = (uint8_t)(n * 8);
	memcpy(p.bytes, bytes, n);
	return p;
}

bool net_prefix_parse(const char *text, struct net_prefix *out)
{
	char host[NET_ADDR_TEXT];
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct net_addr addr;
	uint8_t masked[16];
	unsigned max, len;

	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	if (!parse_ip(host, &addr))
		return false;
	max = len = addr.sa.sa_family == AF_INET ? 32 : 128;
	if (slash != NULL && !parse_number(slash + 1, max, &len))
		return false;

	*out = net_prefix_of(&addr);
	if (out->family == AF_INET && max == 128) {
		/* IPv4-mapped; a shorter prefix would be neither IPv4 nor IPv6 */
		if (len < MAPPED_BITS)
			return false;
		len -= MAPPED_BITS;
	}
	out->len = (uint8_t)len;
	memcpy(masked, out->bytes, sizeof(masked));
	clear_host_bits(masked, len);
	return memcmp(masked, out->bytes, sizeof(masked)) == 0;
}

const char *net_prefix_format(const struct net_prefix *p, char buf[NET_ADDR_TEXT])
{
	char ip[NET_ADDR_TEXT];

	CHECK(inet_ntop(p->family, p->bytes, ip, sizeof(ip)) != NULL);
	snprintf(buf, NET_ADDR_TEXT, "%.45s/%u", ip, (unsigned)p->len);
	return buf;
}

bool net_prefix_covers(const struct net_prefix *outer, const struct net_prefix *inner)
{
	uint8_t masked[16];

	if (outer->family != inner->family || outer->len > inner->len)
		return false;
	memcpy(masked, inner->bytes, sizeof(masked));
	clear_host_bits(masked, outer->len);
	return memcmp(masked, outer->bytes, sizeof(masked)) == 0;
}
