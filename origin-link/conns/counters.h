/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What origin-link counts: one table, one shard a loop. The counters of connections are moved by
 * lease.c alone.
 */
#pragma once

#include "core/process/metrics.h"

#define OLINK_COUNTER_LIST(X)                                                                      \
	X(OLINK_REQUESTS, "olink_requests_total", COUNTER, "Requests started")                     \
	X(OLINK_FAILURES, "olink_failures_total", COUNTER,                                         \
	  "Requests that ended without a whole response")                                          \
	X(OLINK_RETRIES, "olink_retries_total", COUNTER,                                           \
	  "Requests sent again because a reused connection had died")                              \
	X(OLINK_LEASES_REUSED, "olink_leases_reused_total", COUNTER,                               \
	  "Connections taken from the pool")                                                       \
	X(OLINK_LEASES_FRESH, "olink_leases_fresh_total", COUNTER,                                 \
	  "Connections opened for a request")                                                      \
	X(OLINK_ACTIVE, "olink_active_connections", GAUGE, "Connections that carry a request")     \
	X(OLINK_IDLE, "olink_idle_connections", GAUGE, "Connections in the pool")                  \
	X(OLINK_DISCARDED_DEAD, "olink_discarded_dead_total", COUNTER,                             \
	  "Idle connections found closed when they were wanted")                                   \
	X(OLINK_DISCARDED_FULL, "olink_discarded_full_total", COUNTER,                             \
	  "Connections closed because the pool held enough of them")                               \
	X(OLINK_EXPIRED, "olink_expired_total", COUNTER, "Idle connections closed for their age")  \
	X(OLINK_WARM, "olink_warm_connections_total", COUNTER, "Connections opened ahead of need") \
	X(OLINK_CONNECTS, "olink_connects_total", COUNTER, "Connection attempts for requests")     \
	X(OLINK_CONNECT_FAILURES, "olink_connect_failures_total", COUNTER,                         \
	  "Connection attempts for requests that failed")                                          \
	X(OLINK_RESOLVES, "olink_resolve_total", COUNTER, "Names looked up")                       \
	X(OLINK_RESOLVE_FAILURES, "olink_resolve_failures_total", COUNTER,                         \
	  "Names looked up in vain")                                                               \
	X(OLINK_PROBES, "olink_probes_total", COUNTER, "Health probes of origin servers")          \
	X(OLINK_PROBE_FAILURES, "olink_probe_failures_total", COUNTER,                             \
	  "Health probes of origin servers that failed")

enum olink_counter {
#define X(id, name, kind, help) id,
	OLINK_COUNTER_LIST(X)
#undef X
	    OLINK_N_COUNTERS
};

struct metrics *olink_counters_create(unsigned n_shards);
