/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What the daemons answer, for people: in which order its parts are shown. What they look like is
 * ctl/table.c's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/printable.h"
#include "ctl/perigeectl.h"
#include "ctl/table.h"

void ctl_say(FILE *out, const char *before, const char *text)
{
	char *shown = printable(text);

	fprintf(out, "%s%s\n", before, shown);
	free(shown);
}

static bool begins(const char *key, const char *prefix)
{
	return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* What counts for one of the origins or of their servers has tables of its own. */
static bool is_of_origin(const char *key)
{
	return begins(key, "olink_server_") || begins(key, "olink_origin_");
}

/* Most of a young daemon's counters are 0: only the others are worth a line. */
static void print_counters(json_t *counters)
{
	json_t *counted = json_object(), *value;
	const char *key;
	size_t zeros = 0;

	json_object_foreach(counters, key, value)
	{
		if (is_of_origin(key))
			continue;
		if (json_is_number(value) && json_number_value(value) == 0)
			zeros++;
		else
			json_object_set(counted, key, value);
	}
	if (json_object_size(counted) > 0)
		ctl_pairs(counted);
	if (zeros > 0)
		printf("(%zu more are 0)\n", zeros);
	json_decref(counted);
}

static void print_title(const char *key)
{
	char *title = printable(key);

	for (char *p = title; *p != '\0'; p++)
		*p = *p == '_' ? ' ' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	printf("\n%s\n", title);
	free(title);
}

static bool is_counters(const char *key)
{
	return strcmp(key, "counters") == 0;
}

static bool is_part(const json_t *value)
{
	return json_object_size(value) > 0 || ctl_is_table(value);
}

static void print_part(const char *key, json_t *value);

/* Plain members first, then a part for each of the others, the longest one last. */
static void print_parts(json_t *object)
{
	json_t *plain = json_object(), *value;
	const char *key;

	json_object_foreach(object, key, value)
	{
		if (!json_is_object(value) && !ctl_is_table(value))
			json_object_set(plain, key, value);
	}
	if (json_object_size(plain) > 0)
		ctl_pairs(plain);
	json_decref(plain);
	json_object_foreach(object, key, value)
	{
		if (is_part(value) && !is_counters(key))
			print_part(key, value);
	}
	value = json_object_get(object, "counters");
	if (value != NULL && is_part(value))
		print_part("counters", value);
}

static void print_part(const char *key, json_t *value)
{
	print_title(key);
	if (is_counters(key))
		print_counters(value);
	else if (ctl_is_table(value))
		ctl_table(value);
	else
		print_parts(value);
}

void ctl_print_status(json_t *status)
{
	ctl_split_origins(status);
	print_parts(status);
}

/* Takes a member out of it, as text: "?" when it is not there; malloc'd. */
static char *take_text(json_t *report, const char *key)
{
	json_t *value = json_object_get(report, key);
	char *text = value != NULL ? ctl_text(value) : xstrdup("?");

	json_object_del(report, key);
	return text;
}

static void print_records(json_t *report, const char *section)
{
	json_t *record;
	size_t i;

	json_array_foreach(json_object_get(report, section), i, record)
	{
		if (json_is_string(record))
			ctl_say(stdout, "  ", json_string_value(record));
	}
	json_object_del(report, section);
}

/* The question and what is answered to it, as one would say it; then all else that is known. */
void ctl_print_explain(json_t *report)
{
	bool steered = json_object_get(report, "candidates") != NULL;
	char *name = take_text(report, "name"), *type = take_text(report, "type");
	char *client = take_text(report, "client"), *rcode = take_text(report, "rcode");
	char *scope = take_text(report, "scope");

	printf("%s %s for %s: %s", name, type, client, rcode);
	if (steered)
		printf(", scope /%s", scope);
	putchar('\n');
	print_records(report, "answer");
	print_records(report, "authority");
	print_records(report, "additional");
	if (!steered)
		puts("not a steered name: the answer is the same for every client");
	print_parts(report);
	free(name);
	free(type);
	free(client);
	free(rcode);
	free(scope);
}
