/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sockets: non-blocking, close-on-exec, with the options that every user of them wants.
 * Functions return a descriptor or a negative errno. Any thread.
 */
#pragma once

#include <stdbool.h>

#include "core/base/addr.h"
#include "core/base/clock.h"

/* SO_REUSEPORT + SO_REUSEADDR, IPV6_V6ONLY unless the address is IPv6 any, TCP_DEFER_ACCEPT off,
 * TCP_NODELAY for what it will accept. */
int sock_listen_tcp(const struct net_addr *addr, int backlog);
int sock_bind_udp(const struct net_addr *addr);
/* IPv6 any ("*:443") takes IPv4 too. Where the kernel has no IPv6 it becomes IPv4 any, which the
 * log then says. */
void sock_fit_any(struct net_addr *addr);
/* Whether nobody has the address; -EADDRINUSE even when the two above would share it with another
 * process, unseen. `type`: SOCK_STREAM or SOCK_DGRAM. 0 or a negative errno. */
int sock_check_free(const struct net_addr *addr, int type);
/* With the listener's options. -EAGAIN when there is none waiting. */
int sock_accept(int listener, struct net_addr *remote);
/* Starts a connect; TCP_NODELAY set. The socket is writable when it is done: then sock_error(). */
int sock_connect_tcp(const struct net_addr *addr);
/* TCP_CA_NAME_MAX of the kernel, with its end. */
#define SOCK_CONGESTION_CONTROL_MAX 16
/* What a connection has that is made; all zero: nothing but what the kernel gives it. */
struct sock_dial {
	struct net_addr source4, source6; /* port 0; AF_UNSPEC: as the kernel chooses */
	struct {
		duration idle, interval;
		unsigned count; /* 0: none */
	} keep_alive;           /* as sock_set_keepalive() has it */
	bool fast_open;         /* see sock_dial_tcp() */
	unsigned mss;           /* most bytes of a segment, of either side; 0: by the way there */
	char congestion_control[SOCK_CONGESTION_CONTROL_MAX]; /* "": the kernel's */
	duration user_timeout;                                /* TCP_USER_TIMEOUT; 0: none */
	/* Who connects speaks first, and at once: that acknowledges the handshake too, and the
	 * other side is woken once. */
	bool speaks_first;
};
/* The same as sock_connect_tcp(), by a source and with options, of which those are left out that
 * the kernel does not take. -EADDRNOTAVAIL also when it has the source no more. With fast_open the
 * socket may be writable at once: what is written first goes out with the SYN (RFC 7413), and may
 * arrive twice; sock_is_connected() tells whether there is an answer. */
int sock_dial_tcp(const struct net_addr *addr, const struct sock_dial *how);
bool sock_is_connected(int fd);
/* The round trip as the kernel has seen it so far; 0: not known. */
duration sock_rtt(int fd);
/* Whether one can be bound to that address, of whatever port. */
bool sock_has_address(const struct net_addr *addr);
/* False when this machine has no way to such an address: no route, no address of its own, or no
 * protocol of that family. Sends nothing. */
bool sock_has_route(const struct net_addr *addr);
/* When a connection has been silent for `idle`, it is asked `count` times, one `interval` apart,
 * whether it is still there, and is reset if not; whole seconds, rounded up. 0 or a negative errno.
 */
int sock_set_keepalive(int fd, duration idle, duration interval, unsigned count);
/* How the kernel decides how much may be on its way to the other side (TCP_CONGESTION), by the name
 * that it has for that; of a listening socket it is what those that it accepts have. 0, or a
 * negative errno: -ENOENT when the kernel has none of that name, -EPERM when it lets only the
 * privileged choose it (net.ipv4.tcp_allowed_congestion_control). */
int sock_set_congestion_control(int fd, const char *name);
/* What that would return. */
int sock_try_congestion_control(const char *name);
/* 0 or a negative errno: SO_ERROR, read and cleared. */
int sock_error(int fd);
/* Whether an errno is our own shortage, of descriptors, memory or free ports, and so says nothing
 * about whoever is at the other end. */
bool sock_is_shortage(int error);
int sock_local_addr(int fd, struct net_addr *out);
/* Listening Unix stream socket at path, mode 0660; a stale socket file is replaced, a live one
 * gives -EADDRINUSE. */
int sock_listen_unix(const char *path);
/* Blocking connect to a Unix socket, for perigeectl. */
int sock_connect_unix(const char *path);
/* The same at once, and the descriptor does not block. -EAGAIN: as many wait there as may, and when
 * there is room is not told. -ENOTSOCK: what is there is something else. */
int sock_dial_unix(const char *path);
