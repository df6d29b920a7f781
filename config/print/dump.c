/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The effective configuration as YAML. libyaml's emitter decides about quotes; what this file adds
 * is the walk over the table.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/hash.h"
#include "config/options/options.h"
#include "config/print/print.h"
#include "config/types/types.h"
#include "core/base/check.h"

/* Shorter lists are written out each time: that reads better. */
#define LONG_LIST 16

/* A long list of references: thousands of sites may have the same, and a dump that repeated it for
 * each would be too large to be loaded. */
struct long_list {
	unsigned uses;
	unsigned anchor; /* its number; 0: not written yet */
};

struct dumper {
	yaml_emitter_t emitter;
	bool counting;         /* the uses of long lists; nothing is written */
	struct cfg_hash lists; /* struct long_list, malloc'd, by what is in them */
	unsigned anchors;
	bool failed;
};

static void emit(struct dumper *d, yaml_event_t *event)
{
	if (d->counting) {
		yaml_event_delete(event);
		return;
	}
	/* Takes the event over, also when it fails. */
	if (!yaml_emitter_emit(&d->emitter, event))
		d->failed = true;
}

static void emit_scalar(struct dumper *d, const char *text)
{
	/* Without quotes these would read as nothing at all. */
	bool empty = *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
	yaml_event_t event;

	CHECK(yaml_scalar_event_initialize(
	    &event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1,
	    empty ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE));
	emit(d, &event);
}

/* As an option's value: "$" stands for environment variables there. */
static void emit_value(struct dumper *d, const char *text)
{
	char *escaped = xmalloc(strlen(text) * 2 + 1), *out = escaped;

	for (; *text != '\0'; text++) {
		if (*text == '$')
			*out++ = '$';
		*out++ = *text;
	}
	*out = '\0';
	emit_scalar(d, escaped);
	free(escaped);
}

