/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Text of others (file names, values of a configuration, what a daemon says) before it is shown to
 * a person: what would move the cursor, change colours, turn the order of letters round or not be
 * seen at all becomes visible, so that a message means what it seems to mean. Any thread.
 */
#pragma once

#include <stddef.h>

/* A copy, malloc'd, on one line: control characters (C0, DEL, C1), line and paragraph separators,
 * marks and overrides of direction (Unicode's Bidi_Control) and characters without width become
 * "\u202e" or "\U000e0041", what is no UTF-8 "\xff", byte by byte. All else stays as it is,
 * backslashes too. */
char *printable(const char *text);
/* The same into `out` of `size` bytes, NUL included, as far as it fits whole. Returns the length.
 */
size_t printable_into(char *out, size_t size, const char *text);
