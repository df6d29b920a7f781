/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See content.h. A file that several routes name is read once.
 */
#include "edge/route/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

#include "config/fleet.h"
#include "config/hash.h"
#include "core/base/check.h"
#include "core/base/file.h"

struct loaded {
	struct loaded *next;
	struct file file;
};

struct edge_files {
	struct cfg_hash by_path; /* struct loaded */
	struct loaded *all;
	size_t size;
	bool failed;
};

static void load(struct edge_files *files, const char *path, struct cfg_place place,
		 struct diag *diag)
{
	struct loaded *loaded;
	char *error;

	if (path == NULL || cfg_hash_get(&files->by_path, path, strlen(path)) != NULL)
		return;
	loaded = xcalloc(1, sizeof(*loaded));
	loaded->next = files->all;
	files->all = loaded;
	cfg_hash_put(&files->by_path, path, strlen(path), loaded);
	error = file_read(&loaded->file, path, EDGE_FILE_MAX);
	if (error != NULL) {
		diag_add(diag, place, "%s %s", path, error);
		free(error);
		files->failed = true;
		return;
	}
	files->size += loaded->file.len;
	if (files->size > EDGE_FILES_MAX && !files->failed) {
		diag_add(diag, place, "%s: with it the files of all routes are larger than %d MiB",
			 path, EDGE_FILES_MAX >> 20);
		files->failed = true;
	}
}

static void load_errors(struct edge_files *files, const struct cfg_error_page *errors, unsigned n,
			struct diag *diag)
{
	for (unsigned i = 0; i < n; i++)
		load(files, errors[i].file, errors[i].place, diag);
}

static void load_site(struct edge_files *files, const struct cfg_site *site, struct diag *diag)
{
	load_errors(files, site->errors, site->n_errors, diag);
	for (unsigned i = 0; i < site->n_routes; i++) {
		const struct cfg_route *route = &site->routes[i];

		load_errors(files, route->errors, route->n_errors, diag);
		if (route->n_respond > 0)
			load(files, route->respond->file, route->respond->place, diag);
	}
}

struct edge_files *edge_files_load(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				   struct diag *diag)
{
	struct edge_files *files = xcalloc(1, sizeof(*files));

	for (unsigned i = 0; i < fleet->n_sites; i++) {
		if (self == NULL || cfg_site_is_served_by(&fleet->sites[i], self))
			load_site(files, &fleet->sites[i], diag);
	}
	for (unsigned i = 0; i < fleet->n_origins; i++) {
		const struct cfg_origin *origin = &fleet->origins[i];

		if (origin->n_page > 0)
			load(files, origin->page->file, origin->page->place, diag);
	}
	if (files->failed)
		edge_files_destroy(&files);
	return files;
}

void edge_files_destroy(struct edge_files **filesp)
{
	struct edge_files *files = TAKE(filesp);
	struct loaded *loaded;

	if (files == NULL)
		return;
	while ((loaded = files->all) != NULL) {
		files->all = loaded->next;
		file_wipe(&loaded->file);
		free(loaded);
	}
	cfg_hash_fini(&files->by_path);
	free(files);
}

/* What a maintenance page is made of; anything else says its type. */
static struct span type_of_name(const char *path)
{
	static const struct {
		const char *end, *type;
	} types[] = {
	    {".html", "text/html; charset=utf-8"},
	    {".htm", "text/html; charset=utf-8"},
	    {".txt", "text/plain; charset=utf-8"},
	    {".css", "text/css; charset=utf-8"},
	    {".js", "text/javascript; charset=utf-8"},
	    {".json", "application/json"},
	    {".xml", "application/xml"},
	    {".svg", "image/svg+xml"},
	    {".png", "image/png"},
	    {".jpg", "image/jpeg"},
	    {".webp", "image/webp"},
	    {".ico", "image/vnd.microsoft.icon"},
	};
	size_t len = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t n = strlen(types[i].end);

		if (len > n && strcasecmp(path + len - n, types[i].end) == 0)
			return span_of(types[i].type);
	}
	return SPAN("application/octet-stream");
}

static void write_etag(struct edge_content *content)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(content->bytes.p, content->bytes.n,
						   XXH3_64bits(content->type.p, content->type.n));

	snprintf(content->etag, sizeof(content->etag), "\"%016llx%016llx\"",
		 (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}

struct edge_content edge_content_of(const struct edge_files *files, const char *text,
				    const char *file, const char *type)
{
	struct edge_content content = {.type = span_of(type)};
	const struct loaded *loaded;

	if (file != NULL) {
		loaded = cfg_hash_get(&files->by_path, file, strlen(file));
		CHECK(loaded != NULL);
		content.bytes = (struct span){loaded->file.data, loaded->file.len};
	} else {
		content.bytes = span_of(text);
	}
	if (content.type.n == 0)
		content.type =
		    file != NULL ? type_of_name(file) : SPAN("text/plain; charset=utf-8");
	write_etag(&content);
	return content;
}
