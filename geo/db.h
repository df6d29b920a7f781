/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A MaxMind database in memory, whose metadata has been checked. geo/walk.h reads the rest of it.
 */
#pragma once

#include <stdint.h>

#include <xxhash.h>

#include "config/diag.h"

struct geo_db;

/* NULL when the file cannot be read or its metadata is broken; the reason is in `diag`, at `place`
 * and with the path. The file is read into memory, which it keeps until it is closed. Blocking. */
struct geo_db *geo_db_open(const char *path, struct cfg_place place, struct diag *diag);
void geo_db_close(struct geo_db **db);
const char *geo_db_type(const struct geo_db *db);
uint64_t geo_db_build_epoch(const struct geo_db *db);
/* Of the whole file. */
XXH128_hash_t geo_db_digest(const struct geo_db *db);
