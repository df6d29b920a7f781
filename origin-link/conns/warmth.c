/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See warmth.h. Pure: no thread, no clock.
 */
#include "origin-link/conns/warmth.h"

#include "core/base/check.h"

/* Use is remembered for one to two of them: longer than a minute's pause between two waves of
 * requests, so that the second finds what the first has left; not much longer, for to a server with
 * a short idle timeout all that are not used are made again and again. */
#define PERIOD DUR_S(90)

/* A server that restarts is back within a second or so, one that is down for longer is asked twice
 * a minute. Each wait is cut by chance by up to a half, so that edges do not come all at once. */
#define REST_FIRST DUR_MS(250)
#define REST_MOST DUR_S(30)
/* As long as our own limits do not let it: they may hold for thousands of servers. */
#define REST_PREVENTED DUR_S(5)
#define CHANCE 1024

/* As many may be under way as are there, but so many at least: a server that comes back takes
 * twice as many each time, and is not met by all that it had. */
#define AT_ONCE 8

const char *warmth_state_text(enum warmth_state state)
{
	static const char *const texts[] = {
	    [WARMTH_UNWANTED] = "unwanted",
	    [WARMTH_COLD] = "cold",
	    [WARMTH_READY] = "ready",
	};

	CHECK((unsigned)state < ARRAY_SIZE(texts));
	return texts[state];
}

static void note_use(struct warmth *w, unsigned in_use, mono_time now)
{
	duration age = mono_since(now, w->period_began);

	if (age.ns >= PERIOD.ns) {
		w->most_before = age.ns < 2 * PERIOD.ns ? w->most : 0;
		w->most = 0;
		w->period_began = now;
	}
	w->most = MAX(w->most, in_use);
}

unsigned warmth_most(const struct warmth *w)
{
	return MAX(w->most, w->most_before);
}

unsigned warmth_target(const struct warmth *w, const struct warmth_sight *sight)
{
	if (sight->spare == 0)
		return 0;
	/* What is over that would be closed when it becomes idle. */
	return MIN(warmth_most(w) + sight->spare, sight->idle_max);
}

static unsigned missing(const struct warmth *w, const struct warmth_sight *sight)
{
	unsigned want = warmth_target(w, sight);
	unsigned have = sight->open + sight->ordered;
	unsigned room = sight->idle_max - MIN(sight->idle_max, have);

	/* Only so many need be there at any moment; others are replaced when they have ended, and
	 * so are those beside which no more may be idle. */
	have -= MIN(have, MIN(sight->leaving, sight->spare));
	return MIN(want - MIN(want, have), room);
}

static unsigned there(const struct warmth_sight *sight)
{
	return sight->open - MIN(sight->open, sight->dialling);
}

unsigned warmth_look(struct warmth *w, const struct warmth_sight *sight, mono_time now)
{
	unsigned n, at_once = MAX(there(sight), AT_ONCE);

	note_use(w, sight->in_use, now);
	if (sight->spare == 0) {
		w->state = WARMTH_UNWANTED;
		w->n_failed = 0;
		w->rests_until = now;
		return 0;
	}
	if (w->state == WARMTH_UNWANTED)
		w->state = WARMTH_COLD;
	if (there(sight) == 0 && !w->is_prevented)
		w->state = WARMTH_COLD;
	n = missing(w, sight);
	/* Where some have failed, some are better than none. */
	if (there(sight) > 0 && sight->opening == 0 && (n == 0 || w->n_failed > 0))
		w->state = WARMTH_READY;
	if (!mono_reached(w->rests_until, now))
		return 0;
	/* One, to find out whether the server takes connections again. */
	if (w->n_failed > 0)
		return sight->opening == 0 && n > 0;
	return MIN(n, at_once - MIN(at_once, sight->opening));
}

void warmth_lost(struct warmth *w)
{
	if (w->state == WARMTH_READY)
		w->state = WARMTH_COLD;
}

void warmth_opened(struct warmth *w, mono_time now)
{
	if (w->n_failed > 0 || mono_since(now, w->opened_at).ns > WARMTH_BROKEN.ns)
		w->n_failed_before = w->n_failed;
	w->opened_at = now;
	w->n_failed = 0;
	w->is_prevented = false;
}

void warmth_failed(struct warmth *w, mono_time now, unsigned random)
{
	int64_t rest = REST_FIRST.ns;

	/* Those that were under way together fail together, and count once. */
	if (!mono_reached(w->rests_until, now))
		return;
	for (unsigned i = 0; i < w->n_failed && rest < REST_MOST.ns; i++)
		rest *= 2;
	rest = MIN(rest, REST_MOST.ns);
	w->rests_until = mono_add(now, DUR_NS(rest - rest / 2 / CHANCE * (random % CHANCE)));
	w->n_failed++;
}

void warmth_broken(struct warmth *w, mono_time now, unsigned random)
{
	if (w->n_failed == 0)
		w->n_failed = w->n_failed_before;
	warmth_failed(w, now, random);
}

void warmth_prevented(struct warmth *w, mono_time now)
{
	/* It says nothing about the server, and others are not to wait for it. */
	if (w->state == WARMTH_COLD)
		w->state = WARMTH_READY;
	w->is_prevented = true;
	w->rests_until = mono_add(now, REST_PREVENTED);
}
