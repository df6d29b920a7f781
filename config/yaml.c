/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The reader of YAML events. It owns the libyaml parser while it runs; entries go to the caller's
 * arena. What the values mean is left to the option table.
 */
#include "config/yaml.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/env.h"
#include "config/limits.h"
#include "core/base/check.h"

/* As much of a key as messages show where it is part of a path. */
#define KEY_SHOWN 80

struct reader {
	yaml_parser_t parser;
	struct cfg_memory *mem;
	const char *file, *data;
	size_t len;
	unsigned *budget;
	struct diag *diag;
};

static struct cfg_entry *read_entry(struct reader *r, yaml_event_t *event, unsigned depth,
				    const char *path);

static struct cfg_place place_of(const struct reader *r, yaml_mark_t mark)
{
	return (struct cfg_place){
	    .file = r->file, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

/* libyaml gives bytes that are not text as an offset only. */
static struct cfg_place place_of_offset(const struct reader *r, size_t offset)
{
	struct cfg_place place = {.file = r->file, .line = 1, .column = 1};

	for (size_t i = 0; i < MIN(offset, r->len); i++) {
		if (r->data[i] == '\n') {
			place.line++;
			place.column = 1;
		} else if (((unsigned char)r->data[i] & 0xc0) != 0x80) {
			place.column++;
		}
	}
	return place;
}

static void complain_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem != NULL ? p->problem : "not YAML";
	const char *context = p->context != NULL ? p->context : "", *hint = "";
	yaml_mark_t mark = p->problem_mark;

	if (p->error == YAML_MEMORY_ERROR)
		problem = "out of memory";
	if (p->error == YAML_READER_ERROR) {
		diag_add(r->diag, place_of_offset(r, p->problem_offset),
			 "not UTF-8 text: %s; save the file as UTF-8", problem);
		return;
	}
	if (strstr(context, "alias") != NULL) {
		mark = p->context_mark;
		hint = "; put a value that begins with \"*\" in quotes";
	} else if (strstr(problem, "cannot start any token") != NULL) {
		hint = "; indent with spaces, and put such a value in quotes";
	} else if (strstr(problem, "mapping values are not allowed") != NULL) {
		hint = "; is the indentation right, or is a value with \": \" missing its quotes?";
	}
	diag_add(r->diag, place_of(r, mark), "%s%s%s%s", problem, *context != '\0' ? " " : "",
		 context, hint);
}

static bool next_event(struct reader *r, yaml_event_t *event)
{
	if (yaml_parser_parse(&r->parser, event))
		return true;
	complain_syntax(r);
	return false;
}

static struct cfg_entry *new_entry(struct reader *r, enum cfg_entry_kind kind, yaml_mark_t mark)
{
	struct cfg_entry *entry;

	if (*r->budget == 0) {
		diag_add(r->diag, place_of(r, mark), "more than %u values: too large",
			 CFG_ENTRIES_MAX);
		return NULL;
	}
	--*r->budget;
	entry = cfg_alloc(r->mem, sizeof(*entry), place_of(r, mark));
	if (entry == NULL)
		return NULL;
	entry->kind = kind;
	entry->place = place_of(r, mark);
	entry->text = "";
	return entry;
}

/* Control characters have no use in any value, and would spoil messages and dumps. */
static bool is_plain_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	}
	return true;
}

static void refuse_properties(struct reader *r, struct cfg_entry *entry, const void *anchor,
			      const void *tag)
{
	if (anchor != NULL)
		diag_add(r->diag, entry->place,
			 "anchors (\"&\") are not supported; write the value where it is needed");
	/* "!" alone is what a quoted scalar has. */
	if (tag != NULL && strcmp(tag, "!") != 0)
		diag_add(r->diag, entry->place, "tags (\"!\") are not supported; leave it out");
}

static struct cfg_entry *read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct cfg_entry *entry = new_entry(r, CFG_ENTRY_SCALAR, event->start_mark);
	char *expanded, *error = NULL;
	json_t *utf8;

	if (entry == NULL)
		return NULL;
	refuse_properties(r, entry, event->data.scalar.anchor, event->data.scalar.tag);
	if (!is_plain_text(text, event->data.scalar.length)) {
		diag_add(r->diag, entry->place, "a control character in a value");
		entry->broken = true;
		return entry;
	}
	entry->null = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		      (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
	expanded = cfg_env_expand(text, &error);
	if (expanded == NULL) {
		diag_add(r->diag, entry->place, "%s", error);
		entry->broken = true;
		free(error);
		return entry;
	}
	/* The file was checked by libyaml; an environment variable may hold anything. */
	utf8 = json_string(expanded);
	if (utf8 == NULL || !is_plain_text(expanded, strlen(expanded))) {
		diag_add(r->diag, entry->place,
			 "an environment variable in this value is not plain UTF-8 text");
		entry->broken = true;
	} else {
		entry->text = cfg_copy(r->mem, expanded, entry->place);
	}
	json_decref(utf8);
	free(expanded);
	return entry->text != NULL ? entry : NULL;
}

