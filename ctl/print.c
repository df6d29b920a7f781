/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the daemons answer, for people. The printing goes by the shape of the JSON, not by a list of
 * its keys, so that what a daemon newly reports is seen without a change here.
 */
#include "ctl/perigeectl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* More than any report has; further columns are left out. */
#define COLUMNS_MAX 16

/* One value as a word or a few, malloc'd. */
static char *scalar_text(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return xstrdup(json_string_value(value));
	case JSON_INTEGER:
		return xasprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_REAL:
		return xasprintf("%.1f", json_real_value(value));
	case JSON_TRUE:
		return xstrdup("yes");
	case JSON_FALSE:
		return xstrdup("no");
	case JSON_NULL:
		return xstrdup("-");
	default:
		break;
	}
	return json_dumps(value, JSON_COMPACT);
}

/* A list of plain values as "a, b". */
static char *value_text(const json_t *value)
{
	char *text = xstrdup("");
	const json_t *item;
	size_t i;

	if (!json_is_array(value)) {
		free(text);
		return scalar_text(value);
	}
	json_array_foreach(value, i, item)
	{
		char *one = scalar_text(item);
		char *longer = xasprintf("%s%s%s", text, i > 0 ? ", " : "", one);

		free(one);
		free(text);
		text = longer;
	}
	return text;
}

/* "probe_ms" becomes "PROBE MS". */
static void print_heading(const char *key, int width)
{
	for (; *key != '\0'; key++, width--)
		putchar(*key == '_' ? ' ' : *key >= 'a' && *key <= 'z' ? *key - 'a' + 'A' : *key);
	while (width-- > 0)
		putchar(' ');
}

struct table {
	const char *keys[COLUMNS_MAX];
	int widths[COLUMNS_MAX];
	unsigned n;
};

static void find_columns(struct table *t, json_t *rows)
{
	json_t *row, *value;
	const char *key;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_object_foreach(row, key, value)
		{
			unsigned c = 0;
			char *text;

			while (c < t->n && strcmp(t->keys[c], key) != 0)
				c++;
			if (c == COLUMNS_MAX)
				continue;
			if (c == t->n) {
				t->keys[t->n++] = key;
				t->widths[c] = (int)strlen(key);
			}
			text = value_text(value);
			t->widths[c] = MAX(t->widths[c], (int)strlen(text));
			free(text);
		}
	}
}

static void print_table(json_t *rows)
{
	struct table t = {.n = 0};
	json_t *row;
	size_t i;

	find_columns(&t, rows);
	for (unsigned c = 0; c < t.n; c++) {
		fputs("  ", stdout);
		print_heading(t.keys[c], c + 1 < t.n ? t.widths[c] : 0);
	}
	putchar('\n');
	json_array_foreach(rows, i, row)
	{
		for (unsigned c = 0; c < t.n; c++) {
			const json_t *value = json_object_get(row, t.keys[c]);
			char *text = value != NULL ? value_text(value) : xstrdup("-");

			printf("  %-*s", c + 1 < t.n ? t.widths[c] : 0, text);
			free(text);
		}
		putchar('\n');
	}
}

/* An object of objects as a list of rows, whose first column is the name. */
static json_t *rows_of(const char *title, json_t *object)
{
	json_t *rows = json_array(), *value;
	const char *key;

	json_object_foreach(object, key, value)
	{
		json_t *row = json_object();

		json_object_set_new(row, title, json_string(key));
		json_object_update_missing(row, value);
		json_array_append_new(rows, row);
	}
	return rows;
}

/* {origin: {servers: [{host, port, addresses: [{...}]}]}} as rows of addresses. */
static json_t *rows_of_origins(json_t *origins)
{
	json_t *rows = json_array(), *origin, *server, *address;
	const char *name;
	size_t s, a;

	json_object_foreach(origins, name, origin)
	{
		json_array_foreach(json_object_get(origin, "servers"), s, server)
		{
			json_t *addresses = json_object_get(server, "addresses");
			json_t *row = json_pack(
			    "{s:s, s:o}", "origin", name, "server",
			    json_sprintf("%s:%d",
					 json_string_value(json_object_get(server, "host")),
					 (int)json_integer_value(json_object_get(server, "port"))));

			if (json_array_size(addresses) == 0)
				json_array_append(rows, row);
			json_array_foreach(addresses, a, address)
			{
				json_t *full = json_copy(row);

				json_object_update(full, address);
				json_array_append_new(rows, full);
			}
			json_decref(row);
		}
	}
	return rows;
}

