/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One address reached over one transport: what connections are interchangeable. Interned, made and
 * retired by control; used by every loop. Keeps no lock: each loop has a slot of its own (idle
 * connections, waiters, pins), what all need to know is atomic.
 */
#pragma once

#include "core/base/addr.h"
#include "core/base/clock.h"
#include "core/base/reason.h"

struct conns_node;
struct endpoint;
struct loop;
struct outcome;
struct outcome_sums;
struct transport;

/* No shared write: a count in the loop's slot. `e` is pinned by this loop already, or may be used
 * until the end of this turn, or control holds it. */
void endpoint_pin(struct endpoint *e, const struct loop *loop);
void endpoint_unpin(struct endpoint **e, const struct loop *loop);
const struct net_addr *endpoint_addr(const struct endpoint *e);
struct transport *endpoint_transport(const struct endpoint *e);
/* After a connect timeout or a server that vanished: others are preferred for a while, or until a
 * connection to it is made. Also closes the calling loop's idle connections to it, and gives no
 * more requests to its sessions of HTTP/2. */
void endpoint_suspect(struct endpoint *e, struct loop *loop);
bool endpoint_is_suspect(const struct endpoint *e, mono_time now);
/* Connections are kept ready there (warm.h), but are not there yet, or not any more: a request
 * would wait for one to be made. Any thread. */
bool endpoint_is_cold(const struct endpoint *e);
/* Connections are to be kept ready there. Any thread. */
bool endpoint_keeps_warm(const struct endpoint *e);
/* For one or the other reason others are to be asked first; also when it has just ended the last
 * connection that was idle on this loop: while the other loops' last for a moment still, none of
 * them is any good. As for endpoint_pin(). */
bool endpoint_is_avoided(const struct endpoint *e, const struct loop *loop);

/* What has become of an attempt on it (outcome.h): of each for a request, when its head has come
 * and when it has ended, and of each connection that was opened ahead of need. As for
 * endpoint_pin(). */
void endpoint_report(struct endpoint *e, const struct loop *loop, const struct outcome *outcome);
/* Requests that are under way there. Not `closely`: as this loop has last seen it. As for
 * endpoint_pin(). */
unsigned endpoint_in_flight(struct endpoint *e, const struct loop *loop, bool closely);
/* How long it takes to answer, see load.h, by what this loop has last seen. 0: not known. */
duration endpoint_latency(const struct endpoint *e, const struct loop *loop);
/* All that was counted so far. Any thread; a moment behind. */
void endpoint_sums(const struct endpoint *e, struct outcome_sums *sums);

/* Any thread; a moment behind. */
struct endpoint_facts {
	unsigned open;      /* connections: idle, in use, being made, on their way between loops */
	unsigned idle;      /* of HTTP/1.1 */
	unsigned in_flight; /* requests that have, make or wait for a connection */
	unsigned waiting;   /* of these, those in the queue */
	enum reason last_failure; /* of a connection attempt; REASON_NONE: none has failed yet */
};
struct endpoint_facts endpoint_facts(const struct endpoint *e);

/* The same at every edge and after every start: of its address alone. */
uint64_t endpoint_id(const struct endpoint *e);
/* Of the endpoint that has this address. */
uint64_t endpoint_id_of(const struct net_addr *addr);

/* Control loop. The endpoint of that identity: the one that is there (also one that was given up
 * and has not gone yet), or a new one. Takes a reference of its own to the transport. */
struct endpoint *endpoint_take(struct conns_node *node, const struct net_addr *addr,
			       struct transport *transport);
/* The last one retires it: its idle connections are closed, and it is freed by endpoints_sweep()
 * when no loop can find it and nothing of it is left. */
void endpoint_give(struct endpoint **e);
/* Control loop, which has taken it: what is known of it stays until it is forgotten, though it may
 * be given up meanwhile. Counts. */
void endpoint_remember(struct endpoint *e);
void endpoint_forget(struct endpoint **e);
/* Now and then. Control loop. */
void endpoints_sweep(struct conns_node *node);
