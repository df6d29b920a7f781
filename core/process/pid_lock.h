/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A lock file that one living process holds: who starts second is told who was first. It is the
 * kernel's lock on the file that counts, not that the file is there, so a process that died leaves
 * no lock behind, and of two that start at the same moment one wins. Any thread.
 */
#pragma once

/* A descriptor to be kept open, or -1 with *error (malloc'd, caller frees), which names the holder
 * where there is one. The file is made if need be. */
int pid_lock_take(const char *path, char **error);
/* Removes the file; *fd becomes -1. */
void pid_lock_give(int *fd, const char *path);
