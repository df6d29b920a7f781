/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Counters and gauges. Each module has one table (names and help) and one `struct metrics` per
 * program; each loop of a group writes its own shard, so counting is a plain add to a line that no
 * other thread writes. Reading sums the shards, from any thread, and may be a moment behind.
 * Names follow Prometheus: `edge_requests_total`, `olink_idle_connections`.
 *
 * A module lists its metrics once, X(id, name, kind, help) for each, and makes both its ids and its
 * table of that list, so that a new one is one row:
 *
 *	enum module_counter { MODULE_COUNTER_LIST(METRIC_ID) MODULE_N_COUNTERS };
 *	static const struct metric_desc table[] = {MODULE_COUNTER_LIST(METRIC_ROW)};
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include <jansson.h>

#include "core/loop/loop.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric_desc {
	const char *name;
	const char *help;
	enum metric_kind kind;
};

#define METRIC_ID(id, metric_name, metric_kind, metric_help) id,
#define METRIC_ROW(id, metric_name, metric_kind, metric_help)                                      \
	[id] = {.name = metric_name, .help = metric_help, .kind = METRIC_##metric_kind},

struct metrics {
	const struct metric_desc *desc;
	unsigned n_metrics;
	unsigned n_shards;
	unsigned stride; /* values per shard, rounded up to a cache line */
	_Atomic int64_t *values;
};

/* `desc` has a name of its own and a help for each, and must outlive the metrics. */
struct metrics *metrics_create(const struct metric_desc *desc, unsigned n, unsigned n_shards);
void metrics_destroy(struct metrics **metrics);

/* Owner of the shard only (loop_index() of the calling loop). */
static inline void metrics_add(struct metrics *m, const struct loop *loop, unsigned id, int64_t n)
{
	_Atomic int64_t *v = &m->values[loop_index(loop) * m->stride + id];
	atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* For what is counted elsewhere, for all loops together: makes the sum `total`. The owner of the
 * shard, and nobody else may count `id`. */
static inline void metrics_set_total(struct metrics *m, const struct loop *loop, unsigned id,
				     uint64_t total)
{
	atomic_store_explicit(&m->values[loop_index(loop) * m->stride + id], (int64_t)total,
			      memory_order_relaxed);
}

int64_t metrics_sum(const struct metrics *m, unsigned id);
/* Adds each metric as "name": value to a JSON object. */
void metrics_to_json(const struct metrics *m, json_t *object);
