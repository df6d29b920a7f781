/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The reader of YAML events. It owns the libyaml parser while it runs; entries go to the caller's
 * arena. What the values mean is left to the option table.
 */
#include "config/syntax/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config/hash.h"
#include "config/limits.h"
#include "config/syntax/env.h"
#include "core/base/check.h"
#include "core/base/printable.h"

/* As much of a key as messages show where it is part of a path. */
#define KEY_SHOWN 80

/* What aliases may stand for. */
struct anchor {
	const char *name;
	struct cfg_entry *entry;
	unsigned cost; /* how many entries it is, or as many as it costs to repeat */
};

struct reader {
	yaml_parser_t parser;
	struct cfg_memory *mem;
	const char *file, *data;
	size_t len;
	unsigned *budget;
	struct cfg_hash anchors; /* struct anchor by name, the last of that name */
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

/* Most values are of these, and need no second look. */
static bool is_simple(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] < ' ' || text[i] > '~' || text[i] == '$')
			return false;
	}
	return true;
}

/* What cannot be seen, moves the cursor or turns text round has no use in a name or value, and
 * would make messages, dumps and logs say what is not so. */
static bool is_plain_text(struct reader *r, struct cfg_place place, const char *what,
			  const char *text, size_t len)
{
	uint32_t character;

	if (!printable_fault(text, len, &character))
		return true;
	diag_add(r->diag, place, "the character U+%04X in %s: it could not be seen in messages",
		 character, what);
	return false;
}

static void refuse_tag(struct reader *r, struct cfg_place place, const void *tag)
{
	/* "!" alone is what a quoted scalar has. */
	if (tag != NULL && strcmp(tag, "!") != 0)
		diag_add(r->diag, place, "tags (\"!\") are not supported; leave it out");
}

/* The text of a scalar with environment variables put in, in `entry`; false when it is broken,
 * which was complained about. */
static bool expand(struct reader *r, struct cfg_entry *entry, const char *text)
{
	char *error = NULL, *expanded = cfg_env_expand(text, &error);
	bool plain;

	if (expanded == NULL) {
		diag_add(r->diag, entry->place, "%s", error);
		free(error);
		return false;
	}
	/* The file was checked by libyaml; an environment variable may hold anything. */
	plain =
	    is_plain_text(r, entry->place, "an environment variable", expanded, strlen(expanded));
	if (plain)
		entry->text = cfg_copy(r->mem, expanded, entry->place);
	free(expanded);
	return plain;
}

static struct cfg_entry *read_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	struct cfg_entry *entry = new_entry(r, CFG_ENTRY_SCALAR, event->start_mark);

	if (entry == NULL)
		return NULL;
	refuse_tag(r, entry->place, event->data.scalar.tag);
	entry->null = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		      (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
	if (is_simple(text, len))
		entry->text = cfg_copy(r->mem, text, entry->place);
	else
		entry->broken = !is_plain_text(r, entry->place, "a value", text, len) ||
				!expand(r, entry, text);
	return entry->text != NULL ? entry : NULL;
}

