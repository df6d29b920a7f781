/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the tests of connections share: a node with a side on the test's own loop, and takers, who
 * take a lease and say something over it.
 */
#pragma once

#include "core/base/check.h"
#include "origin-link/conns/conns_internal.h"
#include "tests/unit/origin-link/echo_origin.h"

struct conns_rig {
	struct loop_group *group;
	struct stream_buffers *buffers;
	struct metrics *metrics;
	struct conns_node *node;
	struct conns *conns;
	struct lease_terms terms; /* generous; a test changes what it is about */
};

/* The workers are created, and get no sides. */
void conns_rig_init(struct conns_rig *rig, unsigned n_workers);
/* With the counts in balance. */
void conns_rig_fini(struct conns_rig *rig);
int64_t conns_rig_count(const struct conns_rig *rig, enum olink_counter id);
/* Runs the loop until it is so, looking every millisecond and after each taker's news. */
void conns_rig_run_until(struct conns_rig *rig, bool (*is_so)(void *arg), void *arg);
/* Until that counter has that value. */
void conns_rig_await(struct conns_rig *rig, enum olink_counter id, int64_t value);
/* A whole turn, and the mail that is there. */
void conns_rig_turn(struct conns_rig *rig);

/* Takes over plain TCP; the caller gives it back. */
struct endpoint *conns_rig_endpoint(struct conns_rig *rig, const struct net_addr *addr);

/* Has so many kept ready there, beyond those in use, and nothing elsewhere. */
void conns_rig_warm(struct conns_rig *rig, struct endpoint *e, unsigned spare);

struct taker {
	struct conns_rig *rig;
	struct lease lease;
	struct lease_order order;
	enum lease_result result;
	unsigned n_done;
	enum reason reason; /* of a refusal too */
	char detail[128];
	/* what the stream told */
	char text[64]; /* what fits */
	size_t n;
	size_t received, awaited; /* bytes */
	bool ended;
};

/* With the rig's terms; the order may be changed before it is taken. */
void taker_init(struct taker *t, struct conns_rig *rig, struct endpoint *e);
enum lease_result taker_take(struct taker *t);
/* Runs the loop until done(). */
enum reason taker_wait(struct taker *t);
/* Both; it must succeed. */
void taker_get(struct taker *t);
/* Says "ping", and waits for the echo. */
void taker_ping(struct taker *t);
/* So many bytes that mean nothing, and as many back. */
void taker_exchange(struct taker *t, size_t n);
bool taker_is_done(void *taker);
bool taker_has_ended(void *taker);
