/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The PROXY protocol on the wire. Section numbers are those of HAProxy's doc/proxy-protocol.txt.
 * Pure; any thread.
 *
 * The parser begins anew with every call and refuses as early as it can: with a byte of the fixed
 * parts, at the end of an address or port, at the head of a TLV. A caller need not wait for the
 * rest of what can no longer become a header.
 */
#include "core/net/proxy_header.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* Section 2.1: the worst case, with the CRLF. */
#define V1_MAX 107
#define V1_CRLF 2

/* Section 2.2: the signature, then a byte each for version with command and family with protocol,
 * and two for the length of what follows. */
#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2_COMMAND 12
#define V2_FAMILY 13
#define V2_LENGTH 14
#define V2_FIXED 16
#define V2_LOCAL 0x20
#define V2_PROXY 0x21
#define V2_TCP4 0x11
#define V2_TCP6 0x21
#define V2_FAMILY_LAST 3   /* AF_UNIX, in the upper half of the byte */
#define V2_PROTOCOL_LAST 2 /* DGRAM, in the lower half */

#define TLV_HEAD 3 /* type, and two bytes of length */
#define TLV_ALPN 0x01
#define TLV_AUTHORITY 0x02
#define TLV_CRC32C 0x03
#define TLV_SSL 0x20
#define CRC32C_SIZE 4

/* Section 2.2.6: what stands in PP2_TYPE_SSL. */
#define SSL_FIXED 5 /* the bits of the client, and four bytes that say whether it is verified */
#define SSL_CLIENT 0x01
#define SSL_CERT_CONN 0x02
#define SSL_CERT_SESS 0x04
#define SSL_VERSION 0x21
#define SSL_CN 0x22
#define SSL_CIPHER 0x23

/* Of one text in a TLV: no name in DNS and no ALPN is longer. */
#define TLV_TEXT_MAX 255

#define IPV4_IN_IPV6 12 /* where the IPv4 address stands in an IPv4-mapped one */

enum form { FORM_TCP4, FORM_TCP6, FORM_UNKNOWN, FORM_V2 };

