/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Tables for people, by libsmartcols: as wide as the terminal, with colours only there. What stands
 * in them was said by a daemon and goes through printable(). One thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* First of all: sets LC_CTYPE, by which it is known how wide a letter is. */
void ctl_table_init(void);
/* Whether it is a list of objects, or an object of objects, with at least one: what a table can
 * show. */
bool ctl_is_table(const json_t *value);
/* A table of such: a line for each object, which is named by its key, or in a list by its first
 * member ("name", "edge", "address" and "host" with "port" count as first). Members that are such
 * lists themselves become lines below it. All other members are columns, wherever they are found.
 */
void ctl_table(json_t *things);
/* An object of plain values: "name  value", a line each. */
void ctl_pairs(json_t *object);
/* A value that is no table, as a word or a few: "yes", "4.2", "a, b", "a 1, b 2"; malloc'd. */
char *ctl_text(const json_t *value);
