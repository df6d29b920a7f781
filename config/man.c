/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * perigee.yaml(5) from the option table, in mdoc. The frame is text; the options are the table's.
 */
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "config/options.h"
#include "config/print.h"
#include "core/base/check.h"

static const char head[] =
    ".\\\" SPDX-License-Identifier: GPL-3.0-or-later\n"
    ".\\\" Printed by \"perigeectl man\" from the option table: do not edit.\n"
    ".Dd November 23, 2026\n"
    ".Dt PERIGEE.YAML 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm perigee.yaml\n"
    ".Nd configuration of a Perigee fleet\n"
    ".Sh DESCRIPTION\n"
    "One file describes the whole fleet; every node carries the same file and is told which of "
    "its\n"
    "nodes it is.\n"
    "The file is YAML, in UTF-8.\n"
    "Anchors, aliases, tags and several documents in a file are refused.\n"
    "A name that is not known or is there twice is an error.\n"
    ".Xr perigeectl 1\n"
    ".Cm check\n"
    "reports all errors of a file at once, each with its place.\n"
    ".Pp\n"
    "Where a list is expected, a single value may stand for a list of one.\n"
    "Relative paths start at the folder of the file that they stand in.\n"
    ".Ss Values\n"
    ".Bl -tag -width Ds\n"
    ".It duration\n"
    "A whole number with a unit:\n"
    ".Ql 500ms ,\n"
    ".Ql 10s ,\n"
    ".Ql 2m ,\n"
    ".Ql 1h ,\n"
    ".Ql 1d .\n"
    ".It size\n"
    "Bytes:\n"
    ".Ql 8192 ,\n"
    ".Ql 64KiB ,\n"
    ".Ql 1MiB ,\n"
    ".Ql 1GiB .\n"
    ".It coordinates\n"
    "Latitude and longitude in degrees, north and east positive:\n"
    ".Ql 50.11,8.68 .\n"
    "Between braces they need quotes.\n"
    ".It distance\n"
    "Kilometres:\n"
    ".Ql 100km ,\n"
    ".Ql -50km .\n"
    ".It address and port\n"
    ".Ql 192.0.2.1:443 ,\n"
    ".Ql \"[2001:db8::1]:443\" ,\n"
    "or\n"
    ".Ql \"*:443\"\n"
    "for all addresses, both IPv6 and IPv4.\n"
    ".It network\n"
    ".Ql 192.0.2.0/24 ,\n"
    ".Ql \"2001:db8::/32\" ,\n"
    "or an address.\n"
    ".It status\n"
    ".Ql 200\n"
    "or a range such as\n"
    ".Ql 200-399 .\n"
    ".It boolean\n"
    ".Ql true\n"
    "or\n"
    ".Ql false ;\n"
    ".Ql yes ,\n"
    ".Ql no ,\n"
    ".Ql on\n"
    "and\n"
    ".Ql off\n"
    "say the same.\n"
    ".El\n"
    ".Ss Environment variables\n"
    "In every value\n"
    ".Ql ${NAME}\n"
    "is the value of an environment variable, which must be set;\n"
    ".Ql ${NAME:-text}\n"
    "is the text when it is unset or empty;\n"
    ".Ql $$\n"
    "is a dollar.\n"
    "Between braces such a value needs quotes.\n"
    ".Ss Include\n"
    ".Bl -tag -width Ds\n"
    ".It Ic include : No list of path\n"
    "Files that are part of this one;\n"
    ".Ql * ,\n"
    ".Ql \\&?\n"
    "and\n"
    ".Ql [...]\n"
    "are as in a shell, and may match nothing.\n"
    "Maps at the top level, such as\n"
    ".Ic edges ,\n"
    "are put together; a name that is defined in two files is an error.\n"
    ".El\n"
    ".Sh OPTIONS\n"
    "An option marked\n"
    ".Em restart\n"
    "takes effect when a program starts; all others take effect when it is told to reload.\n"
    "An asterisk stands for a name, or for an item of a list.\n";