static void begin_map(struct dumper *d)
{
	yaml_event_t event;

	CHECK(yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
	emit(d, &event);
}

static void end_map(struct dumper *d)
{
	yaml_event_t event;

	CHECK(yaml_mapping_end_event_initialize(&event));
	emit(d, &event);
}

/* `anchor` may be NULL. */
static void begin_list(struct dumper *d, const char *anchor)
{
	yaml_event_t event;

	CHECK(yaml_sequence_start_event_initialize(&event, (const yaml_char_t *)anchor, NULL, 1,
						   YAML_BLOCK_SEQUENCE_STYLE));
	emit(d, &event);
}

static void emit_alias(struct dumper *d, const char *anchor)
{
	yaml_event_t event;

	CHECK(yaml_alias_event_initialize(&event, (const yaml_char_t *)anchor));
	emit(d, &event);
}

static void end_list(struct dumper *d)
{
	yaml_event_t event;

	CHECK(yaml_sequence_end_event_initialize(&event));
	emit(d, &event);
}

static void dump_options(struct dumper *d, const struct cfg_option *table, const char *base);

static void count_list(struct dumper *d, const void *list, size_t size)
{
	struct long_list *l = (struct long_list *)cfg_hash_get(&d->lists, list, size);

	if (l == NULL) {
		l = xcalloc(1, sizeof(*l));
		cfg_hash_put(&d->lists, list, size, l);
	}
	l->uses++;
}

/* True when an alias did. Else `anchor` is what the list is to be called, or empty. */
static bool dump_alias(struct dumper *d, const struct cfg_option *o, const struct cfg_array *array,
		       char anchor[static 16])
{
	struct long_list *l;
	bool written;

	*anchor = '\0';
	if (!o->type->refers || array->n <= LONG_LIST)
		return false;
	if (d->counting) {
		count_list(d, array->v, array->n * o->type->size);
		return true;
	}
	l = (struct long_list *)cfg_hash_get(&d->lists, array->v, array->n * o->type->size);
	if (l->uses == 1)
		return false;
	written = l->anchor != 0;
	if (!written)
		l->anchor = ++d->anchors;
	snprintf(anchor, 16, "list%u", l->anchor);
	if (written)
		emit_alias(d, anchor);
	return written;
}

static void dump_values(struct dumper *d, const struct cfg_option *o, const struct cfg_array *array)
{
	char anchor[16];

	if (dump_alias(d, o, array, anchor))
		return;
	begin_list(d, *anchor != '\0' ? anchor : NULL);
	for (unsigned i = 0; i < array->n; i++) {
		char *text = o->type->format(o, (char *)array->v + i * o->type->size);

		emit_value(d, text);
		free(text);
	}
	end_list(d);
}

static void dump_pairs(struct dumper *d, const struct cfg_option *o, const struct cfg_array *array)
{
	const struct cfg_option *value = o->children;

	begin_map(d);
	for (unsigned i = 0; i < array->n; i++) {
		const char *item = (char *)array->v + i * o->size;
		char *key = o->type->format(o, item);
		char *text = value->type->format(value, item + value->offset);

		emit_scalar(d, key);
		emit_value(d, text);
		free(text);
		free(key);
	}
	end_map(d);
}

static void dump_named(struct dumper *d, const struct cfg_option *o, const struct cfg_array *array)
{
	begin_map(d);
	for (unsigned i = 0; i < array->n; i++) {
		const char *item = (char *)array->v + i * o->size;

		emit_scalar(d, *(const char *const *)item);
		dump_options(d, o->children, item);
	}
	end_map(d);
}

static void dump_items(struct dumper *d, const struct cfg_option *o, const struct cfg_array *array)
{
	begin_list(d, NULL);
	for (unsigned i = 0; i < array->n; i++)
		dump_options(d, o->children, (char *)array->v + i * o->size);
	end_list(d);
}

static void dump_option(struct dumper *d, const struct cfg_option *o, const char *at)
{
	const struct cfg_array *array = (const void *)at;
	char *text;

	switch (o->shape) {
	case CFG_VALUE:
		text = o->type->format(o, at);
		emit_value(d, text);
		free(text);
		break;
	case CFG_VALUES:
		dump_values(d, o, array);
		break;
	case CFG_SECTION:
		dump_options(d, o->children, at);
		break;
	case CFG_NAMED:
		dump_named(d, o, array);
		break;
	case CFG_PAIRS:
		dump_pairs(d, o, array);
		break;
	case CFG_ITEMS:
		dump_items(d, o, array);
		break;
	}
}

static bool is_set(const struct cfg_option *o, const char *at)
{
	char *text = o->shape == CFG_VALUE ? o->type->format(o, at) : NULL;
	bool set = o->shape != CFG_VALUE || text != NULL;

	free(text);
	return set;
}

static void dump_options(struct dumper *d, const struct cfg_option *table, const char *base)
{
	begin_map(d);
	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		if (!cfg_option_belongs(o, base) || !is_set(o, base + o->offset))
			continue;
		emit_scalar(d, o->key);
		dump_option(d, o, base + o->offset);
	}
	end_map(d);
}

bool cfg_dump(const struct cfg_fleet *fleet, FILE *out)
{
	struct dumper d = {.counting = true};
	yaml_event_t event;

	dump_options(&d, cfg_options, (const char *)fleet);
	d.counting = false;
	CHECK(yaml_emitter_initialize(&d.emitter));
	yaml_emitter_set_output_file(&d.emitter, out);
	yaml_emitter_set_unicode(&d.emitter, 1);
	yaml_emitter_set_width(&d.emitter, -1); /* never fold */
	CHECK(yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	emit(&d, &event);
	CHECK(yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	emit(&d, &event);
	dump_options(&d, cfg_options, (const char *)fleet);
	CHECK(yaml_document_end_event_initialize(&event, 1));
	emit(&d, &event);
	CHECK(yaml_stream_end_event_initialize(&event));
	emit(&d, &event);
	yaml_emitter_delete(&d.emitter);
	for (unsigned i = 0; i < d.lists.size; i++)
		free((void *)d.lists.slots[i].value);
	cfg_hash_fini(&d.lists);
	return !d.failed && fflush(out) == 0;
}
