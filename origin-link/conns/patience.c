/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See patience.h. Pure: no thread, no clock.
 */
#include "origin-link/conns/patience.h"

#include <stdbool.h>
#include <stdlib.h>

/* Servers count in seconds. */
#define LEAST DUR_S(1)
/* A server that restarts ends all of its connections at once, after any times. So what is learned
 * from are two that were idle for as long, and ended at different moments. */
#define APART DUR_S(1)
#define ALIKE 16 /* to a sixteenth */
/* Then it is tried anew whether the server has become more patient. */
#define KNOWN_FOR DUR_S(600)

static bool is_alike(duration a, duration b)
{
	return llabs(a.ns - b.ns) <= b.ns / ALIKE;
}

void patience_ended(struct patience *p, duration idle, mono_time now)
{
	if (idle.ns < LEAST.ns)
		return;
	if (p->seen.ns == 0 || !is_alike(idle, p->seen)) {
		p->seen = idle;
		p->seen_at = now;
	} else if (mono_since(now, p->seen_at).ns >= APART.ns) {
		p->known = DUR_NS(idle.ns < p->seen.ns ? idle.ns : p->seen.ns);
		p->known_at = now;
	}
}

duration patience_most(const struct patience *p, mono_time now)
{
	if (p->known.ns == 0 || mono_since(now, p->known_at).ns >= KNOWN_FOR.ns)
		return DUR_NS(0);
	/* An eighth less: a round trip and the wait for a turn on both sides. */
	return DUR_NS(p->known.ns - p->known.ns / 8);
}
