/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One attempt to connect a TCP socket, with a time limit. Embedded in who wants the connection;
 * its loop only. `done` comes once, never before dial_start() returned, with a connected socket
 * that is then the caller's, or -1 and the reason: REASON_ORIGIN_CONNECT_REFUSED, _TIMEOUT or
 * _FAILED.
 */
#pragma once

#include "core/base/addr.h"
#include "core/base/reason.h"
#include "core/loop/loop.h"

struct dial {
	struct loop *loop;
	int fd;           /* -1: not connecting */
	int error;        /* of a connect that failed at once; negative errno */
	struct event *ev; /* NULL: not started, or over */
	void (*done)(struct dial *dial, int fd, enum reason reason);
};

void dial_init(struct dial *d, struct loop *loop,
	       void (*done)(struct dial *dial, int fd, enum reason reason));
void dial_start(struct dial *d, const struct net_addr *addr, duration timeout);
/* Gives up; done() is not called. Does nothing when nothing is under way. */
void dial_cancel(struct dial *d);
