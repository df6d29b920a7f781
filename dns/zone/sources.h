/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The files that a zone was read from: for places in complaints, and to tell whether they are still
 * what they were. Private to dns/zone/. Filled by one thread, then immutable and counted.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <xxhash.h>

#include "core/base/file.h"

/* Bounds of what a zone can cost, with all that it includes: some zone of a million names has 50
 * MiB, and more files than a person keeps apart. */
#define DNS_ZONE_BYTES_MAX ((size_t)128 << 20)
#define DNS_ZONE_FILES_MAX 1000

struct dns_source {
	char *path;
	char *folder; /* that the file is really in: names of includes start there */
	XXH128_hash_t digest;
};

struct dns_sources {
	_Atomic unsigned refs;
	unsigned n;
	struct dns_source *v; /* v[0]: the master file */
};

struct dns_sources *dns_sources_create(void);
struct dns_sources *dns_sources_ref(struct dns_sources *sources);
void dns_sources_unref(struct dns_sources **sources);

/* A file that is named next; its index. What it holds comes by dns_sources_read(). */
unsigned dns_sources_add(struct dns_sources *sources, const char *path);
/* Reads the file of that index, of at most `max` bytes, and keeps its digest. NULL, or what is
 * wrong, malloc'd, see file_read(). Blocking. */
char *dns_sources_read(struct dns_sources *sources, unsigned index, size_t max, struct file *file);
/* Whether all of them can be read, and are what they were. Blocking. */
bool dns_sources_are_unchanged(const struct dns_sources *sources);
