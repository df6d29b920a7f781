/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a daemon's status document tells of places. Any thread.
 */
#pragma once

#include <jansson.h>

struct geo_places;

/* Databases, places, ranges, and bytes of memory. */
json_t *geo_places_report(const struct geo_places *places);
