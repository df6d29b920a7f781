/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the edge counts: one table for core/process/metrics.h. Reasons are counted twice over: how
 * exchanges ended (edge_end_*), and how client connections did (edge_connection_end_*).
 */
#pragma once

#include "core/base/reason.h"
#include "core/process/metrics.h"

enum edge_counter {
	EDGE_CONNECTIONS,
	EDGE_CONNECTIONS_ACTIVE,
	EDGE_CONNECTIONS_REFUSED,
	EDGE_CONNECTIONS_DISPLACED,
	EDGE_SILENT_ACTIVE,
	EDGE_PROXY_HEADERS,
	EDGE_PROXY_HEADER_FAILURES,
	EDGE_HANDSHAKES,
	EDGE_HANDSHAKES_RESUMED,
	EDGE_HANDSHAKES_ACTIVE,
	EDGE_HANDSHAKES_WAITING,
	EDGE_HANDSHAKE_FAILURES,
	EDGE_REQUESTS,
	EDGE_REQUESTS_ACTIVE,
	EDGE_RESPONSES_1XX,
	EDGE_RESPONSES_2XX,
	EDGE_RESPONSES_3XX,
	EDGE_RESPONSES_4XX,
	EDGE_RESPONSES_5XX,
	EDGE_BYTES_RECEIVED,
	EDGE_BYTES_SENT,
	EDGE_STALLED_CUT,
	EDGE_ACCESS_LOG_DROPPED,
	EDGE_LOG_DROPPED,
	EDGE_RELOADS,
	EDGE_RELOAD_FAILURES,
	EDGE_END,                                      /* + enum reason */
	EDGE_CONNECTION_END = EDGE_END + REASON_COUNT, /* + enum reason */
	EDGE_COUNTER_COUNT = EDGE_CONNECTION_END + REASON_COUNT,
};

struct metrics *edge_counters_create(unsigned n_shards);
