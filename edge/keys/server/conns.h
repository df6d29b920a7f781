/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The connections of perigee-keys, each with a thread that shakes hands, and then answers one
 * request after the other: edges share nothing but the processors, and a slow token holds up nobody
 * else. Who has not shown a certificate of an edge yet has little time, and his place is taken by
 * newcomers when there are many of his kind.
 *
 * A connection belongs to the view that its certificate was verified by: a reload ends them all, so
 * that whoever may not come any more is out, and the others come again.
 */
#pragma once

#include "core/base/addr.h"
#include "edge/keys/server/view.h"

struct keys_conns;

/* Each is a thread, and about 60 KB of TLS: half a GB. */
#define KEYS_CONNS_MAX 8192

/* For so many connections at most. */
struct keys_conns *keys_conns_create(unsigned max);
/* Waits until the threads have ended, but not for long. False: some have not, and it is left. */
bool keys_conns_destroy(struct keys_conns **conns);
/* Consumes the view; who comes from now on has it. Control loop. */
void keys_conns_publish(struct keys_conns *conns, struct keys_view **view);
/* Takes the socket. Control loop. */
void keys_conns_accept(struct keys_conns *conns, int fd, const struct net_addr *remote);
/* What is being answered is, and nothing after that. */
void keys_conns_end_all(struct keys_conns *conns);
/* Of the view that is published: for the control loop, which publishes. */
struct keys_view *keys_conns_view(const struct keys_conns *conns);

struct keys_conns_counts {
	unsigned edges, strangers;  /* that are here */
	uint64_t accepted, refused; /* in all; refused: that were no edges */
};
struct keys_conns_counts keys_conns_count(struct keys_conns *conns);
