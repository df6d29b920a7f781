/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One YAML file into a tree, by libyaml's events. The language is the part of YAML 1.2 that people
 * write: maps, lists, scalars, block and flow style, quotes, comments, and aliases of what stands
 * before them. Tags, merge keys and a second document are refused: each reads as something that it
 * is not.
 * Blocking, one thread.
 */
#pragma once

#include "config/memory.h"
#include "config/syntax/entry.h"

/* Parses `len` bytes of `data`; `file` is for places and must live as long as the tree. `*budget`
 * is how many entries may still be made. NULL when the syntax is broken: then `diag` says where. An
 * empty file is an empty map. Duplicate keys and broken values are complained about, and left out
 * or marked `broken`. */
struct cfg_entry *cfg_yaml_parse(struct cfg_memory *mem, const char *file, const char *data,
				 size_t len, unsigned *budget, struct diag *diag);
