/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The options of perigee.yaml(5) from the option table, in mdoc. What is around them is
 * config/perigee.yaml.5.in.
 */
#include <stdlib.h>
#include <string.h>

#include "config/options/options.h"
#include "config/print/print.h"
#include "config/types/types.h"
#include "core/base/check.h"

/* Prose as a line of its own: a leading dot or quote would be a request, a backslash an escape.
 * Sentences end with their line, so that the formatter can space them. */
static void print_prose(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (strncmp(text, ". ", 2) == 0)
			fputs(".\n", out), text++;
		else
			fputc(*text, out);
	}
	fputc('\n', out);
}

/* A word of a macro's line: quoted, since it may look like a macro or hold spaces. */
static void print_word(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputs("\\(dq", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else if (strchr(".:;,?!()[]|", *text) != NULL && text[1] == '\0')
			fprintf(out, "\\&%c", *text);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static const char *shape_text(const struct cfg_option *o)
{
	switch (o->shape) {
	case CFG_VALUE:
		return o->type->name;
	case CFG_VALUES:
		return "list";
	case CFG_SECTION:
		return "map";
	case CFG_NAMED:
		return "map by name";
	case CFG_PAIRS:
		return "map";
	case CFG_ITEMS:
		break;
	}
	return "list of maps";
}

static void print_choices(FILE *out, const struct cfg_option *o)
{
	fputs("One of\n", out);
	for (unsigned i = 0; o->choices[i] != NULL; i++) {
		const char *end = " ,";

		if (o->choices[i + 1] == NULL)
			end = " .";
		fprintf(out, ".Ql %s%s\n", o->choices[i], end);
	}
}

/* What the short form is for: of a section, the other of what is so by default. */
static void print_shorthand(FILE *out, const struct cfg_option *o)
{
	const struct cfg_option *only = cfg_option_find(o->children, o->shorthand);
	const char *other;

	if (o->shape == CFG_ITEMS || only->type != &cfg_type_bool) {
		fprintf(out, "A value in the stead of a map is its\n.Ic %s .\n", o->shorthand);
		return;
	}
	other = strcmp(only->fallback, "true") == 0 ? "off" : "on";
	fprintf(out, "A boolean in its stead is its\n.Ic %s :\n.Ql %s: %s\nturns it %s.\n",
		o->shorthand, o->key, other, other);
}

static void print_default(FILE *out, const struct cfg_option *o)
{
	if (o->fallback != NULL) {
		fputs("Default:\n.Ql ", out);
		print_word(out, *o->fallback != '\0' ? o->fallback : "\"\"");
		fputs(" .\n", out);
	} else if (o->required) {
		fputs("Required.\n", out);
	}
}

static void print_option(FILE *out, const char *path, const struct cfg_option *o)
{
	char *range = cfg_type_range(o), *owner = cfg_option_belongs_to(o);

	fprintf(out, ".It Ic %s : No %s", path, shape_text(o));
	if (o->shape == CFG_VALUES)
		fprintf(out, " of %s", o->type->name);
	if (o->shape == CFG_PAIRS)
		fprintf(out, " of %s by %s", o->children->type->name, o->type->name);
	if (o->reload == CFG_RESTART)
		fputs(" , Em restart", out);
	fputc('\n', out);
	print_prose(out, o->prose);
	if (owner != NULL)
		fprintf(out, "Only with\n.Ic %s .\n", owner);
	if (o->choices != NULL)
		print_choices(out, o);
	if (o->shorthand != NULL)
		print_shorthand(out, o);
	if (range != NULL) {
		fputs("Range:\n.Ql ", out);
		print_word(out, range);
		fputs(" .\n", out);
	}
	print_default(out, o);
	free(owner);
	free(range);
}

/* Each section is a list of its own. */
static void print_row(void *arg, const char *path, const struct cfg_option *o)
{
	FILE *out = arg;

	if (strchr(path, '.') == NULL) {
		if (o != cfg_options)
			fputs(".El\n", out);
		fprintf(out, ".Ss %c%s\n", path[0] - 'a' + 'A', path + 1);
		fputs(".Bl -tag -width Ds\n", out);
	}
	print_option(out, path, o);
}

void cfg_man(FILE *out)
{
	cfg_option_each(cfg_options, print_row, out);
	fputs(".El\n", out);
}
