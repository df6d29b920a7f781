/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The list of complaints. It owns copies of all texts, so that it outlives the fleet or the zone
 * that was complained about. One thread.
 */
#include "config/diag.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/printable.h"

/* More than anybody reads; it bounds what a file full of junk costs. */
#define KEPT_MAX 100
/* Of each, in bytes: the longest names with all that is known in their place. */
#define MESSAGE_MAX 2048

struct entry {
	struct cfg_place place; /* place.file is ours, or NULL */
	bool is_warning;
	char *message;
	unsigned file_rank; /* files in the order in which they were first complained about */
	unsigned serial;
};

/* Errors and warnings have room of their own, so that neither crowds out the other. */
struct diag {
	struct entry entries[2 * KEPT_MAX];
	unsigned kept, kept_warnings; /* of both; of them warnings */
	unsigned errors, warnings;
};

struct diag *diag_create(void)
{
	return xcalloc(1, sizeof(struct diag));
}

void diag_destroy(struct diag **d)
{
	struct diag *diag = TAKE(d);

	if (diag == NULL)
		return;
	for (unsigned i = 0; i < diag->kept; i++) {
		free((char *)diag->entries[i].place.file);
		free(diag->entries[i].message);
	}
	free(diag);
}

static unsigned file_rank(const struct diag *d, const char *file)
{
	unsigned next = 1;

	if (file == NULL)
		return 0;
	for (unsigned i = 0; i < d->kept; i++) {
		const struct entry *e = &d->entries[i];

		if (e->place.file != NULL && strcmp(e->place.file, file) == 0)
			return e->file_rank;
		next = MAX(next, e->file_rank + 1);
	}
	return next;
}

static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A message may quote a value, and a value may be as long as a file. What is wrong with it stands
 * before or after, so the middle goes. */
static void shorten(char *message)
{
	static const char gap[] = "...";
	size_t len = strlen(message), head = MESSAGE_MAX / 2, tail = len - MESSAGE_MAX / 2;

	if (len <= MESSAGE_MAX + sizeof(gap))
		return;
	while (is_inside_character(message[head]))
		head--;
	while (is_inside_character(message[tail]))
		tail++;
	memcpy(message + head, gap, sizeof(gap) - 1);
	memmove(message + head + sizeof(gap) - 1, message + tail, len - tail + 1);
}

__attribute__((format(printf, 3, 0))) static void
keep(struct diag *d, struct cfg_place place, const char *fmt, va_list args, bool is_warning)
{
	struct entry *e = &d->entries[d->kept];
	char *message;

	/* What is quoted was written by others. */
	if (place.file != NULL)
		place.file = printable(place.file);
	CHECK(vasprintf(&message, fmt, args) >= 0);
	e->message = printable(message);
	free(message);
	shorten(e->message);
	e->file_rank = file_rank(d, place.file);
	e->serial = d->kept++;
	e->is_warning = is_warning;
	e->place = place;
}

void diag_add(struct diag *d, struct cfg_place place, const char *fmt, ...)
{
	va_list args;

	d->errors++;
	if (!diag_has_room(d))
		return;
	va_start(args, fmt);
	keep(d, place, fmt, args, false);
	va_end(args);
}

void diag_warn(struct diag *d, struct cfg_place place, const char *fmt, ...)
{
	va_list args;

	d->warnings++;
	if (d->kept_warnings == KEPT_MAX)
		return;
	d->kept_warnings++;
	va_start(args, fmt);
	keep(d, place, fmt, args, true);
	va_end(args);
}

bool diag_has_room(const struct diag *d)
{
	return d->kept - d->kept_warnings < KEPT_MAX;
}

unsigned diag_count(const struct diag *d)
{
	return d->errors;
}

static int compare_number(unsigned a, unsigned b)
{
	return a < b ? -1 : a > b;
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = *(const struct entry *const *)left;
	const struct entry *b = *(const struct entry *const *)right;
	int order = compare_number(a->file_rank, b->file_rank);

	if (order == 0)
		order = compare_number(a->place.line, b->place.line);
	if (order == 0)
		order = compare_number(a->place.column, b->place.column);
	return order != 0 ? order : compare_number(a->serial, b->serial);
}

void diag_print(const struct diag *d, FILE *out)
{
	const struct entry *sorted[2 * KEPT_MAX];

	for (unsigned i = 0; i < d->kept; i++)
		sorted[i] = &d->entries[i];
	qsort(sorted, d->kept, sizeof(sorted[0]), compare_entries);
	for (unsigned i = 0; i < d->kept; i++) {
		const struct cfg_place *p = &sorted[i]->place;

		if (p->file != NULL)
			fprintf(out, "%s:", p->file);
		if (p->file != NULL && p->line != 0)
			fprintf(out, "%u:", p->line);
		if (p->file != NULL && p->line != 0 && p->column != 0)
			fprintf(out, "%u:", p->column);
		fprintf(out, "%s%s%s\n", p->file != NULL ? " " : "",
			sorted[i]->is_warning ? "warning: " : "", sorted[i]->message);
	}
	if (d->errors > KEPT_MAX)
		fprintf(out, "and %u more\n", d->errors - KEPT_MAX);
	if (d->warnings > d->kept_warnings)
		fprintf(out, "and %u more warnings\n", d->warnings - d->kept_warnings);
}

char *diag_text(const struct diag *d)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CHECK(out != NULL);
	diag_print(d, out);
	CHECK(fclose(out) == 0);
	return text;
}
