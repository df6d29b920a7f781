/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Nearest known name by edit distance: one insertion, deletion, replacement, or exchange of two
 * neighbours counts one. Keeps nothing. Any thread.
 */
#include "config/suggest.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/check.h"

#define LONGEST 64

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned cfg_edit_distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	/* Three rows of the usual matrix: two back (for exchanges), one back, this one. */
	unsigned rows[3][LONGEST + 1];

	if (a_len > LONGEST || b_len > LONGEST)
		return UINT_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *prev = rows[(i + 2) % 3], *prev2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = prev[j - 1] + !same(a[i - 1], b[j - 1]);

			best = MIN(best, prev[j] + 1);
			best = MIN(best, row[j - 1] + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				best = MIN(best, prev2[j - 2] + 1);
			row[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}

void cfg_suggest_init(struct cfg_suggest *s, const char *written)
{
	/* A third of the letters may be wrong, and at least one: more is another word. */
	size_t third = strlen(written) / 3;

	*s = (struct cfg_suggest){
	    .written = written,
	    .distance = (unsigned)MIN(MAX(third, 1), LONGEST) + 1,
	};
}

void cfg_suggest_offer(struct cfg_suggest *s, const char *known)
{
	unsigned distance = cfg_edit_distance(s->written, known);

	/* Everything is one step from a text of one letter. */
	if (distance < s->distance && distance < strlen(s->written)) {
		s->best = known;
		s->distance = distance;
	}
}
