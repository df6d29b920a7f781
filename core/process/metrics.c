/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Sharded counters: each shard starts on its own cache line and has one writer, see metrics.h.
 */
#include "core/process/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define CACHE_LINE 64
#define PER_LINE (CACHE_LINE / sizeof(int64_t))

static void check_table(const struct metric_desc *desc, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		CHECK(desc[i].name != NULL && desc[i].help != NULL);
		for (unsigned j = 0; j < i; j++)
			CHECK(strcmp(desc[i].name, desc[j].name) != 0);
	}
}

struct metrics *metrics_create(const struct metric_desc *desc, unsigned n, unsigned n_shards)
{
	struct metrics *m = xcalloc(1, sizeof(*m));
	size_t total;

	check_table(desc, n);
	m->desc = desc;
	m->n_metrics = n;
	m->n_shards = n_shards;
	m->stride = (n + PER_LINE - 1) / PER_LINE * PER_LINE;
	total = (size_t)m->stride * n_shards;
	m->values = aligned_alloc(CACHE_LINE, MAX(total, PER_LINE) * sizeof(*m->values));
	CHECK(m->values != NULL);
	for (size_t i = 0; i < total; i++)
		atomic_init(&m->values[i], 0);
	return m;
}

void metrics_destroy(struct metrics **metrics)
{
	struct metrics *m = TAKE(metrics);

	if (m == NULL)
		return;
	free(m->values);
	free(m);
}

int64_t metrics_sum(const struct metrics *m, unsigned id)
{
	int64_t sum = 0;

	CHECK(id < m->n_metrics);
	for (unsigned i = 0; i < m->n_shards; i++)
		sum += atomic_load_explicit(&m->values[i * m->stride + id], memory_order_relaxed);
	return sum;
}

void metrics_to_json(const struct metrics *m, json_t *object)
{
	for (unsigned id = 0; id < m->n_metrics; id++)
		CHECK(json_object_set_new(object, m->desc[id].name,
					  json_integer(metrics_sum(m, id))) == 0);
}
