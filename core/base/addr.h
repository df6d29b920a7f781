/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Socket addresses and network prefixes as values; also paths of Unix sockets, for those who
 * connect to what a configuration names. Any thread.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct net_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct {
			sa_family_t family; /* AF_UNIX: only of net_addr_unix(), without a port */
			const char *path;
		} un;
	};
};

/* An IP prefix; IPv4 uses the first four bytes. Bits past `len` are zero. */
struct net_prefix {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t len;
	uint8_t bytes[16];
};

/* Longest text that net_addr_format() and net_prefix_format() write, with the final NUL. */
#define NET_ADDR_TEXT 128

/* A Unix socket's. The path is kept for as long as the process runs: it is one that a configuration
 * names. False: it is longer than that of any socket. */
bool net_addr_unix(const char *path, struct net_addr *out);
/* Not of a Unix socket. */
socklen_t net_addr_len(const struct net_addr *a);
uint16_t net_addr_port(const struct net_addr *a);
void net_addr_set_port(struct net_addr *a, uint16_t port);
/* Address and port; an IPv4-mapped IPv6 address equals its IPv4 form. */
bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);
/* "192.0.2.1:443", "[2001:db8::1]:443" or "unix:/run/app.sock"; returns buf. */
const char *net_addr_format(const struct net_addr *a, char buf[NET_ADDR_TEXT]);
/* Without the port and without brackets; not of a Unix socket. */
const char *net_addr_format_ip(const struct net_addr *a, char buf[NET_ADDR_TEXT]);

/* "192.0.2.1:443", "[2001:db8::1]:443", "192.0.2.1", "2001:db8::1", "*:443" (IPv6 any), "[::]:443".
 * Without a port `default_port` is used. False when it is not an address (names are not looked up).
 */
bool net_addr_parse(const char *text, uint16_t default_port, struct net_addr *out);

/* "192.0.2.0/24", "2001:db8::/32" or a bare address. False on junk or on set bits past the length.
 */
bool net_prefix_parse(const char *text, struct net_prefix *out);
const char *net_prefix_format(const struct net_prefix *p, char buf[NET_ADDR_TEXT]);
/* The full-length prefix of an address; IPv4-mapped becomes IPv4. */
struct net_prefix net_prefix_of(const struct net_addr *a);
bool net_prefix_covers(const struct net_prefix *outer, const struct net_prefix *inner);

/* net_addr_format() for the arguments of a log line: the text stays until the thread has had the
 * same of four other addresses. Who logs needs no buffer, which would cost also when a line is not
 * wanted. */
const char *net_addr_shown(const struct net_addr *a);
