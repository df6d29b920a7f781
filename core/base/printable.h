/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Text of others (file names, values of a configuration, what a daemon says) before it is shown to
 * a person: what would move the cursor, change colours, turn the order of letters round or not be
 * seen at all becomes visible, so that a message means what it seems to mean. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A copy, malloc'd, on one line: control characters (C0, DEL, C1), line and paragraph separators,
 * marks and overrides of direction (Unicode's Bidi_Control) and characters without width become
 * "\u202e" or "\U000e0041", what is no UTF-8 "\xff", byte by byte. All else stays as it is,
 * backslashes too. */
char *printable(const char *text);
/* Whether `text` of `len` bytes has such a character or what is no UTF-8, and the first of them: a
 * byte that is no UTF-8 counts as U+FFFD. */
bool printable_fault(const char *text, size_t len, uint32_t *character);
/* In place: every byte of such a character, or that is no UTF-8, becomes "?". text[len] must be
 * NUL. */
void printable_mask(char *text, size_t len);
