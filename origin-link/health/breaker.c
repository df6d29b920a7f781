/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The breaker's machine.
 */
#include "origin-link/health/breaker.h"

#include "core/base/check.h"

const char *breaker_state_text(enum breaker_state state)
{
	static const char *const texts[] = {
	    [BREAKER_CLOSED] = "closed",
	    [BREAKER_OPEN] = "open",
	    [BREAKER_TRIAL] = "trial",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

static bool begin(struct breaker *b, enum breaker_state state, mono_time now)
{
	*b = (struct breaker){.state = state, .since = now};
	return true;
}

static uint64_t seen_in_all(const struct breaker *b)
{
	return b->seen.good + b->seen.bad;
}

static bool is_too_bad(const struct breaker *b, const struct cfg_breaker *settings)
{
	return b->seen.bad > 0 &&
	       (double)b->seen.bad * 100 >= settings->share * (double)seen_in_all(b);
}

/* As soon as it is clear, not only at the end of the window: an origin that is gone is not asked
 * for ten seconds more. */
static bool look_closed(struct breaker *b, const struct cfg_breaker *settings, mono_time now)
{
	if (seen_in_all(b) >= settings->requests && is_too_bad(b, settings))
		return begin(b, BREAKER_OPEN, now);
	if (mono_reached(mono_add(b->since, settings->window), now)) {
		b->since = now;
		b->seen = (struct breaker_counts){0};
	}
	return false;
}

static bool look_trial(struct breaker *b, const struct cfg_breaker *settings, mono_time now)
{
	/* By the share, too: one of its servers may be ill for long, and another attempt help. */
	if (seen_in_all(b) >= settings->trials)
		return begin(b, is_too_bad(b, settings) ? BREAKER_OPEN : BREAKER_CLOSED, now);
	if (mono_reached(mono_add(b->since, settings->open), now))
		return begin(b, BREAKER_TRIAL, now);
	return false;
}

bool breaker_look(struct breaker *b, const struct cfg_breaker *settings,
		  const struct breaker_counts *news, mono_time now)
{
	if (b->since.ns == 0)
		b->since = now;
	b->seen.good += news->good;
	b->seen.bad += news->bad;
	switch (b->state) {
	case BREAKER_CLOSED:
		return look_closed(b, settings, now);
	case BREAKER_OPEN:
		/* What ends meanwhile was begun before. */
		return mono_reached(mono_add(b->since, settings->open), now) &&
		       begin(b, BREAKER_TRIAL, now);
	case BREAKER_TRIAL:
		break;
	}
	return look_trial(b, settings, now);
}
