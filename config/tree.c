/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Files and includes. A file is read whole, so that libyaml never waits on a disk in the middle and
 * sizes are known before anything is parsed. What keys mean, besides `include`, is left to the
 * option table.
 */
#include "config/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/yaml.h"
#include "core/base/check.h"

/* Includes of includes; nobody nests deeper on purpose. */
#define INCLUDE_DEPTH_MAX 16

struct source {
	dev_t device;
	ino_t inode;
	struct cfg_place included_at; /* .file NULL for the main file */
	struct source *next;
};

struct loader {
	struct arena *mem;
	struct diag *diag;
	struct cfg_entry *root;
	struct source *sources;
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
static bool add_source(struct loader *l, const struct stat *st, const char *file,
		       struct cfg_place at)
{
	struct source *s;

	for (s = l->sources; s != NULL; s = s->next) {
		if (s->device != st->st_dev || s->inode != st->st_ino)
			continue;
		if (s->included_at.file != NULL)
			fail(l, at, file, "included already, at %s:%u:%u", s->included_at.file,
			     s->included_at.line, s->included_at.column);
		else
			fail(l, at, file, "this is the main file: it would include itself");
		return false;
	}
	s = cfg_need(l->mem, sizeof(*s));
	*s = (struct source){
	    .device = st->st_dev, .inode = st->st_ino, .included_at = at, .next = l->sources};
	l->sources = s;
	return true;
}

/* The rest of `fd`, malloc'd; NULL when it cannot be read or is too large. */
static char *read_all(struct loader *l, int fd, const char *file, struct cfg_place at, size_t *len)
{
	size_t size = 64 << 10, used = 0;
	char *data = xmalloc(size);

	for (;;) {
		ssize_t n;

		if (used == size) {
			size *= 2;
			data = xreallocarray(data, size, 1);
		}
		n = read(fd, data + used, size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fail(l, at, file, "cannot be read: %s", strerror(errno));
			break;
		}
		if (n == 0) {
			l->bytes_left -= used;
			*len = used;
			return data;
		}
		used += (size_t)n;
		if (used > l->bytes_left) {
			fail(l, at, file, "larger than %d MiB, together with what it includes",
			     CFG_FILE_BYTES_MAX >> 20);
			break;
		}
	}
	free(data);
	return NULL;
}

static char *read_file(struct loader *l, const char *file, struct cfg_place at, size_t *len)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *data = NULL;
	struct stat st;

	if (fd < 0) {
		fail(l, at, file, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) != 0)
		fail(l, at, file, "cannot be examined: %s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		fail(l, at, file, "is a folder%s",
		     at.file != NULL ? "; to include the files in it, add \"/*.yaml\"" : "");
	else if (add_source(l, &st, file, at))
		data = read_all(l, fd, file, at, len);
	close(fd);
	return data;
}

static void include_pattern(struct loader *l, const struct cfg_entry *entry, unsigned depth)
{
	char *pattern;
	glob_t found = {0};
	int rc;

	if (entry->broken)
		return;
	if (entry->kind != CFG_ENTRY_SCALAR || *entry->text == '\0') {
		diag_add(l->diag, entry->place,
			 "include: a path or a pattern such as "
			 "\"edges.d/*.yaml\" was expected");
		return;
	}
	pattern = cfg_resolve_path(entry->place.file, entry->text);
	/* A path without wildcards comes back as it is, and then opening it says what is wrong. */
	rc = glob(pattern, strpbrk(entry->text, "*?[") == NULL ? GLOB_NOCHECK : 0, NULL, &found);
	if (rc != 0 && rc != GLOB_NOMATCH)
		fail(l, entry->place, entry->text, "cannot be searched: %s", strerror(errno));
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		load_file(l, found.gl_pathv[i], entry->place, depth + 1);
	globfree(&found);
	free(pattern);
}

/* Moves what `map` defines into the root. */
static void merge(struct loader *l, struct cfg_entry *map)
{
	struct cfg_entry *section, *next;

	if (l->root == NULL) {
		l->root = map;
		return;
	}
	for (section = map->first; section != NULL; section = next) {
		struct cfg_entry *known = cfg_entry_get(l->root, section->key);

		next = section->next;
		if (known == NULL) {
			cfg_entry_append(l->root, section);
		} else if (known->null) {
			cfg_entry_remove(l->root, known);
			cfg_entry_append(l->root, section);
		} else if (known->kind == CFG_ENTRY_MAP && section->kind == CFG_ENTRY_MAP) {
			for (struct cfg_entry *n = section->first, *after; n != NULL; n = after) {
				after = n->next;
				cfg_entry_append(known, n);
			}
		} else if (!section->null) {
			diag_add(l->diag, section->key_place,
				 "%s is defined twice; first at %s:%u:%u", section->key,
				 known->key_place.file, known->key_place.line,
				 known->key_place.column);
		}
	}
}

static void load_file(struct loader *l, const char *file, struct cfg_place included_at,
		      unsigned depth)
{
	struct cfg_entry *map, *include;
	size_t len;
	char *data;

	if (depth > INCLUDE_DEPTH_MAX) {
		fail(l, included_at, file, "includes are nested more than %d deep",
		     INCLUDE_DEPTH_MAX);
		return;
	}
	data = read_file(l, file, included_at, &len);
	if (data == NULL)
		return;
	map = cfg_yaml_parse(l->mem, cfg_need_copy(l->mem, file), data, len, &l->entries_left,
			     l->diag);
	free(data);
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
	include = cfg_entry_get(map, "include");
	if (include != NULL)
		cfg_entry_remove(map, include);
	merge(l, map);
	if (include == NULL)
		return;
	if (include->kind != CFG_ENTRY_LIST)
		include_pattern(l, include, depth);
	for (struct cfg_entry *n = include->first; include->kind == CFG_ENTRY_LIST && n != NULL;
	     n = n->next)
		include_pattern(l, n, depth);
}

struct cfg_entry *cfg_tree_load(struct arena *mem, const char *file, struct diag *diag)
{
	struct loader l = {
	    .mem = mem,
	    .diag = diag,
	    .bytes_left = CFG_FILE_BYTES_MAX,
	    .entries_left = CFG_ENTRIES_MAX,
	};

	load_file(&l, file, (struct cfg_place){0}, 0);
	if (l.failed)
		return NULL;
	for (struct cfg_entry *n = l.root->first; n != NULL; n = n->next) {
		if (n->kind == CFG_ENTRY_MAP)
			cfg_entry_drop_duplicates(n, n->key, diag);
	}
	return l.root;
}
