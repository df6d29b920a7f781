/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/zone/sources.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

struct dns_sources *dns_sources_create(void)
{
	struct dns_sources *sources = xcalloc(1, sizeof(*sources));

	sources->refs = 1;
	return sources;
}

struct dns_sources *dns_sources_ref(struct dns_sources *sources)
{
	atomic_fetch_add(&sources->refs, 1);
	return sources;
}

void dns_sources_unref(struct dns_sources **sourcesp)
{
	struct dns_sources *sources = TAKE(sourcesp);

	if (sources == NULL || atomic_fetch_sub(&sources->refs, 1) > 1)
		return;
	for (unsigned i = 0; i < sources->n; i++) {
		free(sources->v[i].path);
		free(sources->v[i].folder);
	}
	free(sources->v);
	free(sources);
}

unsigned dns_sources_add(struct dns_sources *sources, const char *path)
{
	sources->v = xreallocarray(sources->v, sources->n + 1, sizeof(*sources->v));
	sources->v[sources->n] = (struct dns_source){.path = xstrdup(path)};
	return sources->n++;
}

/* malloc'd. */
static char *folder_of(const char *path)
{
	char *real = realpath(path, NULL), *folder = xstrdup(real != NULL ? dirname(real) : ".");

	free(real);
	return folder;
}

/* Borrows source->path alone. */
static char *read_source(struct dns_source *source, size_t max, struct file *file)
{
	char *error = file_read(file, source->path, max);

	if (error != NULL)
		return error;
	source->folder = folder_of(source->path);
	source->digest = XXH3_128bits(file->data, file->len);
	return NULL;
}

char *dns_sources_read(struct dns_sources *sources, unsigned index, size_t max, struct file *file)
{
	CHECK(sources->v[index].folder == NULL);
	return read_source(&sources->v[index], max, file);
}

bool dns_sources_are_unchanged(const struct dns_sources *sources)
{
	bool same = true;

	for (unsigned i = 0; i < sources->n && same; i++) {
		struct dns_source now = {.path = sources->v[i].path};
		struct file file;
		char *error = read_source(&now, DNS_ZONE_BYTES_MAX, &file);

		same = error == NULL && strcmp(now.folder, sources->v[i].folder) == 0 &&
		       XXH128_isEqual(now.digest, sources->v[i].digest);
		free(error);
		free(now.folder);
		file_wipe(&file);
	}
	return same;
}
