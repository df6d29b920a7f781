/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One walk over the option table and the tree side by side. What can be judged of a value alone is
 * judged here; what takes more than one is left to validate.c.
 */
#include "config/fill.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config/options.h"
#include "config/suggest.h"
#include "core/base/check.h"

struct filler {
	struct cfg_fleet *fleet;
	struct cfg_memory *mem;
	struct cfg_references references;
	struct diag *diag;
	char path[512]; /* of what is being filled, cut when names are too long */
};

/* What is being filled: the struct, its name for defaults, and where it was written. */
struct thing {
	char *base;
	const char *name;
	struct cfg_place place;
};

static void fill_options(struct filler *f, const struct cfg_option *parent,
			 const struct cfg_entry *map, const struct thing *thing);

/* Appends to the path; the return value restores it by path_leave(). */
__attribute__((format(printf, 2, 3))) static size_t path_enter(struct filler *f, const char *fmt,
							       ...)
{
	size_t len = strlen(f->path);
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->path + len, sizeof(f->path) - len, fmt, args);
	va_end(args);
	return len;
}

static void path_leave(struct filler *f, size_t len)
{
	f->path[len] = '\0';
}

static size_t path_enter_key(struct filler *f, const char *key)
{
	return path_enter(f, "%s%s", *f->path != '\0' ? "." : "", key);
}

static const char *kind_text(enum cfg_entry_kind kind)
{
	switch (kind) {
	case CFG_ENTRY_SCALAR:
		return "a value";
	case CFG_ENTRY_LIST:
		return "a list";
	case CFG_ENTRY_MAP:
		break;
	}
	return "a map";
}

static const char *expected_text(const struct cfg_option *o)
{
	switch (o->shape) {
	case CFG_VALUE:
	case CFG_VALUES:
		return o->type->expected;
	case CFG_SECTION:
		return "a map of options";
	case CFG_NAMED:
		return "a map, by name";
	case CFG_PAIRS:
		return "a map of values";
	case CFG_ITEMS:
		break;
	}
	return "a list of maps";
}

static void complain_kind(struct filler *f, const struct cfg_option *o, const struct cfg_entry *n)
{
	diag_add(f->diag, n->place, "%s: %s was expected, not %s", f->path, expected_text(o),
		 n->null ? "nothing" : kind_text(n->kind));
}

static void complain_missing(struct filler *f, const struct cfg_option *o, struct cfg_place place)
{
	diag_add(f->diag, place, "%s is missing: %s", f->path, o->prose);
}

static bool fill_text(struct filler *f, const struct cfg_option *o, const char *text,
		      struct cfg_place place, const char *name, void *out)
{
	struct cfg_value v = {
	    .mem = f->mem,
	    .option = o,
	    .fleet = f->fleet,
	    .references = &f->references,
	    .file = place.file,
	    .name = name,
	    .diag = f->diag,
	    .place = place,
	    .path = f->path,
	};

	return o->type->parse(&v, text, out);
}

/* True when `entry` is a text that can be read. */
static bool usable_scalar(struct filler *f, const struct cfg_option *o,
			  const struct cfg_entry *entry)
{
	if (entry->broken)
		return false;
	if (entry->kind != CFG_ENTRY_SCALAR || entry->null) {
		complain_kind(f, o, entry);
		return false;
	}
	return true;
}

static void fill_value(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
		       const struct thing *thing)
{
	void *out = thing->base + o->offset;

	if (entry != NULL) {
		if (usable_scalar(f, o, entry))
			fill_text(f, o, entry->text, entry->place, thing->name, out);
	} else if (o->fallback != NULL) {
		fill_text(f, o, o->fallback, thing->place, thing->name, out);
	} else if (o->required) {
		complain_missing(f, o, thing->place);
	}
}

/* Servers are the only values that know their place: it follows from the row. */
static void set_place(const struct cfg_option *o, void *item, struct cfg_place place)
{
	if (o->size != 0)
		*(struct cfg_place *)((char *)item + o->place) = place;
}

/* False when memory is out: then the array is empty. */
static bool take_array(struct filler *f, struct cfg_array *array, unsigned n, size_t size,
		       struct cfg_place place)
{
	array->v = cfg_alloc(f->mem, n * size, place);
	array->n = array->v != NULL ? n : 0;
	return array->v != NULL;
}

static void fill_defaults(struct filler *f, const struct cfg_option *o, const struct thing *thing)
{
	struct cfg_array *array = (struct cfg_array *)(thing->base + o->offset);
	const char *rest = o->fallback;
	unsigned n = 0;
	char *item;

	while ((item = cfg_option_next_default(o, &rest)) != NULL) {
		n++;
		free(item);
	}
	if (n == 0 && o->required)
		complain_missing(f, o, thing->place);
	if (!take_array(f, array, n, o->type->size, thing->place))
		return;
	rest = o->fallback;
	for (unsigned i = 0; i < n; i++) {
		item = cfg_option_next_default(o, &rest);
		fill_text(f, o, item, thing->place, thing->name,
			  (char *)array->v + i * o->type->size);
		free(item);
	}
}

