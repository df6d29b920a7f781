/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of the edge's counters. The names of the reasons are made from their texts at start.
 */
#include "edge/node/counters.h"

#include <string.h>

#include "core/base/check.h"

#define REASON_NAME_MAX 80

static struct metric_desc table[EDGE_COUNTER_COUNT] = {
    [EDGE_CONNECTIONS] = {"edge_connections_total", "Client connections accepted.", METRIC_COUNTER},
    [EDGE_CONNECTIONS_ACTIVE] = {"edge_connections_active", "Client connections that are open.",
				 METRIC_GAUGE},
    [EDGE_CONNECTIONS_REFUSED] = {"edge_connections_refused_total",
				  "Client connections closed at once: over the limit.",
				  METRIC_COUNTER},
    [EDGE_CONNECTIONS_DISPLACED] = {"edge_connections_displaced_total",
				    "Client connections, silent or idle, that gave way to others.",
				    METRIC_COUNTER},
    [EDGE_SILENT_ACTIVE] = {"edge_silent_active",
			    "Client connections that have not yet said enough.", METRIC_GAUGE},
    [EDGE_PROXY_HEADERS] = {"edge_proxy_headers_total", "PROXY headers received.", METRIC_COUNTER},
    [EDGE_PROXY_HEADER_FAILURES] = {"edge_proxy_header_failures_total",
				    "Client connections that lacked the PROXY header they had to "
				    "begin with.",
				    METRIC_COUNTER},
    [EDGE_HANDSHAKES] = {"edge_handshakes_total", "TLS handshakes completed.", METRIC_COUNTER},
    [EDGE_HANDSHAKES_RESUMED] = {"edge_handshakes_resumed_total",
				 "TLS handshakes that resumed a session.", METRIC_COUNTER},
    [EDGE_HANDSHAKES_ACTIVE] = {"edge_handshakes_active", "TLS handshakes in flight.",
				METRIC_GAUGE},
    [EDGE_HANDSHAKES_WAITING] = {"edge_handshakes_waiting", "TLS handshakes that wait for a place.",
				 METRIC_GAUGE},
    [EDGE_HANDSHAKE_FAILURES] = {"edge_handshake_failures_total",
				 "TLS handshakes that failed or took too long.", METRIC_COUNTER},
    [EDGE_REQUESTS] = {"edge_requests_total", "Requests, refused ones too.", METRIC_COUNTER},
    [EDGE_REQUESTS_ACTIVE] = {"edge_requests_active", "Requests being served.", METRIC_GAUGE},
    [EDGE_RESPONSES_1XX] = {"edge_responses_1xx_total", "Informational responses.", METRIC_COUNTER},
    [EDGE_RESPONSES_2XX] = {"edge_responses_2xx_total", "Responses of class 2xx.", METRIC_COUNTER},
    [EDGE_RESPONSES_3XX] = {"edge_responses_3xx_total", "Responses of class 3xx.", METRIC_COUNTER},
    [EDGE_RESPONSES_4XX] = {"edge_responses_4xx_total", "Responses of class 4xx.", METRIC_COUNTER},
    [EDGE_RESPONSES_5XX] = {"edge_responses_5xx_total", "Responses of class 5xx.", METRIC_COUNTER},
    [EDGE_BYTES_RECEIVED] = {"edge_client_bytes_received_total",
			     "Bytes from clients, TLS taken off.", METRIC_COUNTER},
    [EDGE_BYTES_SENT] = {"edge_client_bytes_sent_total", "Bytes to clients, before TLS.",
			 METRIC_COUNTER},
    [EDGE_STALLED_CUT] =
	{"edge_stalled_cut_total",
	 "Connections, of clients and to origins, cut off because they took nothing "
	 "and http.limit.buffered was used up.",
	 METRIC_COUNTER},
    [EDGE_ACCESS_LOG_DROPPED] = {"edge_access_log_dropped_total",
				 "Lines of the access log that could not be written in time.",
				 METRIC_COUNTER},
    [EDGE_LOG_DROPPED] = {"edge_log_dropped_total",
			  "Lines of the program's log that could not be written in time.",
			  METRIC_COUNTER},
    [EDGE_RELOADS] = {"edge_reloads_total", "Configurations taken over while running.",
		      METRIC_COUNTER},
    [EDGE_RELOAD_FAILURES] = {"edge_reload_failures_total", "Configurations refused while running.",
			      METRIC_COUNTER},
};
static char names[2][REASON_COUNT][REASON_NAME_MAX];

static void name_reasons(unsigned first, char (*out)[REASON_NAME_MAX], const char *prefix,
			 const char *help)
{
	for (unsigned r = 0; r < REASON_COUNT; r++) {
		size_t len = strlen(prefix) + strlen(reason_text(r));

		CHECK(len + sizeof("_total") <= REASON_NAME_MAX);
		strcpy(out[r], prefix);
		strcat(out[r], reason_text(r));
		strcat(out[r], "_total");
		for (char *p = out[r]; *p != '\0'; p++) {
			if (*p == '-')
				*p = '_';
		}
		table[first + r] = (struct metric_desc){out[r], help, METRIC_COUNTER};
	}
}

struct metrics *edge_counters_create(unsigned n_shards)
{
	name_reasons(EDGE_END, names[0], "edge_end_", "Exchanges that ended for this reason.");
	name_reasons(EDGE_CONNECTION_END, names[1], "edge_connection_end_",
		     "Client connections that ended for this reason.");
	return metrics_create(table, EDGE_COUNTER_COUNT, n_shards);
}
