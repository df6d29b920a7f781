/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files and includes. A file is read whole, so that libyaml never waits on a disk in the middle and
 * sizes are known before anything is parsed. What keys mean, besides `include`, is left to the
 * option table.
 */
#include "config/syntax/tree.h"

#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <search.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/limits.h"
#include "config/syntax/yaml.h"
#include "core/base/check.h"
#include "core/base/file.h"

struct source {
	dev_t device;
	ino_t inode;
	struct cfg_place included_at; /* .file NULL for the main file */
	struct source *next;
};

struct loader {
	struct cfg_memory *mem;
	struct diag *diag;
	struct cfg_entry *root;
	void *sections; /* of root, a tree by name: a file may have very many */
	struct source *sources;
	unsigned files_left;
	size_t bytes_left;
	unsigned entries_left;
	bool failed;
};

static void load_file(struct loader *l, const char *file, struct cfg_place included_at,
		      unsigned depth);

char *cfg_resolve_path(const char *from, const char *path)
{
	char *copy, *folder, *result;

	if (*path == '/')
		return xstrdup(path);
	copy = xstrdup(from);
	folder = realpath(dirname(copy), NULL);
	free(copy);
	/* The folder of a file that was just read is there, unless somebody is removing it. */
	result = xasprintf("%s/%s", folder != NULL ? folder : "", path);
	free(folder);
	return result;
}

__attribute__((format(printf, 4, 5))) static void fail(struct loader *l, struct cfg_place at,
						       const char *file, const char *fmt, ...)
{
	char *message;
	va_list args;

	va_start(args, fmt);
	CHECK(vasprintf(&message, fmt, args) >= 0);
	va_end(args);
	if (at.file != NULL)
		diag_add(l->diag, at, "include %s: %s", file, message);
	else
		diag_add(l->diag, (struct cfg_place){.file = file}, "%s", message);
	free(message);
	l->failed = true;
}

/* True when the file is new to this configuration. A file that includes itself, directly or not, is
 * one that is not. */
static bool add_source(struct loader *l, const struct file *read, const char *file,
		       struct cfg_place at)
{
	struct source *s;

	for (s = l->sources; s != NULL; s = s->next) {
		if (s->device != read->device || s->inode != read->inode)
			continue;
		if (s->included_at.file != NULL)
			fail(l, at, file, "included already, at %s:%u:%u", s->included_at.file,
			     s->included_at.line, s->included_at.column);
		else
			fail(l, at, file, "this is the main file: it would include itself");
		return false;
	}
	s = cfg_alloc(l->mem, sizeof(*s), at);
	if (s == NULL) {
		l->failed = true;
		return false;
	}
	*s = (struct source){
	    .device = read->device, .inode = read->inode, .included_at = at, .next = l->sources};
	l->sources = s;
	return true;
}

static bool is_folder(const char *file)
{
	struct stat st;

	return stat(file, &st) == 0 && S_ISDIR(st.st_mode);
}

/* False when it cannot be read, is too large, or was read before. */
static bool read_file(struct loader *l, const char *file, struct cfg_place at, struct file *out)
{
	char *error = file_read(out, file, CFG_FILE_BYTES_MAX);

	if (error != NULL) {
		fail(l, at, file, "%s%s", error,
		     at.file != NULL && is_folder(file)
			 ? "; to include the files in it, add \"/*.yaml\""
			 : "");
		free(error);
		return false;
	}
	if (out->len > l->bytes_left) {
		fail(l, at, file, "with all files that are included, larger than %d MiB",
		     CFG_FILE_BYTES_MAX >> 20);
	} else if (add_source(l, out, file, at)) {
		l->bytes_left -= out->len;
		return true;
	}
	file_wipe(out);
	return false;
}

static _Thread_local int search_error;

/* What may not be read must not look like a folder with nothing in it; one that is not there is. */
static int stop_search(const char *folder, int error)
{
	search_error = error;
	return error != ENOENT;
}

/* The folder of `from` as a pattern that matches it alone, and `pattern` below it; malloc'd. */
static char *pattern_from(const char *from, const char *pattern)
{
	char *path = cfg_resolve_path(from, pattern), *result, *to;
	size_t folder_len = *pattern != '/' ? strlen(path) - strlen(pattern) : 0;

	result = to = xmalloc(2 * folder_len + strlen(pattern) + 1);
	for (size_t i = 0; i < folder_len; i++) {
		if (strchr("*?[\\", path[i]) != NULL)
			*to++ = '\\';
		*to++ = path[i];
	}
	strcpy(to, pattern);
	free(path);
	return result;
}

static void include_found(struct loader *l, const struct cfg_entry *entry, unsigned depth)
{
	char *pattern = pattern_from(entry->place.file, entry->text);
	glob_t found = {0};
	int rc = glob(pattern, 0, stop_search, &found);

	if (rc != 0 && rc != GLOB_NOMATCH)
		fail(l, entry->place, entry->text, "cannot be searched: %s",
		     strerrordesc_np(rc == GLOB_NOSPACE ? ENOMEM : search_error));
	if (rc == 0 && found.gl_pathc > l->files_left)
		fail(l, entry->place, entry->text, "more than %d files are included",
		     CFG_FILES_MAX);
	for (size_t i = 0; rc == 0 && i < found.gl_pathc && l->files_left > 0; i++) {
		l->files_left--;
		load_file(l, found.gl_pathv[i], entry->place, depth + 1);
	}
	globfree(&found);
	free(pattern);
}

