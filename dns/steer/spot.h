/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Spots: what steering cares about of a client's place. Many places of the databases are one spot
 * (networks of several operators in one town), so what is computed for all places is computed for
 * spots. Built with the view by one thread, immutable afterwards.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct cfg_geo;
struct geo_places;

/* Edges that an override puts first. */
struct steer_override {
	unsigned n;
	struct steer_first {
		uint16_t edge;
		uint16_t rank; /* 0: the very first */
	} * v;                 /* by edge id */
};

struct steer_spot {
	bool located;
	double latitude, longitude;            /* 0 when it is not */
	uint16_t continent;                    /* its two letters; 0: not known */
	const struct steer_override *override; /* NULL: none */
};

struct steer_spots {
	struct steer_override *overrides; /* by index in cfg_geo.overrides; n == 0: no edges */
	unsigned n_overrides;
	struct steer_spot *v;
	uint32_t n;
	uint32_t *of_place; /* by number of a place */
	uint32_t n_places;
};

/* Two letters as a number; 0 for "". */
uint16_t steer_continent(const char *letters);
/* `places` may be NULL: then there are none. */
void steer_spots_init(struct steer_spots *spots, const struct cfg_geo *geo,
		      const struct geo_places *places);
void steer_spots_fini(struct steer_spots *spots);

static inline const struct steer_spot *steer_spot_of(const struct steer_spots *spots,
						     uint32_t place)
{
	return &spots->v[spots->of_place[place]];
}
