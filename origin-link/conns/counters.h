/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What origin-link counts: one table, one shard a loop. The gauges of connections are moved by
 * origin_conn.c as they change their state, that of waiting by lease.c.
 */
#pragma once

#include "core/process/metrics.h"

#define OLINK_COUNTER_LIST(X)                                                                      \
	X(OLINK_REQUESTS, "olink_requests_total", COUNTER, "Requests started")                     \
	X(OLINK_FAILURES, "olink_failures_total", COUNTER,                                         \
	  "Requests that ended without a whole response")                                          \
	X(OLINK_RETRIES, "olink_retries_total", COUNTER,                                           \
	  "Further attempts at requests, because one before had come to nothing")                  \
	X(OLINK_RETRIES_REFUSED, "olink_retries_refused_total", COUNTER,                           \
	  "Further attempts that were not made because retries.budget was used up")                \
	X(OLINK_HEDGES, "olink_hedges_total", COUNTER,                                             \
	  "Second attempts beside one that took long")                                             \
	X(OLINK_HEDGES_WON, "olink_hedges_won_total", COUNTER,                                     \
	  "Of these, those that were the first to be answered")                                    \
	X(OLINK_LEASES_REUSED, "olink_leases_reused_total", COUNTER,                               \
	  "Requests that were given a connection that was open already")                           \
	X(OLINK_LEASES_FRESH, "olink_leases_fresh_total", COUNTER,                                 \
	  "Connections opened for a request")                                                      \
	X(OLINK_LEASES_MOVED, "olink_leases_moved_total", COUNTER,                                 \
	  "Reused connections that came from another worker")                                      \
	X(OLINK_ACTIVE, "olink_active_connections", GAUGE, "Connections that carry a request")     \
	X(OLINK_IDLE, "olink_idle_connections", GAUGE, "Connections kept for the next request")    \
	X(OLINK_H2_SESSIONS, "olink_h2_sessions_total", COUNTER,                                   \
	  "Connections that turned out to be of HTTP/2")                                           \
	X(OLINK_WIDENED, "olink_widened_total", COUNTER,                                           \
	  "Connections to relays that were filled once, so that their windows are wide")           \
	X(OLINK_CLOSED_IDLE, "olink_closed_idle_total", COUNTER,                                   \
	  "Idle connections closed by the origin")                                                 \
	X(OLINK_DISCARDED_DEAD, "olink_discarded_dead_total", COUNTER,                             \
	  "Idle connections found closed when they were wanted, or whose server seems dead")       \
	X(OLINK_DISCARDED_FULL, "olink_discarded_full_total", COUNTER,                             \
	  "Connections closed because enough were idle")                                           \
	X(OLINK_DISCARDED_DESCRIPTORS, "olink_discarded_descriptors_total", COUNTER,               \
	  "Idle connections closed because of the limit on open files")                            \
	X(OLINK_DISCARDED_RETIRED, "olink_discarded_retired_total", COUNTER,                       \
	  "Connections closed because no server has their address any more")                       \
	X(OLINK_EXPIRED, "olink_expired_total", COUNTER,                                           \
	  "Connections closed because nobody had used them for pool.idle_timeout")                 \
	X(OLINK_WORN, "olink_worn_total", COUNTER,                                                 \
	  "Connections closed because of pool.max_age or pool.max_requests")                       \
	X(OLINK_GAVE_WAY, "olink_gave_way_total", COUNTER,                                         \
	  "Idle connections closed for another server of their origin (limit.all_connections)")    \
	X(OLINK_WARM, "olink_warm_connections_total", COUNTER, "Connections opened ahead of need") \
	X(OLINK_CONNECTS, "olink_connects_total", COUNTER, "Connection attempts for requests")     \
	X(OLINK_CONNECT_FAILURES, "olink_connect_failures_total", COUNTER,                         \
	  "Connection attempts for requests that failed")                                          \
	X(OLINK_SHORTAGES, "olink_shortages_total", COUNTER,                                       \
	  "Of these, those that failed for want of descriptors, ports or memory here")             \
	X(OLINK_WAITING, "olink_waiting", GAUGE,                                                   \
	  "Requests in a queue because as many connections are open as may be")                    \
	X(OLINK_QUEUE_FULL, "olink_queue_full_total", COUNTER,                                     \
	  "Requests refused because the queue was full")                                           \
	X(OLINK_QUEUE_TIMEOUTS, "olink_queue_timeouts_total", COUNTER,                             \
	  "Requests that waited in a queue for too long")                                          \
	X(OLINK_HANDSHAKES, "olink_handshakes_total", COUNTER,                                     \
	  "TLS handshakes with origins, but for those of probes")                                  \
	X(OLINK_HANDSHAKES_RESUMED, "olink_handshakes_resumed_total", COUNTER,                     \
	  "Of these, those that resumed a session")                                                \
	X(OLINK_CERTIFICATE_FAILURES, "olink_certificate_failures_total", COUNTER,                 \
	  "Connection attempts that failed because the certificate was not accepted")              \
	X(OLINK_HANDSHAKE_FAILURES, "olink_handshake_failures_total", COUNTER,                     \
	  "Connection attempts that failed in the TLS handshake in another way")                   \
	X(OLINK_RACES, "olink_races_total", COUNTER,                                               \
	  "Connections begun beside another that took long")                                       \
	X(OLINK_RACES_WON, "olink_races_won_total", COUNTER,                                       \
	  "Of these, those that were faster all the same")                                         \
	X(OLINK_RESOLVES, "olink_resolve_total", COUNTER, "Names looked up")                       \
	X(OLINK_RESOLVE_FAILURES, "olink_resolve_failures_total", COUNTER,                         \
	  "Names looked up in vain")                                                               \
	X(OLINK_RESOLVES_DENIED, "olink_resolve_denied_total", COUNTER,                            \
	  "Of these, those of which a name server says that they have no address")                 \
	X(OLINK_RESOLVES_EXPIRED, "olink_resolve_expired_total", COUNTER,                          \
	  "Names whose last addresses were given up, for they could not be looked up for so long") \
	X(OLINK_PROBES, "olink_probes_total", COUNTER, "Health probes of origin servers")          \
	X(OLINK_PROBE_FAILURES, "olink_probe_failures_total", COUNTER,                             \
	  "Health probes of origin servers that failed")                                           \
	X(OLINK_PROBES_PREVENTED, "olink_probes_prevented_total", COUNTER,                         \
	  "Health probes of origin servers that were not made, for want of descriptors, ports or " \
	  "memory here")                                                                           \
	X(OLINK_EJECTIONS, "olink_ejections_total", COUNTER,                                       \
	  "Times that a server's address was left out for what requests had found")                \
	X(OLINK_RESOLVES_PREVENTED, "olink_resolve_prevented_total", COUNTER,                      \
	  "Names not looked up, for want of descriptors here")

enum olink_counter {
	OLINK_COUNTER_LIST(METRIC_ID) /* in the order of the list */
	OLINK_N_COUNTERS,
};

struct metrics *olink_counters_create(unsigned n_shards);
