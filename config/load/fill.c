/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One walk over the option tables and the tree side by side. What can be judged of a value alone is
 * judged here, and which options go with a choice; what takes more than one is left to validate.c.
 *
 * Lists of values are there once however often they are meant: what an alias repeats is not read
 * again, a default is read once for all, and equal lists of references are one list.
 */
#include "config/load/fill.h"

#include <stdlib.h>
#include <string.h>

#include "config/hash.h"
#include "config/options/options.h"
#include "config/suggest.h"
#include "config/types/types.h"
#include "core/base/check.h"

/* A list that was filled for an option from an item and those after it; NULL: by default. */
struct list_source {
	const struct cfg_option *option;
	const struct cfg_entry *first;
};

struct shared_list {
	struct list_source source;
	struct cfg_array array;
};

struct filler {
	struct cfg_fleet *fleet;
	struct cfg_memory *mem;
	struct cfg_references references;
	struct cfg_hash by_source; /* struct shared_list by their source */
	struct cfg_hash by_value;  /* lists of references by what is in them */
	void *scratch;             /* one that is being read */
	size_t scratch_size;
	struct diag *diag;
	size_t path_len;
	char path[512]; /* of what is being filled, cut when names are too long */
};

/* What is being filled: the struct, its name for defaults, and where it was written. */
struct thing {
	char *base;
	const char *name;
	struct cfg_place place;
};

static void fill_options(struct filler *f, const struct cfg_option *table,
			 const struct cfg_entry *map, const struct thing *thing);

/* Appends to the path, as much as there is room for. Without printf: it is done for each value. */
static void path_append(struct filler *f, const char *text, size_t len)
{
	len = MIN(len, sizeof(f->path) - 1 - f->path_len);
	memcpy(f->path + f->path_len, text, len);
	f->path_len += len;
	f->path[f->path_len] = '\0';
}

/* The return value restores the path by path_leave(). */
static size_t path_enter_key(struct filler *f, const char *key)
{
	size_t len = f->path_len;

	if (len > 0)
		path_append(f, ".", 1);
	path_append(f, key, strlen(key));
	return len;
}

static size_t path_enter_item(struct filler *f, unsigned i)
{
	char text[16], *p = text + sizeof(text);
	size_t len = f->path_len;

	*--p = ']';
	do
		*--p = (char)('0' + i % 10);
	while ((i /= 10) > 0);
	*--p = '[';
	path_append(f, p, (size_t)(text + sizeof(text) - p));
	return len;
}

