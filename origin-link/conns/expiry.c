/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See expiry.h. Pure: any thread, for its own connection.
 */
#include "origin-link/conns/expiry.h"

#include "core/base/check.h"

/* Connections that were made together, at a start or after a server's, must not all end together:
 * each lives for a part of max_age of its own, at least seven eighths of it. */
#define SPREAD 8
#define LUCK_MAX 1024

/* Looked for every second, it leaves two for another connection to be made, which is as much as the
 * farthest servers need; of a time that is shorter than twice that, half. */
#define NEAR DUR_S(3)

void expiry_begin(struct expiry *x, mono_time now, unsigned random)
{
	*x = (struct expiry){.made = now, .luck = random % LUCK_MAX};
}

void expiry_use(struct expiry *x)
{
	x->requests++;
}

void expiry_free(struct expiry *x, const struct expiry_rules *rules, mono_time now)
{
	int64_t cut = rules->max_age.ns / SPREAD / LUCK_MAX * x->luck;

	x->freed = now;
	x->idle_end = mono_add(now, rules->idle_timeout);
	x->age_end = (mono_time){INT64_MAX};
	if (rules->max_age.ns > 0)
		x->age_end = mono_add(x->made, DUR_NS(rules->max_age.ns - cut));
	x->max_requests = rules->max_requests;
}

enum expiry_cause expiry_cause(const struct expiry *x, mono_time now)
{
	if (mono_reached(x->age_end, now) ||
	    (x->max_requests > 0 && x->requests >= x->max_requests))
		return EXPIRY_WORN;
	return mono_reached(x->idle_end, now) ? EXPIRY_IDLE : EXPIRY_NONE;
}

bool expiry_is_near(const struct expiry *x, mono_time now)
{
	mono_time end = {MIN(x->idle_end.ns, x->age_end.ns)};
	duration all = mono_since(end, x->freed);

	return mono_since(end, now).ns <= MIN(NEAR.ns, all.ns / 2);
}

bool expiry_is_nearly_worn(const struct expiry *x, mono_time now)
{
	duration all = mono_since(x->age_end, x->made);

	return mono_since(x->age_end, now).ns <= MIN(NEAR.ns, all.ns / 2);
}

bool expiry_can_be_put_off(const struct expiry *x, mono_time now)
{
	duration all = mono_since(x->idle_end, x->freed);
	duration left = mono_since(x->idle_end, now);

	return left.ns > 0 && left.ns <= MIN(2 * NEAR.ns, all.ns / 4 * 3) &&
	       mono_since(x->age_end, now).ns > 2 * NEAR.ns;
}