static void fill_values(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
			const struct thing *thing)
{
	struct cfg_array *array = (struct cfg_array *)(thing->base + o->offset);
	const struct cfg_entry *item = entry;
	unsigned n = 1;
	size_t len;

	if (entry == NULL) {
		fill_defaults(f, o, thing);
		return;
	}
	if (entry->kind == CFG_ENTRY_LIST)
		n = entry->n, item = entry->first;
	if (n == 0 && o->required)
		complain_missing(f, o, entry->place);
	if (!take_array(f, array, n, o->type->size, thing->place))
		return;
	for (unsigned i = 0; i < array->n; i++, item = item->next) {
		char *out = (char *)array->v + i * o->type->size;

		len = entry->kind == CFG_ENTRY_LIST ? path_enter(f, "[%u]", i) : strlen(f->path);
		if (usable_scalar(f, o, item)) {
			fill_text(f, o, item->text, item->place, thing->name, out);
			set_place(o, out, item->place);
		}
		path_leave(f, len);
	}
}

static void fill_section(struct filler *f, const struct cfg_option *o,
			 const struct cfg_entry *entry, const struct thing *thing)
{
	struct thing inner = *thing;
	const struct cfg_option *only;
	size_t len;

	if (entry != NULL)
		inner.place = entry->key_place;
	if (entry != NULL && o->shorthand != NULL && entry->kind == CFG_ENTRY_SCALAR &&
	    !entry->null) {
		fill_options(f, o, NULL, &inner);
		only = cfg_option_child(o, o->shorthand);
		len = path_enter_key(f, o->shorthand);
		fill_value(f, only, entry, &inner);
		path_leave(f, len);
		return;
	}
	fill_options(f, o, entry, &inner);
}

/* `entry` when it is a map; NULL stands for an empty one, which "NAME:" alone is too. */
static const struct cfg_entry *map_or_nothing(struct filler *f, const struct cfg_entry *entry,
					      const char *expected)
{
	if (entry == NULL || entry->kind == CFG_ENTRY_MAP)
		return entry;
	if (!entry->null && !entry->broken)
		diag_add(f->diag, entry->place, "%s: %s was expected, not %s", f->path, expected,
			 kind_text(entry->kind));
	return NULL;
}

static void fill_named(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
		       const struct thing *thing)
{
	struct cfg_array *array = (struct cfg_array *)(thing->base + o->offset);
	const struct cfg_entry *map = map_or_nothing(f, entry, expected_text(o)), *child;
	char *base;

	if (map == NULL)
		return;
	if (!take_array(f, array, map->n, o->size, thing->place))
		return;
	array->n = 0;
	base = array->v;
	for (child = map->first; child != NULL; child = child->next, base += o->size) {
		size_t len = path_enter_key(f, child->key);
		struct thing inner = {.base = base, .place = child->key_place};

		/* A name that is wrong was complained about; it still serves as a name. */
		if (!fill_text(f, o, child->key, child->key_place, "", base))
			*(const char **)base = child->key;
		inner.name = *(const char **)base;
		*(struct cfg_place *)(base + o->place) = child->key_place;
		fill_options(f, o, child, &inner);
		array->n++; /* now it can be referred to */
		path_leave(f, len);
	}
}

static void fill_pairs(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
		       const struct thing *thing)
{
	struct cfg_array *array = (struct cfg_array *)(thing->base + o->offset);
	const struct cfg_entry *map = map_or_nothing(f, entry, expected_text(o)), *child;
	const struct cfg_option *value = cfg_option_next(o, NULL);
	char *base;

	if (map == NULL || !take_array(f, array, map->n, o->size, thing->place))
		return;
	base = array->v;
	for (child = map->first; child != NULL; child = child->next, base += o->size) {
		size_t len = path_enter_key(f, child->key);
		struct thing inner = {.base = base, .name = "", .place = child->key_place};

		fill_text(f, o, child->key, child->key_place, "", base);
		*(struct cfg_place *)(base + o->place) = child->key_place;
		fill_value(f, value, child, &inner);
		path_leave(f, len);
	}
}