/* Which form of header begins `buf`. With PROXY_HEADER_OK, *start is where the rest begins. */
static enum proxy_header_result find_form(const char *buf, size_t len, enum form *form,
					  size_t *start)
{
	static const struct {
		const char *bytes;
		size_t n;
	} forms[] = {
	    [FORM_TCP4] = {"PROXY TCP4 ", 11},
	    [FORM_TCP6] = {"PROXY TCP6 ", 11},
	    [FORM_UNKNOWN] = {"PROXY UNKNOWN", 13},
	    [FORM_V2] = {V2_SIGNATURE, sizeof(V2_SIGNATURE) - 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t n = MIN(len, forms[i].n);

		if (n > 0 && memcmp(buf, forms[i].bytes, n) != 0)
			continue;
		*form = (enum form)i;
		*start = n;
		return n == forms[i].n ? PROXY_HEADER_OK : PROXY_HEADER_MORE;
	}
	return PROXY_HEADER_BAD;
}

/* The line of version 1 must end at `at`. */
static enum proxy_header_result end_line(const char *buf, size_t len, size_t at, size_t *used)
{
	if (at > V1_MAX - V1_CRLF || (at < len && buf[at] != '\r') ||
	    (at + 1 < len && buf[at + 1] != '\n'))
		return PROXY_HEADER_BAD;
	if (at + V1_CRLF > len)
		return PROXY_HEADER_MORE;
	*used = at + V1_CRLF;
	return PROXY_HEADER_OK;
}

/* Section 2.1: what stands between UNKNOWN and the CRLF is ignored. */
static enum proxy_header_result parse_unknown(const char *buf, size_t len, size_t at, size_t *used)
{
	if (at < len && buf[at] == ' ') {
		while (at < len && at < V1_MAX && buf[at] != '\r' && buf[at] != '\n')
			at++;
	}
	return end_line(buf, len, at, used);
}

static bool set_address(struct net_addr *addr, int family, const char *text)
{
	void *bytes = family == AF_INET ? (void *)&addr->in.sin_addr : &addr->in6.sin6_addr;

	addr->sa.sa_family = (sa_family_t)family;
	return inet_pton(family, text, bytes) == 1;
}

/* `text` is up to five digits. */
static bool set_port(struct net_addr *addr, const char *text)
{
	unsigned long port = strtoul(text, NULL, 10);

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0') || port > UINT16_MAX)
		return false;
	net_addr_set_port(addr, (uint16_t)port);
	return true;
}

struct text_field {
	const char *chars; /* what it is made of */
	size_t max;
};

/* Two addresses and two ports, with one space between them. An IPv6 address may end in a dotted
 * IPv4 one, though section 2.1 knows only hexadecimal digits: HAProxy sends what inet_ntop() gives
 * it. */
static enum proxy_header_result parse_tcp(const char *buf, size_t len, size_t at, int family,
					  struct proxy_header *out, size_t *used)
{
	static const struct text_field ipv4 = {"0123456789.", INET_ADDRSTRLEN - 1},
				       ipv6 = {"0123456789abcdefABCDEF:.", INET6_ADDRSTRLEN - 1},
				       port = {"0123456789", 5};
	const struct text_field *ip = family == AF_INET ? &ipv4 : &ipv6;
	const struct text_field *const fields[] = {ip, ip, &port, &port};
	struct net_addr *const ends[] = {&out->source, &out->destination};

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		char text[INET6_ADDRSTRLEN];
		size_t n = 0;

		if (i > 0 && at < len && buf[at++] != ' ')
			return PROXY_HEADER_BAD;
		while (at < len && n < fields[i]->max &&
		       memchr(fields[i]->chars, buf[at], strlen(fields[i]->chars)) != NULL)
			text[n++] = buf[at++];
		text[n] = '\0';
		/* More of it may come, if the line may be longer. */
		if (at == len)
			break;
		if (i < 2 ? !set_address(ends[i], family, text) : !set_port(ends[i - 2], text))
			return PROXY_HEADER_BAD;
	}
	return end_line(buf, len, at, used);
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

/* Castagnoli's CRC, bit by bit from the lowest: RFC 9260 appendix A, which obsoletes the RFC 4960
 * that section 2.2.3 names, with the polynomial 0x1edc6f41 reversed. */
static uint32_t crc32c_add(uint32_t crc, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* Section 2.2.3: the sum is over the header with zeros in place of the sum. It is sent highest byte
 * first, as HAProxy and Amazon's load balancers do, not as SCTP sends it. */
static bool crc32c_is_right(const uint8_t *header, size_t total, size_t at)
{
	static const uint8_t zeros[CRC32C_SIZE];
	size_t after = at + CRC32C_SIZE;
	uint32_t stated = (uint32_t)get16(header + at) << 16 | get16(header + at + 2);
	uint32_t crc = crc32c_add(UINT32_MAX, header, at);

	crc = crc32c_add(crc, zeros, sizeof(zeros));
	return stated == ~crc32c_add(crc, header + after, total - after);
}

/* The vectors fill what is between `at` and `total`, of which `len` bytes are there. */
static enum proxy_header_result check_tlvs(const uint8_t *header, size_t len, size_t at,
					   size_t total)
{
	size_t crc32c_at = 0;

	while (at < total && at + TLV_HEAD <= MIN(len, total)) {
		size_t size = get16(header + at + 1);

		/* Of two sums none could be right. */
		if (header[at] == TLV_CRC32C) {
			if (size != CRC32C_SIZE || crc32c_at != 0)
				return PROXY_HEADER_BAD;
			crc32c_at = at + TLV_HEAD;
		}
		at += TLV_HEAD + size;
	}
	if (at > total || (at < total && at + TLV_HEAD > total))
		return PROXY_HEADER_BAD;
	if (len < total)
		return PROXY_HEADER_MORE;
	if (crc32c_at != 0 && !crc32c_is_right(header, total, crc32c_at))
		return PROXY_HEADER_BAD;
	return PROXY_HEADER_OK;
}

/* From the address block of TCP: both addresses, then both ports. */
static void take_addresses(struct proxy_header *out, int family, const uint8_t *p)
{
	struct net_addr *const ends[] = {&out->source, &out->destination};
	size_t n = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);

	for (unsigned i = 0; i < ARRAY_SIZE(ends); i++) {
		void *bytes =
		    family == AF_INET ? (void *)&ends[i]->in.sin_addr : &ends[i]->in6.sin6_addr;

		ends[i]->sa.sa_family = (sa_family_t)family;
		memcpy(bytes, p + i * n, n);
		net_addr_set_port(ends[i], (uint16_t)get16(p + 2 * n + i * 2));
	}
}

/* The fixed part, as far as it is there. */
static bool v2_fixed_is_good(const uint8_t *p, size_t len)
{
	if (len > V2_COMMAND && p[V2_COMMAND] != V2_LOCAL && p[V2_COMMAND] != V2_PROXY)
		return false;
	/* The family of LOCAL is ignored. */
	if (len > V2_FAMILY && p[V2_COMMAND] == V2_PROXY &&
	    (p[V2_FAMILY] >> 4 > V2_FAMILY_LAST || (p[V2_FAMILY] & 0xf) > V2_PROTOCOL_LAST))
		return false;
	if (len > V2_LENGTH && V2_FIXED + (p[V2_LENGTH] << 8) > PROXY_HEADER_MAX)
		return false;
	return len < V2_FIXED || V2_FIXED + get16(p + V2_LENGTH) <= PROXY_HEADER_MAX;
}

static enum proxy_header_result parse_v2(const uint8_t *p, size_t len, struct proxy_header *out,
					 size_t *used)
{
	enum proxy_header_result result;
	int family = AF_UNSPEC;
	size_t total;

	if (!v2_fixed_is_good(p, len))
		return PROXY_HEADER_BAD;
	if (len < V2_FIXED)
		return PROXY_HEADER_MORE;
	*used = total = V2_FIXED + get16(p + V2_LENGTH);
	if (p[V2_COMMAND] == V2_PROXY && p[V2_FAMILY] == V2_TCP4)
		family = AF_INET;
	else if (p[V2_COMMAND] == V2_PROXY && p[V2_FAMILY] == V2_TCP6)
		family = AF_INET6;
	out->local = family == AF_UNSPEC;
	if (out->local)
		return len < total ? PROXY_HEADER_MORE : PROXY_HEADER_OK;
	result = check_tlvs(p, len, V2_FIXED + (family == AF_INET ? 12 : 36), total);
	if (result == PROXY_HEADER_OK)
		take_addresses(out, family, p + V2_FIXED);
	return result;
}

static enum proxy_header_result parse(const char *buf, size_t len, struct proxy_header *out,
				      size_t *used)
{
	enum form form;
	size_t start;
	enum proxy_header_result result = find_form(buf, len, &form, &start);

	if (result != PROXY_HEADER_OK)
		return result;
	switch (form) {
	case FORM_TCP4:
		return parse_tcp(buf, len, start, AF_INET, out, used);
	case FORM_TCP6:
		return parse_tcp(buf, len, start, AF_INET6, out, used);
	case FORM_UNKNOWN:
		out->local = true;
		return parse_unknown(buf, len, start, used);
	case FORM_V2:
		break;
	}
	return parse_v2((const uint8_t *)buf, len, out, used);
}

enum proxy_header_result proxy_header_parse(const char *buf, size_t len, struct proxy_header *out,
					    size_t *used)
{
	struct proxy_header header = {0};
	size_t n = 0;
	enum proxy_header_result result = parse(buf, len, &header, &n);

	if (result == PROXY_HEADER_OK) {
		*out = header;
		*used = n;
	}
	return result;
}

/* What is written of a connection, both addresses being of one family. */
struct ends {
	struct in6_addr source, destination;
	size_t skip; /* where in them the address begins: 0, or IPV4_IN_IPV6 */
	unsigned source_port, destination_port;
};

static struct in6_addr as_ipv6(const struct net_addr *addr)
{
	struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (addr->sa.sa_family == AF_INET6)
		return addr->in6.sin6_addr;
	CHECK(addr->sa.sa_family == AF_INET);
	memcpy(mapped.s6_addr + IPV4_IN_IPV6, &addr->in.sin_addr, sizeof(addr->in.sin_addr));
	return mapped;
}

static struct ends ends_of(const struct net_addr *source, const struct net_addr *destination)
{
	struct ends ends = {as_ipv6(source), as_ipv6(destination), 0, net_addr_port(source),
			    net_addr_port(destination)};

	if (IN6_IS_ADDR_V4MAPPED(&ends.source) && IN6_IS_ADDR_V4MAPPED(&ends.destination))
		ends.skip = IPV4_IN_IPV6;
	return ends;
}

static void format_address(const struct in6_addr *addr, size_t skip, char text[INET6_ADDRSTRLEN])
{
	const uint8_t *bytes = addr->s6_addr;
	char *tail;

	CHECK(inet_ntop(skip > 0 ? AF_INET : AF_INET6, bytes + skip, text, INET6_ADDRSTRLEN));
	/* "::ffff:192.0.2.1" is not what section 2.1 calls an IPv6 address. */
	if (skip > 0 || strchr(text, '.') == NULL)
		return;
	tail = strrchr(text, ':') + 1;
	snprintf(tail, (size_t)(text + INET6_ADDRSTRLEN - tail), "%x:%x",
		 get16(bytes + IPV4_IN_IPV6), get16(bytes + IPV4_IN_IPV6 + 2));
}

static size_t write_v1(const struct ends *ends, char *out, size_t cap)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];

	format_address(&ends->source, ends->skip, source);
	format_address(&ends->destination, ends->skip, destination);
	return (size_t)snprintf(out, cap, "PROXY TCP%c %s %s %u %u\r\n", ends->skip > 0 ? '4' : '6',
				source, destination, ends->source_port, ends->destination_port);
}