/* One file by its name, or those that a pattern finds. */
static void include(struct loader *l, const struct cfg_entry *entry, unsigned depth)
{
	char *path;

	if (entry->broken)
		return;
	if (entry->kind != CFG_ENTRY_SCALAR || *entry->text == '\0') {
		diag_add(l->diag, entry->place,
			 "include: a path or a pattern such as "
			 "\"edges.d/*.yaml\" was expected");
	} else if (strpbrk(entry->text, "*?[") != NULL) {
		include_found(l, entry, depth);
	} else if (l->files_left == 0) {
		fail(l, entry->place, entry->text, "more than %d files are included",
		     CFG_FILES_MAX);
	} else {
		l->files_left--;
		path = cfg_resolve_path(entry->place.file, entry->text);
		load_file(l, path, entry->place, depth + 1);
		free(path);
	}
}

static int compare_sections(const void *left, const void *right)
{
	const struct cfg_entry *a = left, *b = right;

	return strcmp(a->key, b->key);
}

/* The section of the root that has this one's name: itself, when it is the first. */
static struct cfg_entry *first_section(struct loader *l, struct cfg_entry *section)
{
	struct cfg_entry **found = tsearch(section, &l->sections, compare_sections);

	CHECK(found != NULL);
	return *found;
}

static void keep(void *section)
{
}

static void merge_section(struct loader *l, struct cfg_entry *known, struct cfg_entry *section)
{
	if (known == section) {
		cfg_entry_append(l->root, section);
	} else if (known->null) {
		section->next = known->next;
		*known = *section;
	} else if (known->kind == CFG_ENTRY_MAP && section->kind == CFG_ENTRY_MAP) {
		for (struct cfg_entry *n = section->first, *after; n != NULL; n = after) {
			after = n->next;
			cfg_entry_append(known, n);
		}
	} else if (!section->null) {
		diag_add(l->diag, section->key_place, "%s is defined twice; first at %s:%u:%u",
			 section->key, known->key_place.file, known->key_place.line,
			 known->key_place.column);
	}
}

/* Moves what `map` defines into the root. */
static void merge(struct loader *l, struct cfg_entry *map)
{
	struct cfg_entry *section, *next;

	if (l->root == NULL) {
		l->root = map;
		for (section = map->first; section != NULL; section = section->next)
			first_section(l, section);
		return;
	}
	for (section = map->first; section != NULL; section = next) {
		next = section->next;
		merge_section(l, first_section(l, section), section);
	}
}

static void load_file(struct loader *l, const char *file, struct cfg_place included_at,
		      unsigned depth)
{
	struct cfg_entry *map, *included;
	struct file read;
	const char *name;

	if (depth > CFG_INCLUDE_DEPTH_MAX) {
		fail(l, included_at, file, "includes are nested more than %d deep",
		     CFG_INCLUDE_DEPTH_MAX);
		return;
	}
	if (!read_file(l, file, included_at, &read))
		return;
	name = cfg_copy(l->mem, file, included_at);
	map = name != NULL
		  ? cfg_yaml_parse(l->mem, name, read.data, read.len, &l->entries_left, l->diag)
		  : NULL;
	file_wipe(&read);
	if (map == NULL) {
		l->failed = true;
		return;
	}
	if (map->kind != CFG_ENTRY_MAP) {
		diag_add(l->diag, map->place,
			 "a map of edges, origins, sites and so on was expected");
		l->failed = true;
		return;
	}
	included = cfg_entry_get(map, "include");
	if (included != NULL)
		cfg_entry_remove(map, included);
	merge(l, map);
	if (included == NULL)
		return;
	if (included->kind != CFG_ENTRY_LIST)
		include(l, included, depth);
	for (struct cfg_entry *n = included->first; included->kind == CFG_ENTRY_LIST && n != NULL;
	     n = n->next)
		include(l, n, depth);
}

struct cfg_entry *cfg_tree_load(struct cfg_memory *mem, const char *file, struct diag *diag)
{
	struct loader l = {
	    .mem = mem,
	    .diag = diag,
	    .bytes_left = CFG_FILE_BYTES_MAX,
	    .entries_left = CFG_ENTRIES_MAX,
	    .files_left = CFG_FILES_MAX,
	};

	load_file(&l, file, (struct cfg_place){0}, 0);
	tdestroy(l.sections, keep);
	if (l.failed)
		return NULL;
	for (struct cfg_entry *n = l.root->first; n != NULL; n = n->next) {
		if (n->kind == CFG_ENTRY_MAP)
			cfg_entry_drop_duplicates(n, n->key, diag);
	}
	return l.root;
}
