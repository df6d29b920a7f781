/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Collected complaints about what an operator wrote: every error at once, each with its place.
 * Zone files, certificates and databases are complained about in the same list. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct diag;

/* Where something was written. line and column count from 1; 0: not known. */
struct cfg_place {
	const char *file; /* owned by the fleet or the diag */
	unsigned line, column;
};

struct diag *diag_create(void);
void diag_destroy(struct diag **d);
/* "file:line:column: message". Copies everything. At most 100 are kept; the rest are counted. */
void diag_add(struct diag *d, struct cfg_place place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for what is allowed, but most likely not what was meant: "file:line:column: warning:
 * message". Not counted by diag_count(). */
void diag_warn(struct diag *d, struct cfg_place place, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* False: what is added now is only counted, so that nobody need think of words. */
bool diag_has_room(const struct diag *d);
unsigned diag_count(const struct diag *d);
/* All of them, in order of place, one a line. */
void diag_print(const struct diag *d, FILE *out);
/* The same as text, malloc'd. */
char *diag_text(const struct diag *d);
