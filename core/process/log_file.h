/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A file, or what else takes lines (core/base/log_output.h), that many loops append whole lines to
 * (the access log): each loop has its own buffer, left when it is full and once a second to a
 * thread that writes. No loop ever waits for the file or for who reads it. Memory: 64 KiB a loop,
 * and 8 MiB.
 */
#pragma once

#include "core/base/log_output.h"
#include "core/loop/loop.h"

struct log_file;
/* `name` is for people. NULL when it cannot be opened; *error (malloc'd, caller frees) then says
 * why. */
struct log_file *log_file_open(const char *name, const struct log_target *target,
			       struct loop_group *group, char **error);
/* Owner: any loop of the group. Copies the line (newline included); one that there is no room for
 * is counted and dropped. */
void log_file_append(struct log_file *file, struct loop *loop, const char *line, size_t len);
/* Any thread: lines dropped so far. */
uint64_t log_file_dropped(const struct log_file *file);
/* Any thread: reopens by path (after rotation), soon; keeps the old one if that fails. Lines that
 * have not been written yet go to the new one. */
void log_file_reopen(struct log_file *file);
/* After the workers were joined and before the group is destroyed: writes what is left, for a
 * second at most. */
void log_file_close(struct log_file **file);
