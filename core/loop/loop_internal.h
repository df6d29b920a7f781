/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What loop_group.c needs of loop.c and nobody else does.
 */
#pragma once

#include "core/loop/loop.h"

struct loop *loop_create_indexed(const char *name, unsigned index);
/* Owner only: false when a mail is run by loop_destroy() rather than in a turn. */
bool loop_is_in_turn(const struct loop *loop);
