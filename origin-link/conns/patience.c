/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See patience.h. Pure: no thread, no clock.
 */
#include "origin-link/conns/patience.h"

#include <stdlib.h>

#include "core/base/check.h"

/* Servers count in seconds. */
#define LEAST DUR_S(1)
/* A server that restarts ends all of its connections within moments, after any times. So what
 * counts are those of a second together, if they were idle for as long; and what is learned from
 * are two such seconds. */
#define TOGETHER DUR_S(1)
#define ALIKE 16 /* to a sixteenth */
/* Then it is tried anew whether the server has become more patient, which costs all connections
 * that are not in use; those that it ends meanwhile say so as well. */
#define KNOWN_FOR DUR_S(3600)

static bool is_alike(duration a, duration b)
{
	return llabs(a.ns - b.ns) <= b.ns / ALIKE;
}

/* What one second says, once it is over. */
static void settle(struct patience *p, mono_time now)
{
	duration idle = p->shortest;

	if (!p->is_open || mono_since(now, p->began).ns < TOGETHER.ns)
		return;
	p->is_open = false;
	if (idle.ns < LEAST.ns || !is_alike(p->longest, idle))
		return;
	if (p->seen.ns > 0 && is_alike(idle, p->seen)) {
		p->known = DUR_NS(MIN(idle.ns, p->seen.ns));
		p->known_at = p->began;
	} else {
		p->seen = idle;
	}
}

void patience_ended(struct patience *p, duration idle, mono_time now)
{
	settle(p, now);
	if (!p->is_open) {
		p->is_open = true;
		p->began = now;
		p->shortest = p->longest = idle;
	}
	p->shortest = DUR_NS(MIN(p->shortest.ns, idle.ns));
	p->longest = DUR_NS(MAX(p->longest.ns, idle.ns));
}

duration patience_most(struct patience *p, mono_time now)
{
	settle(p, now);
	if (p->known.ns == 0 || mono_since(now, p->known_at).ns >= KNOWN_FOR.ns)
		return DUR_NS(0);
	/* An eighth less: a round trip and the wait for a turn on both sides. */
	return DUR_NS(p->known.ns - p->known.ns / 8);
}
