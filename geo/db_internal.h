/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What geo/db.c and geo/walk.c share about a database. Nobody else includes it.
 */
#pragma once

#include <maxminddb.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/diag.h"

/* Zero bytes between the tree and the data. Data records count them in. */
#define GEO_SEPARATOR 16

struct geo_db { /* immutable once opened */
	char *path;
	MMDB_s mmdb;        /* of a copy in memory */
	bool is_open;       /* mmdb */
	uint32_t data_size; /* without the metadata, which libmaxminddb counts in */
};

void geo_complain(const char *path, struct cfg_place place, struct diag *diag, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
