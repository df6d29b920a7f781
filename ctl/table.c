/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * JSON as tables. They are made by the shape of it, not by a list of its keys, so that what a
 * daemon newly reports is seen without a change here.
 */
#include "ctl/table.h"

#include <ctype.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libsmartcols.h>

#include "core/base/check.h"
#include "core/base/printable.h"

/* More than any report has; further columns are left out. */
#define COLUMNS_MAX 24

struct column {
	const char *key;
	bool is_number; /* all of it */
	struct libscols_column *made;
};

struct table {
	const char *name; /* the key that the names in the first column have; NULL: none */
	bool is_tree;
	struct column columns[COLUMNS_MAX]; /* behind the first */
	unsigned n;
	struct libscols_table *made;
	struct libscols_column *names;
};

static bool ascii_lines;

void ctl_table_init(void)
{
	ascii_lines = setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	/* What daemons say is UTF-8, whatever is spoken here. */
	if (ascii_lines)
		setlocale(LC_CTYPE, "C.UTF-8");
}

bool ctl_is_table(const json_t *value)
{
	json_t *item;
	const char *key;
	size_t i;

	json_array_foreach(value, i, item)
	{
		if (!json_is_object(item))
			return false;
	}
	json_object_foreach((json_t *)value, key, item)
	{
		if (!json_is_object(item))
			return false;
	}
	return json_array_size(value) + json_object_size(value) > 0;
}

/* To the hundredth: milliseconds, kilometres, degrees. */
static char *real_text(double value)
{
	char *text = xasprintf("%.2f", value);
	size_t n = strlen(text);

	while (text[n - 1] == '0')
		text[--n] = '\0';
	if (text[n - 1] == '.')
		text[--n] = '\0';
	return text;
}

static char *scalar_text(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return printable(json_string_value(value));
	case JSON_INTEGER:
		return xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_REAL:
		return real_text(json_real_value(value));
	case JSON_TRUE:
		return xstrdup("yes");
	case JSON_FALSE:
		return xstrdup("no");
	case JSON_NULL:
		return xstrdup("-");
	default:
		break;
	}
	return json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
}

/* Consumes both. */
static char *join(char *text, char *one)
{
	char *longer = text == NULL ? xstrdup(one) : xasprintf("%s, %s", text, one);

	free(one);
	free(text);
	return longer;
}

/* "origin-closed 3": of counts that only some have. */
static char *member_text(const char *key, const json_t *value)
{
	char *name = printable(key), *shown = scalar_text(value);
	char *text = xasprintf("%s %s", name, shown);

	free(name);
	free(shown);
	return text;
}

char *ctl_text(const json_t *value)
{
	char *text = NULL;
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_array(value) && !json_is_object(value))
		return scalar_text(value);
	json_array_foreach(value, i, item)
	{
		text = join(text, scalar_text(item));
	}
	json_object_foreach((json_t *)value, key, item)
	{
		text = join(text, member_text(key, item));
	}
	return text != NULL ? text : xstrdup("-");
}

/* Names */

static const char *name_key(json_t *item)
{
	static const char *const keys[] = {"name", "edge", "address", "host"};

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		if (json_object_get(item, keys[i]) != NULL)
			return keys[i];
	}
	return json_object_iter_key(json_object_iter(item));
}

/* Whether that member of an item is in its name. */
static bool is_in_name(const char *name, const char *key)
{
	return name != NULL &&
	       (strcmp(key, name) == 0 || (strcmp(name, "host") == 0 && strcmp(key, "port") == 0));
}

static char *item_name(json_t *item)
{
	const char *key = name_key(item);
	const json_t *port = json_object_get(item, "port");
	char *name = key != NULL ? ctl_text(json_object_get(item, key)) : xstrdup("-"), *whole;

	if (key == NULL || strcmp(key, "host") != 0 || !json_is_integer(port))
		return name;
	whole = xasprintf("%s:%d", name, (int)json_integer_value(port));
	free(name);
	return whole;
}

/* Columns */

static void add_column(struct table *t, const char *key, const json_t *value)
{
	unsigned c = 0;

	while (c < t->n && strcmp(t->columns[c].key, key) != 0)
		c++;
	if (c == COLUMNS_MAX)
		return;
	if (c == t->n)
		t->columns[t->n++] = (struct column){.key = key, .is_number = true};
	if (!json_is_number(value) && !json_is_null(value))
		t->columns[c].is_number = false;
}

static void find_columns(struct table *t, json_t *things);

static bool is_empty(const json_t *value)
{
	return (json_is_array(value) || json_is_object(value)) &&
	       json_array_size(value) + json_object_size(value) == 0;
}

static void find_columns_of(struct table *t, json_t *item, const char *name)
{
	json_t *value;
	const char *key;

	json_object_foreach(item, key, value)
	{
		if (ctl_is_table(value)) {
			t->is_tree = true;
			find_columns(t, value);
		} else if (!is_in_name(name, key) && !is_empty(value)) {
			add_column(t, key, value);
		}
	}
}

