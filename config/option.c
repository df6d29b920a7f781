/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How to walk the tables of options. Knows no option. Any thread.
 */
#include "config/option.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

const struct cfg_option *cfg_option_find(const struct cfg_option *table, const char *key)
{
	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		if (strcmp(o->key, key) == 0)
			return o;
	}
	return NULL;
}

static void each_under(const char *above, const struct cfg_option *table,
		       void (*visit)(void *, const char *, const struct cfg_option *), void *arg)
{
	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		char *path = xasprintf("%s%s", above, o->key), *under;

		visit(arg, path, o);
		if (o->children != NULL) {
			/* The value of a pair has the key "*" itself. */
			bool many = o->shape == CFG_NAMED || o->shape == CFG_ITEMS;

			under = xasprintf("%s%s", path, many ? ".*." : ".");
			each_under(under, o->children, visit, arg);
			free(under);
		}
		free(path);
	}
}

void cfg_option_each(const struct cfg_option *table,
		     void (*visit)(void *arg, const char *path, const struct cfg_option *option),
		     void *arg)
{
	each_under("", table, visit, arg);
}

char *cfg_option_next_default(const struct cfg_option *option, const char **rest)
{
	const char *item = *rest, *end = NULL;

	if (item == NULL)
		return NULL;
	if (option->shape == CFG_VALUES)
		end = strstr(item, ", ");
	*rest = end != NULL ? end + 2 : NULL;
	return xasprintf("%.*s", end != NULL ? (int)(end - item) : (int)strlen(item), item);
}

const struct cfg_option *cfg_option_decider(const struct cfg_option *option)
{
	const struct cfg_option *o = option;

	if (option->choice == NULL)
		return NULL;
	do
		o--;
	while (strcmp(o->key, option->choice) != 0);
	return o;
}

bool cfg_option_belongs(const struct cfg_option *option, const void *base)
{
	const struct cfg_option *decider = cfg_option_decider(option);
	const char *value;

	if (decider == NULL)
		return true;
	value = (const char *)base + decider->offset;
	return option->when &
	       1U << (decider->choices != NULL ? *(const unsigned *)value : *(const bool *)value);
}

const char *cfg_option_choice(const struct cfg_option *decider, unsigned value)
{
	static const char *const booleans[] = {"false", "true", NULL};

	return decider->choices != NULL ? decider->choices[value] : booleans[value];
}

char *cfg_option_belongs_to(const struct cfg_option *option)
{
	const struct cfg_option *decider = cfg_option_decider(option);
	char *text;

	if (decider == NULL)
		return NULL;
	text = xasprintf("%s ", decider->key);
	for (unsigned i = 0; cfg_option_choice(decider, i) != NULL; i++) {
		const char *separator = option->when >> (i + 1) != 0 ? ", " : " or ";
		char *longer;

		if (!(option->when & 1U << i))
			continue;
		if ((option->when & ((1U << i) - 1)) == 0)
			separator = "";
		longer = xasprintf("%s%s%s", text, separator, cfg_option_choice(decider, i));
		free(text);
		text = longer;
	}
	return text;
}