static void fill_items(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
		       const struct thing *thing)
{
	struct cfg_array *array = (struct cfg_array *)(thing->base + o->offset);
	const struct cfg_entry *item = entry;

	if (entry != NULL && entry->broken)
		return;
	if (entry != NULL && entry->kind == CFG_ENTRY_SCALAR) {
		complain_kind(f, o, entry);
		return;
	}
	if (entry != NULL && entry->kind == CFG_ENTRY_LIST)
		array->n = entry->n, item = entry->first;
	else if (entry != NULL)
		array->n = 1;
	if (array->n == 0 && o->required)
		complain_missing(f, o, entry != NULL ? entry->place : thing->place);
	if (!take_array(f, array, array->n, o->size, thing->place))
		return;
	for (unsigned i = 0; i < array->n; i++, item = item->next) {
		char *base = (char *)array->v + i * o->size;
		struct thing inner = {.base = base, .name = thing->name, .place = item->place};
		size_t len = path_enter(f, "[%u]", i);

		*(struct cfg_place *)(base + o->place) = item->place;
		if (item->kind == CFG_ENTRY_MAP)
			fill_options(f, o, item, &inner);
		else if (!item->broken)
			diag_add(f->diag, item->place, "%s: a map of options was expected, not %s",
				 f->path, item->null ? "nothing" : kind_text(item->kind));
		path_leave(f, len);
	}
}

static void complain_unknown(struct filler *f, const struct cfg_option *parent,
			     const struct cfg_entry *entry)
{
	const struct cfg_option *o = NULL;
	struct cfg_suggest near;
	char *known = NULL;
	size_t len;

	if (!diag_has_room(f->diag)) {
		diag_add(f->diag, entry->key_place, "not known");
		return;
	}
	cfg_suggest_init(&near, entry->key);
	while ((o = cfg_option_next(parent, o)) != NULL) {
		char *longer = xasprintf("%s%s%s", known != NULL ? known : "",
					 known != NULL ? ", " : "", cfg_option_key(o));

		free(known);
		known = longer;
		cfg_suggest_offer(&near, cfg_option_key(o));
	}
	if (parent == NULL)
		cfg_suggest_offer(&near, "include");
	len = path_enter_key(f, entry->key);
	if (near.best != NULL)
		diag_add(f->diag, entry->key_place, "%s is not known; did you mean \"%s\"?",
			 f->path, near.best);
	else
		diag_add(f->diag, entry->key_place, "%s is not known; known here: %s", f->path,
			 known);
	path_leave(f, len);
	free(known);
}

/* What was written though another choice was made: it would be silently without effect. */
static bool complain_not_chosen(struct filler *f, const struct cfg_option *o,
				const struct cfg_entry *entry, const struct thing *thing)
{
	const struct cfg_option *decider = cfg_option_decider(o);
	char *owners, *chosen;

	if (entry == NULL || cfg_option_belongs(o, thing->base))
		return false;
	owners = cfg_option_belongs_to(o);
	chosen = decider->type->format(decider, thing->base + decider->offset);
	diag_add(f->diag, entry->key_place, "%s belongs to %s %s, and here it is \"%s\"", f->path,
		 o->choice, owners, chosen);
	free(chosen);
	free(owners);
	return true;
}

/* All options under `parent`; `map` is NULL when there is nothing but defaults. */
static void fill_options(struct filler *f, const struct cfg_option *parent,
			 const struct cfg_entry *entry, const struct thing *thing)
{
	const struct cfg_entry *map = entry;
	const struct cfg_option *o = NULL;

	if (parent != NULL)
		map = map_or_nothing(f, entry, "a map of options");
	while ((o = cfg_option_next(parent, o)) != NULL) {
		const struct cfg_entry *child = cfg_entry_get(map, cfg_option_key(o));
		size_t len = path_enter_key(f, cfg_option_key(o));

		if (complain_not_chosen(f, o, child, thing)) {
			path_leave(f, len);
			continue;
		}
		switch (o->shape) {
		case CFG_VALUE:
			fill_value(f, o, child, thing);
			break;
		case CFG_VALUES:
			fill_values(f, o, child, thing);
			break;
		case CFG_SECTION:
			fill_section(f, o, child, thing);
			break;
		case CFG_NAMED:
			fill_named(f, o, child, thing);
			break;
		case CFG_PAIRS:
			fill_pairs(f, o, child, thing);
			break;
		case CFG_ITEMS:
			fill_items(f, o, child, thing);
			break;
		}
		path_leave(f, len);
	}
	for (const struct cfg_entry *n = map != NULL ? map->first : NULL; n != NULL; n = n->next) {
		if (cfg_option_child(parent, n->key) == NULL)
			complain_unknown(f, parent, n);
	}
}

void cfg_fill(struct cfg_fleet *fleet, const struct cfg_entry *root, struct cfg_memory *mem,
	      struct diag *diag)
{
	struct filler f = {.fleet = fleet, .mem = mem, .diag = diag};
	struct thing thing = {.base = (char *)fleet, .name = "", .place = root->place};

	fill_options(&f, NULL, root, &thing);
	cfg_references_fini(&f.references);
}
