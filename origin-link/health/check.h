/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A check that outlives the configuration it is from. Any thread; pure.
 */
#pragma once

#include <stdbool.h>

#include "config/check.h"

/* A copy that owns its strings and lists. */
void probe_check_init(struct cfg_check *copy, const struct cfg_check *check);
void probe_check_fini(struct cfg_check *copy);
/* Whether the one would do as well as the other. */
bool probe_check_equal(const struct cfg_check *a, const struct cfg_check *b);
/* Whether they ask the same, though maybe at other times and with other conclusions. */
bool probe_check_asks_same(const struct cfg_check *a, const struct cfg_check *b);
