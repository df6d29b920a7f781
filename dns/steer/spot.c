/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dns/steer/spot.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "geo/places.h"
#include "geo/table.h"

uint16_t steer_continent(const char *letters)
{
	if (letters[0] == '\0')
		return 0;
	return (uint16_t)((uint8_t)letters[0] << 8 | (uint8_t)letters[1]);
}

static int compare_firsts(const void *va, const void *vb)
{
	const struct steer_first *a = va, *b = vb;

	return a->edge != b->edge ? a->edge - b->edge : a->rank - b->rank;
}

/* The edges of one override; of one that stands there twice the first place counts. */
static struct steer_override override_of(const struct cfg_override *config)
{
	struct steer_override o = {.v = xcalloc(config->n_edges + 1, sizeof(*o.v))};
	unsigned n = MIN(config->n_edges, UINT16_MAX);

	for (unsigned i = 0; i < n; i++)
		o.v[i] = (struct steer_first){(uint16_t)config->edges[i]->id, (uint16_t)i};
	qsort(o.v, n, sizeof(*o.v), compare_firsts);
	for (unsigned i = 0; i < n; i++) {
		if (o.n == 0 || o.v[i].edge != o.v[o.n - 1].edge)
			o.v[o.n++] = o.v[i];
	}
	return o;
}

static struct steer_spot spot_of(const struct steer_spots *spots, const struct geo_place *place)
{
	struct steer_spot spot = {.continent = steer_continent(place->continent)};

	if (place->located) {
		spot.located = true;
		spot.latitude = place->latitude;
		spot.longitude = place->longitude;
	}
	if (place->override > 0 && spots->overrides[place->override - 1].n > 0)
		spot.override = &spots->overrides[place->override - 1];
	return spot;
}

static uint64_t hash_of(const struct steer_spot *spot)
{
	const struct {
		double latitude, longitude;
		uint64_t override, rest;
	} key = {spot->latitude, spot->longitude, (uintptr_t)spot->override,
		 (uint64_t)spot->continent << 1 | spot->located};

	return XXH3_64bits(&key, sizeof(key));
}

/* The candidate stands behind the last one. */
static bool same_spot(const void *arg, uint32_t index)
{
	const struct steer_spots *spots = arg;
	const struct steer_spot *a = &spots->v[index], *b = &spots->v[spots->n];

	return a->located == b->located && a->latitude == b->latitude &&
	       a->longitude == b->longitude && a->continent == b->continent &&
	       a->override == b->override;
}

void steer_spots_init(struct steer_spots *spots, const struct cfg_geo *geo,
		      const struct geo_places *places)
{
	uint32_t room = 0;
	struct geo_table table = {0};

	*spots = (struct steer_spots){.n_overrides = geo->n_overrides};
	spots->overrides = xcalloc(geo->n_overrides + 1, sizeof(*spots->overrides));
	for (unsigned i = 0; i < geo->n_overrides; i++)
		spots->overrides[i] = override_of(&geo->overrides[i]);
	spots->n_places = places == NULL ? 0 : geo_places_n(places);
	spots->of_place = xcalloc(spots->n_places + 1, sizeof(*spots->of_place));
	for (uint32_t i = 0; i < spots->n_places; i++) {
		if (spots->n == room) {
			room = room > 0 ? 2 * room : 64;
			spots->v = xreallocarray(spots->v, room, sizeof(*spots->v));
		}
		spots->v[spots->n] = spot_of(spots, geo_places_get(places, i));
		spots->of_place[i] = geo_table_find_or_add(&table, hash_of(&spots->v[spots->n]),
							   same_spot, spots, spots->n);
		spots->n += spots->of_place[i] == spots->n;
	}
	geo_table_fini(&table);
}

void steer_spots_fini(struct steer_spots *spots)
{
	for (unsigned i = 0; i < spots->n_overrides; i++)
		free(spots->overrides[i].v);
	free(spots->overrides);
	free(spots->v);
	free(spots->of_place);
	*spots = (struct steer_spots){0};
}
