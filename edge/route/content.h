/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Content of the edge's own: texts and files of the configuration, read into memory by the job that
 * loads it; then immutable, and any thread's.
 */
#pragma once

#include "core/http/message.h"

struct cfg_edge;
struct cfg_fleet;
struct diag;

/* Of one file; and of all of them together. A page and what a page needs, not a site. */
#define EDGE_FILE_MAX (1 << 20)
#define EDGE_FILES_MAX (64 << 20)

#define EDGE_ETAG_MAX 40

struct edge_content {
	struct span bytes, type;
	char etag[EDGE_ETAG_MAX]; /* by the bytes and their type: the same on every edge */
};

struct edge_files;

/* The files that origins and the routes of the sites of `self` name, or of all sites when that is
 * NULL. NULL,
 * with what is wrong in `diag`, when one cannot be read. Blocking. */
struct edge_files *edge_files_load(const struct cfg_fleet *fleet, const struct cfg_edge *self,
				   struct diag *diag);
void edge_files_destroy(struct edge_files **files);

/* Of one of the two, the other is NULL; with "" as its type by what it is. It points into all of
 * them, which must outlive it. */
struct edge_content edge_content_of(const struct edge_files *files, const char *text,
				    const char *file, const char *type);
