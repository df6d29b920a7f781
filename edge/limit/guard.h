/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a node remembers of all that it limits, for all its workers and through all reloads: how
 * fast they come (rates.h), what clients have under way (tally.h), and the seed of the hash by
 * which both know them. And what http.per_client says, kept to. Any thread, but for the clients.
 *
 * Without limits nothing is looked up and no memory is touched.
 */
#pragma once

#include <stdatomic.h>

#include "config/limit.h"
#include "core/base/siphash.h"
#include "edge/facts/client.h"
#include "edge/limit/rates.h"
#include "edge/limit/tally.h"

/* What a limit has done, through all reloads. */
struct edge_limit_counts {
	_Atomic uint64_t identity; /* 0: free */
	_Atomic uint64_t allowed, refused;
};

/* So many limits, under whatever name, in the life of a program; more are not counted one by one.
 */
#define EDGE_LIMITS_COUNTED 4096

struct edge_guard {
	unsigned magic;
	/* Immutable. */
	struct edge_rates *rates;
	struct edge_tally *tally;
	struct siphash_seed seed;
	struct edge_limit_counts *counts;
};

/* `tracked`: clients, and keys, that are remembered at a time. */
struct edge_guard *edge_guard_create(unsigned tracked);
/* Nothing is under way any more. */
void edge_guard_destroy(struct edge_guard **guard);

/* What `data` is known by. Equal data of different uses has prefixes of its own that differ. */
uint64_t edge_guard_key(const struct edge_guard *guard, const void *data, size_t n);

/* Those of a limit; NULL: there are too many. */
struct edge_limit_counts *edge_guard_counts(const struct edge_guard *guard, uint64_t identity);

/* A rate with its burst; of a configured one that burst may come at once. */
struct edge_rate edge_rate_of(const struct cfg_rate *rate, unsigned burst);

enum edge_guard_verdict {
	EDGE_GUARD_PASSES,
	EDGE_GUARD_TOO_MANY, /* at a time */
	EDGE_GUARD_TOO_FAST,
};

/* Whether any connections or requests are limited, which is whether the guard need be asked of them
 * at all. */
bool edge_guard_is_needed(const struct cfg_per_client *limits);

/* A new connection of the client, to be counted until edge_guard_leave() when it passes. */
enum edge_guard_verdict edge_guard_enter(struct edge_guard *guard,
					 const struct cfg_per_client *limits,
					 struct edge_client *client, mono_time now);
void edge_guard_leave(struct edge_client *client);

/* Whether the client may have one more TLS handshake by that rate, which then counts. */
bool edge_guard_shake(struct edge_guard *guard, const struct cfg_rate *rate,
		      struct edge_client *client, mono_time now);

/* The same where other edges come in, apart from the clients of that address: a burst of so many
 * more. The handshake of one that is let in does not count after all. */
bool edge_guard_shake_edge(struct edge_guard *guard, const struct cfg_rate *rate, unsigned more,
			   struct edge_client *client, mono_time now);
void edge_guard_unshake_edge(struct edge_guard *guard, const struct cfg_rate *rate,
			     struct edge_client *client);

/* A request that is counted; all zero: none. */
struct edge_guard_hold {
	_Atomic uint64_t *counted;
	bool own; /* a connection was counted for it */
};

/* A new request of the client, to be counted until edge_guard_end() when it passes. *wait: when one
 * might pass that was TOO_FAST. */
enum edge_guard_verdict edge_guard_begin(struct edge_guard *guard,
					 const struct cfg_per_client *limits,
					 struct edge_client *client, mono_time now,
					 struct edge_guard_hold *hold, duration *wait);
void edge_guard_end(struct edge_guard_hold *hold);