static struct cfg_entry *read_list(struct reader *r, const yaml_event_t *start, unsigned depth,
				   const char *path)
{
	struct cfg_entry *list = new_entry(r, CFG_ENTRY_LIST, start->start_mark);
	yaml_event_t event;

	if (list == NULL)
		return NULL;
	refuse_tag(r, list->place, start->data.sequence_start.tag);
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

/* False: complained about. */
static bool is_key(struct reader *r, const yaml_event_t *event)
{
	struct cfg_place place = place_of(r, event->start_mark);
	const char *key;

	if (event->type != YAML_SCALAR_EVENT) {
		diag_add(r->diag, place, "a name must be plain text");
		return false;
	}
	key = (const char *)event->data.scalar.value;
	if (is_simple(key, event->data.scalar.length) && strcmp(key, "<<") != 0)
		return true;
	if (!is_plain_text(r, place, "a name", key, event->data.scalar.length))
		return false;
	if (strchr(key, '$') != NULL) {
		diag_add(r->diag, place,
			 "a name with \"$\": environment variables are put into values only");
		return false;
	}
	if (strcmp(key, "<<") == 0) {
		diag_add(r->diag, place,
			 "merge keys (\"<<\") are not supported; write out what is meant");
		return false;
	}
	return true;
}

/* The key in `event` and the value after it. */
static struct cfg_entry *read_pair(struct reader *r, const yaml_event_t *event, unsigned depth,
				   const char *path)
{
	const char *key = (const char *)event->data.scalar.value;
	yaml_event_t value_event;
	struct cfg_entry *value;
	char *child_path;

	if (!is_key(r, event) || !next_event(r, &value_event))
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
	refuse_tag(r, map->place, start->data.mapping_start.tag);
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

static const char *anchor_of(const yaml_event_t *event)
{
	const yaml_char_t *name;

	if (event->type == YAML_SCALAR_EVENT)
		name = event->data.scalar.anchor;
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		name = event->data.sequence_start.anchor;
	else
		name = event->data.mapping_start.anchor;
	return (const char *)name;
}

static bool has_values_only(const struct cfg_entry *list)
{
	for (const struct cfg_entry *n = list->first; n != NULL; n = n->next) {
		if (n->kind != CFG_ENTRY_SCALAR)
			return false;
	}
	return list->kind == CFG_ENTRY_LIST;
}

/* False when memory is out. */
static bool keep_anchor(struct reader *r, const char *name, struct cfg_entry *entry,
			unsigned n_entries)
{
	struct anchor *a = cfg_alloc(r->mem, sizeof(*a), entry->place);

	if (a == NULL)
		return false;
	a->name = cfg_copy(r->mem, name, entry->place);
	if (a->name == NULL)
		return false;
	a->entry = entry;
	a->cost = has_values_only(entry) ? 1 + n_entries / CFG_REPEATED_VALUES : n_entries;
	cfg_hash_put(&r->anchors, a->name, strlen(a->name), a);
	return true;
}

/* Of all lists in it: whoever fills them fills each once. */
static void mark_repeated(struct cfg_entry *entry)
{
	if (entry->kind == CFG_ENTRY_SCALAR || entry->repeated)
		return;
	entry->repeated = true;
	for (struct cfg_entry *n = entry->first; n != NULL; n = n->next)
		mark_repeated(n);
}

/* The same items again, or those of a map as entries of their own: maps are put together with
 * others of their name. */
static bool repeat(struct reader *r, struct cfg_entry *copy, struct cfg_entry *of)
{
	mark_repeated(of);
	copy->kind = of->kind;
	copy->repeated = of->repeated;
	copy->null = of->null;
	copy->broken = of->broken;
	copy->text = of->text;
	if (of->kind == CFG_ENTRY_LIST) {
		copy->n = of->n;
		copy->first = of->first;
		copy->last = of->last;
		return true;
	}
	for (const struct cfg_entry *n = of->first; n != NULL; n = n->next) {
		struct cfg_entry *child = cfg_alloc(r->mem, sizeof(*child), copy->place);

		if (child == NULL)
			return false;
		*child = *n;
		cfg_entry_append(copy, child);
	}
	return true;
}

static struct cfg_entry *read_alias(struct reader *r, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *a = cfg_hash_get(&r->anchors, name, strlen(name));
	struct cfg_entry *entry;

	/* The entry itself is one of what it costs. */
	if (a != NULL && a->cost > *r->budget)
		*r->budget = 0;
	entry = new_entry(r, CFG_ENTRY_SCALAR, event->start_mark);
	if (entry == NULL)
		return NULL;
	if (a == NULL) {
		diag_add(r->diag, entry->place,
			 "there is no \"&%s\" before this in the file; put a value that begins "
			 "with \"*\" in quotes",
			 name);
		entry->broken = true;
		return entry;
	}
	*r->budget -= a->cost - 1;
	return repeat(r, entry, a->entry) ? entry : NULL;
}

/* The entry that begins with `event`, which stays the caller's. NULL: reading cannot go on. */
static struct cfg_entry *read_entry(struct reader *r, yaml_event_t *event, unsigned depth,
				    const char *path)
{
	unsigned before = *r->budget;
	struct cfg_entry *entry;
	const char *anchor;

	if (depth > CFG_DEPTH_MAX) {
		diag_add(r->diag, place_of(r, event->start_mark), "nested more than %d deep",
			 CFG_DEPTH_MAX);
		return NULL;
	}
	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(r, event);
	if (event->type == YAML_SCALAR_EVENT)
		entry = read_scalar(r, event);
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		entry = read_list(r, event, depth, path);
	else
		entry = read_map(r, event, depth, path);
	anchor = anchor_of(event);
	if (entry != NULL && anchor != NULL && !keep_anchor(r, anchor, entry, before - *r->budget))
		return NULL;
	return entry;
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
	cfg_hash_fini(&r.anchors);
	yaml_parser_delete(&r.parser);
	return root;
}
