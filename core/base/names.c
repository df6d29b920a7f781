/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Names for a sentence.
 */
#include "core/base/names.h"

#include <stdlib.h>

#include "core/base/check.h"

void names_add(struct names *names, const char *name)
{
	char *before = names->text;

	if (names->n++ >= NAMES_SHOWN)
		return;
	names->text = before == NULL ? xstrdup(name) : xasprintf("%s, %s", before, name);
	free(before);
}

char *names_sentence(struct names *names, const char *one, const char *several)
{
	char *text;

	if (names->n == 0)
		return NULL;
	if (names->n > NAMES_SHOWN)
		text = xasprintf("%s %s and %u more", several, names->text, names->n - NAMES_SHOWN);
	else
		text = xasprintf("%s %s", names->n == 1 ? one : several, names->text);
	free(names->text);
	*names = (struct names){0};
	return text;
}