static struct cfg_entry *read_list(struct reader *r, const yaml_event_t *start, unsigned depth,
				   const char *path)
{
	struct cfg_entry *list = new_entry(r, CFG_ENTRY_LIST, start->start_mark);
	yaml_event_t event;

	if (list == NULL)
		return NULL;
	refuse_properties(r, list, start->data.sequence_start.anchor,
			  start->data.sequence_start.tag);
	for (;;) {
		struct cfg_entry *item;

		if (!next_event(r, &event))
			return NULL;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return list;
		}
		item = read_entry(r, &event, depth + 1, path);
		yaml_event_delete(&event);
		if (item == NULL)
			return NULL;
		cfg_entry_append(list, item);
	}
}

/* The key in `event` and the value after it. */
static struct cfg_entry *read_pair(struct reader *r, const yaml_event_t *event, unsigned depth,
				   const char *path)
{
	const char *key = (const char *)event->data.scalar.value;
	yaml_event_t value_event;
	struct cfg_entry *value;
	char *child_path;

	if (event->type != YAML_SCALAR_EVENT || !is_plain_text(key, event->data.scalar.length)) {
		diag_add(r->diag, place_of(r, event->start_mark), "a name must be plain text");
		return NULL;
	}
	if (!next_event(r, &value_event))
		return NULL;
	child_path = xasprintf("%s%s%.*s", path, *path != '\0' ? "." : "", KEY_SHOWN, key);
	value = read_entry(r, &value_event, depth + 1, child_path);
	free(child_path);
	yaml_event_delete(&value_event);
	if (value == NULL)
		return NULL;
	value->key_place = place_of(r, event->start_mark);
	value->key = cfg_copy(r->mem, key, value->key_place);
	return value->key != NULL ? value : NULL;
}

static struct cfg_entry *read_map(struct reader *r, const yaml_event_t *start, unsigned depth,
				  const char *path)
{
	struct cfg_entry *map = new_entry(r, CFG_ENTRY_MAP, start->start_mark);
	yaml_event_t event;

	if (map == NULL)
		return NULL;
	refuse_properties(r, map, start->data.mapping_start.anchor, start->data.mapping_start.tag);
	for (;;) {
		struct cfg_entry *value;

		if (!next_event(r, &event))
			return NULL;
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			cfg_entry_drop_duplicates(map, path, r->diag);
			return map;
		}
		value = read_pair(r, &event, depth, path);
		yaml_event_delete(&event);
		if (value == NULL)
			return NULL;
		cfg_entry_append(map, value);
	}
}

/* The entry that begins with `event`, which stays the caller's. NULL: reading cannot go on. */
static struct cfg_entry *read_entry(struct reader *r, yaml_event_t *event, unsigned depth,
				    const char *path)
{
	struct cfg_entry *entry;

	if (depth > CFG_DEPTH_MAX) {
		diag_add(r->diag, place_of(r, event->start_mark), "nested more than %d deep",
			 CFG_DEPTH_MAX);
		return NULL;
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, event);
	case YAML_SEQUENCE_START_EVENT:
		return read_list(r, event, depth, path);
	case YAML_MAPPING_START_EVENT:
		return read_map(r, event, depth, path);
	default: /* an alias: nothing else can stand here */
		entry = new_entry(r, CFG_ENTRY_SCALAR, event->start_mark);
		if (entry == NULL)
			return NULL;
		diag_add(r->diag, entry->place,
			 "aliases (\"*\") are not supported; put a value that begins with \"*\" in "
			 "quotes");
		entry->broken = true;
		return entry;
	}
}

/* All documents of the stream; there may be one. */
static struct cfg_entry *read_stream(struct reader *r)
{
	struct cfg_entry *root = NULL;
	yaml_event_t event;

	for (;;) {
		yaml_event_type_t type;
		struct cfg_place place;
		bool failed = false;

		if (!next_event(r, &event))
			return NULL;
		type = event.type;
		place = place_of(r, event.start_mark);
		if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
		    type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT) {
			if (root == NULL)
				root = read_entry(r, &event, 0, "");
			failed = root == NULL;
		} else if (type == YAML_DOCUMENT_START_EVENT && root != NULL) {
			diag_add(r->diag, place,
				 "a second document (\"---\"); use include "
				 "to put files together");
			failed = true;
		}
		yaml_event_delete(&event);
		if (failed)
			return NULL;
		if (type == YAML_STREAM_END_EVENT)
			break;
	}
	if (root == NULL || root->null) {
		struct cfg_place start = {.file = r->file, .line = 1, .column = 1};

		root = cfg_alloc(r->mem, sizeof(*root), start);
		if (root == NULL)
			return NULL;
		root->kind = CFG_ENTRY_MAP;
		root->text = "";
		root->place = start;
	}
	return root;
}

struct cfg_entry *cfg_yaml_parse(struct cfg_memory *mem, const char *file, const char *data,
				 size_t len, unsigned *budget, struct diag *diag)
{
	struct reader r = {
	    .mem = mem,
	    .file = file,
	    .data = data,
	    .len = len,
	    .budget = budget,
	    .diag = diag,
	};
	struct cfg_entry *root;

	/* Some editors begin UTF-8 with a mark; libyaml counts it as a column. */
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		r.data = data += 3;
		r.len = len -= 3;
	}
	CHECK(yaml_parser_initialize(&r.parser));
	/* Not by its first bytes: UTF-16 is refused like any other text that is not UTF-8. */
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)data, len);
	root = read_stream(&r);
	yaml_parser_delete(&r.parser);
	return root;
}
