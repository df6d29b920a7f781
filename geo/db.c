/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Opening a MaxMind database. libmaxminddb maps what it opens, so it is given a copy in memory: a
 * file that is truncated while it is mapped kills whoever reads it. Before the library may look,
 * the metadata is checked here with bounds, because MMDB_open() 1.7 trusts it (nesting, counts, a
 * node count whose product overflows). The tree and the records are checked by the walk in
 * geo/walk.c.
 */
#include "geo/db.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/check.h"
#include "core/base/file.h"
#include "geo/data.h"
#include "geo/db_internal.h"

/* Specification, "Database Metadata": the marker is the last of its kind, and what follows it is at
 * most 128 KiB. */
#define MARKER "\xab\xcd\xefMaxMind.com"
#define MARKER_LEN (sizeof(MARKER) - 1)
#define MAX_METADATA ((size_t)128 << 10)

/* A bound of the memory that a wrong file can take: four times the largest database of cities on
 * sale, which has 500 MiB. */
#define DATABASE_MAX ((size_t)2 << 30)

/* A file in memory. */
struct copy {
	int fd;
	size_t size;
};

void geo_complain(const char *path, struct cfg_place place, struct diag *diag, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	diag_add(diag, place, "geo database %s: %s", path, text);
}

/* libmaxminddb copies all languages and descriptions and takes them for strings. */
static bool all_strings(struct geo_data *d, const struct geo_value *container)
{
	uint64_t members = (uint64_t)container->size * (container->type == GEO_MAP ? 2 : 1);
	struct geo_value v = {.next = container->at};

	for (uint64_t i = 0; i < members; i++) {
		if (!geo_data_read(d, v.next, &v) || v.type != GEO_STRING)
			return false;
	}
	return true;
}

/* NULL when the metadata is sound enough for MMDB_open(); otherwise what is wrong. */
static const char *check_metadata(struct geo_data *d, uint64_t before_marker, uint64_t *tree_bytes)
{
	struct geo_value root, v;
	uint64_t nodes = 0, bits = 0;

	if (!geo_data_check(d, 0) || !geo_data_read(d, 0, &root))
		return d->error;
	if (root.type != GEO_MAP)
		return "it is not a map";
	if (!geo_data_find(d, &root, "node_count", &v) || !geo_data_unsigned(d, &v, &nodes) ||
	    nodes == 0 || nodes > UINT32_MAX)
		return "node_count is missing or not a number of nodes";
	if (!geo_data_find(d, &root, "record_size", &v) || !geo_data_unsigned(d, &v, &bits) ||
	    (bits != 24 && bits != 28 && bits != 32))
		return "record_size is not 24, 28 or 32";
	if (!geo_data_find(d, &root, "languages", &v) || v.type != GEO_ARRAY || !all_strings(d, &v))
		return "languages is not a list of strings";
	if (!geo_data_find(d, &root, "description", &v) || v.type != GEO_MAP || !all_strings(d, &v))
		return "description is not a map of strings";
	*tree_bytes = nodes * bits / 4;
	if (*tree_bytes + GEO_SEPARATOR > before_marker)
		return "node_count says that the tree is larger than the file";
	return NULL;
}

/* Reads the tail of the file and finds what MMDB_open() will find there. */
static bool preflight(struct geo_db *db, const struct copy *copy, struct cfg_place place,
		      struct diag *diag)
{
	size_t tail = MIN(copy->size, MAX_METADATA), start = 0;
	uint8_t *buf = xmalloc(tail);
	const char *wrong = NULL;
	uint64_t tree_bytes = 0, marker_at;
	struct geo_data d;

	CHECK(pread(copy->fd, buf, tail, (off_t)(copy->size - tail)) == (ssize_t)tail);
	for (size_t at = tail; at-- > 0 && start == 0;) {
		if (tail - at >= MARKER_LEN && memcmp(buf + at, MARKER, MARKER_LEN) == 0)
			start = at + MARKER_LEN;
	}
	if (start == 0) {
		geo_complain(db->path, place, diag, "not a MaxMind database (no metadata marker)");
		free(buf);
		return false;
	}
	marker_at = copy->size - tail + start - MARKER_LEN;
	geo_data_init(&d, buf + start, (uint32_t)(tail - start));
	wrong = check_metadata(&d, marker_at, &tree_bytes);
	geo_data_fini(&d);
	if (wrong != NULL)
		geo_complain(db->path, place, diag, "broken metadata: %s", wrong);
	free(buf);
	db->data_size = (uint32_t)(marker_at - tree_bytes - GEO_SEPARATOR);
	return wrong == NULL;
}

static bool read_file(const struct geo_db *db, struct copy *copy, struct cfg_place place,
		      struct diag *diag)
{
	char *error = file_read_to_memfd(&copy->fd, &copy->size, db->path, DATABASE_MAX);

	if (error == NULL && copy->size == 0)
		error = xstrdup("is empty");
	if (error == NULL)
		return true;
	diag_add(diag, place, "geo database %s %s", db->path, error);
	free(error);
	return false;
}

/* The library's mapping keeps the memory of the copy until MMDB_close(). */
static bool open_library(struct geo_db *db, const struct copy *copy, struct cfg_place place,
			 struct diag *diag)
{
	static const uint8_t zeros[GEO_SEPARATOR];
	char name[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	int status;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", copy->fd);
	status = MMDB_open(name, MMDB_MODE_MMAP, &db->mmdb);
	if (status != MMDB_SUCCESS) {
		geo_complain(db->path, place, diag, "%s", MMDB_strerror(status));
		return false;
	}
	db->is_open = true;
	if (memcmp(db->mmdb.data_section - GEO_SEPARATOR, zeros, GEO_SEPARATOR) != 0) {
		geo_complain(db->path, place, diag,
			     "no zeros between tree and data: node_count is wrong or the file is "
			     "damaged");
		return false;
	}
	return true;
}

struct geo_db *geo_db_open(const char *path, struct cfg_place place, struct diag *diag)
{
	struct geo_db *db = xcalloc(1, sizeof(*db));
	struct copy copy = {.fd = -1};

	db->path = xstrdup(path);
	if (!read_file(db, &copy, place, diag) || !preflight(db, &copy, place, diag) ||
	    !open_library(db, &copy, place, diag))
		geo_db_close(&db);
	if (copy.fd >= 0)
		close(copy.fd);
	return db;
}

void geo_db_close(struct geo_db **dbp)
{
	struct geo_db *db = TAKE(dbp);

	if (db == NULL)
		return;
	if (db->is_open)
		MMDB_close(&db->mmdb);
	free(db->path);
	free(db);
}

const char *geo_db_type(const struct geo_db *db)
{
	return db->mmdb.metadata.database_type;
}

uint64_t geo_db_build_epoch(const struct geo_db *db)
{
	return db->mmdb.metadata.build_epoch;
}

XXH128_hash_t geo_db_digest(const struct geo_db *db)
{
	return XXH3_128bits(db->mmdb.file_content, (size_t)db->mmdb.file_size);
}
