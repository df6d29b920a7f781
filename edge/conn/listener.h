/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The listening sockets of one worker: accepts a bounded number a turn, and holds back when told to
 * or when descriptors have run out. Owner loop only.
 */
#pragma once

#include "core/base/addr.h"
#include "core/loop/loop.h"

/* Newcomers that wait in the kernel; it is cut to net.core.somaxconn. */
#define EDGE_LISTEN_BACKLOG 4096

struct edge_listeners;

/* Bound and listening sockets, consumed. Nothing is accepted until edge_listeners_resume(). */
struct edge_listeners *edge_listeners_create(struct loop *loop, const int *fds, unsigned n,
					     void (*accepted)(void *arg, int fd,
							      const struct net_addr *remote),
					     void *arg);
void edge_listeners_pause(struct edge_listeners *l);
void edge_listeners_resume(struct edge_listeners *l);
/* Accepts what the kernel has already connected for us, then closes the sockets. */
void edge_listeners_close(struct edge_listeners *l);
void edge_listeners_destroy(struct edge_listeners **l);
