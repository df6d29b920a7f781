/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * "Did you mean": the known name that is nearest to what was written. Any thread.
 */
#pragma once

/* Offers one known name at a time; the nearest is kept. */
struct cfg_suggest {
	const char *written;
	const char *best; /* NULL: none near enough; points to what was offered */
	unsigned distance;
};

void cfg_suggest_init(struct cfg_suggest *s, const char *written);
void cfg_suggest_offer(struct cfg_suggest *s, const char *known);

/* Damerau-Levenshtein distance (optimal string alignment), letters compared without case. Texts
 * longer than 64 bytes are as far as can be: UINT_MAX. */
unsigned cfg_edit_distance(const char *a, const char *b);
