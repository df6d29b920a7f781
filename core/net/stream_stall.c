/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Who holds memory for those who do not take it. One loop.
 */
#include "core/net/stream_stall.h"

#include <stdatomic.h>

#include "core/net/stream.h"

static void count(struct stalls *stalls, size_t before, size_t now)
{
	stalls->held += now - before;
	if (stalls->budget)
		atomic_fetch_add_explicit(&stalls->budget->queued, (uint64_t)now - before,
					  memory_order_relaxed);
}

void stalls_init(struct stalls *stalls)
{
	*stalls = (struct stalls){0};
	TAILQ_INIT(&stalls->list);
}

void stalls_set_budget(struct stalls *stalls, struct stream_budget *budget)
{
	size_t held = stalls->held;

	count(stalls, held, 0);
	stalls->budget = budget;
	count(stalls, 0, held);
}

void stall_set_held(struct stalls *stalls, struct stall *stall, size_t held)
{
	if (stall->held == 0 && held > 0)
		TAILQ_INSERT_TAIL(&stalls->list, stall, link);
	else if (stall->held > 0 && held == 0)
		TAILQ_REMOVE(&stalls->list, stall, link);
	count(stalls, stall->held, held);
	stall->held = held;
}

void stall_progressed(struct stalls *stalls, struct stall *stall)
{
	if (stall->held == 0)
		return;
	TAILQ_REMOVE(&stalls->list, stall, link);
	TAILQ_INSERT_TAIL(&stalls->list, stall, link);
}

static bool over_limit(const struct stream_budget *budget)
{
	uint64_t limit = atomic_load_explicit(&budget->limit, memory_order_relaxed);

	return limit != 0 && atomic_load_explicit(&budget->queued, memory_order_relaxed) > limit;
}

struct stall *stalls_to_cut(const struct stalls *stalls, const struct stall *asker)
{
	struct stall *first = TAILQ_FIRST(&stalls->list);

	if (!first || !stalls->budget || !over_limit(stalls->budget))
		return NULL;
	return first == asker && TAILQ_NEXT(first, link) ? TAILQ_NEXT(first, link) : first;
}
