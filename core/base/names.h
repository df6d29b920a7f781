/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A few names out of what may be thousands, in a sentence for people: "sin1, gru1 and 12 more".
 */
#pragma once

/* More than these is no sentence any more. */
#define NAMES_SHOWN 5

struct names {
	char *text; /* malloc'd */
	unsigned n;
};

/* Of {0}: one more. */
void names_add(struct names *names, const char *name);
/* "edges sin1, gru1 and 12 more", "edge sin1"; malloc'd; NULL: there are
 * none. Ends the list. */
char *names_sentence(struct names *names, const char *one, const char *several);