static void path_leave(struct filler *f, size_t len)
{
	f->path_len = len;
	f->path[len] = '\0';
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
	return o->shorthand != NULL ? "a list" : "a list of maps";
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

/* False when what was written is no value. */
static bool fill_value(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
		       const struct thing *thing)
{
	void *out = thing->base + o->offset;

	if (entry != NULL)
		return usable_scalar(f, o, entry) &&
		       fill_text(f, o, entry->text, entry->place, thing->name, out);
	if (o->fallback != NULL)
		fill_text(f, o, o->fallback, thing->place, thing->name, out);
	else if (o->required)
		complain_missing(f, o, thing->place);
	return true;
}

/* Of those values and sections that know it: it follows from the row. */
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

/* Servers are each origin's own: what port they have depends on it. */
static bool may_share(const struct cfg_option *o, const struct cfg_entry *entry)
{
	return entry->repeated && entry->first != NULL && o->size == 0;
}

static const struct shared_list *find_shared(struct filler *f, const struct cfg_option *o,
					     const struct cfg_entry *first)
{
	struct list_source source = {.option = o, .first = first};

	return cfg_hash_get(&f->by_source, &source, sizeof(source));
}

static void keep_shared(struct filler *f, const struct cfg_option *o, const struct cfg_entry *first,
			const struct cfg_array *array, struct cfg_place place)
{
	struct shared_list *list = cfg_alloc(f->mem, sizeof(*list), place);

	if (list == NULL)
		return;
	*list = (struct shared_list){{.option = o, .first = first}, *array};
	cfg_hash_put(&f->by_source, &list->source, sizeof(list->source), list);
}

/* Room for the items of a list. References go where the next list goes too, until it is known
 * whether there is one that is equal. */
static bool take_items(struct filler *f, const struct cfg_option *o, struct cfg_array *array,
		       unsigned n, struct cfg_place place)
{
	size_t size = n * o->type->size;

	if (!o->type->refers)
		return take_array(f, array, n, o->type->size, place);
	if (size > f->scratch_size) {
		free(f->scratch);
		f->scratch = xmalloc(size);
		f->scratch_size = size;
	}
	memset(f->scratch, 0, size);
	*array = (struct cfg_array){f->scratch, n};
	return true;
}

/* The list of references that is equal to the one that was read, which is copied when there is
 * none. */
static void share_references(struct filler *f, const struct cfg_option *o, struct cfg_array *array,
			     struct cfg_place place)
{
	size_t size = array->n * o->type->size;
	unsigned n = array->n;
	const void *equal = cfg_hash_get(&f->by_value, array->v, size);

	if (equal != NULL) {
		array->v = (void *)equal;
	} else if (take_array(f, array, n, o->type->size, place)) {
		memcpy(array->v, f->scratch, size);
		cfg_hash_put(&f->by_value, array->v, size, array->v);
	}
}

static void fill_defaults(struct filler *f, const struct cfg_option *o, struct cfg_array *array,
			  const struct thing *thing)
{
	const char *rest = o->fallback;
	unsigned n = 0;
	char *item;

	while ((item = cfg_option_next_default(o, &rest)) != NULL) {
		n++;
		free(item);
	}
	if (n == 0 && o->required)
		complain_missing(f, o, thing->place);
	if (n == 0 || !take_array(f, array, n, o->type->size, thing->place))
		return;
	rest = o->fallback;
	for (unsigned i = 0; i < n; i++) {
		item = cfg_option_next_default(o, &rest);
		fill_text(f, o, item, thing->place, thing->name,
			  (char *)array->v + i * o->type->size);
		free(item);
	}
	keep_shared(f, o, NULL, array, thing->place);
}

static void fill_list(struct filler *f, const struct cfg_option *o, struct cfg_array *array,
		      const struct cfg_entry *entry, const struct thing *thing)
{
	bool is_list = entry->kind == CFG_ENTRY_LIST;
	const struct cfg_entry *item = is_list ? entry->first : entry;
	unsigned n = is_list ? entry->n : 1;

	if (n == 0 && o->required)
		complain_missing(f, o, entry->place);
	if (n == 0 || !take_items(f, o, array, n, entry->place))
		return;
	for (unsigned i = 0; i < n; i++, item = item->next) {
		char *out = (char *)array->v + i * o->type->size;
		size_t len = is_list ? path_enter_item(f, i) : f->path_len;

		if (usable_scalar(f, o, item)) {
			fill_text(f, o, item->text, item->place, thing->name, out);
			set_place(o, out, item->place);
		}
		path_leave(f, len);
	}
	if (o->type->refers)
		share_references(f, o, array, entry->place);
	if (may_share(o, entry))
		keep_shared(f, o, entry->first, array, thing->place);
}

static void fill_values(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
			const struct thing *thing)
{
	struct cfg_array *array = (struct cfg_array *)(thing->base + o->offset);
	const struct shared_list *shared = NULL;

	if (entry == NULL || may_share(o, entry))
		shared = find_shared(f, o, entry != NULL ? entry->first : NULL);
	if (shared != NULL)
		*array = shared->array;
	else if (entry != NULL)
		fill_list(f, o, array, entry, thing);
	else
		fill_defaults(f, o, array, thing);
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

/* What stands for a map, as if the map had been written with nothing else in it. */
static bool fill_shorthand(struct filler *f, const struct cfg_option *o,
			   const struct cfg_entry *entry, const struct thing *inner)
{
	struct cfg_entry only, map = {.kind = CFG_ENTRY_MAP, .place = entry->place, .n = 1};

	if (o->shorthand == NULL || entry->kind != CFG_ENTRY_SCALAR || entry->null || entry->broken)
		return false;
	only = *entry;
	only.key = o->shorthand;
	only.key_place = entry->place;
	only.next = NULL;
	map.first = map.last = &only;
	fill_options(f, o->children, &map, inner);
	return true;
}

static void fill_section(struct filler *f, const struct cfg_option *o,
			 const struct cfg_entry *entry, const struct thing *thing)
{
	struct thing inner = *thing;

	inner.base += o->offset;
	if (entry != NULL) {
		inner.place = entry->key_place;
		set_place(o, inner.base, inner.place);
	}
	if (entry != NULL && fill_shorthand(f, o, entry, &inner))
		return;
	fill_options(f, o->children, map_or_nothing(f, entry, "a map of options"), &inner);
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
		fill_options(f, o->children, map_or_nothing(f, child, "a map of options"), &inner);
		array->n++; /* now it can be referred to */
		path_leave(f, len);
	}
}

static void fill_pairs(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
		       const struct thing *thing)
{
	struct cfg_array *array = (struct cfg_array *)(thing->base + o->offset);
	const struct cfg_entry *map = map_or_nothing(f, entry, expected_text(o)), *child;
	char *base;

	if (map == NULL || !take_array(f, array, map->n, o->size, thing->place))
		return;
	base = array->v;
	for (child = map->first; child != NULL; child = child->next, base += o->size) {
		size_t len = path_enter_key(f, child->key);
		struct thing inner = {.base = base, .name = "", .place = child->key_place};

		fill_text(f, o, child->key, child->key_place, "", base);
		*(struct cfg_place *)(base + o->place) = child->key_place;
		fill_value(f, o->children, child, &inner);
		path_leave(f, len);
	}
}

static void fill_item(struct filler *f, const struct cfg_option *o, const struct cfg_entry *item,
		      const struct thing *inner)
{
	const char *value = "", * or = "";

	if (item->broken || fill_shorthand(f, o, item, inner))
		return;
	if (item->kind == CFG_ENTRY_MAP) {
		fill_options(f, o->children, item, inner);
		return;
	}
	if (o->shorthand != NULL) {
		value = cfg_option_find(o->children, o->shorthand)->type->expected;
		or = ", or ";
	}
	diag_add(f->diag, item->place, "%s: %s%sa map of options was expected, not %s", f->path,
		 value, or, item->null ? "nothing" : kind_text(item->kind));
}

static void fill_items(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
		       const struct thing *thing)
{
	struct cfg_array *array = (struct cfg_array *)(thing->base + o->offset);
	const struct cfg_entry *item = entry;

	if (entry != NULL && entry->broken)
		return;
	if (entry != NULL && entry->kind == CFG_ENTRY_SCALAR &&
	    (o->shorthand == NULL || entry->null)) {
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
		size_t len = path_enter_item(f, i);

		*(struct cfg_place *)(base + o->place) = item->place;
		fill_item(f, o, item, &inner);
		path_leave(f, len);
	}
}

static void complain_unknown(struct filler *f, const struct cfg_option *table,
			     const struct cfg_entry *entry)
{
	struct cfg_suggest near;
	char *known = NULL;
	size_t len;

	if (!diag_has_room(f->diag)) {
		diag_add(f->diag, entry->key_place, "not known");
		return;
	}
	cfg_suggest_init(&near, entry->key);
	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		char *longer = xasprintf("%s%s%s", known != NULL ? known : "",
					 known != NULL ? ", " : "", o->key);

		free(known);
		known = longer;
		cfg_suggest_offer(&near, o->key);
	}
	if (table == cfg_options)
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
static void complain_not_chosen(struct filler *f, const struct cfg_option *o,
				const struct cfg_entry *entry, const struct thing *thing)
{
	const struct cfg_option *decider = cfg_option_decider(o);
	char *owner = cfg_option_belongs_to(o);
	char *chosen = decider->type->format(decider, thing->base + decider->offset);

	diag_add(f->diag, entry->key_place, "%s belongs to %s, but here %s is %s", f->path, owner,
		 decider->key, chosen);
	free(chosen);
	free(owner);
}

/* False: what was written is no value. */
static bool fill_option(struct filler *f, const struct cfg_option *o, const struct cfg_entry *entry,
			const struct thing *thing)
{
	switch (o->shape) {
	case CFG_VALUE:
		return fill_value(f, o, entry, thing);
	case CFG_VALUES:
		fill_values(f, o, entry, thing);
		break;
	case CFG_SECTION:
		fill_section(f, o, entry, thing);
		break;
	case CFG_NAMED:
		fill_named(f, o, entry, thing);
		break;
	case CFG_PAIRS:
		fill_pairs(f, o, entry, thing);
		break;
	case CFG_ITEMS:
		fill_items(f, o, entry, thing);
		break;
	}
	return true;
}

/* All options of `table`; `map` is NULL when there is nothing but defaults. */
static void fill_options(struct filler *f, const struct cfg_option *table,
			 const struct cfg_entry *map, const struct thing *thing)
{
	const struct cfg_option *unsure = NULL; /* what was chosen by it cannot be told */

	for (const struct cfg_option *o = table; o->key != NULL; o++) {
		const struct cfg_entry *entry = cfg_entry_get(map, o->key);
		size_t len = path_enter_key(f, o->key);

		if (entry != NULL && !cfg_option_belongs(o, thing->base)) {
			if (cfg_option_decider(o) != unsure)
				complain_not_chosen(f, o, entry, thing);
			entry = NULL;
		}
		if (!fill_option(f, o, entry, thing))
			unsure = o;
		path_leave(f, len);
	}
	for (const struct cfg_entry *n = map != NULL ? map->first : NULL; n != NULL; n = n->next) {
		if (cfg_option_find(table, n->key) == NULL)
			complain_unknown(f, table, n);
	}
}

void cfg_fill(struct cfg_fleet *fleet, const struct cfg_entry *root, struct cfg_memory *mem,
	      struct diag *diag)
{
	struct filler f = {.fleet = fleet, .mem = mem, .diag = diag};
	struct thing thing = {.base = (char *)fleet, .name = "", .place = root->place};

	fill_options(&f, cfg_options, root, &thing);
	cfg_references_fini(&f.references);
	cfg_hash_fini(&f.by_source);
	cfg_hash_fini(&f.by_value);
	free(f.scratch);
}