static void find_columns(struct table *t, json_t *things)
{
	json_t *item;
	const char *key;
	size_t i;

	json_array_foreach(things, i, item)
	{
		find_columns_of(t, item, name_key(item));
	}
	json_object_foreach(things, key, item)
	{
		find_columns_of(t, item, NULL);
	}
}

/* "probe_ms" becomes "PROBE MS". */
static char *heading(const char *key)
{
	char *text = printable(key);

	for (char *p = text; *p != '\0'; p++)
		*p = *p == '_' ? ' ' : (char)toupper((unsigned char)*p);
	return text;
}

static struct libscols_column *make_column(struct table *t, const char *key, int flags)
{
	char *text = heading(key);
	struct libscols_column *column = scols_table_new_column(t->made, text, 0, flags);

	CHECK(column != NULL);
	scols_cell_set_color(scols_column_get_header(column), "bold");
	free(text);
	return column;
}

/* Lines */

/* States of origins, edges and daemons. */
static const char *color_of(const char *text)
{
	static const struct {
		const char *text, *color;
	} colors[] = {
	    {"up", "green"},       {"serving", "green"},  {"down", "red"},
	    {"unknown", "brown"},  {"ejected", "brown"},  {"drained", "brown"},
	    {"starting", "brown"}, {"stopping", "brown"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(colors); i++) {
		if (strcmp(colors[i].text, text) == 0)
			return colors[i].color;
	}
	return NULL;
}

/* Consumes `text`. */
static void set_cell(struct libscols_line *line, struct libscols_column *column, char *text)
{
	const char *color = color_of(text);

	CHECK(scols_line_refer_column_data(line, column, text) == 0);
	if (color != NULL)
		scols_cell_set_color(scols_line_get_column_cell(line, column), color);
}

static struct libscols_line *new_line(struct libscols_table *table, struct libscols_line *parent)
{
	struct libscols_line *line = scols_table_new_line(table, parent);

	CHECK(line != NULL);
	return line;
}

static void add_lines(struct table *t, json_t *things, struct libscols_line *parent);

/* Consumes `name`. */
static void add_line(struct table *t, json_t *item, char *name, const char *named_by,
		     struct libscols_line *parent)
{
	struct libscols_line *line = new_line(t->made, parent);
	json_t *value;
	const char *key;

	set_cell(line, t->names, name);
	for (unsigned c = 0; c < t->n; c++) {
		value = json_object_get(item, t->columns[c].key);
		if (value == NULL || ctl_is_table(value) || is_in_name(named_by, t->columns[c].key))
			set_cell(line, t->columns[c].made, xstrdup(t->is_tree ? "" : "-"));
		else
			set_cell(line, t->columns[c].made, ctl_text(value));
	}
	json_object_foreach(item, key, value)
	{
		if (ctl_is_table(value))
			add_lines(t, value, line);
	}
}

static void add_lines(struct table *t, json_t *things, struct libscols_line *parent)
{
	json_t *item;
	const char *key;
	size_t i;

	json_array_foreach(things, i, item)
	{
		add_line(t, item, item_name(item), name_key(item), parent);
	}
	json_object_foreach(things, key, item)
	{
		add_line(t, item, printable(key), NULL, parent);
	}
}

/* Tables */

static bool wants_colors(void)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (none == NULL || *none == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static struct libscols_table *new_table(void)
{
	struct libscols_table *table = scols_new_table();

	CHECK(table != NULL && scols_table_set_column_separator(table, "  ") == 0);
	scols_table_enable_colors(table, wants_colors());
	scols_table_enable_ascii(table, ascii_lines);
	/* printable() has seen to that; where letters are not known, they stay as bytes. */
	scols_table_enable_noencoding(table, MB_CUR_MAX > 1);
	return table;
}

/* What cannot be written shows at the end: see main(). */
static void print_and_free(struct libscols_table *table)
{
	(void)scols_print_table(table);
	scols_unref_table(table);
}

void ctl_table(json_t *things)
{
	struct table t = {.n = 0};

	find_columns(&t, things);
	t.made = new_table();
	t.names =
	    make_column(&t, json_is_array(things) ? name_key(json_array_get(things, 0)) : "name",
			t.is_tree ? SCOLS_FL_TREE : 0);
	for (unsigned c = 0; c < t.n; c++)
		t.columns[c].made = make_column(
		    &t, t.columns[c].key, t.columns[c].is_number ? SCOLS_FL_RIGHT : SCOLS_FL_WRAP);
	add_lines(&t, things, NULL);
	print_and_free(t.made);
}

void ctl_pairs(json_t *object)
{
	struct libscols_table *table = new_table();
	struct libscols_column *keys = scols_table_new_column(table, "name", 0, 0);
	struct libscols_column *values = scols_table_new_column(table, "value", 0, SCOLS_FL_WRAP);
	json_t *value;
	const char *key;

	CHECK(keys != NULL && values != NULL);
	scols_table_enable_noheadings(table, 1);
	json_object_foreach(object, key, value)
	{
		struct libscols_line *line = new_line(table, NULL);

		set_cell(line, keys, printable(key));
		set_cell(line, values, ctl_text(value));
	}
	print_and_free(table);
}
