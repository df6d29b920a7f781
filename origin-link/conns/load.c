/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Load. A latency that nobody renews fades away: a server that was slow once is tried again, and
 * what it does then counts.
 *
 * In flight is a sum of what this loop has, exactly, and what the others had when it last looked:
 * of a server that it may choose for a request a few milliseconds ago at most, of others at any
 * time. Were that exact as well, each request of each loop would have to write where all others
 * read; and what is wrong about it is what other loops have begun or ended since, each of which
 * sees its own.
 */
#include "origin-link/conns/load.h"

#include <math.h>

#include "core/base/check.h"
#include "origin-link/conns/outcome.h"

/* In that time an average forgets two thirds of what it was, as in Finagle: long enough for what is
 * slow to be left alone, short enough for it to be tried some times a minute. */
#define DECAY DUR_S(10)
/* What failed counts as slow as that at least, however fast it did: it must not be preferred. */
#define FAILED DUR_S(1)
/* Much shorter than most requests are under way. */
#define STALE DUR_MS(5)

void load_add_in_flight(struct load *l, int n)
{
	unsigned old = atomic_load_explicit(&l->in_flight, memory_order_relaxed);

	CHECK(n > 0 || old > 0);
	atomic_store_explicit(&l->in_flight, old + (unsigned)n, memory_order_relaxed);
}

static double left_after(int64_t since, mono_time now)
{
	return exp(-(double)MAX(now.ns - since, 0) / (double)DECAY.ns);
}

void load_learn_latency(struct load *l, duration latency, mono_time now)
{
	int64_t old = atomic_load_explicit(&l->latency, memory_order_relaxed);
	int64_t at = atomic_load_explicit(&l->latency_at, memory_order_relaxed);
	int64_t new = MAX(latency.ns, 1);

	if (old > new) {
		double left = left_after(at, now);

		new = (int64_t)((double)old * left + (double)new *(1 - left));
	}
	/* Who reads the one before and the other after this is wrong by one request. */
	atomic_store_explicit(&l->latency, new, memory_order_relaxed);
	atomic_store_explicit(&l->latency_at, now.ns, memory_order_relaxed);
}

/* A gateway that has nobody behind it answers at once. */
static bool is_refusal(int status)
{
	return status >= 502 && status <= 504;
}

void load_learn(struct load *l, const struct outcome *o, mono_time now)
{
	duration latency = o->first_byte;

	if (o->ended ? !outcome_is_failure(o) : latency.ns < 0)
		return;
	if (o->ended || is_refusal(o->status))
		latency.ns = MAX(MAX(latency.ns, o->whole.ns), FAILED.ns);
	load_learn_latency(l, latency, now);
}

/* The others */

bool load_is_stale(const struct load *l, mono_time now)
{
	return l->others.at.ns == 0 || mono_since(now, l->others.at).ns >= STALE.ns;
}

void load_look_begin(struct load *l)
{
	l->others.in_flight = 0;
	l->others.latency = l->others.trust = 0;
	l->others.newest = 0;
}

void load_look_at(struct load *l, const struct load *other, mono_time now)
{
	int64_t latency = atomic_load_explicit(&other->latency, memory_order_relaxed);

	l->others.in_flight += atomic_load_explicit(&other->in_flight, memory_order_relaxed);
	if (latency > 0) {
		int64_t at = atomic_load_explicit(&other->latency_at, memory_order_relaxed);
		double trust = left_after(at, now);

		l->others.latency += trust * (double)latency;
		l->others.trust += trust;
		l->others.newest = MAX(l->others.newest, at);
	}
}

void load_look_end(struct load *l, mono_time now)
{
	l->others.at = now;
	if (l->others.trust > 0)
		l->others.latency /= l->others.trust;
}

unsigned load_in_flight(const struct load *l)
{
	return atomic_load_explicit(&l->in_flight, memory_order_relaxed) + l->others.in_flight;
}

duration load_latency(const struct load *l, mono_time now)
{
	int64_t own = atomic_load_explicit(&l->latency, memory_order_relaxed);
	int64_t at = atomic_load_explicit(&l->latency_at, memory_order_relaxed);
	double trust = own > 0 ? left_after(at, now) : 0, others = l->others.trust, mean;

	if (others > 0)
		others *= left_after(l->others.at.ns, now);
	if (trust + others <= 0)
		return DUR_NS(0);
	mean = ((double)own * trust + l->others.latency * others) / (trust + others);
	/* It fades as the newest of what it is made of does. */
	return DUR_NS(MAX(mean * left_after(MAX(at, l->others.newest), now), 1.0));
}
