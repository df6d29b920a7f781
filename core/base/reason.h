/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Why an exchange or a connection ended: who (client, origin, us) and what. Each ends in a counter,
 * in the access log's `end` field, and in at most one rate-limited log line.
 */
#pragma once

#include <stdbool.h>

#define REASON_LIST(X)                                                                             \
	X(REASON_NONE, "none")                                                                     \
	X(REASON_DONE, "done")                                                                     \
	X(REASON_CLIENT_CLOSED, "client-closed")                                                   \
	X(REASON_CLIENT_RESET, "client-reset")                                                     \
	X(REASON_CLIENT_MALFORMED, "client-malformed")                                             \
	X(REASON_CLIENT_MISDIRECTED, "client-misdirected")                                         \
	X(REASON_CLIENT_HANDSHAKE_TIMEOUT, "client-handshake-timeout")                             \
	X(REASON_CLIENT_HANDSHAKE_FAILED, "client-handshake-failed")                               \
	X(REASON_CLIENT_HEAD_TIMEOUT, "client-head-timeout")                                       \
	X(REASON_CLIENT_BODY_TIMEOUT, "client-body-timeout")                                       \
	X(REASON_CLIENT_TOO_SLOW, "client-too-slow")                                               \
	X(REASON_CLIENT_WRITE_TIMEOUT, "client-write-timeout")                                     \
	X(REASON_CLIENT_IDLE_TIMEOUT, "client-idle-timeout")                                       \
	X(REASON_TUNNEL_IDLE_TIMEOUT, "tunnel-idle-timeout")                                       \
	X(REASON_CLIENT_CONTENT_LIMIT, "client-content-limit")                                     \
	X(REASON_CLIENT_STALLED, "client-stalled")                                                 \
	X(REASON_CLIENT_DISPLACED, "client-displaced")                                             \
	X(REASON_CLIENT_DENIED, "client-denied")                                                   \
	X(REASON_CLIENT_LIMITED, "client-limited")                                                 \
	X(REASON_CLIENT_FLOOD, "client-flood")                                                     \
	X(REASON_ORIGIN_ALL_DOWN, "origin-all-down")                                               \
	X(REASON_ORIGIN_BREAKER_OPEN, "origin-breaker-open")                                       \
	X(REASON_ORIGIN_RESOLVE_FAILED, "origin-resolve-failed")                                   \
	X(REASON_ORIGIN_CONNECT_REFUSED, "origin-connect-refused")                                 \
	X(REASON_ORIGIN_CONNECT_FAILED, "origin-connect-failed")                                   \
	X(REASON_ORIGIN_CONNECT_TIMEOUT, "origin-connect-timeout")                                 \
	X(REASON_ORIGIN_HANDSHAKE_TIMEOUT, "origin-handshake-timeout")                             \
	X(REASON_ORIGIN_QUEUE_FULL, "origin-queue-full")                                           \
	X(REASON_ORIGIN_QUEUE_TIMEOUT, "origin-queue-timeout")                                     \
	X(REASON_ORIGIN_CLOSED, "origin-closed")                                                   \
	X(REASON_ORIGIN_RESET, "origin-reset")                                                     \
	X(REASON_ORIGIN_HEAD_TIMEOUT, "origin-head-timeout")                                       \
	X(REASON_ORIGIN_BODY_TIMEOUT, "origin-body-timeout")                                       \
	X(REASON_ORIGIN_WRITE_TIMEOUT, "origin-write-timeout")                                     \
	X(REASON_ORIGIN_TOTAL_TIMEOUT, "origin-total-timeout")                                     \
	X(REASON_ORIGIN_MALFORMED, "origin-malformed")                                             \
	X(REASON_ORIGIN_TRUNCATED, "origin-truncated")                                             \
	X(REASON_ORIGIN_CERTIFICATE, "origin-certificate")                                         \
	X(REASON_ORIGIN_HANDSHAKE_FAILED, "origin-handshake-failed")                               \
	X(REASON_ORIGIN_STALLED, "origin-stalled")                                                 \
	X(REASON_EDGE_NO_DESCRIPTORS, "edge-no-descriptors")                                       \
	X(REASON_EDGE_NO_PORTS, "edge-no-ports")                                                   \
	X(REASON_EDGE_DEADLINE, "edge-deadline")                                                   \
	X(REASON_LIMIT, "limit")                                                                   \
	X(REASON_SHUTDOWN, "shutdown")

enum reason {
#define X(id, text) id,
	REASON_LIST(X)
#undef X
	    REASON_COUNT
};

/* The stable text above, for logs and counters. */
const char *reason_text(enum reason reason);
/* We were short of descriptors, ports or memory: whoever is at the other end is not to blame. */
bool reason_is_own_shortage(enum reason reason);
