/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * When a second connection is begun beside a first that takes long, and where to (RFC 8305, "Happy
 * Eyeballs"). Pure; any thread.
 */
#pragma once

#include "core/base/addr.h"
#include "core/base/clock.h"

/* RFC 8305 section 5 recommends it: more than a round trip around most of the earth. */
#define RACE_DELAY DUR_MS(250)

/* What the first attempt is at. */
enum race_stage {
	RACE_WAITS,  /* for others, or for room: its server has been asked for nothing yet */
	RACE_DIALS,  /* TCP has not answered */
	RACE_SECURES /* the server is there: what takes time now is not the way */
};

enum race_step { RACE_LOOK_LATER, RACE_START, RACE_OVER };

/* What is to be done at a look, the first of which is RACE_DELAY after the beginning, and the next
 * RACE_DELAY after each other. `others`: there are some that were not tried. */
enum race_step race_look(enum race_stage stage, bool others);
/* Which of `n` others runs against `first`: the first one of the other family, for it is mostly a
 * whole family that does not get through (section 4); else the first. n > 0. */
unsigned race_rival(const struct net_addr *first, const struct net_addr *const *others, unsigned n);