static bool all_objects(json_t *value)
{
	json_t *item;
	const char *key;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, item)
		{
			if (!json_is_object(item))
				return false;
		}
		return json_array_size(value) > 0;
	}
	json_object_foreach(value, key, item)
	{
		if (!json_is_object(item))
			return false;
	}
	return json_object_size(value) > 0;
}

/* "name  value" lines of an object of plain values. */
static void print_pairs(json_t *object, const char *indent)
{
	json_t *value;
	const char *key;
	int width = 0;

	json_object_foreach(object, key, value)
	{
		width = MAX(width, (int)strlen(key));
	}
	json_object_foreach(object, key, value)
	{
		char *text = value_text(value);

		printf("%s%-*s  %s\n", indent, width, key, text);
		free(text);
	}
}

/* Most of a young daemon's counters are 0: only the others are worth a line. */
static void print_counters(json_t *counters)
{
	json_t *counted = json_object(), *value;
	const char *key;
	size_t zeros;

	json_object_foreach(counters, key, value)
	{
		if (!json_is_number(value) || json_number_value(value) != 0)
			json_object_set(counted, key, value);
	}
	print_pairs(counted, "  ");
	zeros = json_object_size(counters) - json_object_size(counted);
	if (zeros > 0)
		printf("  (%zu more are 0)\n", zeros);
	json_decref(counted);
}

static void print_title(const char *key)
{
	putchar('\n');
	print_heading(key, 0);
	putchar('\n');
}

static void print_part(const char *key, json_t *value)
{
	json_t *rows = NULL;

	print_title(key);
	if (strcmp(key, "counters") == 0)
		print_counters(value);
	else if (strcmp(key, "origins") == 0 && all_objects(value))
		rows = rows_of_origins(value);
	else if (json_is_array(value))
		rows = json_incref(value);
	else if (all_objects(value))
		rows = rows_of("name", value);
	else
		print_pairs(value, "  ");
	if (rows != NULL)
		print_table(rows);
	json_decref(rows);
}

static bool is_part(json_t *value)
{
	return json_is_object(value) || (json_is_array(value) && all_objects(value));
}

void ctl_print_status(const json_t *status)
{
	json_t *plain = json_object(), *value;
	const char *key;

	json_object_foreach((json_t *)status, key, value)
	{
		if (!is_part(value))
			json_object_set(plain, key, value);
	}
	print_pairs(plain, "");
	json_decref(plain);
	json_object_foreach((json_t *)status, key, value)
	{
		if (is_part(value) && strcmp(key, "counters") != 0)
			print_part(key, value);
	}
	/* The longest part last. */
	value = json_object_get(status, "counters");
	if (json_is_object(value))
		print_part("counters", value);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "?";
}

static void print_lines(const json_t *lines)
{
	json_t *line;
	size_t i;

	json_array_foreach((json_t *)lines, i, line)
	{
		char *text = scalar_text(line);

		printf("  %s\n", text);
		free(text);
	}
}

static void print_place(const json_t *place)
{
	if (!json_is_true(json_object_get(place, "known"))) {
		puts("the client's place is not known");
		return;
	}
	printf("the client is at %.2f,%.2f", json_number_value(json_object_get(place, "latitude")),
	       json_number_value(json_object_get(place, "longitude")));
	printf(" (%s, %s, %s)\n", text_of(place, "city"), text_of(place, "country"),
	       text_of(place, "continent"));
}

void ctl_print_explain(const json_t *report)
{
	json_t *candidates = json_object_get(report, "candidates"), *rows, *row;
	const char *chosen = json_string_value(json_object_get(report, "chosen"));
	size_t i;

	printf("%s %s for %s: %s", text_of(report, "name"), text_of(report, "type"),
	       text_of(report, "client"), text_of(report, "rcode"));
	if (candidates != NULL)
		printf(", scope /%d", (int)json_integer_value(json_object_get(report, "scope")));
	putchar('\n');
	print_lines(json_object_get(report, "answer"));
	print_lines(json_object_get(report, "authority"));
	if (candidates == NULL) {
		puts("not a steered name: the answer is the same for every client");
		return;
	}
	print_place(json_object_get(report, "place"));
	printf("site %s, edge %s: %s\n", text_of(report, "site"), chosen != NULL ? chosen : "none",
	       text_of(report, "reason"));
	/* The edge's name first, then how far it is. */
	rows = json_array();
	json_array_foreach(candidates, i, row)
	{
		json_t *ordered = json_object();

		json_object_set(ordered, "edge", json_object_get(row, "edge"));
		json_object_set(ordered, "distance_km", json_object_get(row, "distance_km"));
		json_object_update_missing(ordered, row);
		json_array_append_new(rows, ordered);
	}
	print_table(rows);
	json_decref(rows);
}