static size_t write_v2(const struct ends *ends, char *out)
{
	size_t n = sizeof(ends->source) - ends->skip;
	const uint8_t ports[] = {ends->source_port >> 8 & 0xff, ends->source_port & 0xff,
				 ends->destination_port >> 8 & 0xff, ends->destination_port & 0xff};

	memcpy(out, V2_SIGNATURE, V2_COMMAND);
	out[V2_COMMAND] = V2_PROXY;
	out[V2_FAMILY] = ends->skip > 0 ? V2_TCP4 : V2_TCP6;
	out[V2_LENGTH] = 0;
	out[V2_LENGTH + 1] = (char)(2 * n + sizeof(ports));
	memcpy(out + V2_FIXED, ends->source.s6_addr + ends->skip, n);
	memcpy(out + V2_FIXED + n, ends->destination.s6_addr + ends->skip, n);
	memcpy(out + V2_FIXED + 2 * n, ports, sizeof(ports));
	return V2_FIXED + 2 * n + sizeof(ports);
}

size_t proxy_header_write(unsigned version, const struct net_addr *source,
			  const struct net_addr *destination, char *out, size_t cap)
{
	static const char unknown[] = "PROXY UNKNOWN\r\n", local[] = V2_SIGNATURE "\x20\0\0\0";
	char header[PROXY_HEADER_WRITE_MAX + 1]; /* with the NUL of snprintf() */
	size_t n;

	CHECK(version == 1 || version == 2);
	if (source == NULL) {
		n = version == 1 ? sizeof(unknown) - 1 : sizeof(local) - 1;
		memcpy(header, version == 1 ? unknown : local, n);
	} else {
		struct ends ends = ends_of(source, destination);

		n = version == 1 ? write_v1(&ends, header, sizeof(header))
				 : write_v2(&ends, header);
	}
	CHECK(n < sizeof(header));
	if (n > cap)
		return 0;
	memcpy(out, header, n);
	return n;
}

