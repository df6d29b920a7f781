/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The table behind counters.h, in the shape that core/metrics wants. Any thread.
 */
#include "origin-link/conns/counters.h"

static const struct metric_desc table[] = {OLINK_COUNTER_LIST(METRIC_ROW)};

struct metrics *olink_counters_create(unsigned n_shards)
{
	return metrics_create(table, OLINK_N_COUNTERS, n_shards);
}
