/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The files of a fleet as one tree: reads the main file and all that it includes. One thread.
 */
#pragma once

#include "config/memory.h"
#include "config/syntax/entry.h"

/* The root map of `file` and its includes, without the `include` keys themselves; in `mem`. NULL
 * when a file cannot be read or is not YAML: then `diag` says why. Top-level maps of different
 * files are merged; a name defined in two of them is complained about with both places. Blocking.
 */
struct cfg_entry *cfg_tree_load(struct cfg_memory *mem, const char *file, struct diag *diag);
/* `path` as an absolute path, when relative then from the folder of the file `from`. malloc'd. */
char *cfg_resolve_path(const char *from, const char *path);
