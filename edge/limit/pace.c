/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See pace.h.
 */
#include "edge/limit/pace.h"

#include "core/base/check.h"

#define SECOND INT64_C(1000000000)

void pace_init(struct pace *pace, const struct pace_terms *terms)
{
	*pace = (struct pace){.left = terms->slack};
}

/* What time has taken so far. */
static void settle(struct pace *pace, mono_time now)
{
	if (pace->runs)
		pace->left.ns -= mono_since(now, pace->since).ns;
	pace->since = now;
}

void pace_turn(struct pace *pace, const struct pace_terms *terms, bool its, mono_time now)
{
	if (pace->runs == its)
		return;
	settle(pace, now);
	pace->runs = its;
	pace->heard = now;
	if (its && terms->rate == 0)
		pace->left = terms->slack;
}

/* In nanoseconds; no more than `most`, whatever the number of bytes. */
static int64_t worth(const struct pace_terms *terms, uint64_t bytes, int64_t most)
{
	if (terms->rate == 0 || bytes / terms->rate > (uint64_t)(most / SECOND))
		return most;
	return MIN(
	    (int64_t)(bytes / terms->rate) * SECOND +
		(int64_t)((double)(bytes % terms->rate) * (double)SECOND / (double)terms->rate),
	    most);
}

/* Who is looked at late may be behind by more than the slack, and what it gave counts against all
 * of that: with enough it has all its slack again, with less it is too slow. */
void pace_progress(struct pace *pace, const struct pace_terms *terms, uint64_t bytes, mono_time now)
{
	if (bytes == 0)
		return;
	settle(pace, now);
	pace->heard = now;
	if (pace->left.ns < terms->slack.ns)
		pace->left.ns += worth(terms, bytes, terms->slack.ns - pace->left.ns);
	else
		pace->left = terms->slack;
}

duration pace_left(const struct pace *pace, mono_time now)
{
	duration left = pace->left;

	if (pace->runs)
		left.ns -= mono_since(now, pace->since).ns;
	return left;
}

bool pace_is_silent(const struct pace *pace, const struct pace_terms *terms, mono_time now)
{
	return mono_since(now, pace->heard).ns >= terms->slack.ns;
}
