/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The listening sockets of one worker. Owner loop only.
 */
#pragma once

#include "core/base/addr.h"
#include "core/loop/loop.h"

/* Newcomers that wait in the kernel; it is cut to net.core.somaxconn. */
#define EDGE_LISTEN_BACKLOG 4096

enum edge_listener_kind {
	EDGE_LISTENER_TLS,
	EDGE_LISTENER_PLAIN,
	EDGE_LISTENER_RELAY, /* TLS with other edges of the fleet */
};

struct edge_socket {
	int fd;
	enum edge_listener_kind kind;
};

struct edge_listeners;

/* Bound and listening sockets, consumed. Nothing is accepted until edge_listeners_start(). */
struct edge_listeners *
edge_listeners_create(struct loop *loop, const struct edge_socket *sockets, unsigned n,
		      void (*accepted)(void *arg, int fd, const struct net_addr *remote,
				       enum edge_listener_kind kind),
		      void *arg);
void edge_listeners_start(struct edge_listeners *l);
/* Accepts what the kernel has already connected for us, then closes the sockets. */
void edge_listeners_close(struct edge_listeners *l);
void edge_listeners_destroy(struct edge_listeners **l);
