/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One listening socket on one loop: accepts a bounded number a turn, and holds back for a moment
 * when we are short of descriptors or memory. Owner loop only.
 */
#pragma once

#include "core/base/addr.h"
#include "core/loop/loop.h"

struct acceptor;

/* `fd` is bound and listens; consumed. `what` stands in the log: "cannot accept WHAT: ..."; copied.
 * `accepted` gets a socket of its own (sock_accept()) and who it is connected to, whose family is
 * AF_UNIX and nothing else of use for a Unix socket; it may call acceptor_stop(), and must not
 * destroy the acceptor. Nothing is accepted until acceptor_start(). */
struct acceptor *acceptor_create(struct loop *loop, int fd, const char *what,
				 void (*accepted)(void *arg, int fd, const struct net_addr *remote),
				 void *arg);
/* Both may be called again and again. While it is stopped, newcomers wait in the kernel. */
void acceptor_start(struct acceptor *a);
void acceptor_stop(struct acceptor *a);
/* Accepts at once what the kernel has connected for us already, `max` at most: closing the socket
 * resets the rest. */
void acceptor_drain(struct acceptor *a, unsigned max);
/* Closes the socket. */
void acceptor_destroy(struct acceptor **a);
