/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A leaky bucket for each kind, kept as the time at which it is empty. Pure.
 */
#include "core/http/h2_guard.h"

#include "core/base/check.h"

#define SECOND INT64_C(1000000000)

const char *h2_flood_text(enum h2_flood kind)
{
	static const char *const texts[] = {
#define X(id, name) [id] = name,
	    H2_FLOOD_LIST(X)
#undef X
	};

	CHECK((unsigned)kind < H2_FLOODS);
	return texts[kind];
}

/* How long it takes until one is forgiven. */
static int64_t interval(unsigned burst)
{
	return H2_FORGIVEN_IN * SECOND / burst;
}

bool h2_guard_count(struct h2_guard *guard, enum h2_flood kind, unsigned n, unsigned burst,
		    mono_time now)
{
	int64_t *at = &guard->clear_at[kind].ns;

	*at = MAX(*at, now.ns) + n * interval(burst);
	return *at - now.ns <= burst * interval(burst);
}

void h2_guard_forgive(struct h2_guard *guard, enum h2_flood kind, unsigned n, unsigned burst)
{
	int64_t *at = &guard->clear_at[kind].ns;

	*at = MAX(*at - n * interval(burst), 0);
}
