/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many connections all servers of one origin may have together (limit.all_connections), over
 * all loops: a count that every connection takes a place of when it begins to be made, and leaves
 * when it is closed; and per loop what others have to know when the places are gone: who waits, and
 * who has idle ones that may give way. Atomics only. Interned by the origin's name, through all
 * reloads.
 *
 * A server of two origins has endpoints that both use: a connection counts for the origin whose
 * request, or wish for warm ones, has had it made.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "origin-link/conns/conns.h"

#define QUOTA_LINE 64
/* A reload looks for each of what may be thousands. */
#define QUOTA_BUCKETS 256

struct quota_slot {
	/* its loop writes, any reads */
	_Alignas(QUOTA_LINE) _Atomic unsigned n_idle, n_waiting;
	unsigned favoured; /* its loop: see sharing.c */
};

struct quota {
	LIST_ENTRY(quota) link; /* control */
	char *name;
	/* any loop */
	_Alignas(QUOTA_LINE) _Atomic unsigned open;
	_Atomic unsigned waiting;
	/* each loop its own */
	struct quota_slot slots[]; /* by loop index */
};

/* Control loop. The one of that name, which lives as long as the node: there are as many as
 * operators have thought of names. */
struct quota *quota_take(struct conns_node *node, const char *name);
/* All of them, with the node. */
void quotas_free(struct conns_node *node);

/* A place, if fewer than `max` are taken. NULL: nobody counts, and there is one. Any loop. */
bool quota_reserve(struct quota *q, unsigned max);
/* Whoever waits has to be told: sharing_release() does both. */
void quota_release(struct quota *q);
