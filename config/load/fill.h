/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * From the tree to the typed structs, by the option table. One thread.
 */
#pragma once

#include "config/fleet.h"
#include "config/memory.h"
#include "config/syntax/entry.h"

/* Fills every option of `fleet`, from the tree or by its default, and complains about all that is
 * unknown, missing or wrong. Lists keep their length even when an item is wrong, so that item i of
 * the struct is item i of the tree; such items are zero. Memory is taken from `mem`. */
void cfg_fill(struct cfg_fleet *fleet, const struct cfg_entry *root, struct cfg_memory *mem,
	      struct diag *diag);