/* TLVs */

_Static_assert(PROXY_HEADER_TLVS_MAX >= 2 * (TLV_HEAD + TLV_TEXT_MAX) + TLV_HEAD + SSL_FIXED,
	       "PP2_TYPE_SSL itself fits after the longest ALPN and name");

static void put_head(char *out, uint8_t type, size_t n)
{
	out[0] = (char)type;
	out[1] = (char)(n >> 8);
	out[2] = (char)(n & 0xff);
}

/* At out[at]; where it ends. */
static size_t put_text(char *out, size_t at, uint8_t type, const char *text)
{
	size_t n = text != NULL ? strlen(text) : 0;

	if (n == 0 || n > TLV_TEXT_MAX || n + TLV_HEAD > PROXY_HEADER_TLVS_MAX - at)
		return at;
	put_head(out + at, type, n);
	memcpy(out + at + TLV_HEAD, text, n);
	return at + TLV_HEAD + n;
}

size_t proxy_header_write_tlvs(const struct proxy_header_tls *tls,
			       char out[static PROXY_HEADER_TLVS_MAX])
{
	size_t ssl =
	    put_text(out, put_text(out, 0, TLV_ALPN, tls->alpn), TLV_AUTHORITY, tls->authority);
	size_t at = ssl + TLV_HEAD;

	out[at] = (char)(SSL_CLIENT | (tls->certificate_now ? SSL_CERT_CONN : 0) |
			 (tls->certificate ? SSL_CERT_SESS : 0));
	/* Zero: there is a certificate, and it is verified. */
	memcpy(out + at + 1, tls->certificate && tls->verified ? "\0\0\0\0" : "\0\0\0\1", 4);
	at += SSL_FIXED;
	at = put_text(out, at, SSL_VERSION, tls->version);
	at = put_text(out, at, SSL_CIPHER, tls->cipher);
	at = put_text(out, at, SSL_CN, tls->common_name);
	put_head(out + ssl, TLV_SSL, at - ssl - TLV_HEAD);
	return at;
}

size_t proxy_header_append(char header[static PROXY_HEADER_LONGEST], size_t len, const char *tlvs,
			   size_t n)
{
	size_t length = len - V2_FIXED + n;

	CHECK(len >= V2_FIXED && len <= PROXY_HEADER_WRITE_MAX && n <= PROXY_HEADER_TLVS_MAX);
	if (n == 0)
		return len;
	memcpy(header + len, tlvs, n);
	header[V2_LENGTH] = (char)(length >> 8);
	header[V2_LENGTH + 1] = (char)(length & 0xff);
	return len + n;
}
