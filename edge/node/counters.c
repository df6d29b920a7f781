/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table of the edge's counters. The names of the reasons are made from their texts at start.
 */
#include "edge/node/counters.h"

#include <string.h>

#include "core/base/check.h"

#define REASON_NAME_MAX 80

static struct metric_desc table[EDGE_N_COUNTERS] = {EDGE_COUNTER_LIST(METRIC_ROW)};
static char names[2][REASON_COUNT][REASON_NAME_MAX];

static void name_failures(void)
{
#define X(id, kind, why)                                                                           \
	table[EDGE_HANDSHAKE_FAILURE + EDGE_FAILURE_##id - 1] =                                    \
	    (struct metric_desc){"edge_handshake_failures_" kind "_total",                         \
				 "TLS handshakes that failed: " why, METRIC_COUNTER};
	EDGE_FAILURE_LIST(X)
#undef X
}

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
	name_reasons(EDGE_END, names[0], "edge_end_", "Exchanges that ended for this reason");
	name_reasons(EDGE_CONNECTION_END, names[1], "edge_connection_end_",
		     "Client connections that ended for this reason");
	name_failures();
	return metrics_create(table, EDGE_N_COUNTERS, n_shards);
}
