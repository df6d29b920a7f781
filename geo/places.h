/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Places: what the databases of a fleet and its geo.overrides say of each network, together. Every
 * address has a place, by its number; place 0 is that of clients of which nothing is known. A part
 * of the view: immutable, counted, and kept across reloads as long as the databases and geo.* are
 * the same. Any thread may read.
 *
 * Facts of several databases are put beside each other; of two that say the same of a network the
 * one that stands first in the list is believed. Where only the country is known, the client is
 * taken to be in its middle (geo/countries.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/diag.h"
#include "config/fleet.h"
#include "geo/ranges.h"

enum geo_source {
	GEO_SOURCE_NONE, /* of geo.unknown, or none */
	GEO_SOURCE_DATABASE,
	GEO_SOURCE_COUNTRY, /* its middle */
	GEO_SOURCE_OVERRIDE,
};
/* For people: "database", "middle of the country", ... */
const char *geo_source_text(enum geo_source source);

struct geo_place {
	double latitude, longitude; /* degrees; 0 when not located */
	uint32_t asn;               /* 0: not known */
	/* Index plus one of the cfg_geo.overrides that it falls under; 0: none. Its location, when
	 * it has one, is already the place's. */
	uint32_t override;
	char country[3];   /* ISO 3166-1 alpha-2; "": not known */
	char continent[3]; /* AF AN AS EU NA OC SA; "": not known */
	bool located;      /* by `source`; also when that is geo.unknown */
	uint8_t source;    /* enum geo_source */
};

struct geo_places;

/* NULL with the reasons in `diag` when a database cannot be read, is broken anywhere (every node
 * and record is visited) or has none of the facts; or an override names networks that never count.
 * `before`, which may be NULL, is what was loaded last: when the contents of the databases and the
 * options are the same it is returned, with one more reference. Blocking. */
const struct geo_places *geo_places_load(const struct cfg_geo *geo, const struct geo_places *before,
					 struct diag *diag);
const struct geo_places *geo_places_ref(const struct geo_places *places);
/* Takes the reference away from *places; the last one frees. */
void geo_places_unref(const struct geo_places **places);

uint32_t geo_places_n(const struct geo_places *places); /* 1 at least */
const struct geo_place *geo_places_get(const struct geo_places *places, uint32_t number);
/* What no other in the life of the program has; never 0. */
uint64_t geo_places_generation(const struct geo_places *places);
/* The values are numbers of places. */
const struct geo_ranges *geo_places_ranges(const struct geo_places *places);

struct geo_database {
	const char *path, *type; /* the type as the database says, made printable */
	uint64_t build_epoch;    /* seconds since 1970 */
	size_t networks;         /* that have a record */
};
/* In the order of geo.database. */
const struct geo_database *geo_places_databases(const struct geo_places *places, unsigned *n);
size_t geo_places_bytes(const struct geo_places *places);
