/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The rules of races between connections; trying.c runs them.
 */
#include "origin-link/request/race.h"

enum race_step race_look(enum race_stage stage, bool others)
{
	if (!others || stage == RACE_SECURES)
		return RACE_OVER;
	return stage == RACE_DIALS ? RACE_START : RACE_LOOK_LATER;
}

unsigned race_rival(const struct net_addr *first, const struct net_addr *const *others, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (others[i]->sa.sa_family != first->sa.sa_family)
			return i;
	}
	return 0;
}