/* What config/limits.h says. */
static void print_limits(FILE *out)
{
	fprintf(out,
		".Sh LIMITS\n"
		"Only regular files are read, each as a whole before anything is made of it.\n"
		"A configuration has at most %d files and %d MiB,\n"
		"included by each other up to %d deep;\n"
		"%d maps, lists and values, nested up to %d deep; and %d edges.\n"
		"A value is at most %d KiB long when environment variables are put in.\n"
		"What is larger is an error like others.\n",
		CFG_FILES_MAX, CFG_FILE_BYTES_MAX >> 20, CFG_INCLUDE_DEPTH_MAX, CFG_ENTRIES_MAX,
		CFG_DEPTH_MAX, CFG_EDGES_MAX, CFG_VALUE_BYTES_MAX >> 10);
}

static const char tail[] = ".Sh EXAMPLES\n"
			   ".Bd -literal -offset indent\n"
			   "edges:\n"
			   "  fra1:\n"
			   "    location: 50.11,8.68\n"
			   "    addresses: [203.0.113.10]\n"
			   "origins:\n"
			   "  app:\n"
			   "    servers: [app1.example.net:8080, app2.example.net:8080]\n"
			   "sites:\n"
			   "  www:\n"
			   "    hosts: [www.example.com]\n"
			   "    certificates: [{certificate: www.pem, key: www.key}]\n"
			   "    routes: [{path: /, origin: app}]\n"
			   ".Ed\n"
			   ".Sh SEE ALSO\n"
			   ".Xr perigeectl 1 ,\n"
			   ".Xr perigee-dns 8 ,\n"
			   ".Xr perigee-edge 8\n";

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
		return "map of values";
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

/* What the short form is for: the other of what is so by default. */
static void print_shorthand(FILE *out, const struct cfg_option *o)
{
	const char *other =
	    strcmp(cfg_option_child(o, o->shorthand)->fallback, "true") == 0 ? "off" : "on";

	fprintf(out, "A boolean in its stead is its\n.Ic %s :\n.Ql %s: %s\nturns it %s.\n",
		o->shorthand, cfg_option_key(o), other, other);
}

static void print_option(FILE *out, const struct cfg_option *o)
{
	char *range = cfg_option_range(o), *owners = cfg_option_belongs_to(o);

	fprintf(out, ".It Ic %s : No %s", o->path, shape_text(o));
	if (o->shape == CFG_VALUES)
		fprintf(out, " of %s", o->type->name);
	if (o->reload == CFG_RESTART)
		fputs(" , Em restart", out);
	fputc('\n', out);
	print_prose(out, o->prose);
	if (owners != NULL)
		fprintf(out, "Only with\n.Ic %s :\n%s.\n", o->choice, owners);
	if (o->choices != NULL)
		print_choices(out, o);
	if (o->shorthand != NULL)
		print_shorthand(out, o);
	if (range != NULL) {
		fputs("Range:\n.Ql ", out);
		print_word(out, range);
		fputs(" .\n", out);
	}
	if (o->fallback != NULL) {
		fputs("Default:\n.Ql ", out);
		print_word(out, *o->fallback != '\0' ? o->fallback : "\"\"");
		fputs(" .\n", out);
	} else if (o->required) {
		fputs("Required.\n", out);
	}
	free(owners);
	free(range);
}

void cfg_man(FILE *out)
{
	bool open = false;

	fputs(head, out);
	for (const struct cfg_option *o = cfg_options; o < cfg_options + cfg_n_options; o++) {
		if (strchr(o->path, '.') == NULL) {
			if (open)
				fputs(".El\n", out);
			fprintf(out, ".Ss %c%s\n", o->path[0] - 'a' + 'A', o->path + 1);
			fputs(".Bl -tag -width Ds\n", out);
			open = true;
		}
		print_option(out, o);
	}
	fputs(".El\n", out);
	print_limits(out);
	fputs(tail, out);
}
