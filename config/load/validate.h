/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What no option can say of itself: rules about several values together. One thread.
 */
#pragma once

#include "config/fleet.h"
#include "config/syntax/entry.h"

/* Origins that stand in for others may stand further down: they become known once all are. The
 * first of the two. */
void cfg_find_fallbacks(struct cfg_fleet *fleet, const struct cfg_entry *root, struct diag *diag);
/* Complains about what contradicts itself. `root` is the tree that `fleet` was filled from; what
 * cfg_fill() found wrong (and left zero) is passed over. */
void cfg_validate(const struct cfg_fleet *fleet, const struct cfg_entry *root, struct diag *diag);
